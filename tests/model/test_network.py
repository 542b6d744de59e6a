"""Each architecture knob shows in the layer that it changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.data.scaling import Scaling
from pipeline.data.whitening import Whitening
from pipeline.errors import InputError, SettingError
from pipeline.knobs.table import KNOBS, KnobValue, complete
from pipeline.model.architecture import make_architecture
from pipeline.model.network import build_network

SMALL: dict[str, KnobValue] = {"blocks": 2, "filters": 4, "fc_units": 8}
UNSCALED = Scaling((1.0,), (0.0,))


def network_of(*, input_shape: tuple[int, ...] = (8, 8, 1), scaling: Scaling = UNSCALED, **knobs: KnobValue) -> Any:
    architecture = make_architecture(
        complete({**SMALL, **knobs}), input_shape=input_shape, n_classes=3, pixel_scaling=scaling
    )
    return build_network(architecture)


def kinds(network: Any) -> list[str]:
    """Return the layers' classes from the first convolution to the head."""
    names = [type(layer).__name__ for layer in network.layers]
    return names[1 : names.index("Dense")]


def layers_of(network: Any, kind: str) -> list[Any]:
    return [layer for layer in network.layers if type(layer).__name__ == kind]


def filters_of(network: Any) -> list[int]:
    return [layer.filters for layer in layers_of(network, "Conv2D")]


def test_sigmoid_output_is_one_unit_in_float32() -> None:
    architecture = make_architecture(
        complete({**SMALL, "output": "sigmoid"}), input_shape=(8, 8, 1), n_classes=2, pixel_scaling=UNSCALED
    )

    network = build_network(architecture, precision="mixed_bfloat16")

    assert network.output_shape == (None, 1)
    assert [layer.name for layer in network.layers[-2:]] == ["classes", "probabilities"]
    assert network.layers[-1].compute_dtype == "float32"
    probabilities = np.asarray(network(np.ones((3, 8, 8, 1), np.uint8)))
    assert ((probabilities > 0) & (probabilities < 1)).all()


@pytest.mark.parametrize("n_classes", [1, 3, 10])
def test_sigmoid_output_is_refused_for_other_than_two_classes(n_classes: int) -> None:
    with pytest.raises(InputError) as caught:
        make_architecture(
            complete({"output": "sigmoid"}), input_shape=(8, 8, 1), n_classes=n_classes, pixel_scaling=UNSCALED
        )

    assert str(caught.value) == (
        f"output sigmoid is one unit that tells two classes apart, got {n_classes} classes; use output: softmax"
    )


def test_default_network_reads_top_down() -> None:
    network = network_of()

    assert [layer.name for layer in network.layers] == [
        "scaling",
        "block1_conv1",
        "block1_1_norm",
        "block1_1_relu",
        "block1_pool",
        "block2_conv1",
        "block2_1_norm",
        "block2_1_relu",
        "global_average",
        "classes",
        "probabilities",
    ]


@pytest.mark.parametrize(
    ("knobs", "filters"),
    [
        ({"blocks": 1}, [4]),
        ({"blocks": 3}, [4, 8, 16]),
        ({"convs_per_block": 2}, [4, 4, 8, 8]),
        ({"last_block_extra_convs": 2}, [4, 8, 8, 8]),
        ({"blocks": 1, "last_block_extra_convs": 1}, [4, 4]),
        ({"filters": 6}, [6, 12]),
        ({"filter_growth": 1.0}, [4, 4]),
        ({"filter_growth": 1.5, "blocks": 3}, [4, 6, 9]),
        ({"filter_growth": 0.5, "blocks": 4}, [4, 2, 1, 1]),
        ({"filter_pattern": "inside_block", "convs_per_block": 3}, [4, 8, 16, 4, 8, 16]),
        ({"filter_pattern": "inside_block", "last_block_extra_convs": 1}, [4, 4, 8]),
    ],
)
def test_convolutions_and_their_filters_follow_the_knobs(knobs: dict[str, KnobValue], filters: list[int]) -> None:
    assert filters_of(network_of(**knobs)) == filters


@pytest.mark.parametrize("side", [1, 2, 5])
def test_kernel_size_is_that_of_every_convolution(side: int) -> None:
    convolutions = layers_of(network_of(kernel_size=side), "Conv2D")

    assert {layer.kernel_size for layer in convolutions} == {(side, side)}
    assert {layer.padding for layer in convolutions} == {"same"}


def test_batch_norm_stands_between_convolution_and_activation_and_takes_the_bias() -> None:
    network = network_of(batch_norm=True)

    assert kinds(network)[:3] == ["Conv2D", "BatchNormalization", "Activation"]
    assert not any(layer.use_bias for layer in layers_of(network, "Conv2D"))


