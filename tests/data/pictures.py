"""Small pictures written as real files, for tests of folders of photographs."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.data.cache import ArrayCache
from pipeline.data.image_source import ImageSource
from pipeline.data.photographs.files import find_files
from pipeline.data.photographs.folder import load_photographs
from pipeline.data.photographs.layout import recognise
from pipeline.data.photographs.scan import scan
from pipeline.data.photographs.selection import Selection, select

COLOURS = {"sun": (200, 120, 10), "rain": (20, 90, 190), "snow": (230, 230, 240)}


def picture(number: int = 0, *, colour: tuple[int, int, int] = (120, 60, 30), size: tuple[int, int] = (16, 16)) -> Any:
    """Return a picture of a colour with a pattern of its own for each number."""
    pattern = np.random.default_rng(number).integers(0, 25, (size[1], size[0], 3))
    return Image.fromarray((np.array(colour) + pattern).clip(0, 255).astype(np.uint8))


def encoded(image: Any, kind: str = "PNG", **options: Any) -> bytes:
    """Return the bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def write(path: Path, content: bytes) -> Path:
    """Write a file, and the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def write_class(folder: Path, name: str, n_files: int, *, first: int = 0) -> None:
    """Write ``n_files`` different PNG files of a class into ``folder``, numbered from ``first``."""
    for number in range(first, first + n_files):
        seed = 1000 * list(COLOURS).index(name) + number
        write(folder / f"{name}{number}.png", encoded(picture(seed, colour=COLOURS[name])))


def write_classes(root: Path, *, n_files: int = 20, first: int = 0) -> Path:
    """Write class folders ``rain`` and ``sun``."""
    for name in ("rain", "sun"):
        write_class(root / name, name, n_files, first=first)
    return root


def load(root: Path, cache: Path | None = None, **options: Any) -> ImageSource:
    """Load a folder with a cache of its own beside it."""
    return load_photographs(root, name="mine", cache=ArrayCache(cache or cache_of(root)), **options)


def cache_of(root: Path) -> Path:
    """Return the folder of the cache that ``load`` uses for a folder of photographs."""
    return root.parent / f"{root.name}-cache"


def parts_of(root: Path) -> Selection:
    """Return the photographs of each part of a folder, without loading it."""
    listed, class_names = recognise(find_files(root))
    digests = scan(root, [one.place for one in listed])["sha256"].astype(str).tolist()
    return select(root, class_names, map(lambda one, sha256: replace(one, sha256=sha256), listed, digests))[0]


def sealed_paths(root: Path) -> list[Path]:
    """Return the files of the sealed part of a folder."""
    return [root / one.place for one in parts_of(root)["test"]]


def open_sealed(images: ImageSource) -> ImageSource:
    """Return the sealed part of a folder that was loaded."""
    assert images.open_sealed is not None
    return images.open_sealed()
