"""A study on a folder of photographs, with folds and a backbone whose features are computed once, and its promotion."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import Listener, Stage
from workplace import enter, write_photographs

from pipeline.promotion.prediction import predict
from pipeline.settings import PredictSettings, make_settings

pytestmark = pytest.mark.slow

SPACE = """
knobs: {backbone: MobileNetV3Small, backbone_weights: random, image_size: 32, batch_size: 16, learning_rate: 0.05,
        epochs: 2}
"""
N_FOLDS, N_SEALED = 2, 6  # 15 % of 20 photographs of each class


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Return a folder where photographs of two classes were searched and promoted."""
    folder = tmp_path_factory.mktemp("photographs")
    write_photographs(folder / "photos", n_of_each=20, suffix=".png")
    (folder / "space.yaml").write_text(SPACE)
    with pytest.MonkeyPatch.context() as patch:
        enter(patch, folder)
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        stage = Stage(folder)
        stage.search(space="space.yaml", study="photos", dataset="photos", trials=1, folds=N_FOLDS)
        stage.promote("photos", Listener(), finalists=1, seeds=1)
    return stage


@pytest.fixture
def stage(promoted: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    enter(monkeypatch, promoted.folder)
    return promoted


def test_finalists_are_judged_on_the_folds_and_the_refit_on_none(stage: Stage) -> None:
    (finalist,), (refit,) = stage.runs("finalist"), stage.runs("refit")
    assert finalist.data.metrics["n_folds"] == N_FOLDS
    assert "n_folds" not in refit.data.metrics
    assert not [name for name in refit.data.metrics if name.startswith(("fold", "val"))]


def test_features_of_a_backbone_serve_all_trainings(stage: Stage) -> None:
    assert len(list((stage.folder / "cache").rglob("*.npy"))) == 3, "scan, pixels and features, once each"


def test_sealed_photographs_are_the_test_images(stage: Stage) -> None:
    (final,) = stage.runs("final")
    assert stage.n_openings("photos") == 1
    right = final.data.metrics["test_accuracy"] * N_SEALED
    assert right == pytest.approx(round(right))
    assert stage.tags("1", "photos")["image_size"] == "32"


def test_champion_labels_files_of_any_size(stage: Stage, tmp_path: Path) -> None:
    settings = make_settings(PredictSettings, name="photos", input=stage.folder / "photos", output=tmp_path)

    said = predict(settings)

    assert len(said.table) == 40
    assert said.table["file"].tolist()[:2] == ["day/0.png", "day/1.png"]
    assert set(said.table["class"]) <= {"day", "night"}
    assert said.unreadable == {}
