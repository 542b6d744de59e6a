"""A job: one training outside a study, and what is known of it beforehand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.data.source import TrainingData
from pipeline.errors import ModelFileError
from pipeline.model.backbone_weights import require_weights
from pipeline.model.hand_made import HandMade
from pipeline.settings import TrainingSettings
from pipeline.tracking import names
from pipeline.training.configuration import Configuration, hand_made_configuration

CLASSICAL = "classical"


@dataclass(frozen=True)
class Job:
    """What is trained (None: the classical model), its seed, and what its run is to hold.

    ``reported`` is the accuracy that a document states, ``files`` are texts to keep with the run, by name.
    """

    name: str
    configuration: Configuration | None
    seed: int
    tags: Mapping[str, str]
    reported: float | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def n_epochs(self) -> int:
        """The most epochs that it trains."""
        return 1 if self.configuration is None else self.configuration.plan.epochs

    def fingerprint(self, data: TrainingData, settings: TrainingSettings) -> str:
        """Return 16 hexadecimal digits that are the same where a training would only repeat another one."""
        parts = [self.name, self.seed, data.split_digest, settings.precision, settings.metric, settings.image_size]
        if self.configuration is not None:
            parts += [self.configuration.parameters(), *self.files.values()]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def hand_made_job(model: HandMade, data: TrainingData, settings: TrainingSettings) -> Job:
    """Return the job of training a hand-made model on ``data``.

    Raises:
        ModelFileError: it was made for other images or classes.
        BackboneError: the weights that its backbone starts from cannot be had.
    """
    if model.pretrained_backbone is not None:
        require_weights(model.pretrained_backbone, settings.data_dir)
    configuration = hand_made_configuration(model).with_epochs_at_most(settings.epochs)
    size = _image_size(model, data) if settings.image_size is None else settings.image_size
    return Job(
        name=model.name,
        configuration=configuration.at_size(size),
        seed=settings.seed,
        tags={names.KIND: "baseline", names.BASELINE: model.name},
        reported=max((result.accuracy for result in model.reported), default=None),
        files={names.HAND_MADE_FILE: model.text},
    )


def classical_job(settings: TrainingSettings) -> Job:
    """Return the job of training the classical model."""
    return Job(CLASSICAL, None, settings.seed, {names.KIND: "baseline", names.BASELINE: CLASSICAL})


def _image_size(model: HandMade, data: TrainingData) -> int:
    """Return the side that the images must have for the model; 0: they have it."""
    images, shape = data.images.input_shape, model.input_shape
    if len(images) != len(shape) or images[-1] != shape[-1]:
        raise ModelFileError(
            f"{model.source}: input_shape must have the axes and channels of the images, got {list(shape)} for images "
            f"of {_written(images)}; change it, or choose another data set"
        )
    n_classes = len(data.images.class_names)
    if model.n_classes not in (None, n_classes):
        raise ModelFileError(
            f"{model.source}: the last layer must tell as many classes apart as the data has, got {model.n_classes} "
            f"for {n_classes}; change its units"
        )
    if len(shape) == 2 or images == shape:
        return 0
    if shape[0] != shape[1]:
        raise ModelFileError(
            f"{model.source}: images are resized to squares, got input_shape {list(shape)} for images of "
            f"{_written(images)}; make it square, or that of the images"
        )
    return shape[0]


def _written(shape: tuple[int, ...]) -> str:
    return " x ".join("any" if side < 0 else str(side) for side in shape)
