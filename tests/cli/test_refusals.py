"""What the command line refuses: exit code 2, one line that helps, nothing written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SPACE_WITH_UNKNOWN_KNOB = "knobs:\n  blocks: 1\n  filtres: 8\n"


def run_search(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command ``search`` in ``folder``."""
    return run(folder, "search", *options)


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m pipeline`` in ``folder`` as a user would, with no store and no run of ours around it."""
    hidden = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "PIPELINE_DATA_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["KERAS_HOME"] = str(folder / "no-keras")
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *words],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def assert_refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    lines = done.stderr.splitlines()
    assert (done.returncode, len(lines), done.stdout) == (2, 1, ""), done.stderr
    assert lines[0].startswith("error: ")
    assert [part for part in parts if part not in lines[0]] == [], lines[0]


REFUSED_OPTIONS = {
    "unknown dataset": (["--dataset", "cifar11"], ["dataset", "'cifar11'", "did you mean 'cifar10'?"]),
    "unknown sampler": (
        ["--sampler", "tpee"],
        ["sampler must be 'tpe', 'random'", "got 'tpee'", "--sampler", "did you mean 'tpe'?"],
    ),
    "unknown pruner": (["--pruner", "never"], ["pruner must be", "'median'", "'never'", "--pruner, or leave it out"]),
    "pruner of epochs with folds": (
        ["--folds", "5", "--pruner", "median"],
        ["pruner must be wilcoxon or none with folds", "'median'", "--pruner"],
    ),
    "pruner of folds without": (["--pruner", "wilcoxon"], ["pruner", "with --folds only", "'wilcoxon'", "--pruner"]),
    "unknown objective": (
        ["--objectives", "val_accuracy,size"],
        ["objectives must be some of val_accuracy, val_loss, n_parameters, latency_ms", "'val_accuracy,size'"],
    ),
    "objective twice": (["--objectives", "val_loss,val_loss"], ["objectives", "none of them twice", "--objectives"]),
    "objectives in brackets": (
        ["--strategy", "brackets", "--objectives", "val_accuracy,n_parameters"],
        ["objectives must be the metric alone with strategy brackets", "strategy plain", "change --objectives"],
    ),
    "objectives with a sampler of one": (
        ["--sampler", "cmaes", "--objectives", "val_accuracy,n_parameters"],
        ["objectives must be a single one with sampler cmaes", "nsga2", "change --objectives"],
    ),
    "objectives with a pruner": (
        ["--pruner", "median", "--objectives", "val_accuracy,n_parameters"],
        ["pruner must be none with objectives", "'median'", "change --pruner"],
    ),
    "generations in brackets": (
        ["--strategy", "brackets", "--sampler", "nsga2"],
        ["sampler may be nsga2 with strategy plain only", "change --sampler"],
    ),
    "grid with a limit": (
        ["--sampler", "grid", "--max-parameters", "5000"],
        ["sampler must not be grid with max_parameters", "'grid'", "change --sampler"],
    ),
    "limit below every network": (
        ["--max-parameters", "20", "--strategy", "plain"],
        ["max_parameters must leave a configuration of", "digits.yaml", "got 20", "raise it"],
    ),
    "limit below every network, in brackets": (["--max-parameters", "20"], ["max_parameters must leave", "got 20"]),
    "one fold": (["--folds", "1"], ["folds", "greater than or equal to 2", "got 1", "--folds"]),
    "too many folds": (["--folds", "21"], ["folds", "less than or equal to 20", "got 21", "--folds"]),
    "folds and a share": (
        ["--folds", "5", "--validation-share", "0.2"],
        ["folds must be left out where validation_share is given", "got 5", "--folds"],
    ),
    "unknown metric": (["--metric", "val_acc"], ["metric", "'val_acc'", "did you mean 'val_accuracy'?"]),
    "unknown precision": (["--precision", "int8"], ["precision must be", "'bfloat16'", "'int8'", "--precision"]),
    "unknown keep_models": (
        ["--keep-models", "some"],
        ["keep_models must be 'all', 'best', 'none' or a number from 1 to 100000, got 'some'; change --keep-models"],
    ),
    "no model but the best": (["--keep-models", "0"], ["or a number from 1 to 100000, got 0"]),
    "no disk": (["--max-disk-gb", "0"], ["max_disk_gb must be greater than 0, got 0; change --max-disk-gb"]),
    "no trials": (["--trials", "0"], ["trials", "greater than or equal to 1", "got 0", "--trials"]),
    "negative timeout": (["--timeout-minutes", "-3"], ["timeout_minutes", "greater than 0", "-3", "--timeout-minutes"]),
    "no epochs": (["--epochs", "0"], ["epochs", "greater than or equal to 1", "got 0", "--epochs"]),
    "no workers": (["--workers", "0"], ["workers", "greater than or equal to 1", "got 0", "--workers"]),
    "negative seed": (["--seed", "-1"], ["seed", "greater than or equal to 0", "got -1", "--seed"]),
    "word for a number": (["--trials", "many"], ["trials must be a valid integer", "'many'", "change --trials"]),
    "half a trial": (["--trials", "1.5"], ["trials must be a valid integer, got 1.5; change --trials"]),
    "word for a timeout": (
        ["--timeout-minutes", "soon"],
        ["timeout_minutes must be a valid number", "'soon'", "change --timeout-minutes, or leave it out"],
    ),
    "endless timeout": (["--timeout-minutes", "inf"], ["timeout_minutes must be a finite number, got inf"]),
    "timeout that is no number": (["--timeout-minutes", "nan"], ["timeout_minutes must be a finite number, got nan"]),
    "timeout beyond a year": (
        ["--timeout-minutes", "1e300"],
        ["timeout_minutes must be less than or equal to 525600, got 1e300; change --timeout-minutes, or leave it out"],
    ),
    "parameters beyond all networks": (["--max-parameters", "9" * 20], ["max_parameters must be less than or equal"]),
    "digits beyond all numbers": (["--seed", "9" * 5000], ["seed must be a smaller integer, got 999", "9...; change"]),
    "share that is no number": (["--validation-share", "nan"], ["validation_share must be a finite number, got nan"]),
    "empty study": (["--study", ""], ["study must not be empty, got ''; change --study, or leave it out"]),
    "empty dataset": (["--dataset", ""], ["dataset must not be empty, got ''; change --dataset"]),
    "empty storage": (["--storage", ""], ["storage must not be empty", "change --storage, or leave it out"]),
    "blank number": (["--epochs", " "], ["epochs must not be empty", "change --epochs, or leave it out"]),
    "missing data_dir": (
        ["--data-dir", "nowhere"],
        ["data_dir must be an existing folder in '", "', got 'nowhere'", "--data-dir"],
    ),
    "data_dir that is a file": (
        ["--dataset", "cifar10", "--data-dir", "/dev/null"],
        ["data_dir must be an existing folder, got '/dev/null'", "--data-dir"],
    ),
    "data_dir of nobody": (
        ["--data-dir", "~nobody-here/x"],
        ["data_dir must be an existing folder", "'~nobody-here/x'"],
    ),
    "dataset of nobody": (["--dataset", "~nobody-here/x.npz"], ["'~nobody-here/x.npz'", "check the path"]),
    "dataset in two lines": (["--dataset", "cifar\n10"], ["'cifar 10'", "did you mean 'cifar10'?"]),
    "dataset with a long name": (["--dataset", 300 * "a"], ["dataset must be one of", "use one of: cifar10"]),
    "dataset with a long path": (["--dataset", "/" + 3000 * "a/"], ["is neither a file nor a folder; check the path"]),
    "dataset with control characters": (["--dataset", "a\x1b[31m\x07.npz"], ["dataset 'a?[31m?.npz' is neither"]),
    "space with a long name": (
        ["--space", 300 * "a"],
        ["a search space must be", "File name too long", "check the path"],
    ),
    "space that never ends": (["--space", "/dev/zero"], ["'/dev/zero' (a pipe or a device); check the path"]),
    "study with a slash": (["--study", "a/b"], ["study", "letters, digits", "'a/b'", "--study"]),
    "study with a long name": (["--study", 101 * "a"], ["study must have at most 100 characters", "--study"]),
    "study of dots": (["--study", ".."], ["study", "letters, digits", "'..'", "--study"]),
    "unknown option": (["--trails", "3"], ["--trails", "--trials"]),
    "missing space": (
        ["--space", "none.yaml"],
        ["search space", "'none.yaml' in '", "' (No such file", "check the path"],
    ),
    "missing npz": (["--dataset", "none.npz"], ["'none.npz'", "check the path"]),
    "unknown storage": (["--storage", "nosql://here"], ["storage", "'nosql://here'", "--storage"]),
    "storage with a password": (["--storage", "nosql://me:secret@here/db"], ["storage", "'nosql://me:***@here/db'"]),
}


def test_missing_default_data_dir_is_no_mistake_but_a_file_in_its_place_is(tmp_path: Path) -> None:
    default = tmp_path / "no-keras" / "datasets"
    assert_refused(
        run_search(tmp_path, "--data-dir", str(default), "--sampler", "grid"), "digits.yaml", "learning_rate"
    )
    default.parent.mkdir()
    default.touch()
    assert_refused(run_search(tmp_path), "data_dir must be an existing folder", "no-keras/datasets'")


@pytest.mark.parametrize(("options", "parts"), REFUSED_OPTIONS.values(), ids=REFUSED_OPTIONS)
def test_unusable_option_is_refused_in_one_line_and_writes_nothing(
    options: list[str], parts: list[str], tmp_path: Path
) -> None:
    assert_refused(run_search(tmp_path, *options), *parts)
    assert list(tmp_path.iterdir()) == []


def test_bad_space_is_refused_with_its_line_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(SPACE_WITH_UNKNOWN_KNOB)
    assert_refused(run_search(tmp_path, "--space", "my.yaml"), "my.yaml:3", "'filtres'", "did you mean 'filters'?")
    assert [path.name for path in tmp_path.iterdir()] == ["my.yaml"]


def test_sigmoid_for_more_than_two_classes_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("knobs:\n  blocks: 1\n  output: {choices: [softmax, sigmoid]}\n")
    assert_refused(run_search(tmp_path, "--space", "my.yaml"), "my.yaml", "two classes", "has 10", "softmax")
    assert [path.name for path in tmp_path.iterdir()] == ["my.yaml"]


def test_grid_over_a_range_without_step_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("knobs:\n  learning_rate: {low: 0.001, high: 0.1}\n")
    assert_refused(run_search(tmp_path, "--space", "my.yaml", "--sampler", "grid"), "my.yaml", "grid", "learning_rate")
    assert [path.name for path in tmp_path.iterdir()] == ["my.yaml"]


def test_broken_npz_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and then nothing")
    assert_refused(run_search(tmp_path, "--dataset", "broken.npz"), "broken.npz", "numpy.savez")
    assert [path.name for path in tmp_path.iterdir()] == ["broken.npz"]


def test_npz_without_test_images_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    np.savez(tmp_path / "half.npz", x_train=np.zeros((20, 8, 8), np.uint8), y_train=np.arange(20) % 2)
    assert_refused(run_search(tmp_path, "--dataset", "half.npz"), "half.npz", "lacks x_test, y_test", "add them")
    assert [path.name for path in tmp_path.iterdir()] == ["half.npz"]


def test_more_folds_than_images_of_a_class_are_refused_and_write_nothing(tmp_path: Path) -> None:
    images, labels = np.arange(40 * 64, dtype=np.uint8).reshape(40, 8, 8), np.array([0] * 37 + [1] * 3)
    np.savez(tmp_path / "rare.npz", x_train=images, y_train=labels, x_test=images[:2], y_test=labels[:2])
    assert_refused(run_search(tmp_path, "--dataset", "rare.npz", "--folds", "5"), "5 folds", "got 3 of '1'", "fewer")
    assert [path.name for path in tmp_path.iterdir()] == ["rare.npz"]


REFUSED_COMMANDS = {
    "configuration with a long name": (["train", "--config", 300 * "a"], ["config must be a YAML file", "use one of:"]),
    "model of no registry": (
        ["rollback", "--name", "../a"],
        ["name must be printable text without '/' and ':'", "'../a'"],
    ),
    "model whose name is longer than a file's": (
        ["rollback", "--name", 101 * "ä"],
        ["name must have at most 200 bytes"],
    ),
    "model with a name of no characters": (["predict", "--name", "a\x01", "--input", "."], ["name must be printable"]),
    "no pictures": (
        ["predict", "--name", "a", "--input", "none.jpg"],
        ["input must be an image file or a folder of them in '", "got 'none.jpg'; change --input"],
    ),
    "predictions into a file": (
        ["predict", "--name", "a", "--input", ".", "--output", "/dev/null"],
        ["output must be a folder, or the path of a new one, got '/dev/null'; change --output"],
    ),
}


@pytest.mark.parametrize(("words", "parts"), REFUSED_COMMANDS.values(), ids=REFUSED_COMMANDS)
def test_unusable_option_of_another_command_is_refused_and_writes_nothing(
    words: list[str], parts: list[str], tmp_path: Path
) -> None:
    assert_refused(run(tmp_path, *words), *parts)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["search"], ["train", "--config", "tiny_8x8", "--dataset", "digits"]], ids="-".join)
def test_folder_that_cannot_be_written_is_refused_before_anything_is_trained(words: list[str]) -> None:
    done = run(Path("/proc"), *words)  # where root cannot make files either

    assert_refused(done, "the folder '/proc' must be one that can be written", "another folder, or set MLFLOW_TRACKING")


@pytest.mark.parametrize("spelling", ["--timeout_minutes", "--timeout-minutes"])
def test_option_is_understood_with_underscores_and_with_hyphens(spelling: str, tmp_path: Path) -> None:
    assert_refused(run_search(tmp_path, spelling, "-3"), "timeout_minutes", "greater than 0")


@pytest.mark.parametrize("word", ["none", "auto"])
def test_open_value_reads_as_if_the_option_were_left_out(word: str, tmp_path: Path) -> None:
    open_options = ("timeout_minutes", "epochs", "folds", "workers", "space", "study", "storage", "data_dir")
    options = [part for name in open_options for part in (f"--{name}", word)]
    assert_refused(run_search(tmp_path, *options, "--sampler", "grid"), "digits.yaml", "learning_rate")
