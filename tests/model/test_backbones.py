"""A backbone takes raw pixels, in any precision, with weights from a file, and trains the blocks that it is told to."""

from __future__ import annotations

import random
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import BackboneError
from pipeline.knobs.table import KNOBS
from pipeline.model.backbones import BACKBONES, build_backbone, images_problem, trained_part
from pipeline.model.efficientnet_lite import build_efficientnet_lite
from pipeline.model.model_file.layer_table import LAYERS

SMALL = "MobileNetV3Small"
COLOUR = (32, 32, 3)


def photographs(side: int, n_channels: int = 3) -> Any:
    return np.random.default_rng(0).integers(0, 256, (2, side, side, n_channels), np.uint8)


def network_of(whole: Any) -> Any:
    """Return the network of ``keras.applications`` inside."""
    (network,) = [layer for layer in whole.layers if hasattr(layer, "layers")]
    return network


def save_weights(path: Path, name: str = SMALL) -> Any:
    """Write the weights of a network itself, without what stands before it, and return it."""
    import keras

    keras.utils.set_random_seed(7)
    if name.startswith("EfficientNetLite"):
        network = build_efficientnet_lite(name, input_shape=COLOUR)
    else:
        network = getattr(keras.applications, name)(include_top=False, weights=None, input_shape=COLOUR)
    network.save_weights(path)
    return network


@pytest.mark.parametrize(("name", "module"), [("VGG16", "vgg16"), ("InceptionV3", "inception_v3")])
def test_raw_pixels_are_preprocessed_as_the_backbones_authors_did(name: str, module: str) -> None:
    images = photographs(BACKBONES[name].least_side)
    whole = build_backbone(name, input_shape=images.shape[1:], weights=None)

    preprocessed = import_module(f"keras.applications.{module}").preprocess_input(images.astype(np.float32))

    inner = network_of(whole)
    np.testing.assert_allclose(np.asarray(whole(images)), np.asarray(inner(preprocessed)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["VGG16", SMALL])
def test_pixels_are_rescaled_to_one_in_place_of_the_backbones_own_preprocessing(name: str) -> None:
    images = photographs(BACKBONES[name].least_side)
    whole = build_backbone(name, input_shape=images.shape[1:], weights=None, preprocessing="zero_one")
    own = build_backbone(name, input_shape=images.shape[1:], weights=None)

    rescaled = np.asarray(network_of(whole)(images / 255))
    np.testing.assert_allclose(np.asarray(whole(images)), rescaled, rtol=0, atol=1e-5 * np.abs(rescaled).max())
    assert not np.allclose(np.asarray(own(images)), rescaled, rtol=0, atol=1e-2 * np.abs(rescaled).max())
    assert [layer.name for layer in network_of(whole).layers if type(layer).__name__ == "Rescaling"] == []
    assert whole.count_params() == own.count_params()


@pytest.mark.parametrize("name", BACKBONES)
def test_backbone_fits_its_least_image_and_is_frozen(name: str) -> None:
    side = BACKBONES[name].least_side

    whole = build_backbone(name, input_shape=(side, side, 3), weights=None)

    assert len(whole.output_shape) == 4
    assert 0 not in whole.output_shape
    assert whole.trainable_weights == []


@pytest.mark.parametrize("name", ["VGG16", SMALL])
def test_grey_image_is_taken_as_three_equal_channels(name: str) -> None:
    grey = photographs(32, n_channels=1)
    of_grey = build_backbone(name, input_shape=(32, 32, 1), weights=None)
    of_colour = build_backbone(name, input_shape=COLOUR, weights=None)

    np.testing.assert_allclose(np.asarray(of_grey(grey)), np.asarray(of_colour(np.repeat(grey, 3, axis=-1))), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "input_shape", "problem"),
    [
        ("VGG16", (32, 40, 1), None),
        ("VGG16", (31, 40, 3), "VGG16 needs images of 32 x 32 pixels or more, got 31 x 40"),
        ("InceptionV3", (74, 75, 3), "InceptionV3 needs images of 75 x 75 pixels or more, got 74 x 75"),
        (SMALL, (64, 64, 4), f"{SMALL} needs images of 1 or 3 channels, got 4"),
        (SMALL, (200, 1), f"{SMALL} needs images (height, width, channels), got sequences of shape (200, 1)"),
    ],
)
def test_images_that_do_not_fit_are_told_by_their_rule(
    name: str, input_shape: tuple[int, ...], problem: str | None
) -> None:
    assert images_problem(name, input_shape) == problem


def test_every_backbone_may_be_a_layer_of_a_file_and_a_knob() -> None:
    assert LAYERS["Backbone"].arguments["name"].choices == tuple(BACKBONES)
    assert KNOBS["backbone"].choices == ("none", *BACKBONES)
    assert KNOBS["unfrozen_blocks"].high == max(backbone.n_blocks for backbone in BACKBONES.values())


FIRST_UNFROZEN = {
    ("VGG16", 1): "block5_conv1",
    ("VGG16", 3): "block3_conv1",
    ("MobileNetV3Small", 1): "expanded_conv_8_expand",
    ("MobileNetV3Small", 3): "expanded_conv_1_expand",
    ("MobileNetV3Large", 1): "expanded_conv_12_expand",
    ("EfficientNetV2B0", 1): "block6a_expand_conv",
    ("EfficientNetV2B0", 2): "block5a_expand_conv",
    ("EfficientNetLite0", 1): "block7a_expand_conv",
    ("EfficientNetLite2", 3): "block5a_expand_conv",
}


