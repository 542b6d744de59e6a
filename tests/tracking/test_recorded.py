"""Trainings read back from runs in a real store, however often they were cut off and resumed."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from mlflow.entities import LoggedModelOutput

from pipeline.errors import SettingError
from pipeline.knobs.table import complete
from pipeline.tracking import names
from pipeline.tracking.leaderboard import rank_trainings, read_leaderboard
from pipeline.tracking.parent_run import ParentRun
from pipeline.tracking.recorded import TrainingRecord, finished_trainings, read_study, read_training
from pipeline.tracking.run_states import end_run
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.training_run import TrainingRun
from pipeline.training.budget import Budget, StepSchedule
from pipeline.training.ending import Cause, Ending, State
from pipeline.training.metric import get_metric

MODEL_FILE = """
input_shape: [8, 8, 1]
training: {epochs: 1, batch_size: 256}
layers:
  - Flatten
  - Dense: {units: 10}
  - Softmax
"""


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> ParentRun:
    """Return the run of a command that trains, in a store of its own."""
    folder = tmp_path_factory.mktemp("store")
    store = TrackingStore(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = store.client.create_experiment("some", artifact_location=str(folder / "artifacts"))
    tags = {names.KIND: "study", names.STUDY: "some", names.SPLIT: "there"}
    none = ParentRun(store, "none", experiment)
    return replace(none, run_id=none.start_run("some", tags=tags, parameters={"seed": "5"}, files={}))


def start(parent: ParentRun, name: str = "trial-0001", *, kind: str = "trial", **tags: str) -> TrainingRun:
    marks = {names.KIND: kind, names.SEED: "7", **{f"pipeline.{key}": value for key, value in tags.items()}}
    run_id = parent.start_run(name, tags=marks, parameters=complete({"epochs": 3}), files={})
    return TrainingRun.resume(parent.store, run_id)


def end(run: TrainingRun, cause: Cause, detail: str) -> None:
    run.flush()
    end_run(run.store, run.run_id, Ending(cause, detail))


def read(run: TrainingRun) -> TrainingRecord:
    return read_training(run.store, run.run_id)


def log_model(run: TrainingRun) -> str:
    model = run.store.client.create_logged_model(run.experiment_id, name="model", source_run_id=run.run_id)
    run.store.client.log_outputs(run.run_id, [LoggedModelOutput(model.model_id, step=0)])
    return str(model.model_id)


def test_record_holds_what_the_training_was_made_of_and_led_to(parent: ParentRun) -> None:
    run = start(parent, study="some", split_digest="other")
    run.log_summary({"best_val_accuracy": 0.5})
    end(run, Cause.COMPLETE, "")

    record = read(run)

    assert (record.name, record.kind, record.seed, record.state) == ("trial-0001", "trial", 7, State.COMPLETE)
    assert record.configuration().knobs == complete({"epochs": 3})
    assert record.metrics["best_val_accuracy"] == 0.5
    assert record.tags[names.STUDY] == "some"
    assert record.settings["seed"] == "5", "of the command, not of the training"
    assert record.model_id is None
    assert record.files() == {}


def test_hand_made_model_is_read_back_from_its_file(parent: ParentRun) -> None:
    run = start(parent, "mine", kind="baseline")
    run.log_text(MODEL_FILE, names.HAND_MADE_FILE)

    record = read(run)

    assert record.files() == {names.HAND_MADE_FILE: MODEL_FILE}
    assert record.configuration().model_file is not None


@pytest.mark.parametrize(
    ("steps", "is_repeated"),
    [
        ([StepSchedule.of_epochs(3, 10)], False),
        ([StepSchedule.of_epochs(3, 10).until(20)], False),
        ([StepSchedule.of_epochs(2, 10)], True),
        ([StepSchedule.of_epochs(3, 10), StepSchedule(9, ((0, 0.0), (4, 0.1 + 0.2), (13, 1.0)))], True),
        ([], False),
    ],
    ids=["all epochs of the knob", "ended early", "fewer epochs", "folds of seconds", "of an earlier version"],
)
def test_steps_are_repeated_where_they_were_not_simply_those_of_the_knob_epochs(
    parent: ParentRun, steps: list[StepSchedule], is_repeated: bool
) -> None:
    run = start(parent)
    if steps:
        run.log_text(json.dumps([one.to_dict() for one in steps]), names.SCHEDULE_FILE)

    record = read(run)

    assert record.steps == tuple(steps)
    assert record.budgets() == (tuple(Budget(steps=one) for one in steps) if is_repeated else ())


def test_curve_has_the_last_value_of_an_epoch_that_was_trained_again_after_a_kill(parent: ParentRun) -> None:
    run = start(parent)
    for epoch, accuracy in ((1, 0.1), (2, 0.4), (2, 0.2), (3, 0.3)):
        run.log_epoch(epoch, {"val_accuracy": accuracy, "fold_1_val_accuracy": accuracy / 2})
        time.sleep(0.002)  # metrics are timed in milliseconds
    run.flush()

    record = read(run)

    assert record.curve("val_accuracy") == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert record.curve("fold_1_val_accuracy") == [(1, 0.05), (2, 0.1), (3, 0.15)]
    assert record.curve("val_loss") == []


def test_model_of_a_resumed_training_is_the_last_one(parent: ParentRun) -> None:
    run = start(parent)
    for _ in range(5):  # ids are random: in the order of a database the last is rarely the last
        last = log_model(run)
        time.sleep(0.002)

    assert read(run).model_id == last
    assert read(run).model_uri == f"models:/{last}"


def test_training_that_waits_to_be_resumed_or_was_resumed_has_not_ended(parent: ParentRun) -> None:
    split, store = {"split_digest": "waiting"}, parent.store
    waiting, resumed, ended = (start(parent, f"trial-000{number}", **split) for number in range(3))
    for run in (waiting, resumed):
        run.log_summary({"best_val_accuracy": 0.9})
        end_run(store, run.run_id, Ending(Cause.PAUSED))
    store.client.update_run(resumed.run_id, status="RUNNING")
    end(ended, Cause.PRUNED, "too slow")

    assert read(waiting).state is None
    assert read(resumed).state is None
    board = read_leaderboard(store, split="waiting", metric=get_metric("val_accuracy"))
    assert board[["rank", "run", "state", "reason"]].to_numpy().tolist() == [
        [1, "trial-0002", "PRUNED", "pruned: too slow"]
    ]
    assert finished_trainings(store, "waiting") == {}


@pytest.mark.parametrize(("metric", "order"), [("val_accuracy", "bac"), ("val_loss", "abc")])
def test_ranking_has_the_best_first_then_those_without_a_figure_then_failed_ones(
    parent: TrainingRun, metric: str, order: str
) -> None:
    split = f"ranked-{metric}"
    for name, value in (("a", 0.1), ("b", 0.2), ("c", None), ("d", 0.9)):
        run = start(parent, name, split_digest=split, study="mine")
        if value is not None:
            run.log_summary({f"best_{metric}": value})
        end(run, Cause.FAILED if name == "d" else Cause.COMPLETE, "")
    end(start(parent, "e", split_digest=split, study="another"), Cause.COMPLETE, "")

    ranked = rank_trainings(parent.store, split=split, metric=get_metric(metric), study="mine")

    assert "".join(one.name for one in ranked) == f"{order}d"


def test_finished_trainings_are_known_by_their_fingerprints(parent: ParentRun) -> None:
    done, failed = (start(parent, split_digest="prints", fingerprint=print_) for print_ in ("done", "failed"))
    end(done, Cause.COMPLETE, "")
    end(failed, Cause.FAILED, "")

    found = finished_trainings(parent.store, "prints")

    assert {fingerprint: one.run_id for fingerprint, one in found.items()} == {"done": done.run_id}


def test_run_of_a_command_is_no_training(parent: ParentRun) -> None:
    with pytest.raises(SettingError, match=r"a run in which a network was trained, got .*, which is none"):
        read(parent)


def test_study_that_does_not_exist_is_refused_with_the_names_of_those_that_do(parent: ParentRun) -> None:
    assert read_study(parent.store, "some").settings == {"seed": "5"}
    assert read_study(parent.store, "some").training_settings(metric="val_loss", workers=None).seed == 5
    with pytest.raises(SettingError, match=r"\(some\), got 'sme'; change --study"):
        read_study(parent.store, "sme")
