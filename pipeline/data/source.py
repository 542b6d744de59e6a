"""Load the images of the ``dataset`` setting, split into training and validation images."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from pipeline.data.document_split import hold_out_last_fifth
from pipeline.data.image_set import ImageSet
from pipeline.data.image_source import ImageSource, make_array_source
from pipeline.data.named import NAMES, load_named
from pipeline.data.npz import read_npz
from pipeline.data.partition import Partition, make_folds, make_partition
from pipeline.data.photographs.folder import load_photographs
from pipeline.data.pixels import Pixels
from pipeline.errors import DataError, did_you_mean
from pipeline.paths import dataset_name, user_path, where
from pipeline.settings import DataSettings


@dataclass(frozen=True, eq=False)
class Split:
    """Training and validation images at one size.

    ``images`` are both, in the data set's order, and ``digest`` is the data set's. There are no validation images where
    a network is fitted on all images, after its configuration was chosen.
    """

    images: ImageSet
    partition: Partition
    digest: str

    @cached_property
    def train(self) -> ImageSet:
        """The training images."""
        return self.images.subset(self.partition.train)

    @cached_property
    def validation(self) -> ImageSet:
        """The validation images."""
        return self.images.subset(self.partition.validation)

    def sample_training(self, n: int) -> ImageSet:
        """Return ``n`` training images, evenly spaced, or all where there are fewer."""
        n_train = len(self.partition.train)
        chosen = np.linspace(0, n_train - 1, min(n, n_train), dtype=int)
        return self.images.subset(self.partition.train[chosen])

    def with_pixels(self, pixels: Pixels) -> Split:
        """Return the same split with ``pixels``, shape (n, ...), in place of the images, in the data set's order."""
        return replace(self, images=replace(self.images, images=pixels))


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The training images of a data set, split, at any size; the sealed test part is not among them.

    Where there are ``folds``, networks are evaluated on each of them in turn, and not on the ``partition``.
    """

    images: ImageSource
    partition: Partition
    folds: tuple[Partition, ...] = ()
    _sized: dict[int, ImageSet] = field(default_factory=dict)

    @property
    def partitions(self) -> tuple[Partition, ...]:
        """The splits that networks are evaluated on: the folds, or the one partition."""
        return self.folds or (self.partition,)

    @property
    def n_splits(self) -> int:
        """How many times a configuration is trained to be evaluated."""
        return len(self.partitions)

    @property
    def split_digest(self) -> str:
        """16 hexadecimal digits of data set and validation images; scores are comparable where they are the same.

        A split of the documents is never the same as one of the pipeline's own.
        """
        validation = (np.ascontiguousarray(part.validation, dtype=np.int64).tobytes() for part in self.partitions)
        told = f"{self.images.digest}{self.images.document_split or ''}".encode()
        return hashlib.sha256(told + b"|".join(validation)).hexdigest()[:16]

    def profile(self) -> dict[str, object]:
        """Return the sizes of the split (of the first fold), the class names and each class's share."""
        names, labels = self.images.class_names, self.images.labels
        shares = np.bincount(labels, minlength=len(names)) / len(labels)
        first = self.partitions[0]
        return {
            "n_train": len(first.train),
            "n_validation": len(first.validation),
            "input_shape": list(self.images.input_shape),
            "class_names": list(names),
            "class_shares": dict(zip(names, shares.round(4).tolist(), strict=True)),
            **({"n_folds": len(self.folds)} if self.folds else {}),
            **({"document_split": self.images.document_split} if self.images.document_split else {}),
        }

    def at(self, image_size: int) -> Split:
        """Return the split at ``image_size`` pixels a side; 0: as the images are.

        Raises:
            DataError: the images are not available at that size.
        """
        return self._split(self.partition, image_size)

    def whole(self, image_size: int) -> Split:
        """Return all images for training at ``image_size``, and none for validation.

        Raises:
            DataError: the images are not available at that size.
        """
        everything = np.arange(len(self.images.labels))
        return self._split(Partition(everything, everything[:0]), image_size)

    def splits(self, image_size: int) -> Iterator[Split]:
        """Yield the splits that networks are evaluated on at ``image_size``; each is a copy of the images.

        Raises:
            DataError: the images are not available at that size.
        """
        return (self._split(partition, image_size) for partition in self.partitions)

    def _split(self, partition: Partition, image_size: int) -> Split:
        if image_size not in self._sized:
            self._sized[image_size] = self.images.images_at(image_size)
        return Split(self._sized[image_size], partition, self.images.digest)


def load_training_data(settings: DataSettings) -> TrainingData:
    """Load the training images of a data set, and split them, in folds where the settings ask for them.

    Raises:
        DataError: the name is unknown, the data cannot be used, or a class has too few images for the folds.
    """
    images = load_images(settings.dataset, settings.data_dir, as_documents=settings.split == "documents")
    partition = make_partition(images, seed=settings.seed, validation_share=settings.validation_share)
    folds = () if settings.folds is None else make_folds(images, n_folds=settings.folds, seed=settings.seed)
    return TrainingData(images, partition, folds)


def load_images(dataset: str, data_dir: Path, *, as_documents: bool = False) -> ImageSource:
    """Load the training images of a named data set, of an ``.npz`` file or of a folder of photographs.

    ``as_documents`` they come with the validation images that the documents held out of such data.

    Raises:
        DataError: the name is unknown, or the data cannot be used.
    """
    path = user_path(dataset)
    if dataset not in NAMES and os.path.isdir(path):  # unlike Path.is_dir, it does not raise where it is denied
        return load_photographs(path, name=dataset_name(dataset), as_documents=as_documents)
    source = make_array_source(_load_array(dataset, data_dir))
    return hold_out_last_fifth(source) if as_documents else source


def _load_array(dataset: str, data_dir: Path) -> ImageSet:
    if dataset in NAMES:
        return load_named(dataset, data_dir, part="train")
    path = user_path(dataset)
    if path.suffix != ".npz" and (os.path.exists(path) or path.name == dataset):
        raise DataError(
            f"dataset must be one of {', '.join(NAMES)}, the path of an .npz file or that of a folder of photographs, "
            f"got '{dataset}'; {did_you_mean(dataset, NAMES)}"
        )
    if not os.path.isfile(path):
        raise DataError(f"dataset '{path}' is neither a file nor a folder{where(dataset)}; check the path")
    return read_npz(path, part="train", name=path.stem)
