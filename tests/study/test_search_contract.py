"""What a finished search leaves in the tracking store, by the names that people and scripts rely on."""

from __future__ import annotations

import io
import json

import mlflow
import mlflow.keras
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import LoggedModel, Run
from workplace import Workplace

from pipeline.data.source import Split, load_training_data
from pipeline.knobs.table import KNOBS
from pipeline.settings import DataSettings
from pipeline.workers.events import Ended, Started

pytestmark = pytest.mark.slow

EPOCH_METRICS = {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "epoch_seconds"}
SINGLE_METRICS = {"best_val_accuracy", "best_epoch", "n_parameters", "train_seconds", "images_per_second"}
ARTIFACTS = {
    "curves.png",
    "confusion_matrix.png",
    "confusion_matrix.csv",
    "classification_report.csv",
    "misclassified.png",
    "architecture.txt",
}
GOOD, HOPELESS, DIVERGED = 0, 1, 2


def artifacts(place: Workplace, run: Run) -> set[str]:
    return {item.path for item in place.client.list_artifacts(run.info.run_id)}


def model_of(place: Workplace, run: Run) -> LoggedModel:
    models = place.client.search_logged_models([run.info.experiment_id])
    (model,) = [model for model in models if model.source_run_id == run.info.run_id]
    return model


@pytest.fixture(autouse=True)
def _user_stands_in_the_folder(in_finished: Workplace) -> None:
    """MLflow's own functions find the store as a user's would."""


def test_every_trial_has_a_run_named_after_it_under_the_study_run(finished: Workplace) -> None:
    (study_run,) = finished.runs("study")
    runs = finished.runs("trial")
    assert [run.info.run_name for run in runs] == ["trial-0000", "trial-0001", "trial-0002", "trial-0003"]
    assert {run.data.tags["mlflow.parentRunId"] for run in runs} == {study_run.info.run_id}
    assert [run.data.tags["pipeline.trial"] for run in runs] == ["0", "1", "2", "3"]
    assert {run.data.tags["pipeline.study"] for run in [study_run, *runs]} == {"tiny"}


def test_complete_trial_ends_its_run_as_finished(finished: Workplace) -> None:
    run = finished.runs("trial")[GOOD]
    assert (run.data.tags["pipeline.state"], run.info.status) == ("COMPLETE", "FINISHED")
    assert "pipeline.reason" not in run.data.tags


def test_pruned_trial_ends_its_run_as_killed_and_says_why(finished: Workplace) -> None:
    run = finished.runs("trial")[HOPELESS]
    assert (run.data.tags["pipeline.state"], run.info.status) == ("PRUNED", "KILLED")
    assert "val_accuracy" in run.data.tags["pipeline.reason"]
    assert "after epoch 1" in run.data.tags["pipeline.reason"]


def test_diverged_trial_is_pruned_and_says_so(finished: Workplace) -> None:
    run = finished.runs("trial")[DIVERGED]
    assert (run.data.tags["pipeline.state"], run.info.status) == ("PRUNED", "KILLED")
    assert "diverged" in run.data.tags["pipeline.reason"]
    assert "loss became" in run.data.tags["pipeline.reason"]


def test_no_run_is_left_running(finished: Workplace) -> None:
    assert finished.n_running() == 0


def test_first_trials_of_the_space_run_first(finished: Workplace) -> None:
    rates = [float(run.data.params["learning_rate"]) for run in finished.runs("trial")]
    assert rates[:3] == [0.05, 1e-6, 10.0]
    assert rates[3] not in rates[:3]


def test_parameters_of_a_trial_are_all_knobs(finished: Workplace) -> None:
    for run in finished.runs("trial"):
        assert set(run.data.params) == set(KNOBS)
    assert finished.runs("trial")[GOOD].data.params["optimizer"] == "sgd"


@pytest.mark.parametrize("metric", sorted(EPOCH_METRICS))
def test_every_epoch_is_logged_with_its_number_from_1(finished: Workplace, metric: str) -> None:
    good, hopeless = finished.runs("trial")[:2]
    history = [finished.client.get_metric_history(run.info.run_id, metric) for run in (good, hopeless)]
    assert [[point.step for point in points] for points in history] == [[1, 2], [1]]


def test_single_metrics_name_the_best_epoch(finished: Workplace) -> None:
    run = finished.runs("trial")[GOOD]
    accuracies = finished.client.get_metric_history(run.info.run_id, "val_accuracy")
    assert set(run.data.metrics) >= SINGLE_METRICS
    assert run.data.metrics["best_val_accuracy"] == max(point.value for point in accuracies)
    assert run.data.metrics["best_epoch"] == max(accuracies, key=lambda point: point.value).step


def test_latency_is_not_measured_unasked(finished: Workplace) -> None:
    assert [run for run in finished.runs("trial") if "latency_ms" in run.data.metrics] == []


