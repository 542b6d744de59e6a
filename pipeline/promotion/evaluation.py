"""The one look at the sealed test images: the candidate's figures, and its comparison with the champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.image_set import ImageSet
from pipeline.data.sealed import TestImages, open_test_images
from pipeline.data.source import TrainingData
from pipeline.errors import PipelineError
from pipeline.evaluation.comparison import Comparison, class_extremes
from pipeline.evaluation.comparison_figures import draw_class_changes, draw_confusion_difference, draw_only_one_right
from pipeline.evaluation.scores import Predictions
from pipeline.evaluation.uncertainty import Share, share_right
from pipeline.promotion.examination import examine
from pipeline.promotion.gate import incomparable
from pipeline.settings import TrainingSettings
from pipeline.tracking.registry import Version
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.training_artifacts import log_judgement
from pipeline.tracking.training_run import TrainingRun

IMAGE_SIZE = "image_size"


@dataclass(frozen=True, eq=False)
class SealedImages:
    """The test images, opened."""

    source: TestImages

    @classmethod
    def open(cls, settings: TrainingSettings, data: TrainingData) -> SealedImages:
        """Open them; the opening must have been recorded.

        Raises:
            DataError: they break a rule.
        """
        return cls(open_test_images(settings, data.images))

    @property
    def digest(self) -> str:
        """Digest of the test images."""
        return self.source.digest

    def at(self, image_size: int) -> ImageSet:
        """Return them at the size of a network's images in pixels; 0: as they are."""
        return self.source.images_at(image_size)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How a candidate does on the test ``images``."""

    images: ImageSet
    predictions: Predictions
    latency_ms: float
    n_parameters: int

    @property
    def accuracy(self) -> Share:
        """The test accuracy."""
        return share_right(self.predictions)

    def figures(self) -> dict[str, float]:
        """Return the single figures by name."""
        low, high = self.accuracy.interval
        return {
            "test_accuracy": self.accuracy.value,
            "test_accuracy_low": low,
            "test_accuracy_high": high,
            "latency_ms": self.latency_ms,
            "n_parameters": self.n_parameters,
        }

    def extremes(self) -> dict[str, str]:
        """Return the easiest and the hardest class with their accuracies, as texts."""
        return {f"{end}_class": f"{name} ({share:.1%})" for end, (name, share) in
                class_extremes(self.predictions).items()}  # fmt: skip


def evaluate(
    store: TrackingStore, model_uri: str, images: ImageSet, *, n_parameters: int, log: Path
) -> Evaluation:  # fmt: skip
    """Have a logged model answer to the test images.

    Raises:
        PipelineError: it cannot be loaded, or does not answer.
    """
    found = examine(store, model_uri, images.images, log=log)
    predictions = Predictions(found.probabilities, images.labels, images.class_names)
    return Evaluation(images, predictions, found.latency_ms, n_parameters)


def log_evaluation(run: TrainingRun, evaluation: Evaluation, *, model_id: str, seed_spread: float) -> None:
    """Log figures, confusion matrix, report by class and mistakes in the final run."""
    log_judgement(run, evaluation.predictions, evaluation.images.images)
    run.log_tags({f"pipeline.{name}": text for name, text in evaluation.extremes().items()})
    run.log_summary({**evaluation.figures(), "seed_spread": seed_spread}, model_id=model_id)


def compare(
    store: TrackingStore, champion: Version, evaluation: Evaluation, sealed: SealedImages, tags: Mapping[str, str], *,
    log: Path,
) -> Comparison | str:  # fmt: skip
    """Compare the candidate, with its version ``tags``, with the champion on the same images; or say why not."""
    if reason := incomparable(champion.tags, tags, champion.number):
        return reason
    try:
        images = sealed.at(int(champion.tags.get(IMAGE_SIZE, "0")))
        found = examine(store, champion.uri, images.images, log=log)
    except PipelineError as error:
        return f"champion version {champion.number} cannot be compared ({error})"
    own = evaluation.predictions
    if found.class_names != own.class_names:
        return f"champion version {champion.number} knows other classes and so is not compared"
    return Comparison(own, Predictions(found.probabilities, own.labels, own.class_names))


def log_comparison(run: TrainingRun, comparison: Comparison, images: ImageSet) -> None:
    """Log classes better and worse, images that one alone gets right, and the difference of the confusions."""
    classes, difference = comparison.class_table(), comparison.confusion_difference()
    run.log_table(classes, "comparison/classes.csv")
    run.log_figure(draw_class_changes(classes), "comparison/classes.png")
    run.log_table(difference, "comparison/confusion_difference.csv")
    run.log_figure(draw_confusion_difference(difference), "comparison/confusion_difference.png")
    run.log_figure(draw_only_one_right(images.images, comparison), "comparison/only_one_right.png")
