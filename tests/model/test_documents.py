"""The documents' models: each file reads, builds with the documents' own parameter count, and trains as written."""

from __future__ import annotations

import itertools
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

# Input, parameters and reported accuracies as the documents state them; None and () where they state none. What reads
# "the same net" there has that net's parameters here. cnn_bn_4 stands for cnn_bn_4 to 6, one model trained three times.
CATALOGUE: dict[str, tuple[tuple[int, ...], int | None, tuple[float, ...]]] = {
    "cnn_bn_1": ((28, 28, 1), 207_626, (0.986,)),
    "cnn_bn_2": ((28, 28, 1), 207_626, (0.9901,)),
    "cnn_bn_3": ((28, 28, 1), 1_064_650, (0.9921,)),
    "cnn_bn_4": ((28, 28, 1), None, (0.995, 0.9949, 0.9946)),
    "tiny_8x8": ((8, 8, 1), 6_349, ()),
    "mnist_pool": ((28, 28, 1), 463_082, ()),
    "fashion_plain": ((28, 28, 1), 9_490_442, ()),
    "fashion_pool": ((28, 28, 1), 463_082, ()),
    "cifar100_pool": ((32, 32, 3), 2_218_852, ()),
    "cifar10_search_1": ((32, 32, 3), 2_207_242, (0.7424,)),
    "cifar10_search_2": ((32, 32, 3), 2_207_242, (0.7567,)),
    "cifar10_search_3": ((32, 32, 3), 2_207_242, (0.7612,)),
    "cifar10_search_4": ((32, 32, 3), 2_207_242, (0.7837,)),
    "example_1": ((28, 28, 1), None, ()),
    "example_2d": ((28, 28, 3), 35_402, ()),
    "example_1d": ((200, 1), 16_514, ()),
    "mnist_chapter4": ((28, 28, 1), 25_098, (0.9931,)),
    "cifar10_basic": ((32, 32, 3), 33_834, (0.6927,)),
    "cifar10_model_1": ((32, 32, 3), 33_834, (0.6924, 0.7100)),
    "cifar10_model_2": ((32, 32, 3), 28_746, (0.7258, 0.7001)),
    "cifar10_model_3": ((32, 32, 3), 29_322, (0.7447, 0.7486)),
    "cifar10_model_4": ((32, 32, 3), 50_352, (0.7482, 0.7482)),
    "cifar10_model_5": ((32, 32, 3), 81_052, (0.7409, 0.7409)),
    "cifar10_model_6": ((32, 32, 3), 99_914, (0.7849, 0.7849)),
    "cifar10_model_7": ((32, 32, 3), 1_149_514, (0.7812, 0.7812)),
    "cifar10_model_8": ((32, 32, 3), 1_669_194, (0.7920, 0.7920)),
    "transfer_vgg16": ((224, 224, 3), 27_560_769, (0.9240,)),
    "transfer_inception": ((150, 150, 3), 40_679_201, (0.9610,)),
    "weather_model_1": ((250, 250, 3), 14_803_780, (0.9000, 0.8687, 0.8969)),
    "weather_model_2": ((250, 250, 3), 10_648_772, (0.6077, 0.9125)),
    "weather_model_3": ((250, 250, 3), 1_375_396, (0.8875,)),
    "weather_model_3_plateau": ((250, 250, 3), 1_375_396, (0.9812, 0.9676)),
    "letters_dnn": ((28, 28, 1), 331_018, (0.9076,)),
    "functional_cnn": ((28, 28, 1), 3_361_546, ()),
    "lenet_5": ((32, 32, 1), None, ()),
}
N_CLASSES = {"cifar100_pool": 100, "example_1d": 2, "transfer_vgg16": 1, "transfer_inception": 1}
GRID = [f"cifar10_model_{number}" for number in range(1, 9)]
TRANSFER = ("transfer_vgg16", "transfer_inception")
RANGES = {"width_shift": 0.2, "height_shift": 0.2, "shear_degrees": 0.2, "zoom": 0.2, "horizontal_flip": True}


def document(name: str) -> ModelFile:
    return read_model_file(SPACES_DIR / "documents" / f"{name}.yaml")


def build(model: ModelFile, *, precision: str = "float32") -> Any:
    n_channels = model.input_shape[-1]
    zero_one = Scaling((1 / 255,) * n_channels, (0.0,) * n_channels)
    return build_from_file(model, pixel_scaling=zero_one, backbone_weights=None, precision=precision)


def kinds(name: str) -> list[str]:
    return [layer.kind for layer in document(name).layers]


def filters(name: str) -> list[object]:
    return [layer.arguments["filters"] for layer in document(name).layers if layer.kind == "Conv2D"]


def dense(name: str) -> list[tuple[object, str | None]]:
    """Return units and activation of each dense layer."""
    return [(layer.arguments["units"], layer.activation) for layer in document(name).layers if layer.kind == "Dense"]


def test_every_model_of_the_documents_has_its_file() -> None:
    assert [path.stem for path in FILES] == sorted(CATALOGUE)
    assert len(FILES) == 35


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_says_what_the_documents_say(path: Path) -> None:
    model = read_model_file(path)
    input_shape, n_parameters, accuracies = CATALOGUE[model.name]

    assert (model.name, model.source) == (path.stem, str(path))
    assert (model.input_shape, model.n_parameters) == (input_shape, n_parameters)
    assert tuple(result.accuracy for result in model.reported) == accuracies


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_starts_with_its_document_and_lesson(path: Path) -> None:
    comment = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]

    assert comment[0].startswith("# Document 00")
    assert any(line.startswith("# Lesson: ") for line in comment)


