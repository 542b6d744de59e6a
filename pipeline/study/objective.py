"""One trial from its knobs to its end in study and tracking store."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

import optuna
from optuna.trial import TrialState

from pipeline.data.source import load_training_data
from pipeline.study.pruners import make_pruner
from pipeline.study.samplers import derive_seed, make_sampler
from pipeline.study.session import StudySession
from pipeline.study.storage import open_storage
from pipeline.tracking import names
from pipeline.tracking.names import State
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.training_run import TrainingRun
from pipeline.training.backbone_cache import BackboneCache
from pipeline.training.configuration import Configuration
from pipeline.training.device import configure_device, resolve_precision
from pipeline.training.metric import get_metric
from pipeline.training.result import Epoch
from pipeline.workers.fitting import Fitting, Outcome
from pipeline.workers.mailbox import Mailbox
from pipeline.workers.messages import Ended, Started, Train

RUN_ID = "run_id"
RETRY_OF = "retry_of"
VAL_ACCURACY = "val_accuracy"


@dataclass
class Objective:
    """Runs the trials of a study, one after another, in this process."""

    session: StudySession
    study: optuna.Study
    fitting: Fitting
    worker_index: int

    def run(self, command: Train) -> None:
        """Ask for a trial, train its network, log it and tell the study; never raises for what happens in a trial."""
        start = time.time()
        trial = self._ask()
        configuration = Configuration(self.session.space.suggest(trial))
        name = names.run_name(trial.number)
        n_folds = self.fitting.data.n_splits
        self.fitting.mailbox.send(Started(trial.number, name, configuration.plan.epochs * n_folds, n_folds))
        run = self._start_run(trial, configuration)
        outcome = self._fit(trial, configuration, run, command.deadline)
        self._tell(trial, outcome)
        run.end(outcome.state, outcome.reason)
        if outcome.is_cut_off:
            self.study.enqueue_trial(trial.params, user_attrs={RETRY_OF: trial.number})
        value = None if outcome.best is None else self._value(outcome.best)
        self.fitting.mailbox.send(Ended(trial.number, name, outcome.state, value, outcome.reason, time.time() - start))

    def _ask(self) -> optuna.Trial:
        settings = self.session.settings
        draw = len(self.study.get_trials(deepcopy=False)) + 1_000 * self.worker_index
        self.study.sampler = make_sampler(settings.sampler, self.session.space, seed=settings.seed, draw=draw)
        return self.study.ask()

    def _start_run(self, trial: optuna.Trial, configuration: Configuration) -> TrainingRun:
        run = TrainingRun.start(
            TrackingStore(self.session.tracking_uri),
            experiment_id=self.session.experiment_id,
            parent_run_id=self.session.study_run_id,
            name=names.run_name(trial.number),
            tags={
                names.KIND: "trial",
                names.STUDY: self.study.study_name,
                names.TRIAL: str(trial.number),
                names.SPLIT: self.fitting.data.split_digest,
                names.SEED: str(self._seed(trial)),
            },
            parameters=configuration.parameters(),
        )
        trial.set_user_attr(RUN_ID, run.run_id)
        return run

    def _fit(
        self, trial: optuna.Trial, configuration: Configuration, run: TrainingRun, deadline: float | None
    ) -> Outcome:
        fit = partial(
            self.fitting.fit, configuration, run=run, number=trial.number, seed=self._seed(trial), deadline=deadline,
            keeps_model=self._keeps_model,
        )  # fmt: skip
        if self.fitting.data.folds:
            return fit(judge_fold=partial(self._judge_fold, trial))
        return fit(judge=partial(self._judge_epoch, trial, configuration.plan.epochs))

    def _judge_epoch(self, trial: optuna.Trial, n_epochs: int, epoch: Epoch) -> str | None:
        value = self._value(epoch)
        trial.report(value, step=epoch.number)
        if epoch.number < n_epochs and trial.should_prune():
            return f"{self.fitting.metric.name} {value:.4f} after epoch {epoch.number} is not among the best"
        return None

    def _judge_fold(self, trial: optuna.Trial, fold: int, best: Epoch) -> str | None:
        """Report a fold's best value: folds are the same for all trials, so that Optuna can compare them in pairs."""
        trial.report(self._value(best), step=fold)
        if fold < self.fitting.data.n_splits and trial.should_prune():
            return f"{self.fitting.metric.name} of the first {fold} folds is worse than the best trial's"
        return None

    def _seed(self, trial: optuna.Trial) -> int:
        return derive_seed(self.session.settings.seed, trial.number)

    def _keeps_model(self, best: Epoch) -> bool:
        keep = self.session.settings.keep_models
        return keep == "all" or (keep == "best" and self._is_best_so_far(best))

    def _is_best_so_far(self, best: Epoch) -> bool:
        finished = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        values = [trial.value for trial in finished if trial.value is not None]
        return not any(self.fitting.metric.is_better(value, self._value(best)) for value in values)

    def _value(self, epoch: Epoch) -> float:
        return float(getattr(epoch, self.fitting.metric.name))

    def _tell(self, trial: optuna.Trial, outcome: Outcome) -> None:
        if outcome.best is not None:
            trial.set_user_attr(VAL_ACCURACY, outcome.best.val_accuracy)
        if outcome.state is State.COMPLETE and outcome.best is not None:
            self.study.tell(trial, self._value(outcome.best))
        else:
            self.study.tell(trial, state=TrialState[outcome.state.value])


def load_objective(session: StudySession, mailbox: Mailbox, *, worker_index: int) -> Objective:
    """Load the study, the images and the device for the trials of this process."""
    settings = session.settings
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    configure_device(threads=session.threads)
    pruner = make_pruner(settings.pruner, max_epochs=session.space.max_epochs)
    fitting = Fitting(
        data=load_training_data(settings), metric=get_metric(settings.metric),
        precision=resolve_precision(settings.precision), mailbox=mailbox,
        backbones=BackboneCache(settings.data_dir),
    )  # fmt: skip
    study = optuna.load_study(study_name=settings.study, storage=open_storage(session.storage), pruner=pruner)
    return Objective(session, study, fitting, worker_index)
