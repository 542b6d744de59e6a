"""The splits that the documents took, in place of the pipeline's own; sealed test images of arrays stay sealed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from pipeline.data.image_source import ImageSource
from pipeline.data.photographs.layout import Photograph
from pipeline.data.photographs.selection import Selection
from pipeline.errors import DataError

Rule = Literal["last_fifth", "seven_to_three", "validation_folder"]
"""What a document held out: see ``hold_out_last_fifth`` and ``split_photographs``."""

RULES: tuple[str, ...] = get_args(Rule)
TRAIN_SHARE, SEED = 0.7, 123


def hold_out_last_fifth(source: ImageSource) -> ImageSource:
    """Set the last fifth of the images apart for validation, as Keras does with ``validation_split=0.2``.

    Raises:
        DataError: a class has no image on one side.
    """
    n_images = len(source.labels)
    n_train = int(n_images * 0.8)
    held_out = np.arange(n_train, n_images)
    if min(len(np.unique(part)) for part in np.split(source.labels, [n_train])) < len(source.class_names):
        raise DataError(
            f"{source.source}: with --split documents the last fifth of the images validates, and must have images of "
            "every class as the rest must, but a class is missing; shuffle the images, or leave --split out"
        )
    return replace(source, given_validation=held_out, document_split="last_fifth")


def split_photographs(photographs: Iterable[Photograph]) -> tuple[Selection, Rule]:
    """Split photographs as the documents did: none is sealed but those of a test folder, and copies stay.

    A validation folder is taken as it is. Else of each class, in the order of the files' names shuffled with seed 123,
    the first 0.7 train and the others validate, as split-folders (Filter, https://github.com/jfilter/split-folders)
    does with ``ratio=(0.7, 0.3)`` and ``seed=123``.
    """
    listed = sorted(photographs, key=lambda one: (one.class_name, one.place))
    given = {one.part for one in listed}
    rule: Rule = "validation_folder" if "validation" in given else "seven_to_three"
    split = listed if rule == "validation_folder" else _seven_to_three(listed)
    return {part: [one for one in split if one.part == part] for part in ("train", "validation", "test")}, rule


def _seven_to_three(photographs: Iterable[Photograph]) -> list[Photograph]:
    by_class = defaultdict(list)
    split = []
    for one in photographs:
        if one.part == "train":
            by_class[one.class_name].append(one)
        else:
            split.append(one)
    for members in by_class.values():
        order = sorted(members, key=lambda one: one.place.name)
        random.Random(SEED).shuffle(order)
        n_train = int(TRAIN_SHARE * len(order))
        split += order[:n_train] + [replace(one, part="validation") for one in order[n_train:]]
    return split
