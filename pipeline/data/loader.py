"""From indices to images: gathered and augmented on the CPU, or on the accelerator that trains."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from pipeline.data.augmentation import Augment, Augmentation, make_augment
from pipeline.data.image_set import ImageSet
from pipeline.data.pixels import Copies, Pixels, StoredPixels
from pipeline.data.scaling import pixel_range
from pipeline.data.uniform import draw_integers

Tensor = Any
NO_AUGMENTATION = Augmentation()


@dataclass(frozen=True, eq=False)
class Loader:
    """A TensorFlow function from indices, and for augmentation what was drawn for a batch, to images.

    It runs on ``device``, which has the images in its memory; None: wherever it is called, with the images in the
    CPU's memory or on disk. XLA takes all of its operations where it ``is_compilable``.
    """

    gather: Callable[[Tensor], Tensor]
    augment: Augment | None
    is_compilable: bool
    device: str | None = None

    def __call__(self, indices: Tensor, *drawn: Tensor) -> Tensor:
        """Return the images at ``indices``, changed by what was ``drawn`` where there is an augmentation."""
        import tensorflow as tf

        with nullcontext() if self.device is None else tf.device(self.device):
            images = self.gather(indices)
            return self.augment(images, *drawn) if self.augment else images


def make_loader(images: ImageSet, augmentation: Augmentation = NO_AUGMENTATION, *, device: str | None = None) -> Loader:
    """Return the loader of ``images``; a ``device``, by its TensorFlow name, takes only images in memory."""
    if isinstance(images.images, Copies):
        return _copies_loader(images.images, device, draws=augmentation.changes_images)
    augment = None
    if augmentation.changes_images:  # else nobody asks for the range, and finding it reads all float pixels
        augment = make_augment(augmentation, input_shape=images.input_shape, pixel_range=pixel_range(images.images))
    is_compilable = not (isinstance(images.images, StoredPixels) or augmentation.resamples(images.input_shape))
    return Loader(_gatherer(images.images, device or "CPU"), augment, is_compilable, device)


def _copies_loader(copies: Copies, device: str | None, *, draws: bool) -> Loader:
    """Return the loader of one copy of each image: one that is drawn, or the first."""
    gather = _gatherer(copies.array if draws else copies.array[:, 0], device or "CPU")
    return Loader(gather, _draw_copies if draws else None, is_compilable=True, device=device)


def _draw_copies(copies: Tensor, seed: Tensor) -> Tensor:
    """Return one of the copies of each image, for copies of shape (n, copies, ...)."""
    import tensorflow as tf

    drawn = draw_integers((tf.shape(copies)[0],), seed, 0, copies.shape[1])
    return tf.gather(copies, drawn, batch_dims=1)


def _gatherer(pixels: Pixels, device: str) -> Callable[[Tensor], Tensor]:
    import tensorflow as tf

    if not isinstance(pixels, StoredPixels):
        with tf.device(device):  # without a word about it, a GPU would have them even if the CPU gathers
            in_memory = tf.constant(pixels)
        return lambda indices: tf.gather(in_memory, indices)

    def read(indices: Tensor) -> Tensor:
        batch = tf.numpy_function(pixels.__getitem__, [indices], pixels.dtype, stateful=False)
        return tf.ensure_shape(batch, (indices.shape[0], *pixels.shape[1:]))

    return read
