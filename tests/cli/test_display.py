"""What a person sees while a search runs, and at its end."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from pipeline.cli.display import LiveDisplay, PlainDisplay, Tally, make_display
from pipeline.cli.promotion_screen import PromotionScreen
from pipeline.cli.summary import print_board, print_summary
from pipeline.evaluation.objectives import get_objectives
from pipeline.study.search import SearchOutcome
from pipeline.training.ending import Cause, Ending, State
from pipeline.training.metric import get_metric
from pipeline.training.result import Epoch
from pipeline.workers.events import BatchEnd, Died, Ended, EpochEnd, Event, Started


def epoch(number: int, accuracy: float) -> Epoch:
    return Epoch(number, 1.0, accuracy, 1 - accuracy, accuracy, 0.1, 1.0)


EVENTS: list[Event] = [
    Started(0, "trial-0000", 3),
    EpochEnd(0, 1, epoch(1, 0.71)),
    BatchEnd(0, 1, 2, 0.5),
    Ended(0, "trial-0000", Ending(Cause.COMPLETE), epoch(3, 0.93), 4.2),
    Started(1, "trial-0001", 3),
    Ended(1, "trial-0001", Ending(Cause.PRUNED, "not among the best"), epoch(1, 0.42), 1.0),
    Ended(2, "trial-0002", Ending(Cause.FAILED, "out of memory [GPU]"), None, 0.5),
    Died("a worker was ended by SIGKILL", "trial-0003"),
]


def make_tally(n_total: int = 5, metric: str = "val_accuracy", minutes: float | None = None) -> Tally:
    return Tally(n_total, "trials", get_metric(metric), minutes)


def ended(number: int, cause: Cause, accuracy: float | None) -> Ended:
    best = None if accuracy is None else epoch(1, accuracy)
    return Ended(number, f"trial-{number:04d}", Ending(cause), best, 1.0)


def gone_on() -> Tally:
    """Return a tally with a trial of an earlier command."""
    going_on = make_tally()
    going_on.count(State.COMPLETE, 0.5)
    return going_on


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Give the root logger back what it had: displays send it to a file."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:], root.level = handlers, level


def shown(kind: type[PlainDisplay], log: Path, *, is_terminal: bool) -> str:
    screen = StringIO()
    display = kind(gone_on(), Console(file=screen, force_terminal=is_terminal, width=140, color_system=None))
    with display:
        display.start("study 'tiny'", log)
        for event in EVENTS:
            display.show(event)
    return screen.getvalue()


def test_tally_counts_finished_and_pruned_trials_and_not_failed_ones() -> None:
    tally = make_tally()
    for event in (ended(0, Cause.COMPLETE, 0.9), ended(1, Cause.PRUNED, 0.4), ended(2, Cause.FAILED, None)):
        tally.take(event)
    assert (tally.n_finished, tally.n_pruned, tally.best) == (2, 1, 0.9)
    assert tally.headline().startswith("2/5 trials, 1 pruned | best val_accuracy 0.9000 | about ")


def test_tally_goes_on_from_what_earlier_commands_have_finished() -> None:
    tally = gone_on()
    assert (tally.n_finished, tally.best) == (1, 0.5)


def test_tally_takes_the_smallest_loss_for_the_best() -> None:
    tally = make_tally(metric="val_loss")
    for number, accuracy in enumerate((0.25, 0.75, 0.5)):
        tally.take(ended(number, Cause.COMPLETE, accuracy))
    assert tally.best == 0.25


def test_tally_does_not_count_a_trial_that_waits_to_go_on() -> None:
    tally = make_tally()
    tally.take(ended(0, Cause.PAUSED, None))
    assert tally.n_finished == 0


def test_time_left_is_unknown_before_the_first_trial_and_nothing_after_the_last() -> None:
    tally = make_tally(n_total=1)
    assert tally.seconds_left() is None
    assert "left" not in tally.headline()
    tally.take(ended(0, Cause.COMPLETE, 0.9))
    assert tally.seconds_left() == 0


def test_time_left_is_at_most_the_timeout() -> None:
    left = make_tally(minutes=2).seconds_left()
    assert left is not None
    assert 0 < left <= 120


def test_plain_display_writes_a_line_a_trial(tmp_path: Path) -> None:
    lines = shown(PlainDisplay, tmp_path / "log", is_terminal=False).splitlines()
    assert lines[0] == "study 'tiny': 1 trials finished, 4 trials to go"
    assert [line.split()[:2] for line in lines[1:]] == [
        ["trial-0000", "COMPLETE"],
        ["trial-0001", "PRUNED"],
        ["trial-0002", "FAIL"],
        ["a", "worker"],
    ]
    assert lines[4] == "a worker was ended by SIGKILL in trial-0003; another one goes on"
    assert "val_accuracy 0.9300" in lines[1]
    assert "3/5 trials, 1 pruned | best val_accuracy 0.9300" in lines[3]
    assert lines[3].endswith("| out of memory [GPU]")


def test_live_display_shows_epoch_current_and_best_accuracy(tmp_path: Path) -> None:
    screen = StringIO()
    console = Console(file=screen, force_terminal=True, width=140, color_system=None)
    display = LiveDisplay(gone_on(), console)
    with display:
        display.start("study 'tiny'", tmp_path / "log")
        for event in EVENTS[:3]:
            display.show(event)
        display._progress.refresh()
        at_work = screen.getvalue()
    assert "trial-0000" in at_work
    assert "epoch 2/3  val_accuracy 0.7100" in at_work
    assert "1/5 trials, 0 pruned | best val_accuracy 0.5000" in at_work


def test_live_display_shows_the_fold_and_its_epoch(tmp_path: Path) -> None:
    screen = StringIO()
    display = LiveDisplay(make_tally(), Console(file=screen, force_terminal=True, width=140, color_system=None))
    with display:
        display.start("study 'tiny'", tmp_path / "log")
        for event in (Started(0, "trial-0000", 3, n_folds=5), EpochEnd(0, 2, epoch(1, 0.71)), BatchEnd(0, 2, 2, 0.5)):
            display.show(event)
        display._progress.refresh()
        at_work = screen.getvalue()
        (bar,) = [task for task in display._progress.tasks if task.description == "trial-0000"]
    assert "fold 2/5 epoch 2/3  val_accuracy 0.7100" in at_work
    assert (bar.completed, bar.total) == (4.5, 15)


def test_live_display_keeps_a_line_a_finished_trial(tmp_path: Path) -> None:
    text = shown(LiveDisplay, tmp_path / "log", is_terminal=True)
    assert "COMPLETE  val_accuracy 0.9300" in text
    assert "out of memory [GPU]" in text


def test_display_survives_progress_of_a_trial_that_it_has_not_seen_start(tmp_path: Path) -> None:
    display = LiveDisplay(gone_on(), Console(file=StringIO(), force_terminal=True))
    with display:
        display.start("study 'tiny'", tmp_path / "log")
        display.show(BatchEnd(7, 1, 1, 0.5))
        display.show(EpochEnd(7, 1, epoch(1, 0.5)))
        display.show(ended(7, Cause.COMPLETE, 0.75))
        assert display._tally.best == 0.75


def test_output_that_is_no_terminal_gets_plain_lines() -> None:
    assert type(make_display(make_tally())) is PlainDisplay


def test_messages_of_libraries_go_to_the_log_and_not_to_the_screen(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    screen = StringIO()
    display = PlainDisplay(gone_on(), Console(file=screen))
    with display:
        display.start("study 'tiny'", tmp_path / "log")
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
        "kind": ["trial"] * n_trials,
        "reported_accuracy": [float("nan")] * n_trials,
    }
    return SearchOutcome(
        leaderboard=pd.DataFrame(rows), n_run=n_run,
        searched_knobs=("learning_rate", "optimizer"), ui_command=f"mlflow ui --backend-store-uri '{folder}'",
        log=Path(folder) / "tiny.log",
    )  # fmt: skip


def test_summary_shows_the_best_twenty_and_the_best_knobs(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(outcome(22, n_run=22))
    text = capsys.readouterr().out
    assert "Leaderboard: 20 of 22" in text
    assert "trial-0019" in text
    assert "trial-0020" not in text
    assert "reported" not in text
    assert "0.9900" in text
    assert "12,345" in text
    assert "Best knobs (trial-0000):\n  learning_rate: 0.01235\n  optimizer: sgd\n" in text
    assert "epochs:" not in text


def test_board_shows_what_documents_report_and_says_what_it_is_worth(capsys: pytest.CaptureFixture[str]) -> None:
    board = outcome(2, n_run=2).leaderboard.assign(
        run=["weather_model_3_plateau", "trial-0001"], kind=["baseline", "trial"],
        reported_accuracy=[0.71, float("nan")], reported_on=["validation (10,000)", None],
        n_parameters=[14_803_780.0, 40_679_201.0],
    )  # fmt: skip
    print_board(board)
    text = capsys.readouterr().out
    assert "reported" in text
    assert "0.7100   validation (10,000)" in text
    assert "…" not in text, "something is cut off"
    assert "test images stay sealed" in text


def test_best_knobs_are_those_of_the_best_trial_where_a_baseline_leads(capsys: pytest.CaptureFixture[str]) -> None:
    found = outcome(2, n_run=2)
    led = replace(found, leaderboard=found.leaderboard.assign(kind=["baseline", "trial"]))
    print_summary(led)
    assert "Best knobs (trial-0001):" in capsys.readouterr().out


def test_summary_lists_the_front_of_several_objectives_by_the_first_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    found = outcome(3, n_run=3)
    board = found.leaderboard.assign(on_front=[True, False, True], latency_ms=[9.876, 2.0, 1.25])
    objectives = get_objectives(["latency_ms", "val_accuracy"])
    print_summary(replace(found, leaderboard=board, objectives=objectives))
    text = capsys.readouterr().out
    front = text[text.index("Pareto front: 2") : text.index("Best knobs")]
    assert "trial-0001" not in front
    assert front.index("trial-0002") < front.index("trial-0000")
    assert "9.88" in front
    assert "0.9900" in front


def test_summary_of_a_single_objective_has_no_front(capsys: pytest.CaptureFixture[str]) -> None:
    print_summary(outcome(3, n_run=3))
    assert "Pareto" not in capsys.readouterr().out


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


def test_line_of_a_promotion_is_a_note_above_the_bars_while_it_trains(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    screen = PromotionScreen()
    following = screen.follow_trainings(
        "promote", n_jobs=4, n_done=0, noun="trainings", metric=get_metric("val_accuracy"), log=tmp_path / "log"
    )
    with following:
        screen.show_line("the tracking server does not answer")
    screen.show_line("the tracking server is back")

    shown = capsys.readouterr().out
    assert "\x1b[1mthe tracking server does not answer\x1b[0m" in shown
    assert shown.endswith("the tracking server is back\n")
