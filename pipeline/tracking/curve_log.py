"""The curves of a training in its run, live: each fold's under its own names, their mean under the plain ones."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.tracking.training_run import TrainingRun
from pipeline.training.result import Epoch, mean_curve

FOLD_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")  # few names: the UI grows slow with many


@dataclass
class CurveLog:
    """Logs epochs as they end. The mean of an epoch is known when the last of ``n_folds`` has it."""

    run: TrainingRun
    n_folds: int
    _curves: dict[int, list[Epoch]] = field(default_factory=dict)
    _n_means: int = 0

    def log(self, fold: int, epoch: Epoch) -> None:
        """Log a finished epoch of a fold, counted from 1; one that is trained again takes its own place."""
        curve = self._curves.setdefault(fold, [])
        curve[epoch.number - 1 :] = [epoch]
        if self.n_folds > 1:
            figures = {name: value for name, value in epoch.metrics().items() if name in FOLD_METRICS}
            self.run.log_epoch(epoch.number, {f"fold_{fold}_{name}": value for name, value in figures.items()})
        if len(self._curves) == self.n_folds:
            self._log_means(mean_curve(self._curves.values()))

    def close(self, n_finished: int) -> None:
        """Log the means that a training which ended early still lacks, over the folds that it finished."""
        self._log_means(mean_curve(list(self._curves.values())[:n_finished]))

    def _log_means(self, means: tuple[Epoch, ...]) -> None:
        for mean in means[self._n_means :]:
            self.run.log_epoch(mean.number, mean.metrics())
        self._n_means = max(self._n_means, len(means))
