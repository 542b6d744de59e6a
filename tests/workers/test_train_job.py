"""One job in one process: what is trained, what its run gets, and that it goes on exactly where it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from mlflow.entities import Run

from pipeline.data.cache import ArrayCache
from pipeline.data.image_source import make_array_source
from pipeline.data.source import Split, TrainingData, load_training_data
from pipeline.knobs.table import Knobs, complete
from pipeline.model.model_file import parse_model_file
from pipeline.settings import TrainingSettings
from pipeline.tracking.parent_run import ParentRun
from pipeline.tracking.recorded import read_training
from pipeline.tracking.store import TrackingStore
from pipeline.training.backbone_cache import BackboneCache
from pipeline.training.budget import Budget
from pipeline.training.configuration import Configuration, model_file_configuration
from pipeline.training.ending import Cause, Ending, State
from pipeline.training.metric import get_metric
from pipeline.workers.events import Ended, EpochEnd, Event, FoldEnd, Note, Report, Started, Verdict
from pipeline.workers.job import Job
from pipeline.workers.source import close_run, open_run
from pipeline.workers.train_job import Resources, train_job

KNOBS: Knobs = {
    "blocks": 1, "filters": 4, "batch_size": 64, "optimizer": "sgd", "learning_rate": 0.05, "epochs": 4,
    "learning_rate_schedule": "one_cycle", "augmentation": "shifts", "dropout_after_pool": 0.2,
}  # fmt: skip
SHORT: Knobs = {"blocks": 1, "filters": 4, "batch_size": 64, "epochs": 1}
TAGS = {"pipeline.kind": "baseline", "pipeline.seed": "3"}
MODEL_FILE = """
input_shape: [8, 8, 1]
training: {optimizer: adam, epochs: 4, batch_size: 64}
layers:
  - Conv2D: {filters: 4, kernel_size: 3, activation: relu}
  - Flatten
  - Dropout: {rate: 0.3}
  - Dense: {units: 10}
  - Softmax
