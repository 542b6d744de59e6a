"""A whole search over a folder of photographs, from the command line to the runs that it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from workplace import write_photographs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which a search over 40 photographs, two of them copies, was run."""
    folder = tmp_path_factory.mktemp("user")
    write_photographs(folder / "photos", n_of_each=19, suffix=".jpg")
    for name in ("day", "night"):
        (folder / "photos" / name / "copy.jpg").write_bytes((folder / "photos" / name / "0.jpg").read_bytes())
    hidden = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["XDG_CACHE_HOME"] = str(folder / "cache")
    command = [
        *(sys.executable, "-m", "pipeline", "search", "--dataset", "photos", "--trials", "2", "--epochs", "2"),
        *("--image-size", "24", "--workers", "2"),
    ]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_trials_are_trained_on_squares_of_the_size_asked_for(folder: Path) -> None:
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    (experiment,) = [one for one in client.search_experiments() if one.name == "photos"]
    runs = client.search_runs([experiment.experiment_id], "tags.`pipeline.kind` = 'trial'")

    assert {run.info.status for run in runs} <= {"FINISHED", "KILLED"}
    assert {run.data.params["image_size"] for run in runs} == {"24"}
    assert "flips_and_shifts" in {run.data.params["augmentation"] for run in runs}  # of the photographs' own space
    assert {path.name for path in (folder / "cache").rglob("*.npy")} == {"pixels-24.npy", "scan.npy"}


def test_study_tells_what_was_found_in_the_folder(folder: Path) -> None:
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    (experiment,) = [one for one in client.search_experiments() if one.name == "photos"]
    (run,) = client.search_runs([experiment.experiment_id], "tags.`pipeline.kind` = 'study'")
    (data,) = run.inputs.dataset_inputs
    profile = json.loads(data.dataset.profile)

    assert data.dataset.name == "photos"
    assert json.loads(data.dataset.source)["uri"].endswith("photos")
    assert profile["class_names"] == ["day", "night"]
    assert profile["n_train"] + profile["n_validation"] + profile["n_sealed"] == profile["n_files"] == 40
    assert (profile["n_duplicate_groups"], profile["n_duplicate_files"]) == (2, 4)
