"""Hand-made, classical and repeated trainings on real digits, beside a study, on one leaderboard."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline.data.source import Split

pytestmark = pytest.mark.slow

SPACE = "knobs: {blocks: 1, filters: {choices: [4, 8]}, batch_size: 64, learning_rate: 0.01, epochs: 2}\n"
LONG = """
input_shape: [8, 8, 1]
training: {epochs: 100, batch_size: 16}
layers:
  - Flatten
  - Dense: {units: 10}
  - Softmax
"""
BROKEN = """
input_shape: [8, 8, 1]
training: {epochs: 1, batch_size: 256}
layers:
  - Conv2D: {filters: 4, kernel_size: 9}
  - Flatten
  - Dense: {units: 10}
  - Softmax
"""


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m pipeline`` in ``folder``, where the store is made."""
    hidden = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *words], cwd=folder, env=environment, capture_output=True, text=True,
        check=False, timeout=600,
    )  # fmt: skip


def client(folder: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


def runs(folder: Path, kind: str) -> list[Run]:
    experiments = [experiment.experiment_id for experiment in client(folder).search_experiments()]
    return list(client(folder).search_runs(experiments, f"tags.`pipeline.kind` = '{kind}'", order_by=["start_time"]))


def table(folder: Path, run: Run) -> pd.DataFrame:
    text = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/leaderboard.csv")
    return pd.read_csv(StringIO(text))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a study of one trial by its loss, and after it two baselines by their accuracy."""
    folder = tmp_path_factory.mktemp("baselines")
    (folder / "tiny.yaml").write_text(SPACE)
    searched = command(folder, "search", "--space", "tiny.yaml", "--trials", "1", "--metric", "val_loss")
    assert searched.returncode == 0, searched.stderr
    trained = command(folder, "baselines", "--dataset", "digits", "--names", "tiny_8x8,classical", "--epochs", "2")
    assert (trained.returncode, trained.stderr) == (0, "")
    (folder / "out.txt").write_text(trained.stdout)
    return folder


def test_baseline_runs_hold_what_trials_hold(place: Path) -> None:
    by_name = {run.data.tags["pipeline.baseline"]: run for run in runs(place, "baseline")}
    assert set(by_name) == {"tiny_8x8", "classical"}
    figures = {"best_val_accuracy", "best_epoch", "n_parameters", "train_seconds", "images_per_second", "val_loss"}
    for run in by_name.values():
        assert run.info.status == "FINISHED"
        assert figures <= set(run.data.metrics)
        listed = {file.path for file in client(place).list_artifacts(run.info.run_id)}
        assert {"confusion_matrix.png", "confusion_matrix.csv", "misclassified.png", "architecture.txt"} <= listed
    model_file = by_name["tiny_8x8"]
    assert model_file.data.metrics["n_parameters"] == 6349
    assert model_file.data.params["epochs"] == "2"
    assert "blocks" not in model_file.data.params, "the file lists the layers"
    history = client(place).get_metric_history(model_file.info.run_id, "val_accuracy")
    assert [point.step for point in history] == [1, 2]


def test_trials_and_baselines_stand_on_one_leaderboard_that_the_study_gets_by_its_own_metric(place: Path) -> None:
    (study,), (parent,) = runs(place, "study"), runs(place, "baselines")
    of_study, of_parent = table(place, study), table(place, parent)
    for board in (of_study, of_parent):
        assert sorted(board["run"]) == ["classical", "tiny_8x8", "trial-0000"]
    assert of_study["best_val_loss"].is_monotonic_increasing
    assert of_parent["best_val_accuracy"].is_monotonic_decreasing
    out = (place / "out.txt").read_text()
    assert "Leaderboard: 3 of 3" in out
    assert all(name in out for name in ("classical", "tiny_8x8", "trial-0000"))


def test_classical_model_is_logged_for_raw_pixels(place: Path, digits: Split) -> None:
    (run,) = [run for run in runs(place, "baseline") if run.info.run_name == "classical"]
    (output,) = run.outputs.model_outputs
    mlflow.set_tracking_uri(f"sqlite:///{place / 'mlflow.db'}")
    loaded = mlflow.pyfunc.load_model(f"models:/{output.model_id}")

    probabilities = loaded.predict(digits.validation.images.astype(np.float32))

    accuracy = (probabilities.argmax(axis=1) == digits.validation.labels).mean()
    assert accuracy == pytest.approx(run.data.metrics["best_val_accuracy"])


def test_what_has_been_trained_is_not_trained_again_and_another_seed_is(place: Path) -> None:
    before = len(runs(place, "baseline"))
    again = command(place, "baselines", "--names", "tiny_8x8,classical", "--epochs", "2")
    assert again.returncode == 0
    assert "Trained before on these images, with these settings: tiny_8x8, classical" in again.stdout
    assert len(runs(place, "baseline")) == before


def test_run_of_a_trial_is_repeated_to_the_digit(place: Path) -> None:
    (trial,) = runs(place, "trial")
    done = command(place, "train", "--config", trial.info.run_id, "--metric", "val_loss")
    assert (done.returncode, done.stderr) == (0, "")
    (repeat,) = runs(place, "repeat")
    assert repeat.data.tags["pipeline.repeat_of"] == trial.info.run_id
    for name in ("best_val_accuracy", "best_val_loss", "n_parameters"):
        assert repeat.data.metrics[name] == trial.data.metrics[name]
    assert "trial-0000-again" in done.stdout


def test_model_that_does_not_fit_its_images_fails_with_the_reason_and_leaves_no_run_open(place: Path) -> None:
    (place / "broken.yaml").write_text(BROKEN)
    done = command(place, "train", "--config", "broken.yaml", "--dataset", "digits")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Conv2D does not fit its input of shape (8, 8, 1)" in done.stderr
    assert [run.info.status for run in runs(place, "train")][-1] == "FAILED"
    assert not client(place).search_runs(
        [experiment.experiment_id for experiment in client(place).search_experiments()], "attributes.status = 'RUNNING'"
    )


def test_configuration_without_a_data_set_needs_one(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(BROKEN)
    done = command(tmp_path, "train", "--config", "mine.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: train needs a data set, and the configuration names none; give one with --dataset\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_hand_made_model_brings_its_data_set_and_is_refused_without_it(tmp_path: Path) -> None:
    done = command(tmp_path, "train", "--config", "weather_model_1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "got 'weather'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_training_of_a_killed_command_goes_on_in_its_run_and_nothing_is_left_running(tmp_path: Path) -> None:
    (tmp_path / "long.yaml").write_text(LONG)
    words = ("train", "--config", "long.yaml", "--dataset", "digits")
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", *words], cwd=tmp_path, stdout=subprocess.DEVNULL
    ) as killed:
        checkpoints = tmp_path / "mlruns" / "studies" / "checkpoints"
        for _ in range(1200):
            time.sleep(0.1)
            if list(checkpoints.glob("*.npz")):
                break
        killed.kill()
    (begun,) = runs(tmp_path, "baseline")
    assert {run.info.status for run in (begun, *runs(tmp_path, "train"))} == {"RUNNING"}

    done = command(tmp_path, *words)

    assert (done.returncode, done.stderr) == (0, "")
    (run,) = runs(tmp_path, "baseline")
    assert run.info.run_id == begun.info.run_id
    assert (run.info.status, run.data.tags["pipeline.deaths"]) == ("FINISHED", "1")
    steps = [point.step for point in client(tmp_path).get_metric_history(run.info.run_id, "val_accuracy")]
    assert steps == list(range(1, 101))
    assert [run.info.status for run in runs(tmp_path, "train")] == ["FAILED", "FINISHED"]
    assert list(checkpoints.iterdir()) == []
