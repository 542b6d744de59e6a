"""What a study must be after a soak, read from Optuna and MLflow themselves."""

from __future__ import annotations

import subprocess
from collections import Counter
from dataclasses import dataclass
from typing import Any

import optuna
from mlflow import MlflowClient
from mlflow.entities import Run
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from .kills import Soak

_CURVES = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "epoch_seconds")


@dataclass(frozen=True)
class Check:
    """Something that must hold; ``found`` says what is the case."""

    name: str
    holds: bool
    found: object


def check(soak: Soak, *, n_killed: int) -> list[Check]:
    """Return what must hold at the end of a soak in which so much was to be killed."""
    trials, client = read_trials(soak), MlflowClient(f"sqlite:///{soak.folder / 'mlflow.db'}")
    runs = read_runs(client)
    finished = [one for one in trials if one.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    lost = lost_configurations(trials, runs)
    twice = [
        knobs for knobs, n in Counter(str(sorted(one.params.items())) for one in trials if one.params).items() if n > 1
    ]
    open_trials = [one.number for one in trials if one.state in (TrialState.RUNNING, TrialState.WAITING)]
    open_runs = [one.info.run_name for one in runs if one.info.status in ("RUNNING", "SCHEDULED")]
    wrong = wrong_curves(client, runs)
    redone = soak.notes.redone()
    doctor = ask_doctor(soak)
    return [
        Check(f"{n_killed} kills", soak.killed.total() == n_killed, dict(soak.killed)),
        Check("the last command ended with 0", soak.codes[-1] == 0, soak.codes),
        Check(f"exactly {soak.n_trials} finished trials", len(finished) == soak.n_trials, len(finished)),
        Check("no configuration lost", not lost, lost),
        Check("no configuration twice", not twice, twice),
        Check("nothing open in Optuna", not open_trials, open_trials),
        Check("nothing open in MLflow", not open_runs, open_runs),
        Check("epochs 1..n in every run", not wrong, wrong),
        Check("at most an epoch redone for each worker killed", len(redone) <= soak.n_workers_killed,
              f"{len(redone)} of {soak.notes.n_epochs()}, {soak.n_workers_killed} killed; {Counter(redone)}"),
        Check("doctor finds nothing to mend", doctor[-1:] == ["nothing to mend"], doctor),
    ]  # fmt: skip


def read_trials(soak: Soak) -> list[FrozenTrial]:
    """Return the trials of the study."""
    journal = soak.folder / "mlruns" / "studies" / "soak.journal"
    storage = JournalStorage(JournalFileBackend(str(journal)))
    return optuna.load_study(study_name="soak", storage=storage).get_trials()


def read_runs(client: MlflowClient) -> list[Run]:
    """Return all runs of the store."""
    experiments = [one.experiment_id for one in client.search_experiments()]
    return list(client.search_runs(experiments, max_results=5000))


def lost_configurations(trials: list[FrozenTrial], runs: list[Run]) -> list[str]:
    """Return what is wrong with each trial that has knobs, but failed or has not one run with the same ones."""
    found = []
    for trial in trials:
        own = [run for run in runs if run.data.tags.get("pipeline.trial") == str(trial.number)]
        problem = "no run" if not own else "several runs" if len(own) > 1 else _problem(trial, own[0])
        if trial.params and problem:
            found.append(f"trial {trial.number}: {problem}")
    return found


def _problem(trial: FrozenTrial, run: Run) -> str:
    if trial.state is TrialState.FAIL:
        return f"failed: {run.data.tags.get('pipeline.reason', 'without a reason')}"
    other = [name for name, value in trial.params.items() if run.data.params.get(name) != str(value)]
    return f"other {', '.join(other)}" if other else ""


def wrong_curves(client: MlflowClient, runs: list[Run]) -> list[str]:
    """Return the curves of trials that do not have each epoch from 1 on once, or not all of a completed training."""
    found = []
    for run in runs:
        if run.data.tags.get("pipeline.kind") != "trial":
            continue
        curves = {name: _steps(client, run, name) for name in _CURVES}
        n_epochs = max(map(len, curves.values()))
        if run.data.tags.get("pipeline.state") == "COMPLETE":
            n_epochs = int(run.data.params["epochs"])
        found += [
            f"{run.info.run_name} {name} {steps}"
            for name, steps in curves.items()
            if steps != [*range(1, n_epochs + 1)]
        ]
    return found


def _steps(client: MlflowClient, run: Run, metric: str) -> list[int]:
    history: Any = client.get_metric_history(run.info.run_id, metric)
    return [point.step for point in history]


def ask_doctor(soak: Soak) -> list[str]:
    """Return what the doctor says, after what it says of the machine."""
    done = subprocess.run(
        soak.pipeline("doctor", "--dry-run", "true"), cwd=soak.folder, env=soak.environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    return [line for line in lines if line.partition(":")[0] not in ("disk", "memory", "GPU", "browser")]
