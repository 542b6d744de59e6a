"""Run jobs with their display and summary, for the commands that train outside a study."""

from __future__ import annotations

from pathlib import Path

from pipeline.baselines.training import train_jobs
from pipeline.cli.display import Tally, make_display
from pipeline.cli.summary import print_board, print_places
from pipeline.data.source import TrainingData
from pipeline.settings import TrainingSettings
from pipeline.training.metric import get_metric
from pipeline.workers.job import Job


def run_jobs(jobs: list[Job], data: TrainingData, settings: TrainingSettings, *, kind: str, noun: str) -> None:
    """Train ``jobs``, show how far they are, and print the leaderboard."""
    tally = Tally(len(jobs), noun, get_metric(settings.metric))
    display = make_display(tally)

    def start(n_to_do: int, log: Path) -> None:
        tally.n_finished = len(jobs) - n_to_do
        display.start(f"{kind} on '{settings.dataset_name}'", log)

    with display:
        outcome = train_jobs(jobs, data, settings, kind=kind, show=display.show, on_start=start)
    if outcome.done_before:
        print(f"Trained before on these images, with these settings: {', '.join(outcome.done_before)}")
    print_board(outcome.leaderboard)
    print_places(outcome.ui_command, outcome.log)
