"""A user's own model: read with all that a file may say, built in any precision, saved and loaded anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.scaling import Scaling
from pipeline.model.model_file import Layer, ModelFile, Reported, build_from_file, read_model_file

FULL = """\
dataset: cifar10
input_shape: [8, 8, 3]
n_parameters: 279
validated_on: last_fifth
reported:
  - {accuracy: 0.9, on: test, n_images: 1e3, loss: 1e-1, train_seconds: 60, note: "as if"}
  - accuracy: 0.8
training:
  batch_size: 16
  learning_rate: 1e-3
  augmentation: shifts
  zoom: 0.2
  brightness: 1
layers:
  - &conv
    Conv2D: {filters: 4, kernel_size: [3, 1], padding: same, use_bias: false}
  - ReLU:
  - MaxPooling2D
  - *conv
  - Flatten
  - Dense: {units: 3, activation: softmax}
"""
BINARY = """\
input_shape: [6, 1]
layers:
  - Conv1D: {filters: 2, kernel_size: 3}
  - GlobalAveragePooling1D
  - Dense: {units: 1}
  - Activation: {activation: sigmoid}
"""
DENSE = "dataset: none\ninput_shape: [4, 4, 1]\nlayers:\n  - Flatten\n  - Dense: {units: 2}\n  - Softmax\n"


def read(folder: Path, text: str) -> ModelFile:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return read_model_file(path)


def build(model: ModelFile, **options: Any) -> Any:
    n_channels = model.input_shape[-1]
    scaling = Scaling((0.5,) * n_channels, (1.0,) * n_channels)
    return build_from_file(model, pixel_scaling=scaling, backbone_weights=None, **options)


def test_model_says_what_its_file_says(tmp_path: Path) -> None:
    model = read(tmp_path, FULL)

    convolution: dict[str, Any] = {"filters": 4, "kernel_size": (3, 1), "padding": "same", "use_bias": False}
    assert model == ModelFile(
        name="mine",
        source=str(tmp_path / "mine.yaml"),
        dataset="cifar10",
        input_shape=(8, 8, 3),
        n_parameters=279,
        validated_on="last_fifth",
        reported=(Reported(0.9, "test", "as if", 0.1, 60.0, 1000), Reported(0.8)),
        training={"batch_size": 16, "learning_rate": 0.001, "augmentation": "shifts", "zoom": 0.2, "brightness": 1.0},
        layers=(
            Layer("Conv2D", convolution, 15),
            Layer("ReLU", {}, 17),
            Layer("MaxPooling2D", {}, 18),
            Layer("Conv2D", convolution, 15),
            Layer("Flatten", {}, 20),
            Layer("Dense", {"units": 3, "activation": "softmax"}, 21),
        ),
        text=FULL,
    )


def test_sections_but_shape_and_layers_may_be_left_out(tmp_path: Path) -> None:
    model = read(tmp_path, BINARY)

    assert (model.dataset, model.n_parameters, model.reported, model.training) == (None, None, (), {})


def test_data_set_none_is_no_data_set(tmp_path: Path) -> None:
    assert read(tmp_path, DENSE).dataset is None


def test_reading_loads_no_heavy_library(tmp_path: Path) -> None:
    import subprocess
    import sys

    (tmp_path / "mine.yaml").write_text(FULL, encoding="utf-8")
    code = (
        "import sys\nfrom pathlib import Path\nfrom pipeline.model.model_file import read_model_file\n"
        "read_model_file(Path('mine.yaml'))\nprint(sorted({'tensorflow', 'keras', 'mlflow'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_network_scales_raw_pixels_and_gives_probabilities(tmp_path: Path) -> None:
    network = build(read(tmp_path, FULL))
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)

    np.testing.assert_allclose(network.get_layer("scaling")(images), images * 0.5 + 1.0)
    assert np.asarray(network(images)).sum(axis=1) == pytest.approx([1, 1], abs=1e-5)


def test_one_sigmoid_unit_learns_two_classes(tmp_path: Path) -> None:
    model = read(tmp_path, BINARY)
    network = build(model)
    network.compile("adam", "binary_crossentropy", run_eagerly=True)

    history = network.fit(np.ones((4, 6, 1)), np.array([[0.0], [1.0], [0.0], [1.0]]), batch_size=2, verbose=0)

    assert model.is_binary
    assert network.output_shape == (None, 1)
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.parametrize(
    "ending",
    ["  - Dropout: {rate: 0.1}\n", ""],
    ids=["dropout below the softmax", "softmax"],
)
def test_probabilities_stay_in_float32_in_mixed_precision(tmp_path: Path, ending: str) -> None:
    model = read(tmp_path, DENSE + ending)

    network = build(model, precision="mixed_bfloat16")

    computed = [layer.compute_dtype for layer in network.layers]
    assert computed == ["bfloat16"] * 3 + ["float32"] * (len(computed) - 3)
    assert network(np.zeros((1, 4, 4, 1), np.uint8)).dtype == "float32"


def test_shape_can_be_changed_and_then_nothing_is_counted(tmp_path: Path) -> None:
    model = read(tmp_path, FULL)

    larger = model.at((16, 16, 3))

    assert (larger.input_shape, larger.n_parameters) == ((16, 16, 3), None)
    assert build(larger).count_params() > 279
    assert model.at((8, 8, 3)) is model


def test_saved_network_loads_without_custom_objects(tmp_path: Path) -> None:
    import keras

    network = build(read(tmp_path, FULL))
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    network.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)

    np.testing.assert_array_equal(np.asarray(loaded(images)), np.asarray(network(images)))
