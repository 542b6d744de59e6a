"""Train a configuration in a worker, live in its run, and log what comes of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.data.source import TrainingData
from pipeline.tracking.names import State
from pipeline.tracking.training_artifacts import log_artifacts
from pipeline.tracking.training_run import TrainingRun
from pipeline.training.configuration import Configuration
from pipeline.training.metric import Metric
from pipeline.training.result import Ending, Epoch, TrainingResult
from pipeline.training.trainer import train
from pipeline.workers.mailbox import Mailbox, Pulse

_STATES = {
    Ending.EARLY: State.COMPLETE,
    Ending.PRUNED: State.PRUNED,
    Ending.DIVERGED: State.PRUNED,
    Ending.TIME_UP: State.PRUNED,
    Ending.INTERRUPTED: State.FAIL,
}


@dataclass(frozen=True)
class Outcome:
    """How a training ended; ``is_cut_off`` where it should be tried again, ``best`` where an epoch was finished."""

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

    def fit(
        self,
        configuration: Configuration,
        *,
        run: TrainingRun,
        number: int,
        seed: int,
        deadline: float | None,
        judge: Callable[[Epoch], str | None],
        keeps_model: Callable[[Epoch], bool],
    ) -> Outcome:
        """Train, and log the epochs as they come, then artifacts and figures; never raises for what happens in it.

        ``judge`` gets each finished epoch and returns a reason to prune, or None; ``keeps_model`` gets the best one.
        """
        try:
            setup = configuration.setup(self.data.at(configuration.image_size))
            pulse = Pulse(number, self.mailbox)

            def on_epoch(epoch: Epoch) -> str | None:
                run.log_epoch(epoch.number, epoch.metrics())
                pulse.epoch_done(epoch.number, getattr(epoch, self.metric.name))
                return judge(epoch)

            def on_batch(share: float) -> Ending | None:
                pulse.batch_done(share)
                if self.mailbox.is_interrupted():
                    return Ending.INTERRUPTED
                return Ending.TIME_UP if deadline is not None and time.time() >= deadline else None

            result = train(
                build=setup.build, plan=configuration.plan, data=setup.split, metric=self.metric, seed=seed,
                precision=self.precision, on_epoch=on_epoch, on_batch=on_batch,
            )  # fmt: skip
            if result.best_epoch is not None:
                network = setup.finish(result.network)
                log_artifacts(run, result, network, setup.split.validation, keep_model=keeps_model(result.best_epoch))
            return outcome_of(result)
        except Exception as error:  # whatever a configuration does, the work goes on
            return Outcome(State.FAIL, describe_failure(error))


def outcome_of(result: TrainingResult) -> Outcome:
    """Return how a training ended; one that was cut off fails, to be tried again."""
    best = result.best_epoch
    if result.ending is Ending.COMPLETE:
        return Outcome(State.COMPLETE, "", best)
    if result.ending is Ending.TIME_UP and not result.epochs:
        return Outcome(State.FAIL, "time up before the first epoch was over", is_cut_off=True)
    state = _STATES[result.ending]
    reason = f"{result.ending}: {result.reason}".removesuffix(": ")
    return Outcome(state, reason, best, is_cut_off=state is State.FAIL)


def describe_failure(error: Exception) -> str:
    """Return one line for what went wrong in a training; running out of memory is called so."""
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0] if lines else ''}"[:500]
    is_memory = isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
    return f"out of memory ({text})" if is_memory else text
