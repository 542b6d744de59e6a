"""Every refusal of a search space is one line: file, line, rule, value, fix."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pipeline.errors import SpaceError
from pipeline.knobs.reader import read_space

KNOB_REFUSALS = {
    "blcks: 3": "unknown knob 'blcks'; did you mean 'blocks'?",
    "? 'no\n\n      knob'\n  : 3": "unknown knob 'no knob'; use one of: activation",
    "fc_dropout: {low: 0, high: 0.5, step: 1e-9}": "'step' of 'fc_dropout' must lie between 5e-05 and 0.5, got 1e-09; ",
    "fc_dropout: {low: 0, high: 0.5, step: .nan}": "'step' of 'fc_dropout' must lie between 5e-05 and 0.5, got nan; ch",
    "zzz: 3": "unknown knob 'zzz'; use one of: activation, alternating_flip,",
    "blocks: three": "'blocks' must be a number, got 'three'; change it",
    "blocks: '3'": "'blocks' must be a number, got '3'; change it",
    "blocks: true": "'blocks' must be a number, got True; change it",
    "blocks:": "'blocks' must be a number, got None; change it",
    "blocks: 2.5": "'blocks' must be a whole number, got 2.5; change it",
    "blocks: .nan": "'blocks' must be a whole number, got nan; change it",
    "blocks: 9": "'blocks' must lie between 1 and 8, got 9; change it",
    "blocks: 0": "'blocks' must lie between 1 and 8, got 0; change it",
    "blocks: -1": "'blocks' must lie between 1 and 8, got -1; change it",
    f"blocks: 1{'0' * 400}": "'blocks' must lie between 1 and 8, got 1000",
    f"blocks: 1{'0' * 5000}": "'1000000000000000000000000000000000000000' cannot be read (",
    "blocks: 2024-99-99": "'2024-99-99' cannot be read (month must be in 1..12",
    "blocks: 2024-01-01": "'blocks' must be a number, got datetime.date(2024, 1, 1); change it",
    "blocks: !!bool three": "'three' cannot be read ('three'); write",
    "blocks: !!timestamp three": "'three' cannot be read (",
    "blocks: !!int three": "'three' cannot be read (",
    "blocks: !mine 3": "'3' cannot be read (could not determine a constructor for the tag '!mine'); write",
    "learning_rate: .inf": "'learning_rate' must lie between 1e-07 and 10, got inf; change it",
    "learning_rate: 0": "'learning_rate' must lie between 1e-07 and 10, got 0; change it",
    "learning_rate: 1e-3x": "'learning_rate' must be a number, got '1e-3x'; change it",
    "batch_norm: 1": "'batch_norm' must be true or false, got 1; change it",
    "batch_norm: maybe": "'batch_norm' must be true or false, got 'maybe'; change it",
    "activation: rleu": "did you mean 'relu'?",
    "activation: 3": "'activation' must be one of relu, leaky_relu, elu, selu, gelu, silu, tanh, got 3; use one of:",
    "activation: [relu, elu]": "'activation' must be a value, low/high or choices; write 'choices: [...]'",
    "activation: {low: 1, high: 2}": "'activation' is not a number; give a value, or 'choices: [...]'",
    "batch_norm: {low: 0, high: 1}": "'batch_norm' is not a number; give a value, or 'choices: [...]'",
    "blocks: {lwo: 1, high: 2}": "unknown key 'lwo' of knob 'blocks'; did you mean 'low'?",
    "blocks: {low: 1, low: 2, high: 3}": "'low' stands here twice; remove one of them",
    "blocks: {}": "'blocks' needs low and high, got no low; add it",
    "blocks: {low: 1}": "'blocks' needs low and high, got no high; add it",
    "blocks: {low: 1, high: 9}": "'blocks' must lie between 1 and 8, got 9; change it",
    "blocks: {low: [1], high: 3}": "a single value is needed here, got a list or a mapping; write one value",
    "blocks: {low: 3, high: 3}": "'blocks' needs low < high, got 3 and 3; swap or widen them",
    "blocks: {low: 4, high: 3}": "'blocks' needs low < high, got 4 and 3; swap or widen them",
    "blocks: {low: 1, high: 3, log: maybe}": "'log' of 'blocks' must be true or false, got 'maybe'; change it",
    "weight_decay: {low: 0, high: 1, log: true}": "'weight_decay' with log needs low > 0, got 0; raise low",
    "blocks: {low: 1, high: 3, step: 0}": "'step' of 'blocks' must lie between 1 and 2, got 0; change it",
    "blocks: {low: 1, high: 3, step: -1}": "'step' of 'blocks' must lie between 1 and 2, got -1; change it",
    "blocks: {low: 1, high: 3, step: 3}": "'step' of 'blocks' must lie between 1 and 2, got 3; change it",
    "blocks: {low: 1, high: 3, step: true}": "'step' of 'blocks' must be a number, got True; change it",
    "blocks: {low: 1, high: 3, step: '1'}": "'step' of 'blocks' must be a number, got '1'; change it",
    "blocks: {low: 1, high: 3, step: .nan}": "'step' of 'blocks' must be a whole number, got nan; change it",
    "blocks: {low: 1, high: 3, step: 1.5}": "'step' of 'blocks' must be a whole number, got 1.5; change it",
    "blocks: {low: 1, high: 3, step: 1, log: true}": "'blocks' has both log and step; remove one of them",
    "blocks: {choices: []}": "choices of 'blocks' must be a list of at least one value; add one",
    "blocks: {choices: 3}": "choices of 'blocks' must be a list of at least one value; add one",
    "blocks: {choices: [1, 9]}": "'blocks' must lie between 1 and 8, got 9; change it",
    "blocks: {choices: [1, [2]]}": "a single value is needed here, got a list or a mapping; write one value",
    "blocks: {choices: [1, 2, 1.0]}": "choices of 'blocks' must differ, got [1, 2, 1]; remove the repeats",
    "blocks: {choices: [1, 2], low: 1}": "'blocks' has choices and other keys; keep choices alone, or low and high",
    "filters: 9": "'filters' stands here twice; remove one of them",
}

FIRST_TRIAL_REFUSALS = {
    "{blocks: 2}": "must be a list of configurations; start each with '- '",
    "[3]": "a first trial must map knob names to values, got '3'; write 'name: value' lines",
    "[{blcks: 2}]": "unknown knob 'blcks'; did you mean 'blocks'?",
    "[{blocks: two}]": "'blocks' must be a number, got 'two'; change it",
    "[{blocks: 5, fc_dropout: 0.1, activation: elu}]": "'blocks' is 5 and its domain is 1 to 3; change one of the two",
    "[{blocks: 2, fc_dropout: 0.15, activation: elu}]": "is 0.15 and its domain is 0 to 0.3 in steps of 0.1; change",
    "[{blocks: 2, fc_dropout: 0, activation: tanh}]": "'activation' is 'tanh' and its domain is one of ['relu', 'elu']",
    "[{blocks: 2, fc_dropout: 0, activation: elu, filters: 16}]": "'filters' is 16 and its domain is the fixed value 8",
    "[{blocks: 2, fc_dropout: 0, activation: elu, epochs: 3}]": "'epochs' is 3 and its domain is the fixed value 10",
    "[{blocks: 2, activation: elu}]": "a first trial must set every searched knob, lacks fc_dropout; add them",
    "[{}]": "a first trial must set every searched knob, lacks blocks, fc_dropout, activation; add them",
    "[{blocks: 2, blocks: 3}]": "'blocks' stands here twice; remove one of them",
}
FIRST_TRIAL_KNOBS = """
knobs:
  filters: 8
  blocks: {low: 1, high: 3}
  fc_dropout: {low: 0, high: 0.3, step: 0.1}
  activation: {choices: [relu, elu]}
