"""Bind a network with a backbone to images: train it whole, or its classifier alone on features computed once."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from pipeline.data.augmentation import Augmentation
from pipeline.data.source import Split
from pipeline.errors import BackboneError
from pipeline.model.architecture import Architecture
from pipeline.model.backbones import images_problem
from pipeline.model.transfer import build_classifier, build_transfer_network, join
from pipeline.training.backbone_cache import N_CHANGED, BackboneCache, FrozenPart
from pipeline.training.bound_configuration import BoundConfiguration

MAX_FEATURE_BYTES = 4 * 2**30  # of all images; larger ones are computed again in each epoch


def bind_transfer(
    architecture: Architecture, split: Split, augmentation: Augmentation, *, predicts_mirrored: bool,
    backbones: BackboneCache,
) -> BoundConfiguration:  # fmt: skip
    """Return the configuration of a network with a backbone, bound to its images.

    Where the backbone is frozen the classifier alone is trained, on features: with an ``augmentation`` on those of
    a few changed copies of each image. A network that ``predicts_mirrored`` needs the images themselves.

    Raises:
        BackboneError: the backbone does not take the images, or its weights cannot be had.
        TrainingStopped: ``on_batch`` of ``backbones`` says so while features are computed.
    """
    check_images(architecture.backbone, architecture.input_shape)
    weights = backbones.weights_of(architecture.backbone, architecture.backbone_weights)
    whole = BoundConfiguration.on_images(split, lambda precision: build_transfer_network(
        architecture, weights=weights, precision=precision))  # fmt: skip
    if predicts_mirrored or architecture.unfrozen_blocks > 0:
        return whole
    part = backbones.frozen_part(architecture, weights)
    n_copies = 1 + N_CHANGED if augmentation.changes_images else 1
    if n_copies * _n_feature_bytes(split, part, architecture.head) > MAX_FEATURE_BYTES:
        return whole
    features = backbones.features_of(split, part, architecture, augmentation)

    def build(precision: str) -> Any:
        return build_classifier(architecture, n_features=features.shape[1], precision=precision)

    return BoundConfiguration(split, split.with_pixels(features), build, partial(join, part.network, architecture))


def check_images(backbone: str, input_shape: tuple[int, ...]) -> None:
    """Check that a backbone takes images of ``input_shape``.

    Raises:
        BackboneError: it does not.
    """
    if (problem := images_problem(backbone, input_shape)) is None:
        return
    is_small = len(input_shape) == 3 and input_shape[-1] in (1, 3)
    fix = "set image_size to that or more" if is_small else "use backbone: none"
    raise BackboneError(f"backbone {problem}; {fix}")


def _n_feature_bytes(split: Split, part: FrozenPart, head: str) -> int:
    return 4 * len(split.images.labels) * math.prod(part.shape(head))
