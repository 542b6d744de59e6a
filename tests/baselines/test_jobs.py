"""What ``baselines`` and ``train`` are asked for: which models, on which images, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from splitting import as_data

from pipeline.baselines.config import read_config
from pipeline.baselines.job import choose, classical_job, model_file_job
from pipeline.data.image_set import make_image_set
from pipeline.data.partition import make_partition
from pipeline.data.source import TrainingData, load_training_data
from pipeline.errors import BackboneError, InputError, ModelFileError, SettingError, SpaceError
from pipeline.knobs.table import KNOBS, complete
from pipeline.model.model_file.documents import read_document
from pipeline.model.weights_packages import PACKAGES
from pipeline.settings import BaselineSettings, TrainingSettings
from pipeline.training.budget import Budget, StepSchedule
from pipeline.training.configuration import Configuration
from pipeline.training.linear_probe import BACKBONE
from pipeline.workers.classical_job import CLASSICAL, LINEAR_PROBE
from pipeline.workers.job import Job

HAND_MADE = """
input_shape: [8, 8, 1]
training: {optimizer: sgd, epochs: 7}
layers:
  - Flatten
  - Dense: {units: 10}
  - Softmax
"""


def made(shape: tuple[int, ...], n_classes: int = 10) -> TrainingData:
    """Return data of 40 blank images of ``shape``."""
    images = np.zeros((40, *shape))
    return as_data(make_image_set(name="made", source="made", images=images, labels=np.arange(40) % n_classes))


def settings(**values: object) -> TrainingSettings:
    return TrainingSettings.model_validate(values)


def settings_of(**values: object) -> BaselineSettings:
    return BaselineSettings.model_validate(values)


def test_models_that_were_made_for_the_data_set_are_chosen_with_the_classical_one() -> None:
    models, classical = choose(settings_of(dataset="mnist"))

    assert {"mnist_chapter4", "cnn_bn_1", "cnn_bn_3", "mnist_pool"} <= {model.name for model in models}
    assert {model.dataset for model in models} == {"mnist"}
    assert classical == [CLASSICAL]


def test_listed_models_are_chosen_in_their_order_and_once() -> None:
    models, classical = choose(settings_of(names="lenet_5, tiny_8x8,lenet_5"))

    assert [model.name for model in models] == ["lenet_5", "tiny_8x8"]
    assert classical == []
    assert choose(settings_of(names="linear_probe,classical")) == ([], [LINEAR_PROBE, CLASSICAL])


@pytest.mark.parametrize("is_at_hand", [True, False])
def test_photographs_have_the_linear_probe_where_its_weights_are_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_at_hand: bool
) -> None:
    monkeypatch.setitem(PACKAGES, BACKBONE, replace(PACKAGES[BACKBONE], module="no_such_module"))
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    if is_at_hand:
        (data_dir / f"{BACKBONE}_notop.weights.h5").touch()
    (tmp_path / "photographs").mkdir()

    _, classical = choose(settings_of(dataset=str(tmp_path / "photographs"), data_dir=data_dir))

    assert classical == ([CLASSICAL, LINEAR_PROBE] if is_at_hand else [CLASSICAL])


def test_linear_probe_that_is_asked_for_needs_its_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGES, BACKBONE, replace(PACKAGES[BACKBONE], module="no_such_module"))

    with pytest.raises(BackboneError, match="needs the weights of EfficientNetLite0"):
        classical_job(LINEAR_PROBE, settings_of(data_dir=tmp_path))


@pytest.mark.parametrize(
    ("names", "message"),
    [("cnn_bn_33", "got 'cnn_bn_33'; did you mean 'cnn_bn_3'?"), (" , ", "leave it out for all that fit")],
)
def test_unknown_model_is_refused(names: str, message: str) -> None:
    with pytest.raises(SettingError, match=message.replace("?", r"\?")):
        choose(settings_of(names=names))


def test_models_whose_document_held_out_training_images_are_chosen_for_the_documents_split() -> None:
    chosen, _ = choose(settings_of(dataset="mnist", split="documents"))

    assert [model.name for model in chosen] == ["cnn_bn_1", "cnn_bn_2", "cnn_bn_3", "cnn_bn_4"]
    assert choose(settings_of(dataset="cifar10", split="documents")) == ([], [CLASSICAL])


def test_model_is_refused_with_the_documents_split_where_its_document_held_out_other_images() -> None:
    data = made((28, 28, 1))
    documents = replace(data, images=replace(data.images, document_split="last_fifth"))

    assert model_file_job(read_document("cnn_bn_3"), documents, settings()).name == "cnn_bn_3"
    with pytest.raises(ModelFileError, match=r"holds out 'last_fifth' of such data, but .* validated on 'test_images'"):
        model_file_job(read_document("mnist_chapter4"), documents, settings())


def test_images_are_resized_to_the_model_s_own_size_where_theirs_differs() -> None:
    model = read_document("lenet_5")  # for 32 x 32 pixels

    assert model_file_job(model, made((28, 28, 1)), settings()).configuration.image_size == 32  # type: ignore[union-attr]
    assert model_file_job(model, made((32, 32, 1)), settings()).configuration.image_size == 0  # type: ignore[union-attr]
    chosen = model_file_job(model, made((28, 28, 1)), settings(image_size=40))
    assert chosen.configuration is not None
    assert chosen.configuration.image_size == 40


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("lenet_5", made((28, 28, 3)), r"axes and channels of the images, got \[32, 32, 1\] for images of 28 x 28 x 3"),
        ("example_1d", made((28, 28, 1)), r"got \[200, 1\] for images of 28 x 28 x 1; change it"),
        ("lenet_5", made((28, 28, 1), n_classes=4), "as many classes apart as the data has, got 10 for 4; change its"),
    ],
)
def test_model_for_other_images_or_classes_is_refused(name: str, data: TrainingData, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        model_file_job(read_document(name), data, settings())


@pytest.mark.parametrize(
    ("name", "accuracy", "images"),
    [
        ("weather_model_1", 0.9233, "validation (339)"),
        ("weather_model_3_plateau", 0.9676, "validation (339)"),
        ("cifar10_model_8", 0.7920, "test (10,000)"),
        ("cnn_bn_3", 0.9921, "not stated"),
        ("tiny_8x8", None, None),
    ],
)
def test_reported_figure_is_the_one_that_was_measured_most_as_ours_is(
    name: str, accuracy: float | None, images: str | None
) -> None:
    model = read_document(name)
    n_classes = model.n_classes
    assert n_classes is not None

    job = model_file_job(model, made(model.input_shape, n_classes), settings())

    assert (job.reported, job.tags.get("pipeline.reported_on")) == (accuracy, images)


def test_job_keeps_the_file() -> None:
    model = read_document("cifar10_model_1")

    job = model_file_job(model, made((32, 32, 3)), settings(epochs=3))

    assert job.files == {"hand_made.yaml": Path(model.source).read_text()}
    assert job.n_epochs == 3
    assert job.tags["pipeline.baseline"] == "cifar10_model_1"


def test_fingerprint_changes_with_all_that_makes_a_training_another_one() -> None:
    data, model = made((8, 8, 1)), read_document("tiny_8x8")
    other_data = TrainingData(data.images, make_partition(data.images, seed=1))
    job = model_file_job(model, data, settings())
    plain = job.fingerprint(data, settings())

    others = {
        "data": job.fingerprint(other_data, settings()),
        "metric": job.fingerprint(data, settings(metric="val_loss")),
        "precision": job.fingerprint(data, settings(precision="bfloat16")),
        "seed": replace(job, seed=5).fingerprint(data, settings()),
        "epochs": model_file_job(model, data, settings(epochs=2)).fingerprint(data, settings()),
        "layers": replace(job, files={"hand_made.yaml": "layers: []"}).fingerprint(data, settings()),
        "model": classical_job(CLASSICAL, settings()).fingerprint(data, settings()),
    }

    assert model_file_job(model, data, settings()).fingerprint(data, settings()) == plain
    assert len({plain, *others.values()}) == 1 + len(others)


def test_fingerprint_is_left_as_it_was_by_a_new_knob_at_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made((8, 8, 1))
    job = Job("mine", Configuration(complete({"filters": 4})), 0, {})
    before = job.fingerprint(data, settings())

    monkeypatch.setitem(KNOBS, "new", replace(KNOBS["momentum"], name="new", default=0.5))

    assert Job("mine", Configuration(complete({"filters": 4})), 0, {}).fingerprint(data, settings()) == before
    changed = Job("mine", Configuration(complete({"filters": 4, "new": 0.25})), 0, {})
    assert changed.fingerprint(data, settings()) != before


STEPS = StepSchedule(10, ((0, 0.0), (7, 0.5), (25, 1.0)))


def test_fingerprint_is_left_as_it_was_by_a_budget_that_is_the_whole_plan_and_changed_by_others() -> None:
    data, job = made((8, 8, 1)), Job("mine", Configuration(complete({"filters": 4})), 0, {})
    jobs = [
        replace(job, budget=Budget(epochs=2)), replace(job, budget=Budget(seconds=2.0)),
        replace(job, budget=Budget(steps=STEPS)), replace(job, fold_budgets=(Budget(epochs=2), Budget(epochs=3))),
    ]  # fmt: skip

    plain = job.fingerprint(data, settings())

    assert plain == "bc33a632ed388049", "as it was before there were budgets"
    assert replace(job, budget=Budget()).fingerprint(data, settings()) == plain
    assert len({plain, *(one.fingerprint(data, settings()) for one in jobs)}) == 1 + len(jobs)


@pytest.mark.parametrize(
    ("budgets", "n_epochs"),
    [
        ({"budget": Budget(epochs=4)}, 4),
        ({"budget": Budget(epochs=40)}, 9),
        ({"budget": Budget(seconds=4.0)}, 9),
        ({"fold_budgets": (Budget(epochs=2), Budget(steps=STEPS))}, 3),
    ],
    ids=str,
)
def test_job_trains_as_many_epochs_as_plan_and_budget_allow(budgets: dict[str, Any], n_epochs: int) -> None:
    assert Job("mine", Configuration(complete({"epochs": 9})), 0, {}, **budgets).n_epochs == n_epochs


def test_budgets_of_folds_take_the_place_of_the_one_for_all() -> None:
    job = Job("mine", Configuration(complete({})), 0, {}, budget=Budget(epochs=5))
    folds = Budget(epochs=1), Budget(epochs=2)

    assert [job.budget_of(fold) for fold in (1, 2)] == [Budget(epochs=5)] * 2
    assert [replace(job, fold_budgets=folds).budget_of(fold) for fold in (1, 2, 3)] == [*folds, folds[0]]


def test_config_may_be_a_name_or_a_file_of_a_hand_made_model(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(HAND_MADE)

    named, own = read_config("cifar10_model_3"), read_config(str(path))

    assert named.settings == {"dataset": "cifar10"}
    assert own.settings == {}
    job = own.make_job(load_training_data(settings(dataset="digits")), settings())
    assert job.configuration is not None
    assert job.name == "mine"
    assert (job.configuration.plan.optimizer, job.configuration.plan.epochs) == ("sgd", 7)


def test_config_may_be_a_file_of_knobs(tmp_path: Path) -> None:
    path = tmp_path / "knobs.yaml"
    path.write_text("knobs: {blocks: 2, filters: 4, image_size: 16}\n")

    config = read_config(str(path))

    job = config.make_job(made((8, 8, 1)), settings(epochs=2))
    assert job.configuration is not None
    knobs = job.configuration.knobs
    assert (knobs["blocks"], knobs["filters"], knobs["image_size"], knobs["epochs"]) == (2, 4, 16, 2)


@pytest.mark.parametrize(
    ("config", "kind", "message"),
    [
        ("cifar10_model_33", SettingError, r"got 'cifar10_model_33'; did you mean 'cifar10_model_3'\?"),
        ("none.yaml", ModelFileError, "a configuration must be a readable YAML file, got 'none.yaml'"),
        ("0" * 32, SettingError, "which is not in the tracking store .* set MLFLOW_TRACKING_URI"),
        ("searched.yaml", SpaceError, "train needs one value a knob, got a range or choices for filters; fix them"),
    ],
)
def test_config_that_cannot_be_used_is_refused_and_nothing_is_written(
    config: str, kind: type[InputError], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "searched.yaml").write_text("knobs: {blocks: 1, filters: {choices: [4, 8]}}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")

    with pytest.raises(kind, match=message):
        read_config(config)

    assert [path.name for path in tmp_path.iterdir()] == ["searched.yaml"]


def test_settings_of_a_command_are_checked() -> None:
    assert BaselineSettings(dataset="/some where/my photos/").dataset_name == "my-photos"
    assert BaselineSettings(dataset="folder/mine.npz").dataset_name == "mine"
