"""Random changes to whole batches of training images, as stateless TensorFlow functions.

They run before the network, so that they are no part of the saved one. Sequences of (length, channels) are
shifted and zoomed along their one axis, but not rotated, sheared or mirrored: a reversed sequence is a different one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from pipeline.data.flips import mirror
from pipeline.data.geometry import rearrange, resample
from pipeline.data.tones import as_type, change_brightness, change_contrast, erase
from pipeline.knobs.table import Knobs

Tensor = Any
Augment = Callable[..., Tensor]


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random changes to training images, drawn for each image; zero means no change.

    The fields are the knobs of the same names; only the preset ``heavy`` sets ``contrast`` and ``erased_share``.
    """

    rotation_degrees: float = 0.0
    width_shift: float = 0.0
    height_shift: float = 0.0
    shear_degrees: float = 0.0
    zoom: float = 0.0
    horizontal_flip: bool = False
    alternating_flip: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    erased_share: float = 0.0

    @property
    def changes_images(self) -> bool:
        """Whether any range is above zero."""
        return replace(self, alternating_flip=False) != Augmentation()

    def alternates(self, input_shape: tuple[int, ...]) -> bool:
        """Whether flips go by the epoch and not by chance; sequences are not flipped."""
        return self.horizontal_flip and self.alternating_flip and len(input_shape) == 3

    def resamples(self, input_shape: tuple[int, ...]) -> bool:
        """Return whether images are computed anew between pixels, by an operation that XLA does not take."""
        turns = self.rotation_degrees or self.shear_degrees
        return bool(self.zoom or (len(input_shape) == 3 and turns))

    def reaches(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the largest shift along each axis in pixels: at least 1, or 0 where there are no shifts.

        A sequence takes the larger of both shifts along its one axis.
        """
        shares = (self.height_shift, self.width_shift)
        along = shares if len(input_shape) == 3 else (max(shares),)
        # In floating point 0.29 * 100 is a little less than 29.
        return tuple(
            max(1, int(side * share + 1e-9)) if share else 0 for side, share in zip(input_shape, along, strict=False)
        )


_PRESETS = {
    "none": Augmentation(),
    "shifts": Augmentation(width_shift=1 / 16, height_shift=1 / 16),
    "flips_and_shifts": Augmentation(width_shift=1 / 16, height_shift=1 / 16, horizontal_flip=True),
    "heavy": Augmentation(
        width_shift=1 / 8, height_shift=1 / 8, horizontal_flip=True, contrast=0.2, erased_share=0.25
    ),
}  # fmt: skip


def make_augmentation(knobs: Knobs) -> Augmentation:
    """Combine the preset of the knob ``augmentation`` with the ranges given beside it, taking the larger of each."""
    preset = _PRESETS[str(knobs["augmentation"])]
    values = {field.name: getattr(preset, field.name) for field in fields(Augmentation)}
    return Augmentation(**{name: max(value, knobs.get(name, value)) for name, value in values.items()})


def make_augment(
    augmentation: Augmentation, *, input_shape: tuple[int, ...], pixel_range: tuple[float, float]
) -> Augment | None:
    """Return ``augment(images, seed)``, or None where nothing is to be changed.

    Where flips alternate, which goes by the epoch, it is ``augment(images, seed, is_mirrored)``.

    Images have the shape (n, ..., channels) and keep their type; ``seed`` is a pair of integers, different for each
    batch. ``pixel_range`` is the values of black and white. Pixels that come in from outside an image repeat its edge.
    """
    if not augmentation.changes_images:
        return None
    is_image = len(input_shape) == 3
    flips = is_image and augmentation.horizontal_flip and not augmentation.alternating_flip
    reaches = augmentation.reaches(input_shape)

    def augment(images: Tensor, seed: Tensor, is_mirrored: Tensor | None = None) -> Tensor:
        images = images if is_mirrored is None else mirror(images, is_mirrored)
        if augmentation.resamples(input_shape):
            pixels = resample(
                images, seed, input_shape, reaches=reaches, flips=flips, zoom=augmentation.zoom,
                rotation_degrees=augmentation.rotation_degrees, shear_degrees=augmentation.shear_degrees,
            )  # fmt: skip
        else:
            pixels = rearrange(images, seed, input_shape, reaches=reaches, flips=flips)
        if augmentation.brightness:
            pixels = change_brightness(pixels, seed, augmentation.brightness, pixel_range)
        if augmentation.contrast:
            pixels = change_contrast(pixels, seed, augmentation.contrast)
        pixels = as_type(pixels, images.dtype)
        return erase(pixels, seed, input_shape, augmentation.erased_share) if augmentation.erased_share else pixels

    return augment
