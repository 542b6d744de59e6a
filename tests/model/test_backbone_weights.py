"""ImageNet weights are looked for in the data folder, then in Keras's cache, then downloaded; refusals are one line."""

from __future__ import annotations

from pathlib import Path

import h5py
import pytest

from pipeline.errors import BackboneError, InputError
from pipeline.model.backbone_weights import require_weights
from pipeline.model.backbones import BACKBONES

KERAS_NAME = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    h5py.File(path, "w").close()
    return path


@pytest.mark.parametrize("file", ["VGG16_notop.weights.h5", "VGG16_notop.h5", KERAS_NAME])
def test_file_in_the_data_folder_comes_first(tmp_path: Path, offline: Path, file: str) -> None:
    put(offline / "models" / KERAS_NAME)

    assert require_weights("VGG16", tmp_path / "data") == offline / "models" / KERAS_NAME
    assert require_weights("VGG16", put(tmp_path / "data" / file).parent) == tmp_path / "data" / file


@pytest.mark.parametrize("name", [name for name, backbone in BACKBONES.items() if backbone.weights_file])
def test_names_in_the_cache_are_keras_own(name: str) -> None:
    import keras

    module = {"VGG16": "vgg16", "InceptionV3": "inception_v3", "EfficientNetV2B0": "efficientnet_v2"}
    source = Path(getattr(keras.applications, module.get(name, "mobilenet_v3")).preprocess_input.__code__.co_filename)
    text = source.read_text(encoding="utf-8")
    file = BACKBONES[name].weights_file or ""
    if name.startswith("MobileNetV3"):
        file = file.replace(f"{name.removeprefix('MobileNetV3').lower()}_224_1.0_float", "{model_name}")
    if name.startswith("EfficientNet"):
        assert '"efficientnetv2-b0"' in text
        file = "_notop.h5"

    assert f'"{file}"' in text


def test_weights_that_cannot_be_had_are_refused_before_all_else(tmp_path: Path, offline: Path) -> None:
    with pytest.raises(BackboneError) as caught:
        require_weights("VGG16", tmp_path / "data")

    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(
        f"backbone_weights imagenet needs a file with the weights of VGG16, found in neither '{tmp_path / 'data'}' nor "
        f"'{offline / 'models'}', and Keras could not download it ("
    )
    assert "URL fetch failure" in message
    assert message.endswith(
        f"put VGG16_notop.weights.h5 or {KERAS_NAME} into '{tmp_path / 'data'}', or ask for random ones with "
        "backbone_weights: random"
    )
    assert issubclass(BackboneError, InputError)
    assert BackboneError.exit_code == 2


@pytest.mark.parametrize("n_bytes", [0, 100], ids=["empty", "cut off"])
def test_file_that_is_not_whole_is_refused(tmp_path: Path, offline: Path, n_bytes: int) -> None:
    path = put(tmp_path / "VGG16_notop.h5")
    path.write_bytes(path.read_bytes()[:n_bytes])

    with pytest.raises(BackboneError, match=r"^the weights of VGG16 must be a whole HDF5 file, but .*; replace it, or"):
        require_weights("VGG16", tmp_path)