@pytest.mark.parametrize(("name", "n_blocks", "first"), [(*key, first) for key, first in FIRST_UNFROZEN.items()])
def test_last_blocks_train_and_nothing_below_them(tmp_path: Path, name: str, n_blocks: int, first: str) -> None:
    save_weights(tmp_path / "w.weights.h5", name)
    whole = build_backbone(name, input_shape=COLOUR, weights=tmp_path / "w.weights.h5", unfrozen_blocks=n_blocks)

    layers = [layer for layer in network_of(whole).layers if layer.weights]
    trained = [layer.name for layer in layers if layer.trainable_weights]
    from_first = layers[[layer.name for layer in layers].index(first) :]

    assert trained == [layer.name for layer in from_first if type(layer).__name__ != "BatchNormalization"]
    assert {id(weight) for weight in whole.trainable_weights} == {
        id(weight) for layer in layers if layer.name in trained for weight in layer.weights
    }


def test_trained_part_of_a_network_is_that_of_its_backbone() -> None:
    import keras

    whole = build_backbone(SMALL, input_shape=COLOUR, weights=None, unfrozen_blocks=1)
    network = keras.Sequential([keras.Input(COLOUR), whole, keras.layers.Flatten(), keras.layers.Dense(2)])

    assert {id(variable) for variable in trained_part(network)} == {id(one) for one in whole.trainable_variables}
    assert trained_part(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])) == []


def test_block_of_inception_is_what_lies_between_two_mixed_layers() -> None:
    whole = build_backbone("InceptionV3", input_shape=(75, 75, 3), weights=None, unfrozen_blocks=2)

    layers = network_of(whole).layers
    first = [layer.name for layer in layers].index("mixed8") + 1
    trained = {index for index, layer in enumerate(layers) if layer.trainable_weights}

    assert trained == {index for index in range(first, len(layers)) if layers[index].weights}


@pytest.mark.parametrize("n_blocks", [5, 11])
def test_more_blocks_than_there_are_train_the_whole_backbone(n_blocks: int) -> None:
    whole = build_backbone("VGG16", input_shape=COLOUR, weights=None, unfrozen_blocks=n_blocks)

    assert len(whole.trainable_weights) == len(whole.weights) == 26


def moved_statistics(whole: Any) -> bool:
    """Tell whether a training pass moves the statistics of batch normalization."""
    statistics = [weight for weight in whole.non_trainable_weights if "moving" in weight.name]
    before = [np.asarray(weight) for weight in statistics]
    whole(photographs(32), training=True)
    assert statistics
    return any((old != np.asarray(new)).any() for old, new in zip(before, statistics, strict=True))


def test_normalization_of_unfrozen_blocks_keeps_the_statistics_of_the_first_training(tmp_path: Path) -> None:
    save_weights(tmp_path / "w.weights.h5")

    whole = build_backbone(SMALL, input_shape=COLOUR, weights=tmp_path / "w.weights.h5", unfrozen_blocks=4)

    assert not moved_statistics(whole)


def test_normalization_trains_where_there_was_no_first_training() -> None:
    assert moved_statistics(build_backbone(SMALL, input_shape=COLOUR, weights=None, unfrozen_blocks=4))


def test_frozen_backbone_computes_the_same_in_training() -> None:
    images = photographs(32)
    whole = build_backbone("EfficientNetV2B0", input_shape=COLOUR, weights=None)  # which drops whole paths of itself

    np.testing.assert_array_equal(np.asarray(whole(images, training=True)), np.asarray(whole(images, training=False)))


def test_random_weights_are_the_same_each_time_and_leave_other_randomness_alone() -> None:
    random.seed(3)
    expected = random.random()
    random.seed(3)
    first, second = (build_backbone(SMALL, input_shape=COLOUR, weights=None).get_weights() for _ in range(2))

    assert random.random() == expected
    assert all((one == other).all() for one, other in zip(first, second, strict=True))


def test_precision_holds_inside_and_leaves_the_global_policy_alone() -> None:
    import keras

    whole = build_backbone("VGG16", input_shape=COLOUR, weights=None, precision="mixed_bfloat16")

    assert {layer.compute_dtype for layer in network_of(whole).layers} == {"bfloat16"}
    assert {weight.dtype for weight in whole.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("file", ["mine.weights.h5", "mine.h5"])
def test_weights_come_from_a_file(tmp_path: Path, file: str) -> None:
    network = save_weights(tmp_path / "mine.weights.h5")
    if file == "mine.h5":
        network.save(tmp_path / file)

    whole = build_backbone(SMALL, input_shape=COLOUR, weights=tmp_path / file)

    images = photographs(32)
    np.testing.assert_allclose(np.asarray(whole(images)), np.asarray(network(images)), rtol=1e-5)


def test_weights_of_another_backbone_are_refused_in_one_line(tmp_path: Path) -> None:
    save_weights(tmp_path / "w.weights.h5", "VGG16")

    with pytest.raises(BackboneError) as caught:
        build_backbone(SMALL, input_shape=COLOUR, weights=tmp_path / "w.weights.h5")

    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(f"the weights of {SMALL} must fit its network without top, but '{tmp_path}")
    assert message.endswith("; put the right file there")


@pytest.mark.parametrize("n_channels", [1, 3])
def test_saved_backbone_loads_with_its_preprocessing_and_without_custom_objects(
    tmp_path: Path, n_channels: int
) -> None:
    import keras

    whole = build_backbone("VGG16", input_shape=(32, 32, n_channels), weights=None)
    whole.save(tmp_path / "backbone.keras")

    loaded = keras.saving.load_model(tmp_path / "backbone.keras", compile=False)

    images = photographs(32, n_channels)
    np.testing.assert_array_equal(np.asarray(loaded(images)), np.asarray(whole(images)))
