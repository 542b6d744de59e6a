"""The candidate on the sealed test images, alone and against the champion. This module alone opens them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.image_set import ImageSet
from pipeline.data.image_source import ImageSource
from pipeline.data.sealed import open_test_images
from pipeline.errors import PipelineError
from pipeline.evaluation.comparison import class_changes, class_extremes
from pipeline.evaluation.comparison_figures import draw_class_changes, draw_confusion_difference, draw_only_one_right
from pipeline.evaluation.scores import Predictions, confusion_table
from pipeline.evaluation.uncertainty import PairedTest, paired_test, score_interval
from pipeline.process import call_in_fresh_process
from pipeline.promotion.gate import incomparable
from pipeline.promotion.preparation import Promotion
from pipeline.tracking.loaded_model import load_model
from pipeline.tracking.openings import record_opening
from pipeline.tracking.recorded import TrainingRecord
from pipeline.tracking.registry import Version
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.training_artifacts import log_judgement
from pipeline.tracking.training_run import TrainingRun

IMAGE_SIZE = "image_size"  # tag of a version: side that its images are resized to; 0: as they are
TOLERANCE = 1e-3  # of a probability: GPUs choose their algorithms again in each process


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A candidate's predictions on the test ``images``, its latency on a single image, its number of parameters."""

    images: ImageSet
    predictions: Predictions
    latency_ms: float
    n_parameters: int

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the test accuracy."""
        is_right = self.predictions.is_right
        return score_interval(int(is_right.sum()), len(is_right))

    def figures(self) -> dict[str, float]:
        """Return the single figures by name."""
        low, high = self.interval
        return {
            "test_accuracy": self.predictions.accuracy,
            "test_accuracy_low": low,
            "test_accuracy_high": high,
            "latency_ms": self.latency_ms,
            "n_parameters": self.n_parameters,
        }

    def extremes(self) -> dict[str, str]:
        """Return the easiest and the hardest class with their accuracies, as texts."""
        ends = class_extremes(self.predictions)
        return {f"{end}_class": f"{name} ({share:.1%})" for end, (name, share) in ends.items()}

    def summary(self) -> str:
        """Return the figures and the extremes in a line."""
        accuracy, (low, high) = self.predictions.accuracy, self.interval
        extremes = ", ".join(f"{name.replace('_', ' ')} {text}" for name, text in self.extremes().items())
        return (
            f"Test accuracy {accuracy:.4f} (95 % interval {low:.4f} to {high:.4f}) on {len(self.predictions.labels):,} "
            f"images; {extremes}; {self.latency_ms:.1f} ms an image, {self.n_parameters:,} parameters"
        )


def open_test_set(promotion: Promotion, refit: TrainingRecord, run: TrainingRun) -> ImageSource:
    """Open the test images for the candidate of this final ``run``, after recording that in the study's run.

    Raises:
        DataError: they break a rule.
    """
    number = record_opening(
        promotion.store, promotion.study, data_digest=promotion.data.images.digest, candidate=str(refit.model_id),
        run_id=run.run_id,
    )  # fmt: skip
    promotion.display.show_line(f"Opening the test images for study '{promotion.study.name}' (opening number {number})")
    return open_test_images(promotion.training, promotion.data.images)


def evaluate(refit: TrainingRecord, images: ImageSet, *, log: Path) -> Evaluation:
    """Load the refit's model in a fresh process and predict the test images with it.

    Raises:
        PipelineError: it cannot be loaded, or it fails on the images.
    """
    predictions, latency_ms = call_in_fresh_process(_predict, refit.store, refit.model_uri, images, log=log)
    return Evaluation(images, predictions, latency_ms, int(refit.metrics["n_parameters"]))


def log_evaluation(run: TrainingRun, evaluation: Evaluation, *, model_id: str | None, seed_spread: float) -> None:
    """Log figures, confusion matrix, classification report and mistakes in the final run."""
    log_judgement(run, evaluation.predictions, evaluation.images.images)
    run.log_tags({f"pipeline.{name}": text for name, text in evaluation.extremes().items()})
    run.log_summary({**evaluation.figures(), "seed_spread": seed_spread}, model_id=model_id)


def compare(
    evaluation: Evaluation,
    champion: Version,
    test: ImageSource,
    tags: Mapping[str, str],
    *,
    run: TrainingRun,
    log: Path,
) -> PairedTest | str:
    """Compare the candidate with the champion on the same images, and log that in the final run.

    Return the paired test, or the reason why they cannot be compared; ``tags`` are those of the candidate's version.
    """
    if reason := incomparable(champion.tags, tags, champion.number):
        return reason
    own = evaluation.predictions
    try:
        images = test.images_at(int(champion.tags.get(IMAGE_SIZE, "0")))
        predictions, _ = call_in_fresh_process(_predict, run.store, champion.uri, images, log=log)
    except PipelineError as error:
        return f"champion version {champion.number} cannot be compared ({error})"
    if predictions.class_names != own.class_names:
        return f"champion version {champion.number} has other classes and so is not compared"
    _log_comparison(run, own, predictions, evaluation.images)
    return paired_test(own, predictions)


def _log_comparison(run: TrainingRun, candidate: Predictions, champion: Predictions, images: ImageSet) -> None:
    """Log the change of each class, the difference of the confusions, and the images that only one gets right."""
    classes = class_changes(candidate, champion)
    difference = confusion_table(candidate) - confusion_table(champion)
    run.log_table(classes, "comparison/classes.csv")
    run.log_figure(draw_class_changes(classes), "comparison/classes.png")
    run.log_table(difference, "comparison/confusion_difference.csv")
    run.log_figure(draw_confusion_difference(difference), "comparison/confusion_difference.png")
    run.log_figure(draw_only_one_right(images.images, candidate, champion), "comparison/only_one_right.png")


def reload_problem(evaluation: Evaluation, version: Version, store: TrackingStore, *, log: Path) -> str | None:
    """Load a registered version in a fresh process; return how it fails to repeat the evaluation's predictions."""
    expected = evaluation.predictions.probabilities
    try:
        predictions, _ = call_in_fresh_process(_predict, store, version.uri, evaluation.images, log=log)
    except PipelineError as error:
        return f"it cannot be loaded back ({error})"
    found = predictions.probabilities
    if found.shape != expected.shape:
        return f"loaded back, it predicts in the shape {found.shape}, not {expected.shape}"
    difference = float(np.abs(found - expected).max())
    return None if difference <= TOLERANCE else f"loaded back, its probabilities are off by up to {difference:.3g}"


def _predict(store: TrackingStore, uri: str, images: ImageSet) -> tuple[Predictions, float]:
    """Return the predictions of the model at ``uri``, and its milliseconds for a single image."""
    model = load_model(store, uri)
    probabilities = model.probabilities(images.images)
    return Predictions(probabilities, images.labels, model.class_names), model.latency_ms(images.images)