"""

PRIOR_REFUSALS = {
    "blocks: {low: 1, high: 3, prior: 2}": "the prior of 'blocks' must have a center or a confidence; write 'name: ",
    "blocks: {low: 1, high: 3, prior: {centre: 2}}": "unknown key 'centre' of the prior of 'blocks'; did you mean 'cen",
    "blocks: {low: 1, high: 3, prior: {center: two}}": "'center' of the prior of 'blocks' must be a number, got 'two'",
    "blocks: {low: 1, high: 3, prior: {center: 9}}": "'center' of the prior of 'blocks' must lie between 1 and 8, g",
    "blocks: {low: 1, high: 3, prior: {center: 4}}": "the center of a prior must lie in the knob's domain, but that of "
    "'blocks' is 4 and its domain is 1 to 3; change one of the two",
    "head: {choices: [flatten, global_max], prior: {center: global_average}}": "is 'global_average' and its domain is ",
    "fc_dropout: {low: 0, high: 0.3, step: 0.1, prior: {center: 0.15}}": "is 0.15 and its domain is 0 to 0.3 in steps",
    "blocks: {low: 1, high: 3, prior: {center: 2, confidence: hgh}}": "'confidence' of the prior of 'blocks' must be "
    "one of low, medium, high, got 'hgh'; did you mean 'high'?",
    "blocks: {low: 1, high: 3, prior: {confidence: high}}": "the prior of 'blocks' needs a center, as there is no ",
    "blocks: {low: 1, prior: {center: 2}}": "'blocks' needs low and high, got no high; add it",
}

FILE_REFUSALS = [
    ("", 1, "a search space must have the section 'knobs'; add it"),
    ("# nothing\n", 1, "a search space must have the section 'knobs'; add it"),
    ("first_trials: []\n", 1, "a search space must have the section 'knobs'; add it"),
    ("- blocks: 3\n", 1, "a search space must have the section 'knobs'; write 'name: value' lines"),
    ("knobs:\n", 1, "'knobs' must map knob names to values; write 'name: value' lines"),
    ("knobs: [blocks]\n", 1, "'knobs' must map knob names to values; write 'name: value' lines"),
    ("knobs: {}\nknbs: {}\n", 2, "unknown section 'knbs'; did you mean 'knobs'?"),
    ("knobs: {}\nknobs: {}\n", 2, "'knobs' stands here twice; remove one of them"),
    ("knobs:\n  blocks: 3\n  filters: [\n", 4, "not valid YAML ("),
    ("knobs:\n  blocks: 3\n\tfilters: 8\n", 3, "not valid YAML ("),
    ("knobs: *missing\n", 1, "not valid YAML (found undefined alias 'missing'); correct that line"),
    ("knobs: {}\n---\nknobs: {}\n", 2, "not valid YAML ("),
    ("knobs: {}\x00\n", 1, "not valid YAML ("),
]


def refusal(tmp_path: Path, text: str) -> str:
    """Return the one line with which ``text`` is refused, less the folder."""
    path = tmp_path / "space.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpaceError) as caught:
        read_space(path)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert "; " in message  # the fix
    return message.removeprefix(f"{tmp_path}/")


@pytest.mark.parametrize(("row", "message"), KNOB_REFUSALS.items(), ids=lambda text: text[:40])
def test_knob_that_breaks_a_rule_is_refused_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    refused = refusal(tmp_path, f"# A space.\nknobs:\n  filters: 8\n  {row}\n")

    assert refused.startswith("space.yaml:4: ")
    assert message in refused


@pytest.mark.parametrize(("trials", "message"), FIRST_TRIAL_REFUSALS.items(), ids=lambda text: text[:40])
def test_first_trial_outside_the_space_is_refused_with_its_line(tmp_path: Path, trials: str, message: str) -> None:
    refused = refusal(tmp_path, f"{FIRST_TRIAL_KNOBS}first_trials: {trials}\n")

    assert refused.startswith("space.yaml:7: ")
    assert message in refused


@pytest.mark.parametrize(("row", "message"), PRIOR_REFUSALS.items(), ids=lambda text: text[:60])
def test_prior_that_breaks_a_rule_is_refused_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    refused = refusal(tmp_path, f"# A space.\nknobs:\n  filters: 8\n  {row}\n")

    assert refused.startswith("space.yaml:4: ")
    assert message in refused


@pytest.mark.parametrize(("text", "line", "message"), FILE_REFUSALS)
def test_file_that_is_no_space_is_refused_with_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    refused = refusal(tmp_path, text)

    assert refused.startswith(f"space.yaml:{line}: ")
    assert message in refused


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"^a search space must be a readable YAML file, got '.*/no\.yaml' \(No such"):
        read_space(tmp_path / "no.yaml")


def test_file_that_is_no_text_is_to_be_saved_as_such(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_bytes(b"\xff\xfe\x00knobs")

    with pytest.raises(SpaceError, match=r"must be a readable YAML file, got .*; save it as UTF-8 text"):
        read_space(path)


def test_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"\(Is a directory\); give the path of a file in that folder"):
        read_space(tmp_path)


def test_file_that_may_not_be_read_is_to_be_permitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(errno.EACCES, "Permission denied")  # as it is for everybody but root

    monkeypatch.setattr(Path, "read_text", refuse)

    with pytest.raises(SpaceError, match=r"\(Permission denied\); give yourself the permission to read it"):
        read_space(tmp_path / "space.yaml")


def test_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "space.yaml")

    with pytest.raises(SpaceError, match=r"got .*space\.yaml' \(a pipe or a device\); check the path"):
        read_space(tmp_path / "space.yaml")
