"""A backbone takes raw pixels, in any precision, with weights from a file, and is saved with its preprocessing."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.model.backbones import BACKBONES, build_backbone
from pipeline.model.hand_made.layer_table import LAYERS


def photographs(side: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, (2, side, side, 3), np.uint8)


@pytest.mark.parametrize(("name", "module"), [("VGG16", "vgg16"), ("InceptionV3", "inception_v3")])
def test_raw_pixels_are_preprocessed_as_the_backbones_authors_did(name: str, module: str) -> None:
    images = photographs(BACKBONES[name].least_side)
    whole = build_backbone(name, input_shape=images.shape[1:])

    inner = whole.get_layer(module)
    preprocessed = import_module(f"keras.applications.{module}").preprocess_input(images.astype(np.float32))

    np.testing.assert_allclose(np.asarray(whole(images)), np.asarray(inner(preprocessed)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", BACKBONES)
def test_backbone_fits_its_least_image_and_is_frozen(name: str) -> None:
    side = BACKBONES[name].least_side

    whole = build_backbone(name, input_shape=(side, side, 3))

    assert len(whole.output_shape) == 4
    assert 0 not in whole.output_shape
    assert whole.trainable_weights == []


def test_backbone_can_be_trained() -> None:
    assert build_backbone("MobileNetV3Small", input_shape=(32, 32, 3), trainable=True).trainable_weights


def test_every_backbone_may_be_a_layer_of_a_file() -> None:
    assert LAYERS["Backbone"].arguments["name"].choices == tuple(BACKBONES)


def test_precision_holds_inside_and_leaves_the_global_policy_alone() -> None:
    import keras

    whole = build_backbone("VGG16", input_shape=(32, 32, 3), precision="mixed_bfloat16")

    assert {layer.compute_dtype for layer in whole.get_layer("vgg16").layers} == {"bfloat16"}
    assert {weight.dtype for weight in whole.weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


def test_weights_come_from_a_file(tmp_path: Path) -> None:
    shape = (32, 32, 3)
    first = build_backbone("MobileNetV3Small", input_shape=shape)
    first.save_weights(tmp_path / "mine.weights.h5")

    second = build_backbone("MobileNetV3Small", input_shape=shape, weights=tmp_path / "mine.weights.h5")

    images = photographs(32)
    np.testing.assert_array_equal(np.asarray(second(images)), np.asarray(first(images)))


def test_saved_backbone_loads_with_its_preprocessing_and_without_custom_objects(tmp_path: Path) -> None:
    import keras

    whole = build_backbone("VGG16", input_shape=(32, 32, 3))
    whole.save(tmp_path / "backbone.keras")

    loaded = keras.saving.load_model(tmp_path / "backbone.keras", compile=False)

    images = photographs(32)
    np.testing.assert_array_equal(np.asarray(loaded(images)), np.asarray(whole(images)))
