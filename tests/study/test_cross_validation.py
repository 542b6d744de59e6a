"""Searches in which every trial is cross-validated."""

from __future__ import annotations

import io
from statistics import fmean, stdev

import mlflow
import numpy as np
import optuna
import pandas as pd
import pytest
from workplace import Workplace, enter

from pipeline.data.source import TrainingData, load_training_data
from pipeline.errors import SettingError
from pipeline.settings import DataSettings
from pipeline.study.preparation import prepare
from pipeline.study.search import open_study
from pipeline.study.storage import open_storage
from pipeline.workers import pool
from pipeline.workers.events import BatchEnd, Event, FoldEnd, Ready, Started

N_FOLDS, N_EPOCHS = 4, 2
SPACE = """
knobs: {blocks: 1, filters: 16, batch_size: 32, learning_rate: {choices: [0.02, 1.0e-7]}, epochs: 2}
first_trials:
  - {learning_rate: 0.02}
  - {learning_rate: 1.0e-7}
"""
ONE_EPOCH_SPACE = "knobs: {blocks: 1, filters: {choices: [4, 8]}, batch_size: 256, epochs: 1}\n"
GOOD, HOPELESS = 0, 1


@pytest.fixture(scope="module")
def validated(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Return the folder of a study whose first trial is good in all folds, and whose second learns nothing."""
    with pytest.MonkeyPatch.context() as patch:
        place = enter(patch, tmp_path_factory.mktemp("validated"))
        patch.setattr(pool, "TRAININGS_PER_WORKER", N_FOLDS)
        (place.folder / "tiny.yaml").write_text(SPACE)
        place.search(trials=2, folds=N_FOLDS, keep_models="best")
    return place


@pytest.fixture
def in_validated(validated: Workplace, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    return enter(monkeypatch, validated.folder)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return load_training_data(DataSettings(dataset="digits", folds=N_FOLDS))


def trials_of(place: Workplace) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="tiny", storage=open_storage(str(place.places.journal))).get_trials()


def history(place: Workplace, trial: int, metric: str) -> list[tuple[int, float]]:
    run = place.runs("trial")[trial]
    return [(point.step, point.value) for point in place.client.get_metric_history(run.info.run_id, metric)]


def best_values(place: Workplace, trial: int, n_folds: int) -> list[float]:
    names = [f"fold_{fold}_val_accuracy" for fold in range(1, n_folds + 1)]
    return [max(value for _, value in history(place, trial, name)) for name in names]


def table_of(place: Workplace, trial: int, artifact: str) -> pd.DataFrame:
    run = place.runs("trial")[trial]
    return pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{artifact}")), index_col=0)


@pytest.mark.slow
def test_value_of_a_trial_is_the_mean_over_its_folds(validated: Workplace) -> None:
    bests = best_values(validated, GOOD, N_FOLDS)
    metrics = validated.runs("trial")[GOOD].data.metrics
    trial = trials_of(validated)[GOOD]
    assert trial.value == pytest.approx(fmean(bests))
    assert list(trial.intermediate_values) == [1, 2, 3, 4]
    assert list(trial.intermediate_values.values()) == pytest.approx(bests)
    assert metrics["best_val_accuracy"] == trial.value
    assert metrics["best_val_accuracy_sd"] == pytest.approx(stdev(bests))
    assert metrics["n_folds"] == N_FOLDS


@pytest.mark.slow
def test_hopeless_trial_is_pruned_before_its_last_fold(validated: Workplace) -> None:
    run = validated.runs("trial")[HOPELESS]
    assert (run.data.tags["pipeline.state"], run.info.status) == ("PRUNED", "KILLED")
    assert "of the first 3 folds is worse" in run.data.tags["pipeline.reason"]
    assert list(trials_of(validated)[HOPELESS].intermediate_values) == [1, 2, 3]
    assert "fold_4_val_accuracy" not in run.data.metrics
    assert run.data.metrics["n_folds"] == 3


@pytest.mark.slow
def test_folds_have_curves_of_their_own_and_the_plain_ones_are_their_mean(validated: Workplace) -> None:
    folds = [history(validated, GOOD, f"fold_{fold}_val_loss") for fold in range(1, N_FOLDS + 1)]
    assert [[step for step, _ in fold] for fold in folds] == [[1, 2]] * N_FOLDS
    means = [(step, fmean(fold[step - 1][1] for fold in folds)) for step in (1, 2)]
    assert history(validated, GOOD, "val_loss") == [(step, pytest.approx(mean)) for step, mean in means]
    assert [step for step, _ in history(validated, GOOD, "learning_rate")] == [1, 2]
    assert [step for step, _ in history(validated, HOPELESS, "val_accuracy")] == [1, 2]
    assert "fold_1_learning_rate" not in validated.runs("trial")[GOOD].data.metrics


@pytest.mark.slow
def test_every_training_image_is_judged_once_by_a_network_that_did_not_see_it(
    in_validated: Workplace, data: TrainingData
) -> None:
    confusion = table_of(in_validated, GOOD, "confusion_matrix.csv")
    counts = np.bincount(data.images.labels)
    assert confusion.sum(axis=1).tolist() == counts.tolist()
    sizes = [len(part.validation) for part in data.folds]
    right = np.average(best_values(in_validated, GOOD, N_FOLDS), weights=sizes)
    assert np.trace(confusion.to_numpy()) == pytest.approx(right * counts.sum(), abs=0.5)


@pytest.mark.slow
def test_pruned_trial_is_judged_on_the_images_of_its_finished_folds(
    in_validated: Workplace, data: TrainingData
) -> None:
    n_images = sum(len(part.validation) for part in data.folds[:3])
    assert table_of(in_validated, HOPELESS, "confusion_matrix.csv").to_numpy().sum() == n_images


@pytest.mark.slow
def test_model_is_that_of_the_best_fold_and_says_so(in_validated: Workplace, data: TrainingData) -> None:
    run = in_validated.runs("trial")[GOOD]
    (model,) = in_validated.client.search_logged_models([run.info.experiment_id])
    bests = best_values(in_validated, GOOD, N_FOLDS)
    fold = bests.index(max(bests)) + 1
    metadata = mlflow.models.get_model_info(model.model_uri).metadata
    assert model.source_run_id == run.info.run_id
    assert (metadata["fold"], metadata["n_folds"]) == (fold, N_FOLDS)
    network = mlflow.keras.load_model(model.model_uri)
    unseen = list(data.splits(0))[fold - 1].validation
    accuracy = (np.asarray(network(unseen.images)).argmax(axis=1) == unseen.labels).mean()
    assert accuracy == pytest.approx(max(bests), abs=1e-4)


@pytest.mark.slow
def test_runs_are_tagged_with_the_folds_and_not_with_the_single_split(validated: Workplace, data: TrainingData) -> None:
    tags = {run.data.tags["pipeline.split_digest"] for kind in ("study", "trial") for run in validated.runs(kind)}
    assert tags == {data.split_digest}
    assert data.split_digest != load_training_data(DataSettings(dataset="digits")).split_digest


@pytest.mark.slow
def test_leaderboard_has_the_spread_over_the_folds(in_validated: Workplace) -> None:
    board = in_validated.search(trials=2, folds=N_FOLDS).leaderboard
    assert board["n_folds"].tolist() == [4, 3]
    assert board["best_val_accuracy_sd"].notna().all()


@pytest.mark.slow
def test_progress_counts_the_epochs_of_all_folds(validated: Workplace) -> None:
    started = [(event.n_epochs, event.n_folds) for event in validated.events if isinstance(event, Started)]
    batches = [event for event in validated.events if isinstance(event, BatchEnd) and event.number == GOOD]
    places = [(event.fold, event.epoch) for event in batches]
    assert started == [(N_EPOCHS, N_FOLDS)] * 2
    assert places == sorted(places)
    assert places[-1][0] == N_FOLDS


@pytest.mark.slow
def test_each_fold_counts_for_the_replacement_of_a_worker(validated: Workplace) -> None:
    assert sum(isinstance(event, Ready) for event in validated.events) == 2


@pytest.mark.slow
def test_trial_interrupted_in_a_later_fold_waits_and_goes_on_where_it_was(workplace: Workplace) -> None:
    (workplace.folder / "tiny.yaml").write_text(ONE_EPOCH_SPACE)

    def press_ctrl_c(event: Event) -> None:
        if isinstance(event, FoldEnd) and event.fold == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workplace.search(trials=1, folds=6, keep_models="none", show=press_ctrl_c)
    (waiting,) = trials_of(workplace)
    assert waiting.state.name == "WAITING"
    (run,) = workplace.runs("trial")
    assert run.info.status == "SCHEDULED"
    assert run.data.tags["pipeline.reason"].startswith("interrupted")
    assert workplace.n_running() == 0

    workplace.search(trials=1, folds=6, keep_models="none")
    (complete,) = trials_of(workplace)
    assert (complete.state.name, complete.params) == ("COMPLETE", waiting.params)
    assert list(complete.intermediate_values) == [1, 2, 3, 4, 5, 6]
    (again,) = workplace.runs("trial")
    assert again.info.run_id == run.info.run_id
    for fold in range(1, 7):
        assert [step for step, _ in history(workplace, 0, f"fold_{fold}_val_accuracy")] == [1]


@pytest.mark.parametrize("folds", [None, 4], ids=["none", "others"])
def test_study_does_not_go_on_with_other_folds(folds: int | None, workplace: Workplace) -> None:
    workplace.places.folder.mkdir(parents=True)
    open_study(str(workplace.places.journal), prepare(workplace.settings(folds=3)), print)
    before = workplace.files()
    with pytest.raises(SettingError, match=r"but folds of study 'tiny' changed; .*--study"):
        workplace.search(trials=9, folds=folds)
    assert workplace.files() == before


@pytest.mark.parametrize(("folds", "pruner"), [(None, "successive_halving"), (5, "wilcoxon")])
def test_open_pruner_follows_from_the_folds(folds: int | None, pruner: str, workplace: Workplace) -> None:
    settings = workplace.settings(folds=folds, pruner="auto")
    assert settings.pruner == settings.as_parameters()["pruner"] == pruner
    assert workplace.settings(folds=folds, pruner="none").pruner == "none"
