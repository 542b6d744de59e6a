"""What a person sees while a search runs, and at its end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState, create_trial
from rich.console import Console

from pipeline.cli.display import LiveDisplay, PlainDisplay, Tally, make_display
from pipeline.cli.summary import print_summary
from pipeline.settings import SearchSettings, make_settings
from pipeline.study.messages import Event, TrialEnded, TrialProgress, TrialStarted
from pipeline.study.search import SearchOutcome
from pipeline.tracking.names import State
from pipeline.training.metric import get_metric

EVENTS: list[Event] = [
    TrialStarted(0, {"epochs": 3}),
    TrialProgress(0, 1, 0.5, None),
    TrialProgress(0, 2, 0.5, 0.71),
    TrialEnded(0, State.COMPLETE, 0.93, 0.93, "", 4.2),
    TrialStarted(1, {"epochs": 3}),
    TrialEnded(1, State.PRUNED, 0.42, 0.42, "not among the best", 1.0),
    TrialEnded(2, State.FAIL, None, None, "out of memory [GPU]", 0.5),
]


def settings(**changes: object) -> SearchSettings:
    return make_settings(**{"study": "tiny", "data_dir": Path("."), "trials": 5, **changes})


def ended(number: int, state: State, value: float | None) -> TrialEnded:
    return TrialEnded(number, state, value, value, "", 1.0)


@pytest.fixture
def study() -> optuna.Study:
    """Return a study with a trial of an earlier command."""
    study = optuna.create_study(study_name="tiny", direction="maximize")
    study.add_trial(create_trial(value=0.5))
    study.add_trial(create_trial(state=TrialState.FAIL))
    return study


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Give the root logger back what it had: displays send it to a file."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:], root.level = handlers, level


def shown(kind: type[PlainDisplay], study: optuna.Study, log: Path, *, is_terminal: bool) -> str:
    screen = StringIO()
    display = kind(settings(), Console(file=screen, force_terminal=is_terminal, width=140, color_system=None))
    with display:
        display.start(study, log)
        for event in EVENTS:
            display.show(event)
    return screen.getvalue()


def test_tally_counts_finished_and_pruned_trials_and_not_failed_ones() -> None:
    tally = Tally(settings(), get_metric("val_accuracy"))
    for event in (ended(0, State.COMPLETE, 0.9), ended(1, State.PRUNED, 0.4), ended(2, State.FAIL, None)):
        tally.take(event)
    assert (tally.n_finished, tally.n_pruned, tally.best) == (2, 1, 0.9)
    assert tally.headline().startswith("2/5 trials, 1 pruned | best val_accuracy 0.9000 | about ")


def test_tally_goes_on_from_what_earlier_commands_have_finished(study: optuna.Study) -> None:
    tally = Tally(settings(), get_metric("val_accuracy"))
    tally.take_study(study)
    assert (tally.n_finished, tally.best) == (1, 0.5)


def test_tally_takes_the_smallest_loss_for_the_best() -> None:
    tally = Tally(settings(metric="val_loss"), get_metric("val_loss"))
    for number, value in enumerate((0.7, 0.3, 0.5)):
        tally.take(ended(number, State.COMPLETE, value))
    assert tally.best == 0.3


def test_time_left_is_unknown_before_the_first_trial_and_nothing_after_the_last() -> None:
    tally = Tally(settings(trials=1), get_metric("val_accuracy"))
    assert tally.seconds_left() is None
    assert "left" not in tally.headline()
    tally.take(ended(0, State.COMPLETE, 0.9))
    assert tally.seconds_left() == 0


def test_time_left_is_at_most_the_timeout() -> None:
    left = Tally(settings(timeout_minutes=2), get_metric("val_accuracy")).seconds_left()
    assert left is not None
    assert 0 < left <= 120


def test_plain_display_writes_a_line_a_trial(study: optuna.Study, tmp_path: Path) -> None:
    lines = shown(PlainDisplay, study, tmp_path / "log", is_terminal=False).splitlines()
    assert lines[0] == "study 'tiny': 1 trials finished, 4 trials to go"
    assert [line.split()[:2] for line in lines[1:]] == [
        ["trial-0000", "COMPLETE"],
        ["trial-0001", "PRUNED"],
        ["trial-0002", "FAIL"],
    ]
    assert "val_accuracy 0.9300" in lines[1]
    assert "3/5 trials, 1 pruned | best val_accuracy 0.9300" in lines[3]
    assert lines[3].endswith("| out of memory [GPU]")


def test_live_display_shows_epoch_current_and_best_accuracy(study: optuna.Study, tmp_path: Path) -> None:
    screen = StringIO()
    console = Console(file=screen, force_terminal=True, width=140, color_system=None)
    display = LiveDisplay(settings(), console)
    with display:
        display.start(study, tmp_path / "log")
        for event in EVENTS[:3]:
            display.show(event)
        display._progress.refresh()
        at_work = screen.getvalue()
    assert "trial-0000" in at_work
    assert "epoch 2/3  val_accuracy 0.7100" in at_work
    assert "1/5 trials, 0 pruned | best val_accuracy 0.5000" in at_work


def test_live_display_keeps_a_line_a_finished_trial(study: optuna.Study, tmp_path: Path) -> None:
    text = shown(LiveDisplay, study, tmp_path / "log", is_terminal=True)
    assert "COMPLETE  val_accuracy 0.9300" in text
    assert "out of memory [GPU]" in text


def test_display_survives_progress_of_a_trial_that_it_has_not_seen_start(study: optuna.Study, tmp_path: Path) -> None:
    display = LiveDisplay(settings(), Console(file=StringIO(), force_terminal=True))
    with display:
        display.start(study, tmp_path / "log")
        display.show(TrialProgress(7, 1, 0.5, None))
        display.show(ended(7, State.COMPLETE, 0.8))
        assert display._tally.best == 0.8


def test_output_that_is_no_terminal_gets_plain_lines() -> None:
    assert type(make_display(settings())) is PlainDisplay


def test_messages_of_libraries_go_to_the_log_and_not_to_the_screen(
    study: optuna.Study, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    screen = StringIO()
    display = PlainDisplay(settings(), Console(file=screen))
    with display:
        display.start(study, tmp_path / "log")
        logging.getLogger("some.library").warning("chatter")
    assert "chatter" in (tmp_path / "log").read_text()
    assert "chatter" not in screen.getvalue() + "".join(capfd.readouterr())


def outcome(n_trials: int, *, n_run: int, folder: str = "/data") -> SearchOutcome:
    rows = {
        "rank": range(1, n_trials + 1),
        "run": [f"trial-{number:04d}" for number in range(n_trials)],
        "state": ["COMPLETE"] * n_trials,
        "best_val_accuracy": [0.99 - 0.01 * number for number in range(n_trials)],
        "best_val_loss": [0.1] * n_trials,
        "best_epoch": [3.0] * n_trials,
        "n_parameters": [12345.0] * n_trials,
        "train_seconds": [1.25] * n_trials,
        "learning_rate": ["0.012345678"] * n_trials,
        "optimizer": ["sgd"] * n_trials,
        "epochs": ["15"] * n_trials,
    }
    return SearchOutcome(
        leaderboard=pd.DataFrame(rows), metric=get_metric("val_accuracy"), n_run=n_run,
        searched_knobs=("learning_rate", "optimizer"), ui_command=f"mlflow ui --backend-store-uri '{folder}'",
        log=Path(folder) / "tiny.log",
    )  # fmt: skip


def test_summary_shows_the_ten_best_and_the_best_knobs(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(outcome(12, n_run=12))
    text = capsys.readouterr().out
    assert "10 of 12 trials" in text
    assert "trial-0009" in text
    assert "trial-0010" not in text
    assert "0.9900" in text
    assert "12,345" in text
    assert "Best knobs (trial-0000):\n  learning_rate: 0.01235\n  optimizer: sgd\n" in text
    assert "epochs:" not in text


def test_summary_names_the_ui_command_and_the_log_even_in_a_folder_with_brackets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_summary(outcome(1, n_run=1, folder="/data/[old]/" + "deep/" * 30))
    text = capsys.readouterr().out
    assert "mlflow ui --backend-store-uri '/data/[old]/" + "deep/" * 30 + "'" in text
    assert "/data/[old]/" + "deep/" * 30 + "tiny.log" in text
    assert "No trial was run" not in text


def test_summary_of_a_study_that_had_nothing_to_do_says_how_to_extend_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(outcome(0, n_run=0))
    text = capsys.readouterr().out
    assert "No trial was run" in text
    assert "--trials" in text
    assert "Best knobs" not in text
