"""Made-up search spaces and hand-made models: read, or refused in one line with a fix."""

from __future__ import annotations

from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st
from mutations import assert_helpful, mutated_text

from pipeline.errors import InputError, ModelFileError, SpaceError
from pipeline.knobs.reader import read_space
from pipeline.knobs.space import SearchSpace
from pipeline.knobs.table import KNOBS
from pipeline.model.model_file import parse_model_file
from pipeline.model.model_file.documents import find_point
from pipeline.model.model_file.layer_table import LAYERS
from pipeline.paths import DOCUMENTS_DIR, SPACES_DIR

SPACES = sorted(SPACES_DIR.glob("*.yaml"))
MODELS = sorted(DOCUMENTS_DIR.glob("*.yaml"))
NUMBERS = st.integers(-3, 70) | st.integers() | st.floats() | st.sampled_from([0.1, 1e-3, 32, 10**400])
VALUES = NUMBERS | st.booleans() | st.none() | st.text(max_size=8) | st.dates() | st.binary(max_size=4)
KNOB_VALUES = VALUES | st.sampled_from([choice for knob in KNOBS.values() for choice in knob.choices])
RANGES = st.fixed_dictionaries(
    {},
    optional={
        "low": NUMBERS, "high": NUMBERS, "step": NUMBERS, "log": VALUES, "choices": st.lists(KNOB_VALUES, max_size=4),
        "prior": st.dictionaries(st.sampled_from(["center", "confidence", "x"]), KNOB_VALUES, max_size=2),
    },
)  # fmt: skip
KNOB_NAMES = st.sampled_from(list(KNOBS)) | st.text(max_size=6)
TRIALS = st.dictionaries(KNOB_NAMES, KNOB_VALUES, max_size=4) | st.sampled_from([path.stem for path in MODELS]) | VALUES
MADE_SPACES = st.fixed_dictionaries(
    {"knobs": st.dictionaries(KNOB_NAMES, KNOB_VALUES | RANGES | st.lists(VALUES, max_size=2), max_size=4)},
    optional={"first_trials": st.lists(TRIALS, max_size=2) | VALUES, "more": VALUES},
)
ARGUMENTS = [name for rule in LAYERS.values() for name in rule.arguments]
MADE_LAYERS = st.dictionaries(
    st.sampled_from(list(LAYERS)) | st.text(max_size=6),
    VALUES | st.dictionaries(st.sampled_from(ARGUMENTS), KNOB_VALUES | st.lists(NUMBERS, max_size=3), max_size=3),
    max_size=2,
)
MADE_MODELS = st.fixed_dictionaries(
    {"input_shape": st.lists(NUMBERS, max_size=4), "layers": st.lists(MADE_LAYERS | st.sampled_from(list(LAYERS)))},
    optional={
        "n_parameters": VALUES, "dataset": VALUES, "training": st.dictionaries(KNOB_NAMES, KNOB_VALUES, max_size=3),
        "knobs": st.dictionaries(KNOB_NAMES, KNOB_VALUES, max_size=3),
        "reported": st.lists(st.dictionaries(st.sampled_from(["accuracy", "on", "loss", "note"]), VALUES), max_size=2),
    },
)  # fmt: skip


def use(space: SearchSpace) -> None:
    """Do with a space what a search does before it writes anything."""
    assert space.fingerprint
    for reduced in (space, space.with_epochs_at_most(1), space.with_fixed("image_size", 8)):
        reduced.distributions()
        reduced.first_params()
    space.grid()


@given(text=mutated_text(SPACES) | st.builds(yaml.safe_dump, MADE_SPACES) | st.text())
def test_any_search_space_is_read_or_refused(folder: Path, text: str) -> None:
    path = folder / "input.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        use(read_space(path, find_point=find_point))
    except SpaceError as error:
        assert_helpful(error)


@given(text=mutated_text(MODELS) | st.builds(yaml.safe_dump, MADE_MODELS) | st.text())
def test_any_hand_made_model_is_read_or_refused(folder: Path, text: str) -> None:
    try:
        model = parse_model_file(text, name="input", source="input.yaml")
        assert model.output.kind in LAYERS
        model.as_point()
        assert model.at((64, 64, 3)).layers == model.layers
    except ModelFileError as error:
        assert_helpful(error)


@given(content=st.binary(max_size=40))
def test_any_bytes_are_read_as_a_space_or_refused(folder: Path, content: bytes) -> None:
    path = folder / "input.yaml"
    path.write_bytes(content)
    try:
        read_space(path)
    except InputError as error:
        assert_helpful(error)