"""
BACKBONE: Knobs = {
    "backbone": "MobileNetV3Small", "backbone_weights": "random", "image_size": 32, "epochs": 4, "batch_size": 64,
    "learning_rate": 0.01, "dropout_after_pool": 0.2,
}  # fmt: skip


@dataclass
class RecordingChannel:
    """Keeps what a job says, and answers its reports."""

    answer: Callable[[Report], Verdict] = lambda report: Verdict()
    heard: list[Event] = field(default_factory=list)

    def send(self, event: Event) -> None:
        self.heard.append(event)

    def ask(self, report: Report) -> Verdict:
        self.send(report)
        return self.answer(report)

    def start_fold(self, fold: int, epoch: int, save: Callable[[], None]) -> None:
        pass

    def end_batch(self, share: float) -> Ending | None:
        return None

    def save(self) -> None:
        pass

    def epochs(self) -> list[tuple[int, int]]:
        return [(event.fold, event.epoch.number) for event in self.heard if isinstance(event, EpochEnd)]


def resources(place: Path, channel: RecordingChannel, *, folds: int | None = None) -> Resources:
    settings = TrainingSettings(dataset="digits", folds=folds, precision="float32")
    return Resources(
        store=TrackingStore(f"sqlite:///{place / 'mlflow.db'}"), data=load_training_data(settings),
        metric=get_metric("val_accuracy"), precision="float32", image_size=0,
        backbones=BackboneCache(place, ArrayCache(place / "features")), channel=channel,  # type: ignore[arg-type]
    )  # fmt: skip


def job_of(configuration: Configuration | None, **others: object) -> Job:
    return replace(Job("job", configuration, seed=3, tags={"pipeline.kind": "baseline"}), **others)  # type: ignore[arg-type]


def opened(place: Path, job: Job) -> tuple[ParentRun, Job]:
    store = TrackingStore(f"sqlite:///{place / 'mlflow.db'}")
    parent = ParentRun(store, "0" * 32, store.experiment_of(None, name="digits"))
    return parent, open_run(parent, job)


def run_of(parent: ParentRun, job: Job) -> Run:
    return parent.store.client.get_run(job.run_id)


def curves(parent: ParentRun, job: Job) -> dict[str, list[tuple[int, float]]]:
    client = parent.store.client
    names = [name for name in run_of(parent, job).data.metrics if "second" not in name]
    histories = {name: client.get_metric_history(job.run_id, name) for name in sorted(names)}
    return {name: [(point.step, point.value) for point in points] for name, points in histories.items()}


def model_file() -> Configuration:
    return model_file_configuration(parse_model_file(MODEL_FILE, name="mine", source="mine.yaml"))


JOBS: dict[str, tuple[Job, int | None]] = {
    "plain": (job_of(Configuration(complete(KNOBS))), None),
    "folds": (job_of(Configuration(complete(KNOBS))), 3),
    "hand-made": (job_of(model_file()), None),
    "backbone on features": (job_of(Configuration(complete(BACKBONE))), None),
    "unfrozen backbone": (job_of(Configuration(complete({**BACKBONE, "unfrozen_blocks": 1}))), None),
    "refit": (job_of(Configuration(complete(KNOBS)).without_validation(4), validates=False), None),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*An input example was not provided")  # MLflow's, in the worker's log otherwise
@pytest.mark.parametrize("kind", JOBS)
def test_job_that_was_interrupted_goes_on_to_the_figures_of_one_that_was_not(kind: str, tmp_path: Path) -> None:
    job, folds = JOBS[kind]
    last_fold = folds or 1

    def interrupt(report: Report) -> Verdict:
        is_there = isinstance(report, EpochEnd) and (report.fold, report.epoch.number) == (last_fold, 2)
        return Verdict(Ending(Cause.INTERRUPTED) if is_there else None)

    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole, cut = RecordingChannel(), RecordingChannel(interrupt)
    whole_parent, whole_job = opened(tmp_path / "whole", job)
    end = train_job(whole_job, resources(tmp_path / "whole", whole, folds=folds))
    cut_parent, cut_job = opened(tmp_path / "cut", job)
    first = train_job(cut_job, resources(tmp_path / "cut", cut, folds=folds))
    rest = RecordingChannel()
    second = train_job(cut_job, resources(tmp_path / "cut", rest, folds=folds))

    assert first.ending.state is State.WAITING
    assert cut.epochs()[-1] == (last_fold, 2)
    assert rest.epochs()[-2:] == [(last_fold, 3), (last_fold, 4)]
    assert end.best is not None
    assert second.best is not None
    assert second.ending == end.ending
    assert replace(second.best, epoch_seconds=end.best.epoch_seconds) == end.best
    assert end.ending.state is State.COMPLETE
    assert curves(cut_parent, cut_job) == curves(whole_parent, whole_job)
    close_run(cut_parent, cut_job, second.ending)
    assert list(cut_parent.store.checkpoints.iterdir()) == []


def test_job_that_was_paused_goes_on_in_the_same_run(tmp_path: Path) -> None:
    def pause(report: Report) -> Verdict:
        return Verdict(Ending(Cause.PAUSED) if channel.epochs() == [(1, 1), (1, 2)] else None)

    channel = RecordingChannel(pause)
    parent, job = opened(tmp_path, job_of(Configuration(complete(KNOBS))))
    paused = train_job(job, resources(tmp_path, channel))
    assert (paused.ending.cause, paused.best) == (Cause.PAUSED, None)
    assert channel.epochs() == [(1, 1), (1, 2)]
    assert "curves.png" not in [item.path for item in parent.store.client.list_artifacts(job.run_id)]
    close_run(parent, job, paused.ending)
    assert run_of(parent, job).info.status == "SCHEDULED"

    again = open_run(parent, job)
    done = train_job(again, resources(tmp_path, channel))
    close_run(parent, again, done.ending)
    assert again.run_id == job.run_id
    assert channel.epochs() == [(1, 1), (1, 2), (1, 3), (1, 4)]
    assert run_of(parent, job).info.status == "FINISHED"


@pytest.mark.parametrize("folds", [None, pytest.param(3, marks=pytest.mark.slow)])
def test_job_within_seconds_is_repeated_from_its_run_to_the_digit(tmp_path: Path, folds: int | None) -> None:
    plain = job_of(Configuration(complete({**KNOBS, "epochs": 40, "batch_size": 8})))
    parent, first = opened(tmp_path, replace(plain, budget=Budget(seconds=0.5), tags=TAGS))
    end = train_job(first, resources(tmp_path, RecordingChannel(), folds=folds))
    record = read_training(parent.store, first.run_id)

    _, second = opened(tmp_path, replace(plain, fold_budgets=record.budgets()))
    again = train_job(second, resources(tmp_path, RecordingChannel(), folds=folds))

    assert end.ending.cause is Cause.COMPLETE
    assert len(record.budgets()) == (folds or 1)
    assert all(steps.knots[-1][1] == 1.0 and 0 < steps.n_epochs < 40 for steps in record.steps)
    assert end.best is not None
    assert again.best is not None
    assert replace(again.best, epoch_seconds=end.best.epoch_seconds) == end.best
    assert curves(parent, second) == curves(parent, first)


def test_job_that_raises_fails_with_the_reason(tmp_path: Path) -> None:
    knobs = complete({**KNOBS, "backbone": "VGG16", "backbone_weights": "random"})  # takes no images of 8 x 8 pixels
    _, job = opened(tmp_path, job_of(Configuration(knobs)))
    end = train_job(job, resources(tmp_path, RecordingChannel()))
    assert end.ending.state is State.FAIL
    assert "BackboneError" in end.ending.reason


def test_verdict_at_the_end_of_an_epoch_prunes_and_that_at_the_end_of_the_fold_drops_the_model(tmp_path: Path) -> None:
    def prune(report: Report) -> Verdict:
        return Verdict(Ending(Cause.PRUNED, "not among the best"), keep_model=False)

    channel = RecordingChannel(prune)
    parent, job = opened(tmp_path, job_of(Configuration(complete(KNOBS))))
    end = train_job(job, resources(tmp_path, channel))
    assert (end.ending.state, end.ending.reason) == (State.PRUNED, "pruned: not among the best")
    assert end.best is not None
    assert [type(event) for event in channel.heard] == [Started, EpochEnd, FoldEnd]
    assert "curves.png" in [item.path for item in parent.store.client.list_artifacts(job.run_id)]
    assert not run_of(parent, job).outputs.model_outputs


def say(channel: RecordingChannel, line: str) -> None:
    channel.send(Note(line))


@pytest.mark.slow
def test_features_are_computed_before_the_time_of_a_job_begins_and_once(tmp_path: Path) -> None:
    heard, when_stopped = [], []
    ending = Ending(Cause.INTERRUPTED)
    for stops in (True, False, False):
        channel = RecordingChannel()
        channel.end_batch = lambda share, stops=stops: ending if stops else None  # type: ignore[method-assign, misc]
        _, job = opened(tmp_path, job_of(Configuration(complete({**BACKBONE, "epochs": 1}))))
        own = resources(tmp_path, channel)
        backbones = replace(own.backbones, on_batch=channel.end_batch, say=partial(say, channel))
        ended = train_job(job, replace(own, backbones=backbones))
        heard.append([type(event).__name__ for event in channel.heard])
        when_stopped.append(ended.ending.state)
    assert heard == [
        ["Note"], ["Note", "Started", "EpochEnd", "FoldEnd"], ["Started", "EpochEnd", "FoldEnd"],
    ]  # fmt: skip
    assert when_stopped == [State.WAITING, State.COMPLETE, State.COMPLETE]


@pytest.mark.slow
def test_classical_model_is_a_job_of_one_epoch(tmp_path: Path) -> None:
    parent, job = opened(tmp_path, job_of(None))
    end = train_job(job, resources(tmp_path, RecordingChannel()))
    assert isinstance(end, Ended)
    assert end.best is not None
    assert end.best.val_accuracy > 0.97
    assert run_of(parent, job).data.metrics["best_val_accuracy"] == end.best.val_accuracy


@pytest.mark.slow
def test_classical_model_is_fitted_on_training_images_alone(tmp_path: Path, digits: Split) -> None:
    pixels = np.array(digits.images.images)
    pixels[digits.partition.validation] = 255 - pixels[digits.partition.validation]
    ends = []
    for images in (digits.images, replace(digits.images, images=pixels)):
        _, job = opened(tmp_path, job_of(None))
        own = resources(tmp_path, RecordingChannel())
        data = TrainingData(make_array_source(images), digits.partition)
        ends.append(train_job(job, replace(own, data=data)).best)

    one, other = ends
    assert one is not None
    assert other is not None
    assert (one.loss, one.accuracy) == (other.loss, other.accuracy)
    assert one.val_accuracy > other.val_accuracy


def test_network_of_each_better_epoch_is_kept_where_the_job_says_so(tmp_path: Path, digits: Split) -> None:
    import keras

    parent, job = opened(tmp_path, job_of(Configuration(complete(KNOBS)), keeps_improvements=True))

    train_job(job, resources(tmp_path, RecordingChannel()))

    values = [value for _, value in curves(parent, job)["val_accuracy"]]
    better = [number for number, value in enumerate(values, start=1) if value > max([-1, *values[: number - 1]])]
    files = [file.path for file in parent.store.client.list_artifacts(job.run_id, "checkpoints")]
    assert files == [f"checkpoints/epoch-{number:02d}.keras" for number in better]
    last = parent.store.client.download_artifacts(job.run_id, files[-1], str(tmp_path))
    network = keras.saving.load_model(last, compile=False)
    predicted = np.asarray(network(digits.validation.images)).argmax(axis=1)
    assert (predicted == digits.validation.labels).mean() == pytest.approx(max(values), abs=1e-6)


def test_latency_of_one_image_is_measured_where_the_job_says_so(tmp_path: Path) -> None:
    parent, job = opened(tmp_path, job_of(Configuration(complete(SHORT)), measures_latency=True))
    ended = train_job(job, resources(tmp_path, RecordingChannel(), folds=2))
    assert 0 < ended.figures["latency_ms"] < 1000
    assert run_of(parent, job).data.metrics["latency_ms"] == ended.figures["latency_ms"]


def test_measuring_the_latency_is_no_part_of_the_fingerprint() -> None:
    settings = TrainingSettings(dataset="digits", precision="float32")
    data = load_training_data(settings)
    prints = {
        job_of(Configuration(complete(SHORT)), measures_latency=measures).fingerprint(data, settings)
        for measures in (False, True)
    }
    assert len(prints) == 1
