"""Fit the classical model as a job: a training of one epoch."""

from __future__ import annotations

import time
from typing import Any

from pipeline.data.image_set import ImageSet
from pipeline.data.source import Split
from pipeline.evaluation.assessment import Assessment, Fold
from pipeline.evaluation.scores import Predictions
from pipeline.model.classical import MOST_IMAGES, count_parameters, fit_classical, predict_classical
from pipeline.tracking import names
from pipeline.tracking.model_log import log_classical
from pipeline.tracking.training_artifacts import log_judgement
from pipeline.tracking.training_run import TrainingRun
from pipeline.training.budget import StepSchedule
from pipeline.training.ending import Cause, Ending
from pipeline.training.result import Epoch, TrainingResult
from pipeline.workers.folds import Outcome


def train_classical(split: Split, *, run: TrainingRun, seed: int) -> Outcome:
    """Fit the classical model, and log it in its run as a training of one epoch."""
    start = time.perf_counter()
    model = fit_classical(split.train, seed=seed)
    seconds = time.perf_counter() - start
    fitted, judged = _predict(model, split.train), _predict(model, split.validation)
    epoch = Epoch(
        1, _loss(fitted), fitted.accuracy, _loss(judged), judged.accuracy, learning_rate=0.0, epoch_seconds=seconds,
        share=1.0,
    )  # fmt: skip
    run.log_epoch(1, epoch.metrics())
    assessment = _assess(split, epoch, judged)
    log_judgement(run, judged, assessment.images)
    run.log_text(f"{model}\n", names.ARCHITECTURE_FILE)
    model_id = log_classical(run, model, split.images.input_shape, split.images.class_names)
    run.log_summary({**assessment.figures(), "n_parameters": count_parameters(model)}, model_id=model_id)
    return Outcome(Ending(Cause.COMPLETE), epoch)


def _assess(split: Split, epoch: Epoch, judged: Predictions) -> Assessment:
    n_images = min(len(split.train.labels), MOST_IMAGES)
    result = TrainingResult(
        network=None, epochs=(epoch,), best_epoch=epoch, ending=Ending(Cause.COMPLETE),
        train_seconds=epoch.epoch_seconds, images_per_second=n_images / epoch.epoch_seconds,
        steps=StepSchedule.of_epochs(1, 1),
    )  # fmt: skip
    return Assessment((Fold(1, result, epoch, judged, split.validation.images),), n_folds=1, best_fold=1)


def _predict(model: Any, images: ImageSet) -> Predictions:
    return Predictions(predict_classical(model, images.images), images.labels, images.class_names)


def _loss(predictions: Predictions) -> float:
    from sklearn.metrics import log_loss

    return float(log_loss(predictions.labels, predictions.probabilities, labels=range(len(predictions.class_names))))