def test_trial_that_trained_an_epoch_has_figures_and_tables_even_if_pruned(finished: Workplace) -> None:
    good, hopeless = finished.runs("trial")[:2]
    assert artifacts(finished, good) >= ARTIFACTS
    assert artifacts(finished, hopeless) >= ARTIFACTS


def test_trial_that_trained_no_epoch_has_no_figures(finished: Workplace) -> None:
    diverged = finished.runs("trial")[DIVERGED]
    assert not artifacts(finished, diverged) & ARTIFACTS
    assert "val_accuracy" not in diverged.data.metrics


def test_dataset_is_the_input_of_the_study_run(finished: Workplace, digits: Split) -> None:
    (study_run,) = finished.runs("study")
    (entry,) = study_run.inputs.dataset_inputs
    profile = json.loads(entry.dataset.profile)
    assert entry.dataset.name == "digits"
    data = load_training_data(DataSettings(dataset="digits"))
    assert data.images.digest.startswith(entry.dataset.digest)
    assert study_run.data.tags["pipeline.split_digest"] == data.split_digest
    assert profile["class_names"] == [str(digit) for digit in range(10)]
    assert (profile["n_train"], profile["n_validation"]) == (len(digits.train.labels), len(digits.validation.labels))


def test_model_takes_any_number_of_images_and_names_its_classes(finished: Workplace) -> None:
    model = model_of(finished, finished.runs("trial")[GOOD])
    info = mlflow.models.get_model_info(model.model_uri)
    assert model.name == "model"
    assert info.signature.inputs.inputs[0].shape == (-1, 8, 8, 1)
    assert info.signature.outputs.inputs[0].shape == (-1, 10)
    assert info.metadata["class_names"] == [str(digit) for digit in range(10)]


def test_model_names_tensorflow_and_keras_as_requirements(finished: Workplace) -> None:
    model = model_of(finished, finished.runs("trial")[GOOD])
    listed = mlflow.artifacts.load_text(f"{model.artifact_location}/requirements.txt").splitlines()
    assert {line.split("==")[0] for line in listed} >= {"tensorflow", "keras"}
    assert not [line for line in listed if line.startswith("tensorflow-cpu") or "==" not in line]


def test_loaded_model_repeats_the_logged_accuracy_on_raw_pixels(finished: Workplace, digits: Split) -> None:
    run = finished.runs("trial")[GOOD]
    network = mlflow.keras.load_model(model_of(finished, run).model_uri)
    assert digits.validation.images.dtype == np.uint8
    probabilities = np.asarray(network(digits.validation.images))
    accuracy = (probabilities.argmax(axis=1) == digits.validation.labels).mean()
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(probabilities)), abs=1e-5)
    assert accuracy == pytest.approx(run.data.metrics["best_val_accuracy"], abs=1e-4)


def test_study_run_counts_its_trials_and_knows_the_best(finished: Workplace) -> None:
    (study_run,) = finished.runs("study")
    states = [run.data.tags["pipeline.state"] for run in finished.runs("trial")]
    best = max(run.data.metrics.get("best_val_accuracy", 0.0) for run in finished.runs("trial"))
    steps = [point.step for point in finished.client.get_metric_history(study_run.info.run_id, "best_val_accuracy")]
    assert study_run.info.status == "FINISHED"
    assert study_run.data.metrics["n_complete"] == states.count("COMPLETE")
    assert study_run.data.metrics["n_pruned"] == states.count("PRUNED") >= 2
    assert study_run.data.metrics["n_failed"] == 0
    assert study_run.data.metrics["best_val_accuracy"] == best
    assert sorted(set(steps)) == [1, 2, 3, 4]


def test_study_run_has_the_settings_as_parameters(finished: Workplace) -> None:
    params = finished.runs("study")[0].data.params
    assert (params["dataset"], params["trials"], params["seed"], params["workers"]) == ("digits", "4", "0", "auto")
    assert (params["timeout_minutes"], params["sampler"]) == ("none", "tpe")


def test_leaderboard_artifact_ranks_all_trials(finished: Workplace) -> None:
    (study_run,) = finished.runs("study")
    text = mlflow.artifacts.load_text(f"{study_run.info.artifact_uri}/leaderboard.csv")
    board = pd.read_csv(io.StringIO(text))
    accuracies = board["best_val_accuracy"].dropna()
    assert list(board["rank"]) == [1, 2, 3, 4]
    assert sorted(board["run"]) == ["trial-0000", "trial-0001", "trial-0002", "trial-0003"]
    assert accuracies.is_monotonic_decreasing
    assert set(KNOBS) <= set(board.columns)


def test_events_tell_the_start_and_the_end_of_every_trial(finished: Workplace) -> None:
    started = [event.number for event in finished.events if isinstance(event, Started)]
    ended = [event.number for event in finished.events if isinstance(event, Ended)]
    assert started == ended == [0, 1, 2, 3]
