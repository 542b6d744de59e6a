"""What configurations with a backbone share: weights files, frozen backbones, the features that they make of images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.augmentation import Augment, Augmentation, make_augment
from pipeline.data.cache import ArrayCache
from pipeline.data.image_set import Array
from pipeline.data.pixels import Copies, Pixels
from pipeline.data.scaling import pixel_range
from pipeline.data.source import Split
from pipeline.model.architecture import Architecture
from pipeline.model.backbone_weights import require_weights
from pipeline.model.transfer import build_frozen_part
from pipeline.paths import cache_dir, default_data_dir
from pipeline.training.ending import OnBatch, TrainingStopped

_PIXELS_AT_ONCE = 2**20  # a batch of 20 images of 224 x 224, whose first maps in VGG16 take 256 MB
_IMAGES_AT_ONCE = 256
N_CHANGED = 4  # randomly changed copies of each image whose features are kept, beside those of the image as it is


@dataclass(frozen=True)
class Change:
    """A random change of all images: the one of this ``number`` within the ranges of an augmentation."""

    augmentation: Augmentation
    number: int

    def augment(self, images: Pixels) -> Augment | None:
        """Return the function that changes a batch of the images; None where they stay as they are."""
        if self == UNCHANGED:
            return None
        return make_augment(self.augmentation, input_shape=images.shape[1:], pixel_range=pixel_range(images))


UNCHANGED = Change(Augmentation(), 0)


@dataclass(frozen=True, eq=False)
class FrozenPart:
    """A network from raw images to feature maps, and the features that heads make of the maps.

    A global head has two vectors of each image kept, means and maxima, so that a study may turn the head: of images
    of 96 pixels VGG16 gives 9 maps, which ``flatten`` has kept, and of 224 pixels 49. In float32: the half of it would
    save little of such files, and loses what lies outside float16's range.
    """

    network: Any

    @cached_property
    def digest(self) -> str:
        """Digest of weights and Keras version: the same images give the same features where it is the same."""
        import keras

        state = hashlib.sha256(keras.__version__.encode())
        for weight in self.network.get_weights():
            state.update(np.ascontiguousarray(weight).data)
        return state.hexdigest()

    def shape(self, head: str) -> tuple[int, ...]:
        """Return the shape of what is kept of an image."""
        height, width, n_channels = self.network.output_shape[1:]
        return (height * width * n_channels,) if head == "flatten" else (2, n_channels)

    def features(self, images: Pixels, head: str, change: Change, on_batch: OnBatch) -> Iterator[Array]:
        """Yield what is kept of the images, each as ``change`` has it, batch by batch.

        Raises:
            TrainingStopped: ``on_batch``, which gets the share of the images that is done, says so.
        """
        import tensorflow as tf

        augment = change.augment(images)

        @tf.function(input_signature=[  # type: ignore[untyped-decorator]
            tf.TensorSpec((None, *images.shape[1:]), images.dtype), tf.TensorSpec((2,), tf.int32),
        ])  # fmt: skip
        def compute(pixels: Any, seed: Any) -> Any:
            maps = self.network(augment(pixels, seed) if augment else pixels, training=False)
            if head == "flatten":
                return tf.reshape(maps, (tf.shape(maps)[0], *self.shape(head)))
            return tf.stack([tf.reduce_mean(maps, (1, 2)), tf.reduce_max(maps, (1, 2))], axis=1)

        n_at_once = int(np.clip(_PIXELS_AT_ONCE // np.prod(images.shape[1:3]), 1, _IMAGES_AT_ONCE))
        for start in range(0, len(images), n_at_once):
            check(on_batch, start / len(images))
            yield compute(images[start : start + n_at_once], (change.number, start)).numpy()


@dataclass(frozen=True, eq=False)
class BackboneCache:
    """Weights from ``data_dir``, features in ``store``; each frozen part is built once in a process.

    While features are computed, ``on_batch`` gets the share that is done, and returns why to stop, or None; before it
    ``say`` gets a line.
    """

    data_dir: Path = field(default_factory=default_data_dir)
    store: ArrayCache = field(default_factory=lambda: ArrayCache(cache_dir() / "features"))
    on_batch: OnBatch = lambda share: None
    say: Callable[[str], None] = lambda line: None
    _parts: dict[tuple[object, ...], FrozenPart] = field(default_factory=dict)

    def frozen_part(self, architecture: Architecture, weights: Path | None) -> FrozenPart:
        """Return the frozen part of a network, in float32."""
        key = (architecture.backbone, weights, architecture.input_shape, architecture.pixel_scaling)
        if key not in self._parts:
            self._parts[key] = FrozenPart(build_frozen_part(architecture, weights=weights))
        return self._parts[key]

    def weights_of(self, name: str, start: str) -> Path | None:
        """Return the weights file of a backbone that starts from ``imagenet``; None for ``random``.

        Raises:
            BackboneError: it cannot be had.
        """
        return None if start == "random" else require_weights(name, self.data_dir)

    def features_of(
        self, split: Split, part: FrozenPart, architecture: Architecture, augmentation: Augmentation
    ) -> Pixels:  # fmt: skip
        """Return the head's vectors of all images of a split, shape (n, n_features).

        With an ``augmentation`` there are copies: those of the images as they are, and of randomly changed ones.

        Raises:
            TrainingStopped: ``on_batch`` says so while they are computed.
        """
        if not augmentation.changes_images:
            return self._features(split, part, architecture, UNCHANGED)
        # A copy is mirrored or not whatever the epoch.
        by_chance = replace(augmentation, alternating_flip=False)
        changes = [UNCHANGED, *(Change(by_chance, number) for number in range(1, N_CHANGED + 1))]
        return Copies(np.stack([self._features(split, part, architecture, change) for change in changes], axis=1))

    def _features(self, split: Split, part: FrozenPart, architecture: Architecture, change: Change) -> Array:
        head, images = architecture.head, split.images.images
        kept = "maps" if head == "flatten" else "pooled"
        told = f"{split.digest}{images.shape}{images.dtype}{architecture.pixel_scaling}{part.digest}{kept}"
        if change != UNCHANGED:
            told += str(change)
        key = f"{architecture.backbone}-{kept}-{hashlib.sha256(told.encode()).hexdigest()[:32]}"
        array = self.store.get(
            key, (len(images), *part.shape(head)), np.float32,
            lambda: self._computed(part, architecture, images, change), wait=lambda: check(self.on_batch, 0.0),
        )  # fmt: skip
        return array if head == "flatten" else array[:, 0 if head == "global_average" else 1]

    def _computed(
        self, part: FrozenPart, architecture: Architecture, images: Pixels, change: Change
    ) -> Iterator[Array]:  # fmt: skip
        size = " x ".join(str(side) for side in images.shape[1:-1])
        of_changed = "" if change == UNCHANGED else f" (changed at random, {change.number} of {N_CHANGED})"
        self.say(f"the features of {len(images):,} images of {size} pixels by {architecture.backbone} are computed once"
                 f"{of_changed}")  # fmt: skip
        return part.features(images, architecture.head, change, self.on_batch)


def check(on_batch: OnBatch, share: float) -> None:
    """Tell ``on_batch`` the share that is done, and stop where it says why.

    Raises:
        TrainingStopped: it does.
    """
    if (ending := on_batch(share)) is not None:
        raise TrainingStopped(ending)