def test_convolutions_have_a_bias_where_there_is_no_batch_norm() -> None:
    network = network_of(batch_norm=False)

    assert kinds(network)[:3] == ["Conv2D", "Activation", "MaxPooling2D"]
    assert all(layer.use_bias for layer in layers_of(network, "Conv2D"))


def test_batch_norm_momentum_is_that_of_every_normalization() -> None:
    norms = layers_of(network_of(batch_norm_momentum=0.75), "BatchNormalization")

    assert [layer.momentum for layer in norms] == [0.75, 0.75]


@pytest.mark.parametrize("activation", KNOBS["activation"].choices)
def test_activation_is_that_of_convolutions_and_dense_layers(activation: str) -> None:
    network = network_of(activation=activation, fc_depth=1)

    found = [layer.activation.__name__ for layer in (*layers_of(network, "Activation"), network.get_layer("fc1"))]
    assert found == [activation] * 3


@pytest.mark.parametrize(
    ("initializer", "class_name"),
    [
        ("he_normal", "HeNormal"),
        ("he_uniform", "HeUniform"),
        ("glorot_uniform", "GlorotUniform"),
        ("glorot_normal", "GlorotNormal"),
        ("lecun_normal", "LecunNormal"),
    ],
)
def test_kernel_initializer_is_that_of_convolutions_and_dense_layers(initializer: str, class_name: str) -> None:
    network = network_of(kernel_initializer=initializer, fc_depth=1)

    trained = [*layers_of(network, "Conv2D"), network.get_layer("fc1")]
    assert [type(layer.kernel_initializer).__name__ for layer in trained] == [class_name] * 3


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 5])
def test_dirac_convolutions_begin_by_copying_their_input(kernel_size: int) -> None:
    network = network_of(kernel_initializer="dirac", kernel_size=kernel_size, input_shape=(8, 8, 3))
    pixels = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)

    maps = np.asarray(network.get_layer("block1_conv1")(pixels))

    np.testing.assert_array_equal(maps[..., :3], pixels)
    kernel = np.asarray(network.get_layer("block1_conv1").kernel)
    deviation = np.sqrt(2 / (kernel_size**2 * 3))
    assert 0.2 * deviation < kernel[..., 3:].std() < 2 * deviation  # he_normal


def test_dirac_convolution_with_fewer_filters_than_channels_copies_the_first_channels() -> None:
    network = network_of(kernel_initializer="dirac", filters=2, filter_growth=0.5, input_shape=(8, 3))
    pixels = np.random.default_rng(0).normal(size=(2, 8, 3)).astype(np.float32)

    np.testing.assert_array_equal(np.asarray(network.get_layer("block1_conv1")(pixels)), pixels[..., :2])


@pytest.mark.parametrize(("input_shape", "kind", "filters"), [((8, 8, 3), "Conv2D", 24), ((8, 2), "Conv1D", 8)])
def test_whitening_is_a_frozen_convolution_of_patches_before_the_first_block(
    input_shape: tuple[int, ...], kind: str, filters: int
) -> None:
    network = network_of(whitening=True, input_shape=input_shape, scaling=Scaling((1.0,), (0.0,)))

    assert [layer.name for layer in network.layers][:4] == ["scaling", "whitening", "whitening_relu", "block1_conv1"]
    whitening = network.get_layer("whitening")
    assert (type(whitening).__name__, whitening.filters, set(whitening.kernel_size)) == (kind, filters, {2})
    assert whitening.trainable_weights == []


def test_whitening_is_left_out_where_images_have_no_patches() -> None:
    network = network_of(whitening=True, input_shape=(8, 1, 3))

    assert "whitening" not in [layer.name for layer in network.layers]


def test_dirac_leaves_the_whitening_alone() -> None:
    architecture = make_architecture(
        complete({**SMALL, "whitening": True, "kernel_initializer": "dirac"}),
        input_shape=(8, 8, 1), n_classes=3, pixel_scaling=UNSCALED,
    )  # fmt: skip
    whitening = Whitening(np.full((2, 2, 1, 8), 0.5, np.float32), np.ones(8, np.float32))

    network = build_network(replace(architecture, fitted_whitening=whitening))

    kernel, bias = network.get_layer("whitening").get_weights()
    np.testing.assert_array_equal(kernel, whitening.kernel)
    np.testing.assert_array_equal(bias, whitening.bias)


def test_dirac_leaves_dense_layers_to_he_normal() -> None:
    network = network_of(kernel_initializer="dirac", fc_depth=1)

    assert type(network.get_layer("fc1").kernel_initializer).__name__ == "HeNormal"


