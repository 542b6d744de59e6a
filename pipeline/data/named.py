"""The data sets known by name: digits comes with scikit-learn, the others through Keras or as ``<name>.npz``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.data.download import download
from pipeline.data.image_set import ImageSet, Part, make_image_set
from pipeline.data.npz import read_npz


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_TEN = _words("0 1 2 3 4 5 6 7 8 9")
_FASHION = (*_words("T-shirt/top Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag"), "Ankle boot")
_CIFAR10 = _words("airplane automobile bird cat deer dog frog horse ship truck")
_CIFAR100 = _words(
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
    castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard
    lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
    pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark
    shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone
    television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
    """
)

CLASS_NAMES = {
    "digits": _TEN,
    "mnist": _TEN,
    "fashion_mnist": _FASHION,
    "cifar10": _CIFAR10,
    "cifar100": _CIFAR100,
}
NAMES = tuple(CLASS_NAMES)

# The digits have no official split: a fifth, drawn once for all, is the sealed test part.
_DIGITS_TEST_SHARE = 0.2
_DIGITS_TEST_SEED = 20


def load_named(name: str, data_dir: Path, *, part: Part) -> ImageSet:
    """Return one part of a named set, downloading it into ``data_dir`` where it is missing.

    Raises:
        DataError: the download failed, or the file in ``data_dir`` cannot be used.
    """
    if name == "digits":
        return _digits(part)
    path = data_dir / f"{name}.npz"
    if not path.exists():
        download(name, path)
    return read_npz(path, part=part, name=name, class_names=CLASS_NAMES[name])


def _digits(part: Part) -> ImageSet:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    pixels = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    indices = np.arange(len(pixels))
    train, test = train_test_split(
        indices, test_size=_DIGITS_TEST_SHARE, random_state=_DIGITS_TEST_SEED, stratify=bunch.target
    )
    chosen = np.sort(train if part == "train" else test)
    return make_image_set(
        name="digits", source="sklearn.datasets.load_digits", images=pixels[chosen], labels=bunch.target[chosen],
        class_names=_TEN, part=part,
    )  # fmt: skip
