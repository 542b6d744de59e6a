"""Check, before a study is opened, that the backbones of its space take the images and have their weights."""

from __future__ import annotations

from pathlib import Path

from pipeline.data.source import TrainingData
from pipeline.knobs.space import SearchSpace
from pipeline.model.backbone_weights import require_weights
from pipeline.training.transfer import check_images


def check_backbones(space: SearchSpace, data: TrainingData, data_dir: Path) -> None:
    """Check every backbone that the space can choose; weights that are missing are downloaded.

    Raises:
        BackboneError: one takes none of the images that the space can make, or has no weights.
    """
    names = [str(value) for value in space.values("backbone") if value != "none"]
    for name in names:
        _check_largest_images(name, space.greatest("image_size"), data.images.input_shape)
    if "imagenet" in space.values("backbone_weights"):
        for name in names:
            require_weights(name, data_dir)


def _check_largest_images(name: str, image_size: int, as_they_are: tuple[int, ...]) -> None:
    """Check the largest images; a trial that chooses too small ones fails by itself."""
    is_image = len(as_they_are) == 3
    shape = (image_size, image_size, as_they_are[-1]) if image_size and is_image else as_they_are
    if -1 not in shape:  # photographs of many sizes are brought to one that fits
        check_images(name, shape)
