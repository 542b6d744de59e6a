"""Metrics and predictions of a configuration over its splits: a single one, or the folds of a cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, stdev

import numpy as np

from pipeline.data.pixels import Pixels, joined
from pipeline.evaluation.scores import Predictions
from pipeline.training.result import Epoch, TrainingResult, mean_epoch


@dataclass(frozen=True, eq=False)
class Fold:
    """A training on one split that finished an epoch or more, its network no longer kept.

    ``predictions`` are its best epoch's for the raw validation ``images`` of that split, ``fitted`` those for some of
    the training images, where there are some.
    """

    number: int
    result: TrainingResult
    best_epoch: Epoch
    predictions: Predictions
    images: Pixels
    fitted: Predictions | None = None


@dataclass(frozen=True, eq=False)
class Assessment:
    """The figures of a configuration, from ``folds`` of the ``n_folds`` that were planned; ``best_fold`` is a number.

    Every image of those folds was predicted once, by a network that had not seen it.
    """

    folds: tuple[Fold, ...]
    n_folds: int
    best_fold: int

    @property
    def curves(self) -> tuple[tuple[Epoch, ...], ...]:
        """The epochs of each fold."""
        return tuple(fold.result.epochs for fold in self.folds)

    @cached_property
    def best_epoch(self) -> Epoch:
        """The mean of the folds' best epochs."""
        return mean_epoch([fold.best_epoch for fold in self.folds])

    @cached_property
    def predictions(self) -> Predictions:
        """The predictions of all folds, one after another."""
        parts = [fold.predictions for fold in self.folds]
        return Predictions(
            np.concatenate([part.probabilities for part in parts]),
            np.concatenate([part.labels for part in parts]),
            parts[0].class_names,
        )

    @property
    def images(self) -> Pixels:
        """The raw images that ``predictions`` are of, in the same order."""
        return joined([fold.images for fold in self.folds])

    def figures(self) -> dict[str, float]:
        """Return the single figures by name; spread and count only where there are folds."""
        results = [fold.result for fold in self.folds]
        seconds = sum(result.train_seconds for result in results)
        n_images = sum(result.images_per_second * result.train_seconds for result in results)
        return {
            "best_val_accuracy": self.best_epoch.val_accuracy,
            "best_val_loss": self.best_epoch.val_loss,
            "best_epoch": self.best_epoch.number,
            **self._training_figures(),
            "train_seconds": seconds,
            "images_per_second": n_images / seconds,
            **self._fold_figures(),
        }

    def provenance(self) -> dict[str, object]:
        """Return which fold the kept network is of; nothing where there is but one split."""
        return {} if self.n_folds == 1 else {"fold": self.best_fold, "n_folds": self.n_folds}

    def _training_figures(self) -> dict[str, float]:
        """Return accuracy and loss of training images, predicted as validation images are."""
        fitted = [fold.fitted for fold in self.folds if fold.fitted is not None]
        if len(fitted) < len(self.folds):
            return {}
        return {
            "train_accuracy": fmean(one.accuracy for one in fitted),
            "train_loss": fmean(one.loss for one in fitted),
        }

    def _fold_figures(self) -> dict[str, float]:
        if self.n_folds == 1:
            return {}
        accuracies = [fold.best_epoch.val_accuracy for fold in self.folds]
        spread = {"best_val_accuracy_sd": stdev(accuracies)} if len(accuracies) > 1 else {}
        return {**spread, "n_folds": len(accuracies)}
