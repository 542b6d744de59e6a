"""A short soak loses nothing, and what it would find is found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .soak.notes import Notes

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_nothing_is_lost_where_workers_and_commands_are_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.soak", "--seed", "0", "--trials", "12", "--worker-kills", "4",
               "--command-kills", "1", "--out", str(tmp_path)]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "**no**" in done.stdout) == (0, False), done.stdout + done.stderr


def test_epoch_that_is_trained_again_counts_and_a_worker_is_known_by_its_trial(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(
        "7 Started 0 0 0\n7 EpochEnd 0 1 1\n7 EpochEnd 0 1 2\n8 Started 0 0 0\n8 EpochEnd 0 1 2\n8 Ended 0 0 0\n"
        "9 Started 1 0 0\n9 EpochEnd 1 1 1\n"
    )
    notes = Notes(path)
    assert (notes.n_epochs(), notes.redone()) == (4, [(0, 2)])
    assert [notes.trial_of(process) for process in (7, 8, 9, 10)] == [0, None, 1, None]
