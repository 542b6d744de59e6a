"""What a training of an epoch or more leaves in its run: figures, tables, model, single figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.data.image_set import ImageSet
from pipeline.data.pixels import Pixels
from pipeline.evaluation.assessment import Assessment
from pipeline.evaluation.figures import draw_confusion, draw_curves, draw_mistakes
from pipeline.evaluation.scores import Predictions, confusion_table, report_table
from pipeline.tracking.model_log import log_network, log_served_model
from pipeline.tracking.names import ARCHITECTURE_FILE, CHECKPOINTS_FOLDER, SCHEDULE_FILE
from pipeline.tracking.training_run import TrainingRun
from pipeline.training.result import TrainingResult


def log_artifacts(run: TrainingRun, assessment: Assessment, network: Any, *, keep_model: bool) -> dict[str, float]:
    """Log all of a training's artifacts and single figures, and return these; ``network`` is that of its best fold."""
    log_judgement(run, assessment.predictions, assessment.images)
    run.log_figure(draw_curves(assessment.curves, assessment.best_epoch), "curves.png")
    run.log_text(describe_network(network), ARCHITECTURE_FILE)
    _log_schedules(run, [fold.result for fold in assessment.folds])
    names, provenance = assessment.predictions.class_names, assessment.provenance()
    model_id = log_network(run, network, names, provenance=provenance) if keep_model else None
    figures = {**assessment.figures(), "n_parameters": network.count_params()}
    run.log_summary(figures, model_id=model_id)
    return figures


def log_refit(run: TrainingRun, result: TrainingResult, network: Any, images: ImageSet) -> None:
    """Log what a training without validation leaves; the model is one for use elsewhere."""
    run.log_figure(draw_curves([result.epochs], result.epochs[-1]), "curves.png")
    run.log_text(describe_network(network), ARCHITECTURE_FILE)
    _log_schedules(run, [result])
    figures = {
        "n_parameters": network.count_params(),
        "train_seconds": result.train_seconds,
        "images_per_second": result.images_per_second,
    }
    run.log_summary(figures, model_id=log_served_model(run, network, images))


def log_judgement(run: TrainingRun, predictions: Predictions, images: Pixels) -> None:
    """Log confusion matrix, report by class and mistakes of predictions on raw ``images``."""
    confusion = confusion_table(predictions)
    run.log_figure(draw_confusion(confusion), "confusion_matrix.png")
    run.log_figure(draw_mistakes(images, predictions), "misclassified.png")
    run.log_table(confusion, "confusion_matrix.csv")
    run.log_table(report_table(predictions), "classification_report.csv")


def log_network_file(run: TrainingRun, network: Any, name: str) -> None:
    """Log a network as ``checkpoints/<name>.keras``, which Keras loads."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.keras"
        network.save(path)
        run.log_file(path, CHECKPOINTS_FOLDER)


def _log_schedules(run: TrainingRun, results: Sequence[TrainingResult]) -> None:
    """Log the steps of each fold's training, by which it can be repeated."""
    run.log_text(json.dumps([result.steps.to_dict() for result in results]), SCHEDULE_FILE)


def describe_network(network: Any) -> str:
    """Return the network's layers as a text."""
    lines: list[str] = []
    network.summary(print_fn=lines.append, line_length=100)
    return "\n".join(lines) + "\n"
