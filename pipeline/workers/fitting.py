"""Train a configuration in a worker, on each split that judges it, live in its run, and log what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline.data.source import TrainingData
from pipeline.tracking.curve_log import CurveLog
from pipeline.tracking.names import State
from pipeline.tracking.training_artifacts import log_artifacts
from pipeline.tracking.training_run import TrainingRun
from pipeline.training.backbone_cache import BackboneCache
from pipeline.training.bound_configuration import BoundConfiguration
from pipeline.training.configuration import Configuration
from pipeline.training.ending import Cause, TrainingStopped
from pipeline.training.metric import Metric
from pipeline.training.plan import TrainingPlan
from pipeline.training.result import Epoch, TrainingResult
from pipeline.training.trainer import train
from pipeline.workers.folds import Folds, JudgeFold
from pipeline.workers.mailbox import Mailbox, Pulse
from pipeline.workers.watch import Watch

_STATES = {
    Cause.EARLY: State.COMPLETE,
    Cause.PRUNED: State.PRUNED,
    Cause.DIVERGED: State.PRUNED,
    Cause.TIME_UP: State.PRUNED,
    Cause.INTERRUPTED: State.FAIL,
}
_SEEDS_BETWEEN_FOLDS = 7919  # the first fold has the training's own seed


@dataclass(frozen=True)
class Outcome:
    """How a training ended; ``is_cut_off`` where it should be tried again.

    ``best`` is the mean of its folds' best epochs, where there is one.
    """

    state: State
    reason: str
    best: Epoch | None = None
    is_cut_off: bool = False


@dataclass(frozen=True, eq=False)
class Fitting:
    """Trains configurations on one data set in this process."""

    data: TrainingData
    metric: Metric
    precision: str
    mailbox: Mailbox
    backbones: BackboneCache

    def fit(
        self,
        configuration: Configuration,
        *,
        run: TrainingRun,
        number: int,
        seed: int,
        deadline: float | None,
        keeps_model: Callable[[Epoch], bool],
        judge: Callable[[Epoch], str | None] = lambda epoch: None,
        judge_fold: JudgeFold = lambda fold, best: None,
    ) -> Outcome:
        """Train on each split, and log epochs as they come, then artifacts and figures; never raises for what happens.

        ``judge`` gets each finished epoch, ``judge_fold`` each finished split; both return a reason to prune, or None.
        ``keeps_model`` gets the mean of the best epochs.
        """
        try:
            folds = Folds(self.data.n_splits, self.metric, judge_fold)
            curves, pulse = CurveLog(run, self.data.n_splits), Pulse(number, self.mailbox)
            watch = Watch(curves, pulse, self.mailbox, self.metric, judge, deadline)
            backbones = replace(self.backbones, on_batch=watch.on_batch)
            for index, split in enumerate(self.data.splits(configuration.image_size)):
                watch.begin_fold(index * configuration.plan.epochs)
                bound = configuration.bind(split, backbones)
                fold_seed = (seed + index * _SEEDS_BETWEEN_FOLDS) % 2**31
                folds.take(self._train(bound, configuration.plan, fold_seed, watch), bound)
                if folds.is_over:
                    break
            curves.close(folds.n_taken)
            if folds.best_epoch is not None:
                keep_model = keeps_model(folds.best_epoch)
                log_artifacts(run, folds.assessment(), folds.network, keep_model=keep_model)
            return outcome_of(folds)
        except TrainingStopped as stopped:  # before the first epoch of any fold: features are the same for all
            return outcome_of(Folds(self.data.n_splits, self.metric, judge_fold, stopped.ending.cause))
        except Exception as error:  # whatever a configuration does, the work goes on
            return Outcome(State.FAIL, describe_failure(error))

    def _train(self, bound: BoundConfiguration, plan: TrainingPlan, seed: int, watch: Watch) -> TrainingResult:
        return train(
            build=bound.build, plan=plan, data=bound.split, metric=self.metric, seed=seed,
            precision=self.precision, on_epoch=watch.on_epoch, on_batch=watch.on_batch,
        )  # fmt: skip


def outcome_of(folds: Folds) -> Outcome:
    """Return how a training ended; one that was cut off fails, to be tried again."""
    best = folds.best_epoch
    if folds.ending is Cause.COMPLETE:
        return Outcome(State.COMPLETE, "", best)
    if folds.ending is Cause.TIME_UP and best is None:
        unit = "epoch" if folds.n_folds == 1 else "fold"
        return Outcome(State.FAIL, f"time up before the first {unit} was over", is_cut_off=True)
    state = _STATES[folds.ending]
    reason = f"{folds.ending}: {folds.reason}".removesuffix(": ")
    return Outcome(state, reason, best, is_cut_off=state is State.FAIL)


def describe_failure(error: Exception) -> str:
    """Return one line for what went wrong in a training; running out of memory is called so."""
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0] if lines else ''}"[:500]
    is_memory = isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
    return f"out of memory ({text})" if is_memory else text
