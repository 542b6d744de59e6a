"""The jobs of ``baselines``: which models, on which images, and the job of each."""

from __future__ import annotations

import os

from pipeline.data.document_split import RULES
from pipeline.data.source import TrainingData
from pipeline.errors import ModelFileError, SettingError, did_you_mean
from pipeline.model.backbone_weights import has_weights, require_weights
from pipeline.model.model_file import ModelFile
from pipeline.model.model_file.documents import document_names, read_document
from pipeline.paths import user_path
from pipeline.settings import BaselineSettings, TrainingSettings
from pipeline.tracking import names
from pipeline.training.configuration import model_file_configuration
from pipeline.training.linear_probe import BACKBONE as PROBE_BACKBONE
from pipeline.workers.classical_job import CLASSICAL, LINEAR_PROBE
from pipeline.workers.job import Job


def choose(settings: BaselineSettings) -> tuple[list[ModelFile], list[str]]:
    """Return the hand-made models that the settings list, and the classical ones.

    They are separated by commas; None means all that were made for the data set, and the classical one; for photographs
    the linear probe as well, where the weights of its backbone are at hand. With the documents' split these are the
    models whose document held out training images, so that its split can be repeated.

    Raises:
        SettingError: there is no such model.
    """
    listed = settings.names
    if listed is None:
        models = [read_document(name) for name in document_names()]
        has_probe = os.path.isdir(user_path(settings.dataset)) and has_weights(PROBE_BACKBONE, settings.data_dir)
        classical = [CLASSICAL, LINEAR_PROBE] if has_probe else [CLASSICAL]
        made = [model for model in models if model.dataset == settings.dataset_name]
        return [model for model in made if settings.split == "pipeline" or model.validated_on in RULES], classical
    wanted = list(dict.fromkeys(name.strip() for name in listed.split(",") if name.strip()))
    known = (*document_names(), CLASSICAL, LINEAR_PROBE)
    for name in wanted:
        if name not in known:
            raise SettingError(
                f"names must be hand-made models of the documents, '{CLASSICAL}' or '{LINEAR_PROBE}', got '{name}'; "
                f"{did_you_mean(name, known)} (a file of your own is trained by train --config)"
            )
    if not wanted:
        raise SettingError(f"names must name a model, got {listed!r}; leave it out for all that fit the data set")
    classical = [name for name in wanted if name in (CLASSICAL, LINEAR_PROBE)]
    return [read_document(name) for name in wanted if name not in classical], classical


def model_file_job(model: ModelFile, data: TrainingData, settings: TrainingSettings) -> Job:
    """Return the job of training a hand-made model on ``data``.

    Raises:
        ModelFileError: it was made for other images or classes, or the documents' split is not that of its document.
        BackboneError: the weights that its backbone starts from cannot be had.
    """
    _check_split(model, data.images.document_split)
    if model.pretrained_backbone is not None:
        require_weights(model.pretrained_backbone, settings.data_dir)
    result = model.comparable_result
    configuration = model_file_configuration(model).with_epochs_at_most(settings.epochs)
    size = _image_size(model, data) if settings.image_size is None else settings.image_size
    return Job(
        name=model.name,
        configuration=configuration.at_size(size),
        seed=settings.seed,
        tags={
            names.KIND: "baseline",
            names.BASELINE: model.name,
            **({names.REPORTED_ON: result.images} if result else {}),
        },
        reported=None if result is None else result.accuracy,
        files={names.HAND_MADE_FILE: model.text},
    )


def classical_job(name: str, settings: TrainingSettings) -> Job:
    """Return the job of fitting the classical model called ``name``.

    Raises:
        BackboneError: the weights of the linear probe's backbone cannot be had.
    """
    if name == LINEAR_PROBE:
        require_weights(PROBE_BACKBONE, settings.data_dir)
    return Job(name, None, settings.seed, {names.KIND: "baseline", names.BASELINE: name})


def _check_split(model: ModelFile, rule: str | None) -> None:
    if rule is not None and model.validated_on not in (None, rule):
        raise ModelFileError(
            f"{model.source}: --split documents holds out '{rule}' of such data, but the model's document validated on "
            f"'{model.validated_on}'; leave --split out, or take another model"
        )


def _image_size(model: ModelFile, data: TrainingData) -> int:
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
