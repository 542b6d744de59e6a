"""Photographs are decoded once: the cache is used, shared, renewed, bounded, and never needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pictures import COLOURS, cache_of, load, open_sealed, parts_of, picture, write_classes
from PIL import Image, ImageOps

from pipeline.data.cache import ArrayCache
from pipeline.data.photographs.files import find_files
from pipeline.data.photographs.folder import load_photographs
from pipeline.data.photographs.layout import recognise
from pipeline.data.photographs.scan import folder_state
from pipeline.paths import cache_dir

SIDE = 16


def blacken_unseen(root: Path) -> None:
    """Turn every photograph black, with size and time of change as they were: only who decodes anew can tell."""
    for path in root.rglob("*.bmp"):
        status = path.stat()
        Image.new("RGB", (SIDE, SIDE)).save(path)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert path.stat().st_size == status.st_size


def mirror_unseen(folder: Path) -> None:
    """Mirror every photograph of a folder, with size and time of change as they were."""
    for path in folder.iterdir():
        status = path.stat()
        with Image.open(path) as image:
            mirrored = ImageOps.mirror(image)
        mirrored.save(path)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def state_of(root: Path) -> str:
    """Return the state of a folder of photographs."""
    return folder_state(root, [one.place for one in recognise(find_files(root))[0]])


def entry_of(root: Path, cache: Path | None = None) -> Path:
    """Return the folder that keeps what is known of a folder of photographs."""
    return (cache or cache_of(root)) / state_of(root)


def bitmaps(root: Path, n_files: int = 8) -> Path:
    """Write class folders of bitmaps, whose size in bytes does not depend on their pixels."""
    for label, name in enumerate(("rain", "sun")):
        (root / name).mkdir(parents=True)
        for number in range(n_files):
            picture(100 * label + number, colour=COLOURS[name]).save(root / name / f"{number}.bmp")
    return root


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return bitmaps(tmp_path / "photos")


def test_second_load_neither_scans_nor_decodes(photos: Path) -> None:
    first = load(photos)
    pixels = first.images_at(SIDE).images

    blacken_unseen(photos)
    second = load(photos)

    assert second.digest == first.digest
    assert second.profile == first.profile
    assert np.array_equal(second.images_at(SIDE).images, pixels)
    assert second.images_at(SIDE + 1).images.max() == 0  # a size that nobody has decoded yet


def test_each_size_has_a_file_that_is_written_once(photos: Path) -> None:
    images = load(photos)
    images.images_at(SIDE)
    images.images_at(8)
    before = {path.name: path.stat().st_ino for path in entry_of(photos).iterdir()}

    again = load(photos)
    again.images_at(SIDE)
    again.images_at(8)

    assert {path.name: path.stat().st_ino for path in entry_of(photos).iterdir()} == before
    assert set(before) == {"scan.npy", "pixels-16.npy", "pixels-8.npy"}


def test_kept_pixels_are_those_of_photographs_that_are_not_sealed(photos: Path) -> None:
    images = load(photos)
    seen = images.images_at(SIDE).images

    kept = np.load(entry_of(photos) / f"pixels-{SIDE}.npy")

    assert len(kept) == 16 - len(open_sealed(images).labels)
    assert np.array_equal(kept, seen)


def touch(root: Path) -> None:
    os.utime(root / "sun" / "1.bmp", ns=(0, 0))


def add(root: Path) -> None:
    picture(99).save(root / "sun" / "99.bmp")


def remove(root: Path) -> None:
    (root / "sun" / "1.bmp").unlink()


def grow(root: Path) -> None:
    path = root / "sun" / "1.bmp"
    status = path.stat()
    picture(1, size=(17, 17)).save(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def rename(root: Path) -> None:
    (root / "sun" / "1.bmp").rename(root / "sun" / "one.bmp")


@pytest.mark.parametrize("change", [touch, add, remove, grow, rename])
def test_changed_folder_is_another_entry(photos: Path, change: object) -> None:
    load(photos)

    change(photos)  # type: ignore[operator]

    assert not entry_of(photos).exists()
    load(photos)
    assert len(list(cache_of(photos).iterdir())) == 2


def test_folders_that_agree_in_names_sizes_and_times_have_entries_of_their_own(tmp_path: Path) -> None:
    folders = [bitmaps(tmp_path / name) for name in ("one", "two")]
    for path in tmp_path.rglob("*.bmp"):
        os.utime(path, ns=(0, 0))
    one = load(folders[0], tmp_path / "cache")
    mirror_unseen(folders[1] / "sun")

    two = load(folders[1], tmp_path / "cache")

    assert one.digest != two.digest


def test_folder_is_the_same_by_whatever_path(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(photos, target_is_directory=True)
    monkeypatch.chdir(tmp_path)

    for path in (photos, Path("photos"), tmp_path / "link"):
        load(path, tmp_path / "cache")

    assert list((tmp_path / "cache").iterdir()) == [entry_of(photos, tmp_path / "cache")]


def test_cache_that_cannot_be_written_stops_nothing(photos: Path, tmp_path: Path) -> None:
    expected = load(photos).images_at(SIDE)
    (tmp_path / "file").write_text("no folder")

    images = load(photos, tmp_path / "file" / "cache")

    assert np.array_equal(images.images_at(SIDE).images, expected.images)
    assert (tmp_path / "file").read_text() == "no folder"


def test_full_disk_stops_nothing_and_leaves_no_part_of_a_file(photos: Path) -> None:
    expected = load(photos).images_at(SIDE).images
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from pipeline.data.cache import ArrayCache\n"
        "from pipeline.data.photographs.folder import load_photographs\n"
        "images = load_photographs(Path(sys.argv[1]), name='mine', cache=ArrayCache(Path(sys.argv[2])))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"  # files may grow no further, as on a full disk
        f"sys.stdout.buffer.write(images.images_at({SIDE}).images.tobytes())\n"
    )
    cache = photos.parent / "full"

    done = subprocess.run([sys.executable, "-c", code, photos, cache], capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == expected.tobytes()
    assert sorted(path.name for path in cache.rglob("*") if path.is_file()) == ["scan.npy"]


@pytest.mark.parametrize("damage", ["cut", "empty", "other shape", "gone"])
def test_damaged_cache_is_made_again(photos: Path, damage: str) -> None:
    images = load(photos)
    expected = images.images_at(SIDE).images
    stored = entry_of(photos) / f"pixels-{SIDE}.npy"
    content = stored.read_bytes()
    (entry_of(photos) / "scan.npy").write_text("[[")
    if damage == "gone":
        for path in entry_of(photos).iterdir():
            path.unlink()
        entry_of(photos).rmdir()
    elif damage == "other shape":
        np.save(stored, np.zeros((3, SIDE, SIDE, 3), np.uint8))
    else:
        stored.write_bytes(content[: 0 if damage == "empty" else -100])

    assert np.array_equal(load(photos).images_at(SIDE).images, expected)
    assert stored.read_bytes() == content


def test_processes_that_start_at_once_share_one_file(photos: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from pipeline.data.cache import ArrayCache\n"
        "from pipeline.data.photographs.folder import load_photographs\n"
        "images = load_photographs(Path(sys.argv[1]), name='mine', cache=ArrayCache(Path(sys.argv[2])))\n"
        f"print(images.images_at({SIDE}).images.sum(), images.digest)\n"
    )
    command = [sys.executable, "-c", code, str(photos), str(tmp_path / "cache")]

    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    answers = [process.communicate() for process in processes]

    images = load(photos, tmp_path / "cache")
    expected = f"{images.images_at(SIDE).images.sum()} {images.digest}\n".encode()
    assert answers == [(expected, b"")] * 4
    names = sorted(path.name for path in entry_of(photos, tmp_path / "cache").iterdir())
    assert names == [f"pixels-{SIDE}.npy", "scan.npy"]


def test_longest_unused_folders_go_above_the_bound(tmp_path: Path) -> None:
    cache, roots = tmp_path / "cache", [bitmaps(tmp_path / name) for name in ("one", "two", "three")]
    images = [load(root, cache) for root in roots]
    one, two, three = (entry_of(root, cache) for root in roots)
    for age, entry in enumerate((one, two)):
        os.utime(entry, (1e9 - age, 1e9 - age))
    scan_bytes = (one / "scan.npy").stat().st_size
    pixel_bytes = len(images[2].labels) * SIDE * SIDE * 3 + 128
    bounded = ArrayCache(cache, most_bytes=pixel_bytes + 2 * scan_bytes)

    load_photographs(roots[2], name="mine", cache=bounded).images_at(SIDE)

    assert set(cache.iterdir()) == {one, three}


def test_opening_an_entry_counts_as_use(photos: Path) -> None:
    load(photos)
    folder = entry_of(photos)
    os.utime(folder, (0, 0))

    load(photos)

    assert folder.stat().st_mtime > 1e9


def test_cache_is_in_the_users_cache_folder(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    load_photographs(photos, name="mine")

    assert entry_of(photos, tmp_path / "xdg" / "knobsearch" / "photographs").is_dir()

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_dir() == tmp_path / "home" / ".cache" / "knobsearch"


def test_file_that_goes_while_a_search_runs_is_named(tmp_path: Path) -> None:
    from pipeline.errors import DataError

    root = write_classes(tmp_path / "photos")
    images = load(root)
    gone = root / parts_of(root)["train"][3].place
    gone.unlink()

    with pytest.raises(DataError) as caught:
        images.images_at(SIDE)

    assert str(caught.value).startswith(f"{gone}: photographs must not be changed or removed while they are used")
    assert [path.name for path in cache_of(root).rglob("*.npy")] == ["scan.npy"]
