"""Fit a classical model as a job: a training of one epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.data.image_set import ImageSet
from pipeline.data.source import Split, TrainingData
from pipeline.evaluation.assessment import Assessment, Fold
from pipeline.evaluation.scores import Predictions, predict
from pipeline.model.classical import MOST_IMAGES, count_parameters, fit_classical, predict_classical
from pipeline.tracking import names
from pipeline.tracking.model_log import log_classical, log_network
from pipeline.tracking.training_artifacts import describe_network, log_judgement
from pipeline.tracking.training_run import TrainingRun
from pipeline.training.backbone_cache import BackboneCache
from pipeline.training.budget import StepSchedule
from pipeline.training.ending import Cause, Ending
from pipeline.training.linear_probe import PHOTOGRAPH_SIZE, PROBE, fit_probe
from pipeline.training.result import Epoch, TrainingResult
from pipeline.workers.folds import Outcome

CLASSICAL, LINEAR_PROBE = "classical", "linear_probe"


@dataclass(frozen=True, eq=False)
class _Fitted:
    """A fitted model: how it judges training and validation images, and how it is logged."""

    n_images: int
    fitted: Predictions
    judged: Predictions
    description: str
    n_parameters: int
    log: Callable[[TrainingRun], str]


def train_classical(
    name: str, data: TrainingData, *, image_size: int, run: TrainingRun, seed: int, backbones: BackboneCache
) -> Outcome:  # fmt: skip
    """Fit the model called ``name``, and log it in its run as a training of one epoch.

    ``image_size`` is the side of its images in pixels; 0: as they are, and photographs as the model takes them.
    """
    start = time.perf_counter()
    if name == LINEAR_PROBE:
        is_any_size = -1 in data.images.input_shape
        split = data.at(image_size or (PHOTOGRAPH_SIZE if is_any_size else 0))
        model = _fit_probe(split, backbones)
    else:
        split = data.at(image_size)
        model = _fit_classical(split, seed)
    seconds = time.perf_counter() - start
    epoch = Epoch(
        1, _loss(model.fitted), model.fitted.accuracy, _loss(model.judged), model.judged.accuracy, learning_rate=0.0,
        epoch_seconds=seconds, share=1.0,
    )  # fmt: skip
    run.log_epoch(1, epoch.metrics())
    assessment = _assess(split, epoch, model)
    log_judgement(run, model.judged, assessment.images)
    run.log_text(model.description, names.ARCHITECTURE_FILE)
    run.log_summary({**assessment.figures(), "n_parameters": model.n_parameters}, model_id=model.log(run))
    return Outcome(Ending(Cause.COMPLETE), epoch)


def _fit_classical(split: Split, seed: int) -> _Fitted:
    model = fit_classical(split.train, seed=seed)

    def judge(images: ImageSet) -> Predictions:
        return Predictions(predict_classical(model, images.images), images.labels, images.class_names)

    def log(run: TrainingRun) -> str:
        return log_classical(run, model, split.images.input_shape, split.images.class_names)

    n_images = min(len(split.train.labels), MOST_IMAGES)
    return _Fitted(
        n_images, judge(split.train), judge(split.validation), f"{model}\n", count_parameters(model), log
    )  # fmt: skip


def _fit_probe(split: Split, backbones: BackboneCache) -> _Fitted:
    bound = PROBE.bind(split, backbones)
    classifier = fit_probe(bound)
    network = bound.finish(classifier)

    def judge(features: ImageSet) -> Predictions:
        return predict(classifier, features.images, features.labels, features.class_names)

    def log(run: TrainingRun) -> str:
        return log_network(run, network, split.images.class_names, provenance={})

    return _Fitted(
        len(split.train.labels), judge(bound.split.train), judge(bound.split.validation), describe_network(network),
        network.count_params(), log,
    )  # fmt: skip


def _assess(split: Split, epoch: Epoch, model: _Fitted) -> Assessment:
    result = TrainingResult(
        network=None, epochs=(epoch,), best_epoch=epoch, ending=Ending(Cause.COMPLETE),
        train_seconds=epoch.epoch_seconds, images_per_second=model.n_images / epoch.epoch_seconds,
        steps=StepSchedule.of_epochs(1, 1),
    )  # fmt: skip
    return Assessment((Fold(1, result, epoch, model.judged, split.validation.images),), n_folds=1, best_fold=1)


def _loss(predictions: Predictions) -> float:
    from sklearn.metrics import log_loss

    return float(log_loss(predictions.labels, predictions.probabilities, labels=range(len(predictions.class_names))))