@pytest.mark.parametrize(("pooling", "kind"), [("max", "MaxPooling2D"), ("average", "AveragePooling2D")])
def test_pooling_closes_each_block_but_the_last_before_a_global_head(pooling: str, kind: str) -> None:
    network = network_of(blocks=3, pooling=pooling)

    assert [layer.name for layer in layers_of(network, kind)] == ["block1_pool", "block2_pool"]


def test_last_block_pools_too_before_a_flattening_head() -> None:
    network = network_of(blocks=2, head="flatten")

    assert len(layers_of(network, "MaxPooling2D")) == 2
    assert network.get_layer("flatten").output.shape == (None, 2 * 2 * 8)


def test_strided_pooling_is_the_stride_of_a_blocks_last_convolution() -> None:
    network = network_of(pooling="strided", convs_per_block=2, head="flatten")

    assert [layer.strides for layer in layers_of(network, "Conv2D")] == [(1, 1), (2, 2), (1, 1), (2, 2)]
    assert not [name for name in kinds(network) if "Pooling" in name]


@pytest.mark.parametrize(
    ("pool_first", "order"),
    [
        (True, ["Conv2D", "BatchNormalization", "Activation", "Conv2D", "MaxPooling2D", "BatchNormalization"]),
        (False, ["Conv2D", "BatchNormalization", "Activation", "Conv2D", "BatchNormalization", "Activation"]),
    ],
)
def test_pool_first_puts_pooling_before_normalization(pool_first: bool, order: list[str]) -> None:
    assert kinds(network_of(pool_first=pool_first, convs_per_block=2))[:6] == order


def test_dropout_before_pool_opens_each_later_block() -> None:
    network = network_of(blocks=3, dropout_before_pool=0.2)

    names = [layer.name for layer in network.layers]
    assert [(layer.name, layer.rate) for layer in layers_of(network, "Dropout")] == [
        ("block2_dropout", 0.2),
        ("block3_dropout", 0.2),
    ]
    assert names.index("block2_dropout") == names.index("block2_conv1") - 1


def test_dropout_before_pool_of_a_single_block_stands_above_its_pooling() -> None:
    network = network_of(blocks=1, dropout_before_pool=0.2, head="flatten")

    assert kinds(network) == ["Conv2D", "BatchNormalization", "Activation", "Dropout", "MaxPooling2D", "Flatten"]


def test_dropout_after_pool_stands_below_the_last_block() -> None:
    network = network_of(dropout_after_pool=0.3, head="flatten")

    assert kinds(network)[-3:] == ["MaxPooling2D", "Dropout", "Flatten"]
    assert network.get_layer("dropout_after_pool").rate == 0.3


@pytest.mark.parametrize(
    ("head", "kind", "width"),
    [
        ("global_average", "GlobalAveragePooling2D", 8),
        ("global_max", "GlobalMaxPooling2D", 8),
        ("flatten", "Flatten", 32),
    ],
)
def test_head_makes_a_vector_of_the_last_feature_maps(head: str, kind: str, width: int) -> None:
    layer = network_of(head=head).get_layer(head)

    assert type(layer).__name__ == kind
    assert layer.output.shape == (None, width)


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_fc_depth_and_units_are_those_of_the_dense_layers(depth: int) -> None:
    dense = layers_of(network_of(fc_depth=depth, fc_units=7), "Dense")

    assert [layer.units for layer in dense] == [7] * depth + [3]


def test_fc_dropout_follows_each_dense_layer() -> None:
    network = network_of(fc_depth=2, fc_dropout=0.4)

    names = [layer.name for layer in network.layers]
    assert names[-6:] == ["fc1", "fc1_dropout", "fc2", "fc2_dropout", "classes", "probabilities"]
    assert [layer.rate for layer in layers_of(network, "Dropout")] == [0.4, 0.4]


def test_scaling_is_the_networks_first_layer() -> None:
    scaling = network_of(input_shape=(2, 2, 2), scaling=Scaling((0.5, 2.0), (0.0, -1.0))).layers[0]

    scaled = np.asarray(scaling(np.full((1, 2, 2, 2), 4, np.uint8)))

    assert scaled[0, 0, 0].tolist() == [2.0, 7.0]


def test_unknown_head_is_refused() -> None:
    with pytest.raises(SettingError) as caught:
        network_of(head="global_averge")

    assert str(caught.value) == "head must be known, got 'global_averge'; did you mean 'global_average'?"


def test_network_is_built_once_whatever_its_number_of_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    built: list[int] = []
    build = keras.Sequential.build
    monkeypatch.setattr(
        keras.Sequential, "build", lambda self, *shapes: (built.append(len(self.layers)), build(self, *shapes))[1]
    )

    network = network_of(blocks=2)

    assert built == [len(network.layers)]
