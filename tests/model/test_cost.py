"""The estimated cost of an architecture is that of the network that is built from it."""

from __future__ import annotations

import math
import subprocess
import sys
from random import Random
from typing import Any

import pytest

from pipeline.data.scaling import Scaling
from pipeline.errors import OutputError
from pipeline.knobs.proposals import draw_uniform
from pipeline.knobs.reader import read_space
from pipeline.knobs.table import KNOBS, Knobs, KnobValue, complete
from pipeline.model.architecture import Architecture, make_architecture
from pipeline.model.backbones import BACKBONES
from pipeline.model.cost import Cost, estimate_cost
from pipeline.model.layer_cost import layer_cost
from pipeline.model.model_file.documents import document_names, read_document
from pipeline.model.network import build_network
from pipeline.model.transfer import build_transfer_network
from pipeline.paths import SPACES_DIR

POINTS = [name for name in document_names() if read_document(name).as_point() is not None]
SHAPES = [(32, 32, 3), (28, 28, 1), (9, 5, 2), (1, 1, 1), (40, 2)]


def architecture_of(knobs: Knobs, input_shape: tuple[int, ...], n_classes: int = 10) -> Architecture:
    unscaled = Scaling((1.0,) * input_shape[-1], (0.0,) * input_shape[-1])
    return make_architecture(knobs, input_shape=input_shape, n_classes=n_classes, pixel_scaling=unscaled)


def cost_of(*, input_shape: tuple[int, ...] = (8, 8, 3), n_classes: int = 10, **knobs: KnobValue) -> Cost:
    return estimate_cost(complete(knobs), input_shape, n_classes)


@pytest.mark.parametrize("input_shape", SHAPES, ids=str)
def test_parameters_of_drawn_configurations_are_those_of_the_built_networks(input_shape: tuple[int, ...]) -> None:
    space, rng = read_space(SPACES_DIR / "default.yaml"), Random(0)
    patterns = KNOBS["filter_pattern"].choices
    for number in range(6):
        drawn = {**draw_uniform(space, rng), "filter_pattern": patterns[number % 2], "filters": 5}
        drawn["whitening"] = number % 3 == 0
        turned = {"padding": ("same", "valid")[number // 2 % 2], "pool_size": 2 + number % 2}
        knobs = {**space.knobs_of(drawn), **turned}

        network = build_network(architecture_of(knobs, input_shape))

        assert estimate_cost(knobs, input_shape, 10).n_parameters == network.count_params(), drawn


@pytest.mark.parametrize("name", POINTS)
def test_parameters_of_a_hand_made_model_are_those_that_its_file_states(name: str) -> None:
    model = read_document(name)
    point = model.as_point()
    assert point is not None

    network = build_network(architecture_of(point, model.input_shape, model.n_classes or 10))
    cost = estimate_cost(point, model.input_shape, model.n_classes or 10)

    assert cost.n_parameters == network.count_params()
    assert model.n_parameters in (None, cost.n_parameters)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("knobs", [{"fc_depth": 2, "fc_units": 16}, {"head": "global_max", "output": "sigmoid"}])
def test_parameters_with_a_backbone_are_those_of_the_built_network(backbone: str, knobs: dict[str, Any]) -> None:
    given = complete({**knobs, "backbone": backbone})

    network = build_transfer_network(architecture_of(given, (96, 96, 3), 2), weights=None)

    assert estimate_cost(given, (96, 96, 3), 2).n_parameters == network.count_params()


def test_frozen_backbone_costs_each_step_nothing() -> None:
    classifier = cost_of(input_shape=(96, 96, 3), backbone="MobileNetV3Small", fc_depth=1, fc_units=32)

    assert 576 * 32 + 32 * 10 <= classifier.operations < 1.1 * (576 * 32 + 32 * 10)


@pytest.mark.parametrize("knobs", [{"unfrozen_blocks": 1}, {"augmentation": "shifts"}, {"mirrored_prediction": True}])
def test_operations_of_a_backbone_that_runs_in_each_step_are_unknown(knobs: dict[str, KnobValue]) -> None:
    cost = cost_of(input_shape=(96, 96, 3), backbone="VGG16", **knobs)

    assert math.isnan(cost.operations)
    assert cost.n_parameters == 14_714_688 + 513 * 10


def test_cost_of_a_flatten_head_on_a_backbone_is_unknown() -> None:
    cost = cost_of(input_shape=(96, 96, 3), backbone="VGG16", head="flatten")

    assert cost.n_parameters is None
    assert math.isnan(cost.operations)


@pytest.mark.parametrize(
    ("kind", "arguments", "shape", "multiply_adds"),
    [
        (
            "Conv2D",
            {"filters": 8, "kernel_size": 3, "strides": 1, "padding": "same", "use_bias": True},
            (6, 5, 2),
            6 * 5 * 9 * 2 * 8,
        ),
        (
            "Conv2D",
            {"filters": 8, "kernel_size": 3, "strides": 2, "padding": "same", "use_bias": True},
            (6, 5, 2),
            2.5 * 3 * 3 * 9 * 2 * 8,
        ),
        (
            "Conv1D",
            {"filters": 8, "kernel_size": 5, "strides": 1, "padding": "same", "use_bias": False},
            (7, 2),
            7 * 5 * 2 * 8,
        ),
        ("Dense", {"units": 4}, (9,), 9 * 4),
        ("Flatten", {}, (6, 5, 2), 0),
    ],
)
def test_operations_of_a_layer_of_weights_are_its_multiply_adds_and_more_with_strides(
    kind: str, arguments: dict[str, Any], shape: tuple[int, ...], multiply_adds: float
) -> None:
    assert layer_cost(kind, arguments, shape).operations == multiply_adds


@pytest.mark.parametrize(
    "change",
    [
        {"filters": 64},
        {"blocks": 4},
        {"convs_per_block": 2},
        {"kernel_size": 5},
        {"batch_norm": True},
        {"whitening": True},
        {"image_size": 16, "batch_norm": False},
        {"fc_depth": 1},
        {"dropout_after_pool": 0.1},
    ],
    ids=str,
)
def test_operations_grow_with_what_is_added(change: dict[str, KnobValue]) -> None:
    plain: dict[str, KnobValue] = {"batch_norm": False}

    assert cost_of(**{**plain, **change}).operations > cost_of(**plain).operations


def test_operations_are_those_at_the_size_that_images_are_resized_to() -> None:
    assert cost_of(input_shape=(32, 32, 3), image_size=8) == cost_of(input_shape=(8, 8, 3))


def test_pooling_first_is_cheaper() -> None:
    assert cost_of(pool_first=True).operations < cost_of(pool_first=False).operations


def test_sigmoid_output_for_three_classes_has_no_cost() -> None:
    with pytest.raises(OutputError, match="one unit that tells two classes apart, got 3"):
        cost_of(n_classes=3, output="sigmoid")


def test_cost_is_estimated_without_tensorflow() -> None:
    code = (
        "import sys\nfrom pipeline.knobs.table import complete\nfrom pipeline.model.cost import estimate_cost\n"
        "for backbone in ('none', 'VGG16'):\n    estimate_cost(complete({'backbone': backbone}), (64, 64, 3), 10)\n"
        "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("[]\n", "")
