"""Run jobs with their display and summary, for the commands that train outside a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.baselines.training import train_jobs
from pipeline.cli.display import Tally, make_display
from pipeline.cli.summary import print_board, print_places
from pipeline.data.source import TrainingData
from pipeline.settings import JobSettings
from pipeline.tracking.store import find_store
from pipeline.training.metric import get_metric
from pipeline.workers.job import Job


def run_jobs(jobs: list[Job], data: TrainingData, settings: JobSettings, *, kind: str, noun: str) -> None:
    """Train ``jobs``, show how far they are, and print the leaderboard."""
    jobs = [replace(job, keeps_improvements=settings.keep_improvements) for job in jobs]
    tally = Tally(len(jobs), noun, get_metric(settings.metric))
    display = make_display(tally)
    done_before: list[str] = []

    def start(to_do: Sequence[Job], log: Path) -> None:
        done_before.extend(job.name for job in jobs if job not in to_do)
        tally.n_finished = len(done_before)
        display.start(f"{kind} on '{settings.dataset_name}'", log)

    with display:
        board = train_jobs(jobs, data, settings, kind=kind, show=display.show, on_start=start)
    if done_before:
        print(f"Trained before on these images, with these settings: {', '.join(done_before)}")
    print_board(board)
    print_places(find_store().ui_command(), display.log)
