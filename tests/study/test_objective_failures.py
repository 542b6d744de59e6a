"""Trials that fail, and workers that die: the study goes on, and no run is left running."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable

import pytest
import tensorflow as tf
from workplace import Workplace

from pipeline.errors import PipelineError
from pipeline.tracking.names import State
from pipeline.training.ending import Cause
from pipeline.training.metric import get_metric
from pipeline.workers.fitting import describe_failure, outcome_of
from pipeline.workers.folds import Folds
from pipeline.workers.messages import Advanced, Ended, Event, Ready

ONE_EPOCH_SPACE = "knobs: {blocks: 1, filters: {choices: [4, 8]}, batch_size: 8, epochs: 1}\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "out of memory (MemoryError: )"),
        (
            MemoryError("Unable to allocate 9 GiB\nfor an array"),
            "out of memory (MemoryError: Unable to allocate 9 GiB)",
        ),
        (
            tf.errors.ResourceExhaustedError(None, None, "OOM when allocating"),
            "out of memory (ResourceExhaustedError: ",
        ),
        (ValueError("\nbad shape\nand a trace"), "ValueError: bad shape"),
        (RuntimeError(), "RuntimeError: "),
    ],
    ids=["bare", "of numpy", "of TensorFlow", "of several lines", "without text"],
)
def test_failure_is_described_in_one_line_that_names_memory(error: Exception, said: str) -> None:
    text = describe_failure(error)
    assert text.startswith(said)
    assert "\n" not in text
    assert ("out of memory" in text) == ("out of memory" in said)


def test_description_of_a_failure_is_short_enough_for_a_tag() -> None:
    assert len(describe_failure(ValueError("x" * 10_000))) <= 500


@pytest.mark.parametrize(
    ("cause", "state"),
    [
        (Cause.COMPLETE, State.COMPLETE),
        (Cause.EARLY, State.COMPLETE),
        (Cause.PRUNED, State.PRUNED),
        (Cause.DIVERGED, State.PRUNED),
        (Cause.INTERRUPTED, State.FAIL),
        (Cause.TIME_UP, State.FAIL),
    ],
)
def test_state_of_a_trial_follows_from_how_its_training_ended(cause: Cause, state: State) -> None:
    folds = Folds(1, get_metric("val_accuracy"), lambda fold, best: None, cause, "because")
    assert outcome_of(folds).state is state


def kill_worker_once(on: type[Event]) -> Callable[[Event], None]:
    """Return a show that kills the worker, as the kernel does when memory is short, at the first such event."""
    killed: list[int] = []

    def show(event: Event) -> None:
        if isinstance(event, on) and not killed:
            (worker,) = multiprocessing.active_children()
            assert worker.pid is not None
            killed.append(worker.pid)
            os.kill(worker.pid, signal.SIGKILL)
            worker.join()

    return show


@pytest.mark.slow
def test_worker_killed_in_a_trial_fails_that_trial_and_the_study_goes_on(workplace: Workplace) -> None:
    (workplace.folder / "tiny.yaml").write_text(ONE_EPOCH_SPACE)
    workplace.search(trials=1, keep_models="none", show=kill_worker_once(Advanced))
    ended = [event for event in workplace.events if isinstance(event, Ended)]
    assert [event.state for event in ended] == [State.FAIL, State.COMPLETE]
    assert sum(isinstance(event, Ready) for event in workplace.events) == 2
    failed, complete = workplace.runs("trial")
    assert [run.info.status for run in (failed, complete)] == ["FAILED", "FINISHED"]
    assert failed.data.tags["pipeline.reason"] == ended[0].reason
    assert "SIGKILL" in ended[0].reason
    assert "out of memory" in ended[0].reason
    assert workplace.runs("study")[0].data.metrics["n_failed"] == 1
    assert workplace.n_running() == 0


@pytest.mark.slow
def test_worker_that_dies_between_two_trials_is_replaced(workplace: Workplace) -> None:
    (workplace.folder / "tiny.yaml").write_text(ONE_EPOCH_SPACE)
    assert workplace.search(trials=2, keep_models="none", pruner="none", show=kill_worker_once(Ended)).n_run == 2
    assert [run.info.status for run in workplace.runs("trial")] == ["FINISHED", "FINISHED"]


def test_worker_that_cannot_start_ends_the_command_in_one_line(workplace: Workplace) -> None:
    workplace.places.log.mkdir(parents=True)  # where the worker must open its log
    with pytest.raises(PipelineError, match=r"the worker .* before its first training; see .*tiny\.log") as caught:
        workplace.search(trials=1)
    assert "\n" not in str(caught.value)
    assert [run.info.status for run in workplace.runs("study")] == ["FAILED"]
