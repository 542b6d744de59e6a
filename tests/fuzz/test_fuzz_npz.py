"""Made-up ``.npz`` files: read, or refused in one line with a fix; nothing in them is ever unpickled."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mutations import assert_helpful, mutated_bytes

from pipeline.data.npz import read_npz
from pipeline.data.source import load_training_data
from pipeline.errors import DataError
from pipeline.settings import DataSettings

TRACE = "unpickled"  # a file that unpickling would make, which the folder's fixture would see


class Trap:
    """An object that leaves a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (TRACE, "w")


PIXELS = np.arange(12 * 64, dtype=np.uint8).reshape(12, 8, 8)
LABELS = np.arange(12) % 3
GOOD: dict[str, Any] = {"x_train": PIXELS, "y_train": LABELS, "x_test": PIXELS[:6], "y_test": LABELS[:6]}
TYPES = ["u1", "i1", "i8", "u8", "f2", "f8", "?", "c8", "U3", "S2", "M8[s]", "m8[D]", "V4", "i4,f4", ">f8"]
SHAPES = [(), (0,), (6,), (12,), (12, 1), (12, 3), (12, 8, 8), (12, 8, 8, 3), (6, 8, 8), (12, 0, 8), (12, 8, 8, 1, 1)]
INFINITY = b"\0\0\0\0\0\0\xf0\x7f"
NAMES = st.sampled_from([*GOOD, "class_names", "more", "../out"])


@st.composite
def made_arrays(draw: st.DrawFn) -> Any:
    """Return an array of some type and shape, or one of objects."""
    shape = draw(st.sampled_from(SHAPES))
    if draw(st.integers(0, 5)) == 0:
        return np.full(shape, Trap(), object)
    kind = np.dtype(draw(st.sampled_from(TYPES)))
    size = int(np.prod(shape)) * kind.itemsize
    content = draw(st.sampled_from([b"\0", b"\1", b"\xff", INFINITY]) | st.binary(min_size=1, max_size=8))
    return np.frombuffer((content * size)[:size], kind).reshape(shape)


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "stored as an array with the default format 2.0" and the like
        np.save(buffer, array)
    return buffer.getvalue()


def archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, content in members.items():
            made.writestr(f"{name}.npy", content)
    return buffer.getvalue()


WHOLE = {name: npy(array) for name, array in GOOD.items()}
HEADERS = [
    b"{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 8, 8), }",
    b"{'descr': '|u1', 'fortran_order': False, 'shape': (999999999999, 8, 8), }",
    b"{'descr': '|u1', 'fortran_order': 3, 'shape': (12, 8, 8), }",
    b"{'descr': '|O', 'fortran_order': False, 'shape': (12,), }",
    b"{'descr': ['f4', 'f4'], 'fortran_order': False, 'shape': (12,), }",
    b"{'descr': '|u1', 'shape': (12, 8, 8)}", b"[]", b"{", b"(((((", b"'''", b"__import__('os')", b"\xff",
]  # fmt: skip


def with_header(header: bytes, version: bytes) -> bytes:
    return b"\x93NUMPY" + version + len(header).to_bytes(2 if version == b"\1\0" else 4, "little") + header + bytes(768)


@st.composite
def made_archives(draw: st.DrawFn) -> bytes:
    """Return an archive in which some arrays are others, or have damaged headers."""
    members = dict(WHOLE)
    for name in draw(st.lists(NAMES, min_size=1, max_size=3)):
        header = st.builds(with_header, st.sampled_from(HEADERS), st.sampled_from([b"\1\0", b"\2\0", b"\3\0", b"\7\7"]))
        damaged = mutated_bytes(WHOLE["x_train"][:128]).map(lambda start: start + WHOLE["x_train"][128:])
        members[name] = draw(made_arrays().map(npy) | header | damaged)
    return archive(members)


@given(content=made_archives() | mutated_bytes(archive(WHOLE)) | st.binary(max_size=40))
def test_any_npz_is_read_or_refused(folder: Path, content: bytes) -> None:
    path = folder / "input.npz"
    path.write_bytes(content)
    try:
        load_training_data(DataSettings(dataset=str(path), data_dir=folder))
        read_npz(path, part="test", name="input")
    except DataError as error:
        assert_helpful(error)
