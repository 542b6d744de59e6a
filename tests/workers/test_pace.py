"""How soon a training has something to show is taken from what its worker says."""

from __future__ import annotations

from pipeline.tracking.names import State
from pipeline.workers.messages import Advanced, Ended, Event, Started
from pipeline.workers.pace import Pace


def pace_of(*heard: tuple[float, Event]) -> Pace:
    """Return the pace after events that came at these seconds."""
    seconds = 0.0
    pace = Pace(clock=lambda: seconds)
    for second, event in heard:
        seconds = second
        pace.hear(event)
    return pace


def ended(number: int = 0, state: State = State.COMPLETE) -> Ended:
    return Ended(number, "trial", state, 0.5, "", 0.0)


def test_nothing_is_known_before_a_first_result() -> None:
    heard = [(0.0, Started(0, "trial", 9)), (3.0, Advanced(0, 1, 0.5, None))]

    assert pace_of(*heard).shortest == 0.0


def test_first_result_is_the_end_of_the_first_epoch() -> None:
    heard = [(10.0, Started(0, "trial", 9)), (14.0, Advanced(0, 2, 0.0, 0.5)), (50.0, ended())]

    assert pace_of(*heard).shortest == 4.0


def test_first_result_with_folds_is_the_end_of_the_first_fold() -> None:
    heard = [
        (0.0, Started(0, "trial", 15, n_folds=5)), (2.0, Advanced(0, 3, 0.9, 0.5)), (3.0, Advanced(0, 4, 0.1, 0.6)),
    ]  # fmt: skip

    assert pace_of(*heard).shortest == 3.0


def test_quickest_of_several_counts() -> None:
    heard = [
        (0.0, Started(0, "trial", 1)), (0.0, Started(1, "trial", 1)), (5.0, ended(1)), (8.0, ended(0)),
        (8.0, Started(2, "trial", 1)), (11.0, ended(2)),
    ]  # fmt: skip

    assert pace_of(*heard).shortest == 3.0


def test_failed_training_shows_nothing() -> None:
    heard = [(0.0, Started(0, "trial", 9)), (0.1, ended(state=State.FAIL)), (0.2, ended(number=7))]

    assert pace_of(*heard).shortest == 0.0
