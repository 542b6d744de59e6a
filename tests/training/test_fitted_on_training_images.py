"""Whatever is fitted is fitted on the training images alone: other validation images change none of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from splitting import split

from pipeline.data.image_set import make_image_set
from pipeline.data.source import Split
from pipeline.knobs.table import KnobValue, complete
from pipeline.training.configuration import Configuration
from pipeline.training.metric import get_metric
from pipeline.training.trainer import train

TINY: dict[str, KnobValue] = {"blocks": 1, "filters": 2, "batch_size": 16, "epochs": 1}


@pytest.fixture(scope="module")
def images() -> Split:
    """Return 60 images of real numbers, of which 12 validate."""
    pixels = np.random.default_rng(0).normal(size=(60, 8, 8, 3)).astype(np.float32)
    return split(make_image_set(name="made", source="made", images=pixels, labels=np.arange(60) % 3))


def changed(images: Split, part: str) -> Split:
    """Return the same split with larger pixels, and in one class alone, in one of its parts."""
    indices = getattr(images.partition, part)
    pixels, labels = np.array(images.images.images), images.images.labels.copy()
    pixels[indices] = 5 * pixels[indices] ** 2 + 3
    labels[indices[: len(indices) // 2]] = 0
    return replace(images, images=replace(images.images, images=pixels, labels=labels))


def fitted(split: Split, **knobs: KnobValue) -> list[Any]:
    """Return scaling and whitening of a network that is bound to a split."""
    network = Configuration(complete({**TINY, **knobs})).bind(split).build("float32")
    config = network.get_layer("scaling").get_config()
    whitening = network.get_layer("whitening").get_weights() if knobs.get("whitening") else []
    return [config["scale"], config["offset"], *(weights.tolist() for weights in whitening)]


@pytest.mark.parametrize(
    "knobs",
    [*({"scaling": kind} for kind in ("zero_one", "standard", "min_max", "min_max_per_channel")), {"whitening": True}],
    ids=str,
)
def test_scaling_and_whitening_see_training_images_alone(images: Split, knobs: dict[str, KnobValue]) -> None:
    before = fitted(images, **knobs)

    assert fitted(changed(images, "validation"), **knobs) == before
    assert fitted(changed(images, "train"), **knobs) != before


@pytest.mark.slow
def test_pixels_for_a_backbone_are_scaled_by_training_images_alone(images: Split) -> None:
    knobs = complete({"backbone": "MobileNetV3Small", "backbone_weights": "random", "unfrozen_blocks": 1})

    def scaling(split: Split) -> Any:
        large = split.with_pixels(np.repeat(np.repeat(np.asarray(split.images.images), 4, 1), 4, 2))
        return Configuration(knobs).bind(large).build("float32").get_layer("scaling").get_config()

    before = scaling(images)

    assert scaling(changed(images, "validation")) == before
    assert scaling(changed(images, "train")) != before


def test_class_weights_are_those_of_the_training_labels(images: Split) -> None:
    def trained(split: Split) -> list[Any]:
        configuration = Configuration(complete({**TINY, "class_weights": True, "scaling": "standard"}))
        bound = configuration.bind(split)
        result = train(
            build=bound.build, plan=configuration.plan, data=bound.split, metric=get_metric("val_accuracy"), seed=0
        )
        return [weights.tolist() for weights in result.network.get_weights()]

    before = trained(images)

    assert trained(changed(images, "validation")) == before
    assert trained(changed(images, "train")) != before
