"""Searches that go on, are refused, are put right, end by the clock, or repeat themselves."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from workplace import Workplace, enter

from pipeline.data.source import Split
from pipeline.errors import SettingError
from pipeline.study.preparation import prepare
from pipeline.study.search import locked, open_study
from pipeline.study.storage import open_storage
from pipeline.tracking.owner import this_process
from pipeline.tracking.parent_run import ParentRun
from pipeline.tracking.store import TrackingStore
from pipeline.workers.events import EpochEnd, Note

DEAD_PROCESS = f"{socket.gethostname()} {2**22 + 1} 0.00"
ONE_KNOB_SPACE = "knobs: {blocks: 1, filters: {choices: [4, 8]}, batch_size: 256, epochs: 1}\n"
LONG_SPACE = "knobs: {blocks: 1, filters: {choices: [4, 8]}, batch_size: 256, epochs: 10000}\n"


def trials_of(place: Workplace) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="tiny", storage=open_storage(str(place.places.journal))).get_trials()


def states_of(place: Workplace) -> list[str]:
    return [trial.state.name for trial in trials_of(place)]


def use_space(place: Workplace, text: str) -> None:
    (place.folder / "tiny.yaml").write_text(text)


def outcomes(place: Workplace) -> list[tuple[object, ...]]:
    """Return what must repeat of each trial: knobs, state, accuracy of each epoch."""
    return [
        (
            sorted(run.data.params.items()),
            run.data.tags["pipeline.state"],
            [point.value for point in place.client.get_metric_history(run.info.run_id, "val_accuracy")],
        )
        for run in place.runs("trial")
    ]


def test_same_command_again_runs_nothing_and_makes_no_second_study_run(in_finished: Workplace) -> None:
    outcome = in_finished.search(trials=4)
    assert outcome.n_run == 0
    assert in_finished.events == []
    assert len(in_finished.runs("trial")) == 4
    assert [run.info.status for run in in_finished.runs("study")] == ["FINISHED"]


def test_leaderboard_of_a_command_that_ran_nothing_shows_the_whole_study(in_finished: Workplace) -> None:
    board = in_finished.search(trials=1).leaderboard
    assert len(board) == 4
    assert board.iloc[0]["state"] == "COMPLETE"


def test_second_mlflow_run_of_a_study_is_tagged_as_its_continuation(
    in_finished: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (study_run,) = in_finished.runs("study")
    again = in_finished.client.create_run(study_run.info.experiment_id)
    monkeypatch.setenv("MLFLOW_RUN_ID", again.info.run_id)
    in_finished.search(trials=4)
    tags = in_finished.client.get_run(again.info.run_id).data.tags
    in_finished.client.set_terminated(again.info.run_id)  # as `mlflow run` does
    assert (tags["pipeline.kind"], tags["mlflow.parentRunId"]) == ("continuation", study_run.info.run_id)
    assert [run.info.run_id for run in in_finished.runs("study")] == [study_run.info.run_id]


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"seed": 1}, "seed"), ({"metric": "val_loss"}, "metric"), ({"epochs": 1}, "space")],
    ids=["seed", "metric", "space"],
)
def test_study_does_not_go_on_as_another_search(changes: dict[str, object], named: str, in_finished: Workplace) -> None:
    before = in_finished.files()
    with pytest.raises(SettingError, match=rf"but {named} of study 'tiny' changed; .*--study"):
        in_finished.search(trials=9, **changes)
    assert in_finished.files() == before


def test_study_does_not_go_on_with_other_images(in_finished: Workplace, digits: Split, tmp_path: Path) -> None:
    path = tmp_path / "digits.npz"
    images, labels = digits.train.images, digits.train.labels
    np.savez(path, x_train=images, y_train=labels, x_test=images[:10], y_test=labels[:10])
    before = in_finished.files()
    with pytest.raises(SettingError, match="but dataset of study 'tiny' changed"):
        in_finished.search(trials=9, dataset=str(path))
    assert in_finished.files() == before


def test_second_command_at_the_same_time_is_refused(in_finished: Workplace) -> None:
    before = in_finished.files()
    with locked(in_finished.places), pytest.raises(SettingError, match=r"one command at a time.*'tiny'.*--study"):
        in_finished.search(trials=9)
    assert in_finished.files() == before
    in_finished.search(trials=4)  # and the lock is free again


def test_storage_may_be_a_journal_elsewhere(workplace: Workplace) -> None:
    elsewhere = workplace.folder / "deep" / "my.journal"
    workplace.search(trials=1, timeout_minutes=1e-9, storage=str(elsewhere))
    assert elsewhere.exists()
    assert not workplace.places.journal.exists()


def test_study_whose_time_is_up_before_the_first_trial_ends_without_one(workplace: Workplace) -> None:
    outcome = workplace.search(trials=3, timeout_minutes=1e-9)
    assert outcome.n_run == 0
    assert len(outcome.leaderboard) == 0
    assert [run.info.status for run in workplace.runs("study")] == ["FINISHED"]
    assert workplace.n_running() == 0


def abandon(
    place: Workplace, *, deaths: int = 0, tags: dict[str, str] | None = None, parent: str = "0" * 32,
    knows_run: bool = True
) -> str:  # fmt: skip
    """Leave a study as a killed command does: one trial RUNNING, and its run; return the run's id."""
    preparation = prepare(place.settings())
    place.places.folder.mkdir(parents=True, exist_ok=True)
    study = open_study(str(place.places.journal), preparation, print)
    trial = study.ask()
    knobs = preparation.space.suggest(trial)
    store = TrackingStore(place.uri)
    above = ParentRun(store, parent, store.experiment_of(None, name="digits"))
    run_id = above.start_run("trial-0000", tags=tags or {"pipeline.kind": "trial"}, parameters=knobs, files={})
    for name, value in (("run_id", run_id), ("owner", DEAD_PROCESS), ("deaths", deaths)):
        if knows_run or name != "run_id":
            trial.set_user_attr(name, value)
    return run_id


