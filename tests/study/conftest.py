"""Folders to search in: a fresh one, and that of a study that has ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from workplace import Workplace, enter


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    return enter(monkeypatch, tmp_path)


@pytest.fixture(scope="package")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Return the folder of a study of 4 trials that has ended; tests only look at it."""
    with pytest.MonkeyPatch.context() as patch:
        place = enter(patch, tmp_path_factory.mktemp("finished"))
        place.search(trials=4)
    return place


@pytest.fixture
def in_finished(finished: Workplace, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """Stand in the folder of the finished study again, as the same user would."""
    return enter(monkeypatch, finished.folder)
