"""What a training of an epoch or more leaves in its run: figures, tables, model, single figures."""

from __future__ import annotations

from typing import Any

from pipeline.evaluation.assessment import Assessment
from pipeline.evaluation.figures import draw_confusion, draw_curves, draw_mistakes
from pipeline.evaluation.scores import confusion_table, report_table
from pipeline.tracking.model_log import log_network
from pipeline.tracking.training_run import TrainingRun


def log_artifacts(run: TrainingRun, assessment: Assessment, network: Any, *, keep_model: bool) -> None:
    """Log all of a training's artifacts and single figures; ``network`` is that of its best fold."""
    log_judgement(run, assessment)
    run.log_figure(draw_curves(assessment.curves, assessment.best_epoch), "curves.png")
    run.log_text(_summary(network), "architecture.txt")
    names, provenance = assessment.predictions.class_names, assessment.provenance()
    model_id = log_network(run, network, names, provenance=provenance) if keep_model else None
    run.log_summary({**assessment.figures(), "n_parameters": network.count_params()}, model_id=model_id)


def log_judgement(run: TrainingRun, assessment: Assessment) -> None:
    """Log what the predictions come to: confusion matrix, report by class, mistakes."""
    confusion = confusion_table(assessment.predictions)
    run.log_figure(draw_confusion(confusion), "confusion_matrix.png")
    run.log_figure(draw_mistakes(assessment.images, assessment.predictions), "misclassified.png")
    run.log_table(confusion, "confusion_matrix.csv")
    run.log_table(report_table(assessment.predictions), "classification_report.csv")


def _summary(network: Any) -> str:
    lines: list[str] = []
    network.summary(print_fn=lines.append, line_length=100)
    return "\n".join(lines) + "\n"
