"""Studies that were interrupted or killed go on where they were: nothing is lost, and nothing is tried twice."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import optuna
import pytest
from workplace import Workplace

from pipeline.study.storage import open_storage
from pipeline.workers.events import BatchEnd, EpochEnd, Event, Ready

pytestmark = pytest.mark.slow

# As in the shipped space for digits: the first trial is the best, and its early epochs rank badly.
SPACE = """
knobs:
  {blocks: 2, filters: {choices: [8, 16]}, batch_size: 32, optimizer: sgd, learning_rate: {low: 0.01, high: 1.0,
  log: true}, learning_rate_schedule: one_cycle, epochs: 8}
first_trials: [{filters: 16, learning_rate: 0.4}, {filters: 8, learning_rate: 0.2}, {filters: 8, learning_rate: 0.1}]
"""
SHORT_SPACE = "knobs: {blocks: 1, filters: {low: 1, high: 64}, batch_size: 32, epochs: 3}\n"


def trials_of(place: Workplace) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="tiny", storage=open_storage(str(place.places.journal))).get_trials()


def curves(place: Workplace, metric: str = "val_accuracy") -> list[list[tuple[int, float]]]:
    return [
        [(point.step, point.value) for point in place.client.get_metric_history(run.info.run_id, metric)]
        for run in place.runs("trial")
    ]


def press_ctrl_c(after_epoch: int) -> Callable[[Event], None]:
    def show(event: Event) -> None:
        if isinstance(event, EpochEnd) and event.epoch.number == after_epoch:
            raise KeyboardInterrupt

    return show


def test_interrupted_first_trial_goes_on_as_itself_to_the_same_figures(
    workplace: Workplace, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace.folder / "tiny.yaml").write_text(SPACE)
    with pytest.raises(KeyboardInterrupt):
        workplace.search(trials=3, keep_models="none", show=press_ctrl_c(after_epoch=2))
    assert workplace.n_running() == 0
    workplace.search(trials=3, keep_models="none")

    whole = Workplace(tmp_path_factory.mktemp("whole"))
    monkeypatch.chdir(whole.folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", whole.uri)
    (whole.folder / "tiny.yaml").write_text(SPACE)
    whole.search(trials=3, keep_models="none")
    assert [trial.state.name for trial in trials_of(workplace)] == [trial.state.name for trial in trials_of(whole)]
    assert trials_of(workplace)[0].state.name == "COMPLETE"
    assert [trial.params for trial in trials_of(workplace)] == [trial.params for trial in trials_of(whole)]
    assert curves(workplace) == curves(whole)


def test_no_configuration_is_lost_and_no_epoch_logged_twice_where_workers_are_killed(workplace: Workplace) -> None:
    (workplace.folder / "tiny.yaml").write_text(SHORT_SPACE)
    killed: list[int] = []
    heard = 0

    def kill_now_and_then(event: Event) -> None:
        nonlocal heard
        heard += isinstance(event, BatchEnd | EpochEnd | Ready)
        if heard >= 7 * (len(killed) + 1) and len(killed) < 6:
            for worker in multiprocessing.active_children():
                assert worker.pid is not None
                killed.append(worker.pid)
                os.kill(worker.pid, signal.SIGKILL)
                worker.join()

    workplace.search(trials=8, keep_models="none", pruner="none", show=kill_now_and_then)
    assert len(killed) >= 6
    assert [trial.state.name for trial in trials_of(workplace)] == ["COMPLETE"] * 8
    assert [[step for step, _ in curve] for curve in curves(workplace)] == [[1, 2, 3]] * 8
    assert workplace.n_running() == 0
    assert list((workplace.folder / "mlruns" / "studies" / "checkpoints").glob("*")) == []


def test_killed_command_loses_nothing_and_the_next_one_puts_the_store_right(workplace: Workplace) -> None:
    (workplace.folder / "tiny.yaml").write_text(SPACE.replace("epochs: 8", "epochs: 60"))  # at work when it is killed
    command = [sys.executable, "-m", "pipeline", "search", "--space", "tiny.yaml", "--study", "tiny", "--trials", "2"]
    command += [
        "--keep-models",
        "none",
        "--precision",
        "float32",
        "--strategy",
        "plain",
        "--pruner",
        "none",
        "--data-dir",
        ".",
    ]
    with subprocess.Popen(command, cwd=workplace.folder, stdout=subprocess.PIPE, text=True) as process:
        wait_for_epochs(workplace, 3)
        process.kill()
    assert workplace.n_running() > 0
    done = subprocess.run(command, cwd=workplace.folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert workplace.n_running() == 0
    assert [trial.state.name for trial in trials_of(workplace)] == ["COMPLETE", "COMPLETE"]
    assert [[step for step, _ in curve] for curve in curves(workplace)] == [[*range(1, 61)]] * 2
    assert workplace.runs("trial")[0].data.tags["pipeline.deaths"] == "1"


def wait_for_epochs(place: Workplace, n_epochs: int) -> None:
    """Wait until the first trial has reported; the journal is made when the tracking store is there already."""
    for _ in range(1200):
        time.sleep(0.1)
        found = curves(place) if place.places.journal.exists() else []
        if found and len(found[0]) >= n_epochs:
            return
    raise AssertionError("no epoch within two minutes")
