"""What a training of an epoch or more leaves in its run: figures, tables, model, single figures."""

from __future__ import annotations

from typing import Any

from pipeline.data.image_set import Array, ImageSet
from pipeline.evaluation.figures import draw_confusion, draw_curves, draw_mistakes
from pipeline.evaluation.scores import Predictions, confusion_table, predict, report_table
from pipeline.tracking.model_log import log_network
from pipeline.tracking.training_run import TrainingRun
from pipeline.training.result import Epoch, TrainingResult


def log_artifacts(
    run: TrainingRun, result: TrainingResult, network: Any, images: ImageSet, *, keep_model: bool
) -> None:
    """Log all of a training's artifacts and single figures; ``images`` are those to judge the network on."""
    assert result.best_epoch is not None
    log_judgement(run, predict(result.network, images.images, images.labels, images.class_names), images.images)
    run.log_figure(draw_curves(result.epochs, result.best_epoch), "curves.png")
    run.log_text(_summary(network), "architecture.txt")
    model_id = log_network(run, network, images.class_names) if keep_model else None
    best = result.best_epoch
    figures = summary_metrics(best, result.n_parameters, result.train_seconds, result.images_per_second)
    run.log_summary(figures, model_id=model_id)


def log_judgement(run: TrainingRun, predictions: Predictions, images: Array) -> None:
    """Log what predictions on raw ``images`` come to: confusion matrix, report by class, mistakes."""
    confusion = confusion_table(predictions)
    run.log_figure(draw_confusion(confusion), "confusion_matrix.png")
    run.log_figure(draw_mistakes(images, predictions), "misclassified.png")
    run.log_table(confusion, "confusion_matrix.csv")
    run.log_table(report_table(predictions), "classification_report.csv")


def summary_metrics(best: Epoch, n_parameters: int, train_seconds: float, images_per_second: float) -> dict[str, float]:
    """Return the single figures of a training by name."""
    return {
        "best_val_accuracy": best.val_accuracy,
        "best_val_loss": best.val_loss,
        "best_epoch": best.number,
        "n_parameters": n_parameters,
        "train_seconds": train_seconds,
        "images_per_second": images_per_second,
    }


def _summary(network: Any) -> str:
    lines: list[str] = []
    network.summary(print_fn=lines.append, line_length=100)
    return "\n".join(lines) + "\n"