@pytest.mark.parametrize("name", CATALOGUE)
def test_network_has_the_documents_parameters(name: str) -> None:
    model = document(name)
    input_shape, n_parameters, _ = CATALOGUE[name]

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


def test_normalization_stands_below_the_pooling_in_cnn_bn_1() -> None:
    assert kinds("cnn_bn_1")[:7] == [
        "Conv2D", "BatchNormalization", "ReLU", "Conv2D", "MaxPooling2D", "BatchNormalization", "ReLU",
    ]  # fmt: skip


def test_models_trained_again_have_the_layers_of_the_model_before() -> None:
    def layers(name: str) -> list[tuple[str, dict[str, Any]]]:
        return [(layer.kind, layer.arguments) for layer in document(name).layers]

    assert layers("cnn_bn_2") == layers("cnn_bn_1")
    assert layers("cnn_bn_4") == layers("cnn_bn_3")
    assert layers("cifar10_basic") == layers("cifar10_model_1")[:-1]
    assert layers("weather_model_3_plateau") == layers("weather_model_3")


@pytest.mark.parametrize("name", GRID)
def test_grid_ends_in_a_dropout_below_the_softmax(name: str) -> None:
    assert [type(layer).__name__ for layer in build(document(name)).layers[-2:]] == ["Softmax", "Dropout"]
    assert document(name).layers[-1].arguments == {"rate": 0.1}


def test_grid_has_the_documents_filters() -> None:
    assert filters("cifar10_model_1") == [16, 32, 64]
    assert [filters(name) for name in GRID[1:5]] == [[16, 32] * 3] * 4
    assert [filters(name) for name in GRID[5:]] == [[16, 32, 64] * 3] * 3


def test_grid_normalizes_between_convolution_and_relu_from_model_3_on() -> None:
    for name in GRID[:2]:
        assert "BatchNormalization" not in kinds(name)
    for name in GRID[2:]:
        sequence = kinds(name)
        places = [place for place, kind in enumerate(sequence) if kind == "BatchNormalization"]
        assert len(places) == len(filters(name))
        assert {(sequence[place - 1], sequence[place + 1]) for place in places} == {("Conv2D", "ReLU")}


@pytest.mark.parametrize("name", [*GRID, "cifar10_basic"])
def test_chapters_convolutions_start_from_he_uniform(name: str) -> None:
    convolutions = [layer for layer in build(document(name)).layers if type(layer).__name__ == "Conv2D"]

    assert {type(layer.kernel_initializer).__name__ for layer in convolutions} == {"HeUniform"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cnn_bn_3", [(128, None), (10, None)]),
        ("mnist_pool", [(256, None), (128, "relu"), (10, None)]),
        ("fashion_pool", [(256, "relu"), (128, "relu"), (10, None)]),
        ("lenet_5", [(120, "relu"), (84, "relu"), (10, None)]),
        ("cifar10_model_5", [(100, "relu"), (50, "relu"), (10, None)]),
    ],
)
def test_dense_layer_is_linear_where_it_was(name: str, expected: list[tuple[int, str | None]]) -> None:
    assert dense(name) == expected
    after_dense = [kind for before, kind in itertools.pairwise(kinds(name)) if before == "Dense"]
    assert "ReLU" not in after_dense


@pytest.mark.parametrize("name", ["tiny_8x8", "fashion_plain"])
def test_first_convolution_is_linear_where_it_was(name: str) -> None:
    first, second = document(name).layers[:2]

    assert (first.activation, second.activation) == (None, "relu")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cnn_bn_1", {"optimizer": "adam", "learning_rate": 0.001, "batch_size": 128, "epochs": 40}),
        ("cnn_bn_4", {"learning_rate": 0.0001, "batch_size": 128, "epochs": 100}),
        ("cifar10_search_4", {"scaling": "zero_one", "batch_size": 128, "epochs": 50}),
        ("cifar10_model_8", {"batch_size": 32, "epochs": 100, "early_stopping_patience": 10}),
        ("cifar10_basic", {"early_stopping_monitor": "val_accuracy", "early_stopping_patience": 20}),
        ("transfer_vgg16", {"optimizer": "rmsprop", "rotation_degrees": 40.0, **RANGES}),
        ("weather_model_1", {"rotation_degrees": 20.0, **RANGES, "brightness": 0.5, "epochs": 30}),
        (
            "weather_model_3_plateau",
            {
                "learning_rate_schedule": "plateau",
                "plateau_monitor": "val_accuracy",
                "plateau_factor": 0.1,
                "plateau_patience": 5,
                "plateau_cooldown": 3,
            },
        ),
        ("letters_dnn", {"early_stopping_monitor": "val_loss", "early_stopping_patience": 5}),
    ],
)
def test_training_is_the_documents(name: str, expected: dict[str, Any]) -> None:
    assert expected.items() <= document(name).training.items()


@pytest.mark.parametrize("name", ["example_1", "example_2d", "example_1d", "lenet_5"])
def test_nothing_is_added_where_a_document_states_no_training(name: str) -> None:
    assert document(name).training == {}


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