@pytest.mark.slow
def test_trial_of_a_killed_command_waits_with_its_run_and_goes_on_as_itself(workplace: Workplace) -> None:
    use_space(workplace, ONE_KNOB_SPACE)
    run_id = abandon(workplace)
    assert states_of(workplace) == ["RUNNING"]
    workplace.search(trials=1, timeout_minutes=1e-9)
    run = workplace.client.get_run(run_id)
    assert run.info.status == "SCHEDULED"
    assert "was killed" in run.data.tags["pipeline.reason"]
    assert "pipeline.state" not in run.data.tags
    (waiting,) = trials_of(workplace)
    assert waiting.state is TrialState.WAITING
    assert workplace.n_running() == 0

    workplace.search(trials=1, keep_models="none")
    (complete,) = trials_of(workplace)
    assert (complete.state, complete.params) == (TrialState.COMPLETE, waiting.params)
    run = workplace.client.get_run(run_id)
    assert (run.info.status, run.data.tags["pipeline.state"]) == ("FINISHED", "COMPLETE")
    assert run.data.tags["pipeline.deaths"] == "1"
    assert "pipeline.reason" not in run.data.tags
    assert run.data.tags["mlflow.parentRunId"] == workplace.runs("study")[0].info.run_id


def test_trial_that_was_killed_before_it_knew_its_run_finds_it_again(workplace: Workplace) -> None:
    use_space(workplace, ONE_KNOB_SPACE)
    workplace.search(trials=1, timeout_minutes=1e-9)
    (study_run,) = workplace.runs("study")
    tags = {"pipeline.kind": "trial", "pipeline.trial": "0"}
    run_id = abandon(workplace, tags=tags, parent=study_run.info.run_id, knows_run=False)
    workplace.search(trials=1, timeout_minutes=1e-9)
    (waiting,) = trials_of(workplace)
    assert (waiting.state, waiting.user_attrs["run_id"]) == (TrialState.WAITING, run_id)
    assert workplace.client.get_run(run_id).info.status == "SCHEDULED"


def test_trial_in_which_the_third_command_was_killed_fails_with_its_run(workplace: Workplace) -> None:
    use_space(workplace, ONE_KNOB_SPACE)
    run_id = abandon(workplace, deaths=2)
    workplace.search(trials=1, timeout_minutes=1e-9)
    run = workplace.client.get_run(run_id)
    assert states_of(workplace) == ["FAIL"]
    assert (run.info.status, run.data.tags["pipeline.deaths"]) == ("FAILED", "3")


def test_trial_of_a_process_that_is_alive_is_left_alone(workplace: Workplace) -> None:
    use_space(workplace, ONE_KNOB_SPACE)
    abandon(workplace)
    study = optuna.load_study(study_name="tiny", storage=open_storage(str(workplace.places.journal)))
    study._storage.set_trial_user_attr(0, "owner", this_process())
    workplace.search(trials=1, timeout_minutes=1e-9)
    assert states_of(workplace) == ["RUNNING"]


