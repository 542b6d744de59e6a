"""Which models of a study are kept, in a real tracking store: trials with models of so many bytes, but no trainings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from workplace import Workplace, enter

from pipeline.settings import SearchSettings, make_settings
from pipeline.study.fits import FINAL, RUNG, VALUE
from pipeline.study.kept_models import KeptModels
from pipeline.study.trial_attributes import RUN_ID
from pipeline.tracking.store import TrackingStore
from pipeline.training.metric import get_metric

KB = 1000


@dataclass
class Study:
    """A study in memory, whose trials have runs and models in the store of ``place``."""

    place: Workplace
    lines: list[str] = field(default_factory=list)
    optuna: optuna.Study = field(default_factory=lambda: optuna.create_study(direction="maximize"))

    @property
    def client(self) -> MlflowClient:
        return self.place.client

    def kept(self, **settings: object) -> KeptModels:
        made = make_settings(SearchSettings, data_dir=self.place.folder, **settings)
        store = TrackingStore(self.place.uri)
        return KeptModels(self.optuna, store, made, get_metric("val_accuracy"), self.lines.append)

    def end_trial(self, models: KeptModels, value: float, *, kb: int = 10, **attributes: object) -> str:
        """End a trial as a worker and its coordinator would; return its run."""
        trial, run_id = self.start_trial(**attributes)
        if models.keeps(trial.number, value):
            self.log_model(run_id, kb)
        trial.set_user_attr(VALUE, value)
        self.optuna.tell(trial, value)
        models.settle(trial.number)
        return run_id

    def start_trial(self, **attributes: object) -> tuple[optuna.Trial, str]:
        trial, run = self.optuna.ask(), self.client.create_run("0")
        for name, attribute in {RUN_ID: run.info.run_id, **attributes}.items():
            trial.set_user_attr(name, attribute)
        return trial, run.info.run_id

    def log_model(self, run_id: str, kb: int = 10) -> str:
        model_id = str(self.client.create_logged_model("0", name="model", source_run_id=run_id).model_id)
        folder = self.place.folder / "made" / "data"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.keras").write_bytes(bytes(kb * KB))
        self.client.log_model_artifacts(model_id, str(folder.parent))
        return model_id

    def runs_with_model(self) -> set[str]:
        return {str(model.source_run_id) for model in self.client.search_logged_models(["0"])}

    def kb_of_files(self) -> float:
        return sum(path.stat().st_size for path in (self.place.folder / "mlruns").rglob("*.keras")) / KB


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Study(enter(monkeypatch, tmp_path))


def test_the_n_best_models_are_kept_and_the_files_of_others_are_gone(study: Study) -> None:
    models = study.kept(keep_models="2")
    runs = [study.end_trial(models, value) for value in (0.5, 0.9, 0.4, 0.7, 0.8)]

    assert study.runs_with_model() == {runs[1], runs[4]}
    assert study.kb_of_files() == 20
    tags = [study.client.get_run(run_id).data.tags.get("pipeline.model") for run_id in runs]
    assert tags == ["removed", None, None, "removed", None]  # the third was never logged
    assert study.lines == []


def test_later_command_knows_the_models_of_earlier_ones(study: Study) -> None:
    earlier = study.kept(keep_models="all")
    runs = [study.end_trial(earlier, value) for value in (0.5, 0.9, 0.4)]
    assert study.runs_with_model() == set(runs)

    study.end_trial(study.kept(keep_models="1"), 0.3)

    assert study.runs_with_model() == {runs[1]}


def test_registered_model_and_that_of_a_completed_final_training_are_never_removed(study: Study) -> None:
    models = study.kept(keep_models="1")
    registered = study.end_trial(models, 0.1)
    (model,) = study.client.search_logged_models(["0"])
    study.client.create_registered_model("mine")
    study.client.create_model_version("mine", f"models:/{model.model_id}", model_id=model.model_id)
    final = study.end_trial(models, 0.2, **{RUNG: FINAL})

    best = [study.end_trial(models, value) for value in (0.8, 0.9)][-1]

    assert study.runs_with_model() == {registered, final, best}


def test_worst_models_make_room_on_the_disk_before_the_next_is_logged(study: Study) -> None:
    models = study.kept(max_disk_gb=35e-6)
    runs = [study.end_trial(models, value) for value in (0.5, 0.4, 0.7)]
    assert study.runs_with_model() == set(runs)

    trial, _ = study.start_trial()
    assert models.keeps(trial.number, 0.6)

    assert study.runs_with_model() == {runs[0], runs[2]}
    assert study.lines == [
        "models, checkpoints and caches of the study fill max_disk_gb, 3.5e-05 GB: the models of the worst trials are "
        "removed"
    ]


def test_model_without_room_is_not_logged_and_the_best_stays(study: Study) -> None:
    models = study.kept(max_disk_gb=15e-6)
    best = study.end_trial(models, 0.5)
    study.end_trial(models, 0.4)
    study.end_trial(models, 0.3)
    assert study.runs_with_model() == {best}
    assert [line.rpartition(": ")[2] for line in study.lines] == ["models of worse trials are not kept"]

    better = study.end_trial(models, 0.6)

    assert study.runs_with_model() == {better}


def test_model_that_is_larger_than_expected_goes_after_it_was_logged(study: Study) -> None:
    models = study.kept(max_disk_gb=35e-6)
    first = study.end_trial(models, 0.5)
    study.end_trial(models, 0.4, kb=100)
    assert study.runs_with_model() == {first}


def test_checkpoints_of_the_study_and_caches_that_it_uses_count(study: Study, tmp_path: Path) -> None:
    models = study.kept(max_disk_gb=35e-6)
    _, waiting = study.start_trial()
    checkpoints = TrackingStore(study.place.uri).checkpoints
    checkpoints.mkdir(parents=True)
    (checkpoints / f"{waiting}-1.npz").write_bytes(bytes(10 * KB))
    (checkpoints / "another-1.npz").write_bytes(bytes(1000 * KB))
    features = tmp_path / "cache" / "knobsearch" / "features"
    features.mkdir(parents=True)
    (features / "vgg16.npy").write_bytes(bytes(10 * KB))

    runs = [study.end_trial(models, value) for value in (0.5, 0.6)]

    assert study.runs_with_model() == {runs[1]}


def test_store_that_fails_ends_no_search_and_the_next_trial_tries_again(study: Study) -> None:
    models = study.kept(keep_models="1")
    runs = [study.end_trial(models, 0.5)]
    store, models.store = models.store, TrackingStore("nosql://nowhere")
    runs.append(study.end_trial(models, 0.6))

    assert study.runs_with_model() == set(runs)
    assert [line.partition(":")[0] for line in study.lines] == ["models that are too many stay for now"]
    models.store = store
    study.end_trial(models, 0.4)
    assert study.runs_with_model() == {runs[1]}


def test_nothing_is_asked_of_a_server_that_is_away(study: Study) -> None:
    models = study.kept(keep_models="1")
    models.store = TrackingStore("http://127.0.0.1:9")
    models.store.outbox.say = study.lines.append

    study.end_trial(models, 0.5)
    study.end_trial(models, 0.4)

    assert len(study.runs_with_model()) == 2
    assert [line[:41] for line in study.lines] == ["the tracking server http://127.0.0.1:9 do"]
