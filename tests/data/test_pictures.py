"""Picture files of every mode become the pixels that a model takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.data.photographs.decoding import decode_to_fit, read_picture
from pipeline.data.photographs.files import find_pictures

GREY, COLOUR = (8, 8, 1), (8, 6, 3)


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def test_grey_picture_of_the_right_size_keeps_its_pixels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8)).astype(np.uint8)

    read = read_picture(saved(Image.fromarray(pixels), tmp_path / "a.png"), GREY)

    np.testing.assert_array_equal(read[..., 0], pixels)
    assert read.dtype == np.uint8


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "1", "CMYK", "I;16", "F"])
@pytest.mark.parametrize("shape", [GREY, COLOUR])
def test_picture_of_any_mode_and_size_has_the_model_s_shape(tmp_path: Path, mode: str, shape: tuple[int, ...]) -> None:
    image = Image.new("L", (31, 17), 200)
    image = Image.fromarray(np.full((17, 31), 51_400, np.uint16)) if mode == "I;16" else image.convert(mode)

    pixels = read_picture(saved(image, tmp_path / "a.tif"), shape)

    assert pixels.shape == shape
    assert abs(int(pixels.mean()) - 200) <= (5 if mode == "1" else 1)  # black and white dots stand for a grey


def test_picture_is_turned_as_its_exif_data_say(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:, :4] = 255  # bright on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    path = saved(Image.fromarray(pixels), tmp_path / "a.png", exif=exif)

    turned = read_picture(path, GREY)[..., 0]

    assert turned[0].mean() > 200 > 50 > turned[-1].mean()


def test_transparent_picture_lies_on_white(tmp_path: Path) -> None:
    path = saved(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), tmp_path / "a.png")

    assert (read_picture(path, GREY) == 255).all()


def test_large_picture_is_small_to_look_at(tmp_path: Path) -> None:
    path = saved(Image.new("RGB", (900, 300)), tmp_path / "a.png")

    assert decode_to_fit(path, 160).shape == (53, 160, 3)
    assert decode_to_fit(path, 1000).shape == (300, 900, 3)


def test_pictures_of_a_folder_are_found_below_it_in_order(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.PNG", "a.jpg", "notes.txt", "sub/c.webp"):
        (tmp_path / name).touch()

    assert [path.name for path in find_pictures(tmp_path)] == ["a.jpg", "b.PNG", "c.webp"]
    assert find_pictures(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]