def test_run_that_no_trial_knows_of_is_failed(workplace: Workplace) -> None:
    workplace.search(trials=1, timeout_minutes=1e-9)
    (study_run,) = workplace.runs("study")
    parent = ParentRun(TrackingStore(workplace.uri), study_run.info.run_id, study_run.info.experiment_id)
    orphan = parent.start_run("trial-0000", tags={"pipeline.kind": "trial"}, parameters={}, files={})
    workplace.search(trials=1, timeout_minutes=1e-9)
    run = workplace.client.get_run(orphan)
    assert (run.data.tags["pipeline.state"], run.info.status) == ("FAIL", "FAILED")
    assert workplace.n_running() == 0


@pytest.mark.slow
def test_run_of_mlflow_is_adopted_and_a_larger_total_extends_the_study(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_space(workplace, ONE_KNOB_SPACE)
    given = workplace.client.create_run(workplace.client.create_experiment("mine"))
    monkeypatch.setenv("MLFLOW_RUN_ID", given.info.run_id)
    assert workplace.search(trials=1, keep_models="none").n_run == 1
    (study_run,) = workplace.runs("study")
    assert study_run.info.run_id == given.info.run_id
    assert {run.data.tags["mlflow.parentRunId"] for run in workplace.runs("trial")} == {given.info.run_id}
    assert {run.info.experiment_id for run in workplace.runs("trial")} == {given.info.experiment_id}

    assert workplace.search(trials=2, keep_models="none").n_run == 1
    assert [run.info.run_id for run in workplace.runs("study")] == [given.info.run_id]
    assert states_of(workplace) == ["COMPLETE", "COMPLETE"]
    assert workplace.n_running() == 0


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Return the folder of the finished study's twin, searched anew but for the models that it keeps."""
    with pytest.MonkeyPatch.context() as patch:
        place = enter(patch, tmp_path_factory.mktemp("repeated"))
        place.search(trials=4, keep_models="best")
    return place


@pytest.mark.slow
def test_one_worker_study_repeats_exactly(finished: Workplace, repeated: Workplace) -> None:
    assert outcomes(repeated) == outcomes(finished)


@pytest.mark.slow
def test_keep_models_best_keeps_each_new_best_and_no_other(repeated: Workplace) -> None:
    runs = repeated.runs("trial")
    models = repeated.client.search_logged_models([runs[0].info.experiment_id])
    kept = {model.source_run_id for model in models}
    values = [run.data.metrics.get("best_val_accuracy", 0.0) for run in runs]
    new_bests = {runs[i].info.run_id for i in range(len(runs)) if values[i] > max(values[:i], default=0.0)}
    assert kept == new_bests
    assert len(kept) < len(runs)


@pytest.mark.slow
def test_study_of_two_workers_ends_with_the_best_model_alone(workplace: Workplace) -> None:
    use_space(workplace, ONE_KNOB_SPACE)
    board = workplace.search(trials=4, workers=2, keep_models="1", max_disk_gb=1, pruner="none").leaderboard
    (model,) = workplace.client.search_logged_models([workplace.runs("study")[0].info.experiment_id])
    assert model.source_run_id == board["run_id"].iloc[0]
    assert len(list((workplace.folder / "mlruns").rglob("*.keras"))) == 1
    assert [event.text for event in workplace.events if isinstance(event, Note)] == []


@pytest.mark.slow
def test_two_workers_share_the_trials_of_a_study(workplace: Workplace) -> None:
    use_space(workplace, ONE_KNOB_SPACE)
    outcome = workplace.search(trials=4, workers=2, keep_models="none", pruner="none")
    assert outcome.n_run == 4
    assert states_of(workplace) == ["COMPLETE"] * 4
    assert [run.data.tags["pipeline.trial"] for run in workplace.runs("trial")] == ["0", "1", "2", "3"]
    assert workplace.n_running() == 0
    assert workplace.client.search_logged_models([workplace.runs("study")[0].info.experiment_id]) == []


@pytest.mark.slow
def test_timeout_ends_a_trial_that_is_at_work(workplace: Workplace) -> None:
    use_space(workplace, LONG_SPACE)
    is_at_work = threading.Event()
    workplace.search(
        trials=3, timeout_minutes=0.75, keep_models="none",
        show=lambda event: is_at_work.set() if isinstance(event, EpochEnd) else None,
    )  # fmt: skip
    assert is_at_work.is_set()
    assert states_of(workplace)[0] == "PRUNED"
    run = workplace.runs("trial")[0]
    assert (run.info.status, "time" in run.data.tags["pipeline.reason"]) == ("KILLED", True)
    assert [run.info.status for run in workplace.runs("study")] == ["FINISHED"]
    assert workplace.n_running() == 0


def test_log_of_a_study_lies_beside_its_journal(finished: Workplace) -> None:
    folder = Path(finished.places.folder)
    assert {path.name for path in folder.iterdir()} >= {"tiny.journal", "tiny.log"}
