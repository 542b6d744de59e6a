"""How many inputs the fuzz tests make up: the same few each time, or with ``FUZZ_EXAMPLES`` so many new ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from workplace import enter

N_EXAMPLES = os.environ.get("FUZZ_EXAMPLES")
settings.register_profile(
    "fuzz",
    max_examples=int(N_EXAMPLES or 150),
    derandomize=N_EXAMPLES is None,
    deadline=None,
    database=None,  # it would be a folder beside the tests
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("fuzz")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Stand in an empty folder with its own tracking store; nothing but ``input.*`` is ever written there."""
    place = tmp_path_factory.mktemp("fuzz")
    with pytest.MonkeyPatch.context() as patch:
        enter(patch, place)
        patch.setenv("XDG_DATA_HOME", str(place))
        patch.delenv("PIPELINE_DATA_DIR", raising=False)
        patch.setenv("KERAS_HOME", str(place / "keras"))
        yield place
    assert [path.name for path in place.rglob("*") if not path.name.startswith("input.")] == []
