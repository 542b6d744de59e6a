"""No command but ``promote`` reads test images: a data set whose test images cannot be read serves all others."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from stage import Listener, Stage
from workplace import enter

import pipeline
from pipeline.baselines.config import read_config
from pipeline.baselines.job import choose, classical_job, model_file_job
from pipeline.baselines.training import train_jobs
from pipeline.data.source import load_training_data
from pipeline.errors import DataError
from pipeline.settings import BaselineSettings, DataSettings, TrainingSettings
from pipeline.workers.classical_job import CLASSICAL

PACKAGE = Path(pipeline.__file__).parent
SPACE = "knobs: {blocks: 1, filters: 2, head: flatten, batch_size: 256, epochs: 1}\n"


def importers_of(module: str) -> set[str]:
    """Return the files that import a module of ours, in whatever way."""
    parent, _, name = module.rpartition(".")
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            source = node.module if isinstance(node, ast.ImportFrom) else None
            if module in (source, *names) or (source == parent and name in names):
                found.add(path.relative_to(PACKAGE).as_posix())
    return found


def test_promotion_alone_imports_what_opens_the_test_images() -> None:
    assert importers_of("pipeline.data.sealed") == {"promotion/evaluation.py"}


def test_nothing_but_what_opens_them_asks_for_the_test_part() -> None:
    asking = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.keyword) and node.arg == "part"
        and isinstance(node.value, ast.Constant) and node.value.value == "test"
    }  # fmt: skip
    assert asking == {"data/sealed.py"}


def test_nothing_but_what_opens_them_asks_a_folder_of_photographs_for_its_sealed_part() -> None:
    asking = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "open_sealed"
    }
    assert asking == {"data/sealed.py"}


@pytest.fixture
def sealed_data(tmp_path: Path) -> Path:
    """Return an ``.npz`` of real digits in which the pixels of the test images are torn."""
    split = load_training_data(DataSettings()).at(0)
    path = tmp_path / "torn.npz"
    # Longer than what reading a header takes in at once, 4096 bytes.
    pixels, labels = np.full((3000, 8, 8, 1), 171, np.uint8), np.full(3000, 7, np.int32)
    np.savez(path, x_train=split.train.images[:400], y_train=split.train.labels[:400], x_test=pixels, y_test=labels)
    content = path.read_bytes()
    assert content.count(pixels.tobytes()) == 1
    path.write_bytes(content.replace(pixels.tobytes(), bytes(pixels.nbytes)))  # the checksum is wrong now
    return path


@pytest.mark.slow
def test_everything_but_promote_works_on_test_images_that_cannot_be_read(
    sealed_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(monkeypatch, tmp_path)
    stage = Stage(tmp_path)
    (tmp_path / "one.yaml").write_text(SPACE)
    stage.search(space=str(tmp_path / "one.yaml"), study="torn", dataset=str(sealed_data), trials=1)
    settings = TrainingSettings(dataset=str(sealed_data), epochs=1)
    data = load_training_data(settings)
    (model,), _ = choose(BaselineSettings(names="tiny_8x8"))
    repeat = read_config(stage.runs("trial")[0].info.run_id).make_job(data, settings)
    jobs = [model_file_job(model, data, settings), classical_job(CLASSICAL, settings), repeat]
    train_jobs(jobs, data, settings, kind="baselines", show=lambda event: None, on_start=lambda to_do, log: None)
    assert stage.n_openings("torn") == 0
    listener = Listener()

    with pytest.raises(DataError, match=r"not a readable \.npz"):
        stage.promote("torn", listener, finalists=4, seeds=1)

    # Of the four on the leaderboard, the repeat is the trial once more, and the classical model is no network.
    assert {one.training.name for one in listener.finalists} <= {"trial-0000", "trial-0000-again", "tiny_8x8"}
    assert "tiny_8x8" in {one.training.name for one in listener.finalists}
    assert len(listener.finalists) == 2
    assert stage.n_openings("torn") == 1, "it is recorded before they are read"
    assert stage.n_running() == 0
    assert stage.registry("torn").champion() is None
