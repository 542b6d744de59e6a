"""Competitors of the search benchmark: what they search, how they train, and what is left of them."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.competitors import one_epoch, optuna_tpe
from benchmarks.competitors.answer import find_answer
from benchmarks.competitors.keras_network import build_network, check_knobs
from benchmarks.competitors.progress import BudgetOver, Progress, hold_weights, n_trainings, read_lines
from benchmarks.competitors.registry import COMPETITORS
from benchmarks.competitors.spaces import BAD_KNOBS, documents_space_with, read_prior, write_bad_space
from benchmarks.competitors.sweep import configurations
from benchmarks.competitors.task import Task
from benchmarks.contest import run_task
from benchmarks.reduced import averaged
from pipeline.data.named import load_named
from pipeline.data.scaling import Scaling
from pipeline.knobs.reader import read_space
from pipeline.knobs.table import complete
from pipeline.model.architecture import make_architecture
from pipeline.model.network import build_network as build_our_network
from pipeline.paths import SPACES_DIR

SPACE = SPACES_DIR / "cifar10.yaml"


@pytest.fixture(scope="session")
def digits_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    train, test = (load_named("digits", path.parent, part=part) for part in ("train", "test"))
    np.savez(path, x_train=train.images, y_train=train.labels, x_test=test.images, y_test=test.labels)
    return path


def task_of(competitor: str, digits_file: Path, folder: Path, *, seconds: float) -> Task:
    folder.mkdir(exist_ok=True)
    return Task(competitor, str(digits_file), str(SPACE), 0, seconds / 60, str(folder), "float32", start=time.time())


def test_averaging_halves_the_sides() -> None:
    images = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    assert averaged(images, 2)[0, :, :, 0].tolist() == [[2, 4], [10, 12]]  # 2.5, 4.5, ... to the even number


def test_peers_with_our_prior_try_it_first_and_search_around_it() -> None:
    prior = read_prior(SPACE)
    space = documents_space_with(prior)
    (first,) = space.first_trials
    assert complete({**first}) == prior
    assert all(space.domain(name).holds(value) for name, value in first.items())
    assert {"head", "learning_rate_schedule", "augmentation"} <= set(space.searched)


def test_bad_prior_is_the_first_configuration_of_a_space_that_can_be_read(tmp_path: Path) -> None:
    path = write_bad_space(SPACE, tmp_path / "bad.yaml")
    prior = read_prior(path)
    assert {name: prior[name] for name in BAD_KNOBS} == BAD_KNOBS
    assert read_space(path).domain("blocks").holds(read_prior(SPACE)["blocks"])


@pytest.mark.slow
@pytest.mark.parametrize("knobs", [*configurations(), read_prior(SPACE)], ids=lambda knobs: str(len(knobs)))
def test_network_of_the_peers_has_the_parameters_of_ours(knobs: dict) -> None:  # type: ignore[type-arg]
    scaling = Scaling((1 / 255,) * 3, (0.0,) * 3)
    architecture = make_architecture(knobs, input_shape=(32, 32, 3), n_classes=10, pixel_scaling=scaling)
    theirs = build_network(knobs, input_shape=(32, 32, 3), n_classes=10)
    assert theirs.count_params() == build_our_network(architecture).count_params()


def test_sweep_starts_with_the_network_of_the_document() -> None:
    assert build_network(configurations()[0], input_shape=(32, 32, 3), n_classes=10).count_params() == 2_207_242


def test_knobs_that_the_peers_cannot_express_are_refused() -> None:
    with pytest.raises(ValueError, match="backbone"):
        check_knobs(complete({"backbone": "VGG16"}))


def test_what_ends_after_the_deadline_does_not_count(digits_file: Path, tmp_path: Path) -> None:
    progress = Progress(task_of("optuna", digits_file, tmp_path, seconds=60))
    progress.begin_training({"blocks": 2})
    progress.end_epoch(1, 0.5, lambda: None)
    late = Progress.of(task_of("optuna", digits_file, tmp_path, seconds=0))
    with pytest.raises(BudgetOver):
        late.end_epoch(2, 0.9, pytest.fail)
    assert (late.best, late.n_trainings) == (0.5, 1)


def test_only_a_better_epoch_is_held(digits_file: Path, tmp_path: Path) -> None:
    progress, held = Progress(task_of("optuna", digits_file, tmp_path, seconds=60)), list[float]()
    for epoch, value in enumerate([0.5, 0.4, 0.6], start=1):
        progress.end_epoch(epoch, value, lambda value=value: held.append(value))
    assert held == [0.5, 0.6]


def test_line_that_a_kill_cut_off_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "progress.jsonl").write_text('{"training": 1}\n{"train')
    assert read_lines(tmp_path / "progress.jsonl") == [{"training": 1}]


def test_held_weights_answer_for_test_images(digits_file: Path, tmp_path: Path) -> None:
    task, knobs = task_of("optuna", digits_file, tmp_path, seconds=60), complete({"blocks": 1, "filters": 4})
    network = build_network(knobs, input_shape=(8, 8, 1), n_classes=10)
    hold_weights(task.held_file, knobs, 0.25, network.get_weights())
    images = task.test_images()
    expected = network.predict(np.asarray(images.images), verbose=0).argmax(axis=1) == images.labels
    answer = find_answer(task)
    assert (answer.val_accuracy, answer.knobs) == (0.25, knobs)
    assert answer.test_accuracy == pytest.approx(expected.mean())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "module"), [("optuna", optuna_tpe), ("one_epoch", one_epoch)])
def test_peer_trains_until_its_budget_is_over(name: str, module: object, digits_file: Path, tmp_path: Path) -> None:
    task = replace(task_of(name, digits_file, tmp_path, seconds=600), most_epochs=2)
    with pytest.raises(BudgetOver):
        module.run(task)  # type: ignore[attr-defined]
    lines = read_lines(task.progress_file)
    answer = find_answer(task)
    assert (n_trainings(lines) >= 1, sum("epoch" in line for line in lines)) == (True, 2)
    assert answer.val_accuracy == max(line["best"] for line in lines if "best" in line)
    assert answer.test_accuracy is not None


@pytest.mark.slow
def test_competitor_that_hangs_is_killed_and_counts_what_it_held(
    digits_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that hangs is ``sleep``; it holds what an earlier process of the same task had left."""
    task = replace(task_of("optuna", digits_file, tmp_path / "task", seconds=1), least_grace_seconds=0.5)
    start = subprocess.Popen

    def hang(command: list[str], **others: object) -> subprocess.Popen[bytes]:
        if command[3] == "run":
            knobs = complete({"blocks": 1, "filters": 4})
            network = build_network(knobs, input_shape=(8, 8, 1), n_classes=10)
            hold_weights(task.held_file, knobs, 0.25, network.get_weights())
            return start(["sleep", "60"], **others)  # type: ignore[call-overload,no-any-return]
        return start(command, **others)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(subprocess, "Popen", hang)
    result = run_task(task)
    assert result["was_killed"]
    assert result["val_accuracy"] == 0.25
    assert result["test_accuracy"] is not None
    assert json.loads(task.result_file.read_text()) == result


def test_every_peer_competes_with_and_without_our_prior() -> None:
    peers = {name for name, one in COMPETITORS.items() if one.is_peer and not one.has_prior}
    assert {name for name, one in COMPETITORS.items() if one.has_prior} == {f"{name}+prior" for name in peers}
