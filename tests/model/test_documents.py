"""The documents' models: each file reads, builds with the documents' own parameter count, and trains."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.scaling import Scaling
from pipeline.knobs.table import KNOBS, complete
from pipeline.model.architecture import make_architecture
from pipeline.model.model_file import ModelFile, build_from_file, read_model_file
from pipeline.model.network import build_network
from pipeline.paths import SPACES_DIR
from pipeline.training.optimizer import make_optimizer
from pipeline.training.plan import TrainingPlan

FILES = sorted((SPACES_DIR / "documents").glob("*.yaml"))
POINTS = [path.stem for path in FILES if read_model_file(path).as_point() is not None]

# Input and parameters as the documents state them, or as their layers give them; None where these are not known. What
# reads "the same net" there has that net's parameters here. cnn_bn_4 is attempts 4 to 6: one model trained three times.
CATALOGUE: dict[str, tuple[tuple[int, ...], int | None]] = {
    "cnn_bn_1": ((28, 28, 1), 207_626),
    "cnn_bn_2": ((28, 28, 1), 207_626),
    "cnn_bn_3": ((28, 28, 1), 1_064_650),
    "cnn_bn_4": ((28, 28, 1), None),
    "tiny_8x8": ((8, 8, 1), 6_349),
    "mnist_pool": ((28, 28, 1), 463_082),
    "fashion_plain": ((28, 28, 1), 9_490_442),
    "fashion_pool": ((28, 28, 1), 463_082),
    "cifar100_pool": ((32, 32, 3), 2_218_852),
    "cifar10_search_1": ((32, 32, 3), 2_207_242),
    "cifar10_search_2": ((32, 32, 3), 2_207_242),
    "cifar10_search_3": ((32, 32, 3), 2_207_242),
    "cifar10_search_4": ((32, 32, 3), 2_207_242),
    "example_1": ((28, 28, 1), None),
    "example_2d": ((28, 28, 3), 35_402),
    "example_1d": ((200, 1), 16_514),
    "mnist_chapter4": ((28, 28, 1), 25_098),
    "cifar10_basic": ((32, 32, 3), 33_834),
    "cifar10_model_1": ((32, 32, 3), 33_834),
    "cifar10_model_2": ((32, 32, 3), 28_746),
    "cifar10_model_3": ((32, 32, 3), 29_322),
    "cifar10_model_4": ((32, 32, 3), 50_352),
    "cifar10_model_5": ((32, 32, 3), 81_052),
    "cifar10_model_6": ((32, 32, 3), 99_914),
    "cifar10_model_7": ((32, 32, 3), 1_149_514),
    "cifar10_model_8": ((32, 32, 3), 1_669_194),
    "transfer_vgg16": ((224, 224, 3), 27_560_769),
    "transfer_inception": ((150, 150, 3), 40_679_201),
    "weather_model_1": ((250, 250, 3), 14_803_780),
    "weather_model_2": ((250, 250, 3), 10_648_772),
    "weather_model_3": ((250, 250, 3), 1_375_396),
    "weather_model_3_plateau": ((250, 250, 3), 1_375_396),
    "letters_dnn": ((28, 28, 1), 331_018),
    "functional_cnn": ((28, 28, 1), 3_361_546),
    "lenet_5": ((32, 32, 1), None),
}
# The chapter's eight models again, with the dropout that its text means.
CATALOGUE |= {f"cifar10_model_{number}_meant": CATALOGUE[f"cifar10_model_{number}"] for number in range(1, 9)}
N_CLASSES = {"cifar100_pool": 100, "example_1d": 2, "transfer_vgg16": 1, "transfer_inception": 1}
TRANSFER = ("transfer_vgg16", "transfer_inception")


def document(name: str) -> ModelFile:
    return read_model_file(SPACES_DIR / "documents" / f"{name}.yaml")


def build(model: ModelFile, *, precision: str = "float32") -> Any:
    n_channels = model.input_shape[-1]
    zero_one = Scaling((1 / 255,) * n_channels, (0.0,) * n_channels)
    return build_from_file(model, pixel_scaling=zero_one, backbone_weights=None, precision=precision)


def test_every_model_of_the_documents_has_its_file() -> None:
    assert [path.stem for path in FILES] == sorted(CATALOGUE)
    assert len(FILES) == 35 + 8


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_has_the_shape_and_parameters_of_the_documents(path: Path) -> None:
    model = read_model_file(path)

    assert (model.name, model.source) == (path.stem, str(path))
    assert (model.input_shape, model.n_parameters) == CATALOGUE[model.name]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_starts_with_its_document_and_lesson(path: Path) -> None:
    comment = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]

    assert comment[0].startswith("# Document 00")
    assert any(line.startswith("# Lesson: ") for line in comment)


@pytest.mark.parametrize("name", CATALOGUE)
def test_network_has_the_documents_parameters(name: str) -> None:
    model = document(name)
    input_shape, n_parameters = CATALOGUE[name]

    network = build(model)

    assert network.input_shape == (None, *input_shape)
    assert network.output_shape == (None, N_CLASSES.get(name, 4 if name.startswith("weather") else 10))
    assert network.outputs[0].dtype == "float32"
    if n_parameters is not None:
        assert network.count_params() == n_parameters


@pytest.mark.parametrize(
    ("name", "n_trainable"),
    [
        ("weather_model_3", 1_373_476),
        ("transfer_vgg16", 27_560_769 - 14_714_688),
        ("transfer_inception", 40_679_201 - 21_802_784),
    ],
)
def test_frozen_and_moving_parameters_are_not_trained(name: str, n_trainable: int) -> None:
    network = build(document(name))

    assert sum(math.prod(weight.shape) for weight in network.trainable_weights) == n_trainable


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name not in TRANSFER])
def test_model_trains_two_steps_with_its_own_optimizer(name: str) -> None:
    model = document(name)
    plan = TrainingPlan(complete(model.training))
    random = np.random.default_rng(0)
    network = build(model)
    n_classes = network.output_shape[-1]
    images = random.integers(0, 256, (4, *model.input_shape), np.uint8)
    labels = np.eye(n_classes, dtype=np.float32)[random.integers(0, n_classes, 4)]
    network.compile(make_optimizer(plan, n_steps=2), loss="categorical_crossentropy", run_eagerly=True)
    before = network.get_weights()

    history = network.fit(images, labels, batch_size=2, verbose=0)

    assert int(network.optimizer.iterations) == 2
    assert math.isfinite(history.history["loss"][0])
    assert any((old != new).any() for old, new in zip(before, network.get_weights(), strict=True))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_training_holds_knobs_alone(path: Path) -> None:
    training = read_model_file(path).training

    assert training.keys() <= KNOBS.keys()
    assert [name for name, value in training.items() if KNOBS[name].problem(value)] == []
    assert complete(training) == {**complete({}), **training}


def described(network: Any) -> list[tuple[object, ...]]:
    """Return what each layer does; an activation inside a layer stands as one of its own, a linear one as none."""
    rows: list[tuple[object, ...]] = []
    for layer in network.layers:
        config = layer.get_config()
        kind = {"ReLU": "Activation"}.get(type(layer).__name__, type(layer).__name__)
        initializer = config.get("kernel_initializer") or {"class_name": None}
        wanted = ("filters", "kernel_size", "strides", "padding", "pool_size", "rate", "units", "use_bias")
        if kind not in ("Activation", "Rescaling"):
            rows.append((kind, initializer["class_name"], *(config.get(name) for name in wanted)))
        if kind == "Activation" or config.get("activation", "linear") != "linear":
            rows.append(("Activation", config.get("activation", "relu")))
    return rows


@pytest.mark.parametrize("name", POINTS)
def test_knobs_of_a_hand_made_model_give_the_very_same_layers(name: str) -> None:
    model = document(name)
    point = model.as_point()
    assert point is not None
    n_channels = model.input_shape[-1]
    architecture = make_architecture(
        point, input_shape=model.input_shape, n_classes=N_CLASSES.get(name, 10),
        pixel_scaling=Scaling((1.0,) * n_channels, (0.0,) * n_channels),
    )  # fmt: skip

    network, model_file = build_network(architecture), build(model)

    assert described(network) == described(model_file)
    assert network.count_params() == model_file.count_params()


def test_the_documents_manual_search_is_a_set_of_points() -> None:
    assert {f"cifar10_search_{number}" for number in (1, 2, 3, 4)} <= set(POINTS)
