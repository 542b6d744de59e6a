"""What a training of an epoch or more leaves in its run: figures, tables, model, single figures."""

from __future__ import annotations

from typing import Any

from pipeline.data.image_set import ImageSet
from pipeline.evaluation.figures import draw_confusion, draw_curves, draw_mistakes
from pipeline.evaluation.scores import confusion_table, predict, report_table
from pipeline.tracking.model_log import log_network
from pipeline.tracking.training_run import TrainingRun
from pipeline.training.result import TrainingResult


def log_artifacts(
    run: TrainingRun, result: TrainingResult, network: Any, images: ImageSet, *, keep_model: bool
) -> None:
    """Log all of a training's artifacts and single figures; ``images`` are those to judge the network on."""
    assert result.best_epoch is not None
    predictions = predict(result.network, images.images, images.labels, images.class_names)
    confusion = confusion_table(predictions)
    run.log_figure(draw_curves(result.epochs, result.best_epoch), "curves.png")
    run.log_figure(draw_confusion(confusion), "confusion_matrix.png")
    run.log_figure(draw_mistakes(images.images, predictions), "misclassified.png")
    run.log_table(confusion, "confusion_matrix.csv")
    run.log_table(report_table(predictions), "classification_report.csv")
    run.log_text(_summary(network), "architecture.txt")
    model_id = log_network(run, network, images.class_names) if keep_model else None
    run.log_summary(_figures(result), model_id=model_id)


def _figures(result: TrainingResult) -> dict[str, float]:
    best = result.best_epoch
    assert best is not None
    return {
        "best_val_accuracy": best.val_accuracy,
        "best_val_loss": best.val_loss,
        "best_epoch": best.number,
        "n_parameters": result.n_parameters,
        "train_seconds": result.train_seconds,
        "images_per_second": result.images_per_second,
    }


def _summary(network: Any) -> str:
    lines: list[str] = []
    network.summary(print_fn=lines.append, line_length=100)
    return "\n".join(lines) + "\n"
