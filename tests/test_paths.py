"""Paths as a user gives them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline
from pipeline.paths import CALLER_DIR, dataset_name, user_path, where

SHOWS_CALLER = f"import os, pipeline.paths as p; p.note_caller(); print(os.environ.get({CALLER_DIR!r}))"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Return the folder where the user stands, and the project's, in which the command works."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for folder in (theirs, ours):
        folder.mkdir()
    monkeypatch.chdir(ours)
    monkeypatch.setenv(CALLER_DIR, str(theirs))
    return theirs, ours


def test_relative_path_means_the_callers_file_before_the_projects(folders: tuple[Path, Path]) -> None:
    theirs, ours = folders
    (ours / "mine.yaml").touch()
    assert user_path("mine.yaml") == Path("mine.yaml")

    (theirs / "mine.yaml").touch()

    assert user_path("mine.yaml") == theirs / "mine.yaml"
    assert user_path(ours / "mine.yaml") == ours / "mine.yaml"


def test_new_file_is_made_where_the_caller_stands(folders: tuple[Path, Path]) -> None:
    assert user_path("predictions", is_new=True) == folders[0] / "predictions"
    assert user_path("/tmp/predictions", is_new=True) == Path("/tmp/predictions")


def test_messages_name_the_folders_that_a_relative_path_was_looked_for_in(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, ours = folders
    assert where("mine.yaml") == f" in '{theirs}' or '{ours}'"
    assert where("/mine.yaml") == where("~/mine.yaml") == ""

    monkeypatch.delenv(CALLER_DIR)

    assert where("mine.yaml") == f" in '{ours}'"
    assert user_path("mine.yaml") == Path("mine.yaml")


def started_like_mlflow(folders: tuple[Path, Path], **environment: str) -> str:
    """Start a shell in the project's folder, and Python in it, from a process in the user's, as MLflow does."""
    theirs, ours = folders
    starter = "import subprocess, sys; subprocess.run(['bash', '-c', sys.argv[1]], cwd=sys.argv[2], check=True)"
    inherited = {name: value for name, value in os.environ.items() if name not in (CALLER_DIR, "MLFLOW_RUN_ID")}
    root = str(Path(pipeline.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", starter, f'true && "{sys.executable}" -c "{SHOWS_CALLER}"', str(ours)],
        cwd=theirs, env={**inherited, "PYTHONPATH": root, **environment}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_caller_of_a_project_is_found_above_the_shell_that_mlflow_starts(folders: tuple[Path, Path]) -> None:
    (folders[1] / "MLproject").touch()

    assert started_like_mlflow(folders, MLFLOW_RUN_ID="0") == str(folders[0])
    assert started_like_mlflow(folders) == "None"  # nobody's project


def test_name_of_a_data_set_leaves_room_for_suffixes(tmp_path: Path) -> None:
    assert dataset_name(f"{tmp_path}/{'n' * 250}") == "n" * 100
