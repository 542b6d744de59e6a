"""The stage of all slow promotions, set once."""

from __future__ import annotations

import pytest
from stage import Stage
from workplace import enter


@pytest.fixture(scope="package")
def set_stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Return a folder where two studies were searched."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("stage")
        enter(patch, folder)
        stage = Stage(folder)
        stage.search_both()
    return stage


@pytest.fixture
def stage(set_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """Stand in that folder again, as the same user would."""
    enter(monkeypatch, set_stage.folder)
    return set_stage
