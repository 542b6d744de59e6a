"""Any space fits any image, in any precision, and what is saved loads anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.scaling import Scaling
from pipeline.knobs.table import KnobValue, complete
from pipeline.model.architecture import Architecture, make_architecture
from pipeline.model.network import build_network


def architecture_of(input_shape: tuple[int, ...], **knobs: KnobValue) -> Architecture:
    n_channels = input_shape[-1]
    scaling = Scaling((1 / 255,) * n_channels, (0.0,) * n_channels)
    chosen = complete({"blocks": 2, "filters": 4, "fc_units": 8, **knobs})
    return make_architecture(chosen, input_shape=input_shape, n_classes=3, pixel_scaling=scaling)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize(
    ("pooling", "head"), [("max", "flatten"), ("average", "global_average"), ("strided", "global_max")]
)
@pytest.mark.parametrize("input_shape", [(1, 1, 1), (8, 8, 1), (5, 3, 2), (7, 1, 3), (9, 2), (1, 1)])
def test_eight_blocks_fit_any_image(input_shape: tuple[int, ...], pooling: str, head: str, padding: str) -> None:
    architecture = architecture_of(
        input_shape, blocks=8, filters=2, filter_growth=1.0, pooling=pooling, head=head, padding=padding
    )
    images = np.random.default_rng(0).integers(0, 256, (2, *input_shape), np.uint8)

    probabilities = np.asarray(build_network(architecture)(images))

    assert probabilities.shape == (2, 3)
    assert probabilities.sum(axis=1) == pytest.approx([1, 1], abs=1e-5)
    assert (probabilities >= 0).all()


@pytest.mark.parametrize(
    ("input_shape", "pooling", "pools"),
    [
        ((8, 8, 1), "max", [True, True, True, False, False]),
        ((7, 7, 1), "max", [True, True, False, False, False]),
        ((7, 7, 1), "strided", [True, True, True, False, False]),
        ((8, 2, 1), "max", [True, False, False, False, False]),
        ((1, 8, 1), "max", [False] * 5),
        ((200, 1), "max", [True] * 5),
    ],
)
def test_pool_is_left_out_where_a_side_has_one_pixel(
    input_shape: tuple[int, ...], pooling: str, pools: list[bool]
) -> None:
    architecture = architecture_of(input_shape, blocks=5, pooling=pooling, head="flatten")

    assert [block.pools for block in architecture.planned_blocks()] == pools


@pytest.mark.parametrize(
    ("knobs", "sides"),
    [
        ({}, [32, 16, 16, 8, 8, 4]),
        ({"padding": "valid"}, [30, 15, 13, 6, 4, 2]),
        ({"padding": "valid", "kernel_size": 5}, [28, 14, 10, 5, 1, 1]),
        ({"pool_size": 3}, [32, 10, 10, 3, 3, 1]),
        ({"padding": "valid", "pool_size": 4}, [30, 7, 5, 1, 1, 1]),
        ({"pooling": "strided", "pool_size": 3}, [11, 11, 4, 4, 2, 2]),
        ({"pooling": "strided", "padding": "valid"}, [15, 15, 7, 7, 3, 3]),
    ],
    ids=str,
)
def test_padding_and_pool_size_give_maps_their_sides(knobs: dict[str, KnobValue], sides: list[int]) -> None:
    network = build_network(architecture_of((32, 32, 3), blocks=3, head="flatten", **knobs))

    closing = "Activation" if knobs.get("pooling") == "strided" else "MaxPooling2D"
    found = [
        (convolution.output.shape[1], pooling.output.shape[1])
        for convolution, pooling in zip(of_kind(network, "Conv2D"), of_kind(network, closing), strict=False)
    ]
    if not knobs.get("pooling"):
        found += [(one.output.shape[1],) * 2 for one in of_kind(network, "Conv2D")[len(found) :]]
    assert [side for pair in found for side in pair] == sides


def of_kind(network: Any, kind: str) -> list[Any]:
    return [layer for layer in network.layers if type(layer).__name__ == kind]


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, {"Conv1D", "MaxPooling1D", "GlobalAveragePooling1D"}),
        ({"pooling": "average", "head": "global_max"}, {"Conv1D", "AveragePooling1D", "GlobalMaxPooling1D"}),
        ({"pooling": "strided", "head": "flatten"}, {"Conv1D", "Flatten"}),
    ],
)
def test_sequences_build_networks_of_one_axis(knobs: dict[str, KnobValue], expected: set[str]) -> None:
    network = build_network(architecture_of((200, 1), **knobs))

    found = {type(layer).__name__ for layer in network.layers}
    assert expected < found
    assert not [name for name in found if name.endswith("2D")]
    assert np.asarray(network(np.zeros((2, 200, 1), np.uint8))).shape == (2, 3)


def test_mixed_precision_computes_in_bfloat16_and_gives_float32_probabilities() -> None:
    network = build_network(architecture_of((8, 8, 1), fc_depth=1), precision="mixed_bfloat16")

    assert {layer.compute_dtype for layer in network.layers[:-1]} == {"bfloat16"}
    assert {weight.dtype for weight in network.weights} == {"float32"}
    assert network.layers[-1].compute_dtype == "float32"
    assert network(np.zeros((1, 8, 8, 1), np.uint8)).dtype == "float32"


def test_precision_leaves_the_global_policy_alone() -> None:
    import keras

    build_network(architecture_of((8, 8, 1)), precision="mixed_bfloat16")

    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("input_shape", [(8, 8, 1), (20, 2)])
def test_saved_network_loads_without_custom_objects(tmp_path: Path, input_shape: tuple[int, ...]) -> None:
    import keras

    network = build_network(architecture_of(input_shape, fc_depth=1, dropout_before_pool=0.1, activation="gelu"))
    images = np.random.default_rng(0).integers(0, 256, (3, *input_shape), np.uint8)
    network.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)

    np.testing.assert_array_equal(np.asarray(loaded(images)), np.asarray(network(images)))
