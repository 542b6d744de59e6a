"""Trials that fail, and workers that die: the study goes on, and no run is left running."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable

import pytest
import tensorflow as tf
from workplace import Workplace

from pipeline.errors import TrainingsFailed, describe_failure
from pipeline.training.ending import State
from pipeline.workers.events import BatchEnd, Died, Ended, Event, Ready, Started

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


def kill_worker(*, on: type[Event], times: int = 1) -> Callable[[Event], None]:
    """Return a show that kills the worker, as the kernel does when memory is short, at the first such events."""
    killed: list[int] = []

    def show(event: Event) -> None:
        if isinstance(event, on) and len(killed) < times:
            (worker,) = multiprocessing.active_children()
            assert worker.pid is not None
            killed.append(worker.pid)
            os.kill(worker.pid, signal.SIGKILL)
            worker.join()

    return show


@pytest.mark.slow
def test_trial_whose_worker_was_killed_goes_on_with_its_number_seed_and_run(workplace: Workplace) -> None:
    (workplace.folder / "tiny.yaml").write_text(ONE_EPOCH_SPACE)
    workplace.search(trials=1, keep_models="none", show=kill_worker(on=BatchEnd))
    (death,) = [event for event in workplace.events if isinstance(event, Died)]
    (end,) = [event for event in workplace.events if isinstance(event, Ended)]
    assert death == Died("a worker was ended by SIGKILL", "trial-0000")
    assert (end.number, end.ending.state) == (0, State.COMPLETE)
    assert sum(isinstance(event, Ready) for event in workplace.events) == 2
    (run,) = workplace.runs("trial")
    assert run.info.status == "FINISHED"
    assert run.data.tags["pipeline.deaths"] == "1"
    assert "pipeline.reason" not in run.data.tags
    assert workplace.runs("study")[0].data.metrics["n_failed"] == 0
    assert workplace.n_running() == 0


@pytest.mark.slow
def test_trial_fails_with_the_reason_where_three_workers_were_killed_in_it(workplace: Workplace) -> None:
    (workplace.folder / "tiny.yaml").write_text(ONE_EPOCH_SPACE)
    workplace.search(trials=1, keep_models="none", show=kill_worker(on=Started, times=3))
    assert [event.ending.state for event in workplace.events if isinstance(event, Ended)] == [
        State.FAIL, State.COMPLETE,
    ]  # fmt: skip
    failed, complete = workplace.runs("trial")
    assert [run.info.status for run in (failed, complete)] == ["FAILED", "FINISHED"]
    assert failed.data.tags["pipeline.reason"] == "a worker was ended by SIGKILL; 3 workers have died in it"
    assert workplace.n_running() == 0


@pytest.mark.slow
def test_worker_that_dies_between_two_trials_is_replaced(workplace: Workplace) -> None:
    (workplace.folder / "tiny.yaml").write_text(ONE_EPOCH_SPACE)
    assert workplace.search(trials=2, keep_models="none", pruner="none", show=kill_worker(on=Ended)).n_run == 2
    assert [run.info.status for run in workplace.runs("trial")] == ["FINISHED", "FINISHED"]


@pytest.mark.slow
def test_worker_that_is_killed_as_soon_as_it_is_ready_ends_no_study(workplace: Workplace) -> None:
    (workplace.folder / "tiny.yaml").write_text(ONE_EPOCH_SPACE)
    assert workplace.search(trials=1, keep_models="none", show=kill_worker(on=Ready, times=2)).n_run == 1
    assert sum(isinstance(event, Died) for event in workplace.events) == 2
    assert workplace.n_running() == 0


@pytest.mark.slow
def test_workers_that_cannot_start_end_the_command_in_one_line_and_each_is_told(workplace: Workplace) -> None:
    workplace.places.log.mkdir(parents=True)  # where the worker must open its log
    with pytest.raises(TrainingsFailed, match=r"5 workers died .* exit code 1; see .*tiny\.log") as caught:
        workplace.search(trials=1)
    assert "\n" not in str(caught.value)
    assert sum(isinstance(event, Died) for event in workplace.events) == 5
    assert [run.info.status for run in workplace.runs("study")] == ["FAILED"]
    assert workplace.runs("trial") == []
