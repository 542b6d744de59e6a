"""One trial from its knobs to its end in study and tracking store."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import optuna
from optuna.trial import TrialState

from pipeline.data.scaling import fit_scaling
from pipeline.data.source import Split, load_training_images, split
from pipeline.knobs.table import Knobs
from pipeline.model.architecture import Architecture, make_architecture
from pipeline.model.network import build_network
from pipeline.study.messages import Event, Session, TrialEnded, TrialProgress, TrialStarted
from pipeline.study.pruners import make_pruner
from pipeline.study.samplers import derive_seed, make_sampler
from pipeline.study.storage import open_storage
from pipeline.study.worker import Mailbox
from pipeline.tracking.names import State
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.trial_artifacts import log_artifacts
from pipeline.tracking.trial_run import TrialRun
from pipeline.training.device import configure_device, resolve_precision
from pipeline.training.metric import Metric, get_metric
from pipeline.training.plan import TrainingPlan, make_plan
from pipeline.training.result import Ending, Epoch, TrainingResult
from pipeline.training.trainer import train

RUN_ID = "run_id"
RETRY_OF = "retry_of"
VAL_ACCURACY = "val_accuracy"
_SECONDS_BETWEEN_EVENTS = 0.2

_STATES = {
    Ending.EARLY: State.COMPLETE,
    Ending.PRUNED: State.PRUNED,
    Ending.DIVERGED: State.PRUNED,
    Ending.TIME_UP: State.PRUNED,
    Ending.INTERRUPTED: State.FAIL,
}


@dataclass
class Objective:
    """Runs the trials of a study, one after another, in this process."""

    session: Session
    study: optuna.Study
    data: Split
    metric: Metric
    precision: str
    mailbox: Mailbox
    worker_index: int

    def run(self, deadline: float | None) -> None:
        """Ask for a trial, train its network, log it and tell the study; never raises for what happens in a trial."""
        start = time.time()
        trial = self._ask()
        knobs = self.session.space.suggest(trial)
        self.mailbox.send(TrialStarted(trial.number, knobs))
        run = TrialRun.start(
            TrackingStore(self.session.tracking_uri), experiment_id=self.session.experiment_id,
            parent_run_id=self.session.study_run_id, study=self.study.study_name, number=trial.number, knobs=knobs,
        )  # fmt: skip
        trial.set_user_attr(RUN_ID, run.run_id)
        result: TrainingResult | None = None
        is_cut_off = False
        try:
            architecture = self._architecture(knobs)
            result = self._train(trial, architecture, make_plan(knobs), run, deadline)
            state, reason = outcome_of(result)
            is_cut_off = state is State.FAIL
            if result.best_epoch is not None:
                self._log(run, architecture, result)
        except Exception as error:  # whatever a configuration does, the study goes on
            state, reason = State.FAIL, describe_failure(error)
        self._tell(trial, state, result)
        run.end(state, reason)
        if is_cut_off:
            self.study.enqueue_trial(trial.params, user_attrs={RETRY_OF: trial.number})
        best = result.best_epoch if result else None
        self.mailbox.send(
            TrialEnded(
                trial.number, state, getattr(best, self.metric.name) if best else None,
                best.val_accuracy if best else None, reason, time.time() - start,
            )
        )  # fmt: skip

    def _ask(self) -> optuna.Trial:
        settings = self.session.settings
        draw = len(self.study.get_trials(deepcopy=False)) + 1_000 * self.worker_index
        self.study.sampler = make_sampler(settings.sampler, self.session.space, seed=settings.seed, draw=draw)
        return self.study.ask()

    def _train(
        self, trial: optuna.Trial, architecture: Architecture, plan: TrainingPlan, run: TrialRun, deadline: float | None
    ) -> TrainingResult:
        pulse = _Pulse(trial.number, self.mailbox.send)

        def on_epoch(epoch: Epoch) -> str | None:
            value = getattr(epoch, self.metric.name)
            run.log_epoch(epoch.number, epoch.metrics())
            trial.report(value, step=epoch.number)
            pulse.epoch_done(epoch.number, value)
            if epoch.number < plan.epochs and trial.should_prune():
                return f"{self.metric.name} {value:.4f} after epoch {epoch.number} is not among the best"
            return None

        def on_batch(share: float) -> Ending | None:
            pulse.batch_done(share)
            if self.mailbox.is_interrupted():
                return Ending.INTERRUPTED
            return Ending.TIME_UP if deadline is not None and time.time() >= deadline else None

        return train(
            architecture=architecture, plan=plan, data=self.data, metric=self.metric,
            seed=derive_seed(self.session.settings.seed, trial.number), precision=self.precision,
            on_epoch=on_epoch, on_batch=on_batch,
        )  # fmt: skip

    def _architecture(self, knobs: Knobs) -> Architecture:
        images = self.data.train
        return make_architecture(
            knobs, input_shape=images.input_shape, n_classes=len(images.class_names),
            pixel_scaling=fit_scaling(str(knobs["scaling"]), images.images),
        )  # fmt: skip

    def _log(self, run: TrialRun, architecture: Architecture, result: TrainingResult) -> None:
        # A network saved for use elsewhere has no optimizer, and computes in float32 wherever it is loaded.
        clean = build_network(architecture)
        clean.set_weights(result.network.get_weights())
        keep = self.session.settings.keep_models
        is_kept = keep == "all" or (keep == "best" and self._is_best_so_far(result))
        log_artifacts(run, result, clean, self.data.validation, keep_model=is_kept)

    def _is_best_so_far(self, result: TrainingResult) -> bool:
        finished = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        values = [trial.value for trial in finished if trial.value is not None]
        mine = getattr(result.best_epoch, self.metric.name)
        return not any(self.metric.is_better(value, mine) for value in values)

    def _tell(self, trial: optuna.Trial, state: State, result: TrainingResult | None) -> None:
        if result is not None and result.best_epoch is not None:
            trial.set_user_attr(VAL_ACCURACY, result.best_epoch.val_accuracy)
        if state is State.COMPLETE and result is not None:
            self.study.tell(trial, getattr(result.best_epoch, self.metric.name))
        else:
            self.study.tell(trial, state=TrialState[state.value])


def outcome_of(result: TrainingResult) -> tuple[State, str]:
    """Return how a trial ends by how its training ended, and why; one that was cut off fails, to be tried again."""
    if result.ending is Ending.COMPLETE:
        return State.COMPLETE, ""
    if result.ending is Ending.TIME_UP and not result.epochs:
        return State.FAIL, "time up before the first epoch was over"
    return _STATES[result.ending], f"{result.ending}: {result.reason}".removesuffix(": ")


def load_objective(session: Session, mailbox: Mailbox, *, worker_index: int) -> Objective:
    """Load the study, the images and the device for the trials of this process."""
    settings = session.settings
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    configure_device(threads=session.threads)
    pruner = make_pruner(settings.pruner, max_epochs=session.space.max_epochs)
    images = load_training_images(settings.dataset, settings.data_dir)
    return Objective(
        session=session,
        study=optuna.load_study(study_name=settings.study, storage=open_storage(session.storage), pruner=pruner),
        data=split(images, seed=settings.seed),
        metric=get_metric(settings.metric),
        precision=resolve_precision(settings.precision),
        mailbox=mailbox,
        worker_index=worker_index,
    )


class _Pulse:
    """Tells the coordinator where a trial is, a few times a second."""

    def __init__(self, number: int, send: Callable[[Event], None]) -> None:
        self._number, self._send = number, send
        self._epoch, self._value = 1, None  # type: tuple[int, float | None]
        self._last = 0.0

    def batch_done(self, share: float) -> None:
        self._maybe_send(share)

    def epoch_done(self, epoch: int, value: float) -> None:
        self._epoch, self._value = epoch + 1, value
        self._maybe_send(0.0)

    def _maybe_send(self, share: float) -> None:
        if time.monotonic() - self._last >= _SECONDS_BETWEEN_EVENTS:
            self._last = time.monotonic()
            self._send(TrialProgress(self._number, self._epoch, share, self._value))


def describe_failure(error: Exception) -> str:
    """Return one line for what went wrong in a trial; running out of memory is called so."""
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0] if lines else ''}"[:500]
    is_memory = isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
    return f"out of memory ({text})" if is_memory else text
