"""Every kind of image file becomes the same kind of pixels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import encoded, load, open_sealed, picture, write, write_classes
from PIL import Image, features

from pipeline.data.image_set import Array
from pipeline.data.photographs.decoding import decode

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
ORIENTATION = 0x0112


def decoded(tmp_path: Path, content: bytes, *, side: int = 8, name: str = "one.png") -> Array:
    pixels = decode(write(tmp_path / name, content), side, side)
    assert (pixels.shape, pixels.dtype) == ((side, side, 3), np.uint8)
    return pixels


def corners(pixels: Array) -> list[tuple[int, ...]]:
    """Return the colours of the corners: top left, top right, bottom left, bottom right."""
    return [tuple(pixels[row, column].tolist()) for row in (0, -1) for column in (0, -1)]


def quarters(*colours: Any, mode: str = "RGB", side: int = 32) -> Any:
    """Return a picture of four squares of different colours."""
    image = Image.new(mode, (side, side))
    half = side // 2
    for number, colour in enumerate(colours):
        left, top = half * (number % 2), half * (number // 2)
        image.paste(colour, (left, top, left + half, top + half))
    return image


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF", "WEBP", "JPEG", "AVIF"])
def test_every_format_gives_the_colours(tmp_path: Path, kind: str) -> None:
    if kind == "AVIF" and not features.check("avif"):
        kind = "PNG"
    image = quarters(RED, GREEN, BLUE, WHITE)
    options = {"lossless": True} if kind == "WEBP" else {}

    found = corners(decoded(tmp_path, encoded(image, kind, **options)))

    np.testing.assert_allclose(found, [RED, GREEN, BLUE, WHITE], atol=20 if kind in ("JPEG", "AVIF") else 0)


def test_image_is_squashed_whole_into_the_square(tmp_path: Path) -> None:
    image = quarters(RED, GREEN, BLUE, WHITE).resize((100, 30), Image.Resampling.NEAREST)

    assert corners(decoded(tmp_path, encoded(image))) == [RED, GREEN, BLUE, WHITE]


def test_large_images_are_averaged_and_not_sampled(tmp_path: Path) -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255

    pixels = decoded(tmp_path, encoded(Image.fromarray(stripes)))

    assert np.abs(pixels.astype(int) - 128).max() < 16


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [RED, GREEN, BLUE, WHITE]), (2, [GREEN, RED, WHITE, BLUE]), (3, [WHITE, BLUE, GREEN, RED]),
        (4, [BLUE, WHITE, RED, GREEN]), (5, [RED, BLUE, GREEN, WHITE]), (6, [BLUE, RED, WHITE, GREEN]),
        (7, [WHITE, GREEN, BLUE, RED]), (8, [GREEN, WHITE, RED, BLUE]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_image_is_turned_as_its_exif_data_say(
    tmp_path: Path, kind: str, orientation: int, expected: list[tuple[int, ...]]
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation

    found = corners(decoded(tmp_path, encoded(quarters(RED, GREEN, BLUE, WHITE, side=64), kind, exif=exif)))

    np.testing.assert_allclose(found, expected, atol=20)


def test_grey_images_become_colour_images(tmp_path: Path) -> None:
    image = quarters(0, 100, 200, 255, mode="L")

    assert [colour[0] for colour in corners(decoded(tmp_path, encoded(image)))] == [0, 100, 200, 255]
    assert len({len(set(colour)) for colour in corners(decoded(tmp_path, encoded(image)))}) == 1


def test_black_and_white_images_become_colour_images(tmp_path: Path) -> None:
    found = corners(decoded(tmp_path, encoded(quarters(0, 1, 1, 0, mode="1"))))

    assert found == [(0, 0, 0), WHITE, WHITE, (0, 0, 0)]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_brightness(tmp_path: Path, kind: str) -> None:
    pixels = np.repeat(np.array([[0, 1000, 32_768, 65_535]], np.uint16), 4, axis=0)

    found = decoded(tmp_path, encoded(Image.fromarray(pixels), kind), side=4)

    assert found[0, :, 0].tolist() == [0, 4, 128, 255]


@pytest.mark.parametrize(
    ("brightest", "expected"), [(1.0, [0, 64, 128, 255]), (255.0, [0, 64, 128, 255]), (1000.0, [0, 64, 128, 255])]
)
def test_fractions_are_scaled_to_bytes(tmp_path: Path, brightest: float, expected: list[int]) -> None:
    pixels = np.repeat(np.array([[0, 0.25, 0.5, 1]], np.float32) * brightest, 4, axis=0)
    if brightest == 1000:
        expected = np.rint(pixels[0] * 255 / 65_535).tolist()

    found = decoded(tmp_path, encoded(Image.fromarray(pixels), "TIFF"), side=4, name="one.tif")

    assert found[0, :, 0].tolist() == expected


def test_palettes_become_colours(tmp_path: Path) -> None:
    image = quarters(RED, GREEN, BLUE, WHITE).quantize(4)

    assert corners(decoded(tmp_path, encoded(image))) == [RED, GREEN, BLUE, WHITE]


def test_cmyk_photographs_keep_their_colours(tmp_path: Path) -> None:
    image = quarters(RED, GREEN, BLUE, WHITE, side=64).convert("CMYK")

    found = corners(decoded(tmp_path, encoded(image, "JPEG", quality=95)))

    np.testing.assert_allclose(found, [RED, GREEN, BLUE, WHITE], atol=12)


def transparent_palette() -> bytes:
    return encoded(quarters(RED, GREEN, BLUE, WHITE).quantize(4), transparency=b"\x00\x00\x00\x00")


def transparent_colours() -> bytes:
    return encoded(quarters((*RED, 0), (*GREEN, 0), (*BLUE, 0), (0, 0, 0, 0), mode="RGBA"))


def transparent_grey() -> bytes:
    return encoded(quarters((0, 0), (9, 0), (99, 0), (255, 0), mode="LA"))


def transparent_number() -> bytes:
    return encoded(quarters(7, 7, 7, 7, mode="L"), transparency=7)


@pytest.mark.parametrize("make", [transparent_palette, transparent_colours, transparent_grey, transparent_number])
def test_what_is_transparent_is_white(tmp_path: Path, make: Any) -> None:
    assert corners(decoded(tmp_path, make())) == [WHITE] * 4


def test_what_is_half_transparent_lies_on_white(tmp_path: Path) -> None:
    image = quarters((*RED, 128), (*RED, 255), (0, 0, 0, 128), (0, 0, 0, 0), mode="RGBA")

    found = corners(decoded(tmp_path, encoded(image)))

    np.testing.assert_allclose(found, [(255, 127, 127), RED, (127, 127, 127), WHITE], atol=1)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_first_frame_stands_for_an_animation(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]

    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])

    np.testing.assert_allclose(corners(decoded(tmp_path, content)), [RED] * 4, atol=2)


def test_kind_is_told_by_the_content_and_misnamed_files_are_counted(tmp_path: Path) -> None:
    root = write_classes(tmp_path / "photos", n_files=5)
    write(root / "sun" / "png.jpg", encoded(picture(50)))
    write(root / "sun" / "jpeg.png", encoded(picture(51), "JPEG"))
    write(root / "sun" / "jpeg.jpe", encoded(picture(52), "JPEG"))
    write(root / "sun" / "two.jpg", encoded(picture(53), "MPO", save_all=True, append_images=[picture(54)]))

    images = load(root)

    assert images.profile["n_misnamed_files"] == 2
    assert len(images.images_at(8).images) + len(open_sealed(images).labels) == 14


@pytest.mark.parametrize("megapixels", [50, 100])
def test_photographs_of_many_megapixels_are_read_without_a_warning(tmp_path: Path, megapixels: int) -> None:
    root = write_classes(tmp_path / "photos", n_files=3)
    side = round((megapixels * 1e6) ** 0.5)
    write(root / "sun" / "large.jpg", encoded(Image.new("L", (side, side)), "JPEG"))

    images = load(root)

    assert images.profile["n_files"] == 7
    assert len(images.images_at(8).images) + len(open_sealed(images).labels) == 7


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\0\1"])
def test_odd_exif_data_stop_nothing(tmp_path: Path, exif: bytes) -> None:
    root = write_classes(tmp_path / "photos", n_files=3)
    write(root / "sun" / "odd.jpg", encoded(picture(50), "JPEG", exif=exif))

    images = load(root)

    assert len(images.images_at(8).images) + len(open_sealed(images).labels) == 7


def test_jpegs_are_decoded_as_large_as_their_size_needs(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (640, 640, 3), np.uint8))
    content = encoded(noise.resize((80, 80)).resize((640, 640), Image.Resampling.BICUBIC), "JPEG", quality=95)
    path = write(tmp_path / "one.jpg", content)
    with Image.open(io.BytesIO(content)) as whole:
        expected = np.asarray(whole.resize((40, 40), Image.Resampling.BICUBIC)).astype(float)

    error = np.abs(decode(path, 40, 40) - expected).mean()

    assert error < 6


def test_images_are_squares_of_the_size_asked_for_and_of_96_by_default(tmp_path: Path) -> None:
    images = load(write_classes(tmp_path / "photos", n_files=4))

    assert images.images_at(20).input_shape == (20, 20, 3)
    assert images.images_at(0).input_shape == (96, 96, 3)
