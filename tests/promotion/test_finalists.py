"""The finalists' ranking, the line on a small lead, and the refit, from figures alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import SettingError, TrainingsFailed
from pipeline.evaluation.limits import Limits
from pipeline.knobs.table import complete
from pipeline.promotion.finalists import (
    Finalist,
    choose_finalists,
    describe_small_lead,
    finalist_jobs,
    rank_finalists,
    refit_job,
)
from pipeline.tracking import names
from pipeline.tracking.names import HAND_MADE_FILE
from pipeline.tracking.parent_run import ParentRun
from pipeline.tracking.recorded import StudyRecord, TrainingRecord
from pipeline.tracking.run_states import end_run
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.training_run import TrainingRun
from pipeline.training.budget import Budget, StepSchedule
from pipeline.training.ending import Cause, Ending, State
from pipeline.training.metric import get_metric

ACCURACY, LOSS = get_metric("val_accuracy"), get_metric("val_loss")
STUDY = StudyRecord("study", "some", "split", {})


def training(name: str, **metrics: float) -> TrainingRecord:
    """Return the record of a training that no store has."""
    parameters = {knob: str(value) for knob, value in complete({"epochs": 9}).items()}
    record = TrainingRecord(TrackingStore("none"), name, name, State.COMPLETE, {}, parameters, metrics, ())
    vars(record).update(model_file_text="", steps=())  # instead of what would be read from the store
    return record


def finalist(name: str, *scores: float, best_epochs: tuple[int, ...] = (4, 7)) -> Finalist:
    return Finalist(training(name), scores, best_epochs, n_parameters=10)


def test_lead_below_one_standard_error_of_the_difference_is_told_with_both_figures() -> None:
    winner, second = finalist("a", 0.90, 0.92, 0.94), finalist("b", 0.89, 0.91, 0.93)

    assert describe_small_lead([winner, second], ACCURACY) == (
        "a leads b by 0.0100 val_accuracy, less than one standard error of the difference (0.0163)"
    )


def test_larger_lead_and_a_single_finalist_need_no_line() -> None:
    winner, second = finalist("a", 0.90, 0.92, 0.94), finalist("b", 0.87, 0.89, 0.91)

    assert describe_small_lead([winner, second], ACCURACY) is None
    assert describe_small_lead([winner], ACCURACY) is None


def test_lead_with_one_seed_each_has_no_standard_error() -> None:
    line = describe_small_lead([finalist("a", 0.9), finalist("b", 0.5)], ACCURACY)

    assert line == "a leads b by 0.4000 val_accuracy, with one seed each: no standard error is known; raise --seeds"


@pytest.mark.parametrize(("metric", "order"), [(ACCURACY, ["b", "a"]), (LOSS, ["a", "b"])])
def test_finalists_are_ranked_by_their_means_and_those_that_failed_with_a_seed_left_out(
    metric: object, order: list[str]
) -> None:
    given = [training(name) for name in ("a", "b", "c")]
    jobs = finalist_jobs(given, STUDY, seed=0, n_seeds=2)
    figures = {"best_epoch": 3, "n_parameters": 10}
    runs = [training("run", best_val_accuracy=at, best_val_loss=at, **figures) for at in range(5)]

    ranked = rank_finalists(given, jobs, [*runs, None], metric)  # type: ignore[arg-type]

    assert [one.training.name for one in ranked] == order
    assert {one.training.name: one.scores for one in ranked} == {"a": (0, 1), "b": (2, 3)}
    with pytest.raises(TrainingsFailed, match="no finalist completed its trainings with all seeds"):
        rank_finalists(given, jobs, [None] * 6, metric)  # type: ignore[arg-type]


def test_jobs_of_finalists_have_seeds_of_their_own_and_the_refit_the_mean_of_the_best_epochs() -> None:
    one = training("trial-0001")
    first, second = finalist_jobs([one], STUDY, seed=0, n_seeds=2)
    refit = refit_job(Finalist(one, (0.5, 0.6), (4, 7), 10), STUDY, seed=3)

    assert [first.name, second.name] == ["trial-0001-seed-1", "trial-0001-seed-2"]
    assert len({first.seed, second.seed, 0}) == 3
    assert (refit.name, refit.seed, refit.n_epochs) == ("trial-0001-refit", 3, 6)
    assert (first.tags["pipeline.kind"], refit.tags["pipeline.kind"]) == ("finalist", "refit")
    assert HAND_MADE_FILE not in refit.files


def test_training_within_a_budget_gives_its_steps_to_finalists_and_refit() -> None:
    one = training("trial-0001")
    folds = tuple(StepSchedule(10, ((0, 0.0), (5, 0.4), (n_steps, 1.0))) for n_steps in (41, 25, 32))
    vars(one)["steps"] = folds
    budgets = tuple(Budget(steps=steps) for steps in folds)

    first, second = finalist_jobs([one], STUDY, seed=0, n_seeds=2)
    refit = refit_job(Finalist(one, (0.5, 0.6), (1, 2), 10, budgets), STUDY, seed=3)

    assert first.fold_budgets == second.fold_budgets == budgets
    assert refit.fold_budgets == (budgets[2],), "of the folds the one of middle length"
    assert refit.configuration is not None
    assert refit.n_epochs == refit.configuration.plan.epochs == 4


def test_training_of_all_its_epochs_gives_finalists_no_budget() -> None:
    one = training("trial-0001")
    vars(one)["steps"] = (StepSchedule.of_epochs(9, 10),)

    (job,) = finalist_jobs([one], STUDY, seed=0, n_seeds=1)

    assert (job.fold_budgets, job.budget, job.n_epochs) == ((), Budget(), 9)
    assert refit_job(Finalist(one, (0.5,), (4,), 10), STUDY, seed=3).fold_budgets == ()


def test_finalist_from_a_rung_is_trained_as_long_as_the_final_training() -> None:
    short, final = training("trial-0001"), training("trial-0009")
    vars(short)["tags"], vars(final)["tags"] = {"pipeline.rung": "0"}, {"pipeline.rung": "final"}
    vars(final)["steps"] = (StepSchedule(10, ((0, 0.0), (33, 1.0))),)

    long_job, short_job = finalist_jobs([final, short], STUDY, seed=0, n_seeds=1)

    assert short_job.fold_budgets == long_job.fold_budgets == final.budgets()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrackingStore:
    """Return a store with a large, a slow and a small training of a study, and one whose latency is not known."""
    folder: Path = tmp_path_factory.mktemp("store")
    store = TrackingStore(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = store.client.create_experiment("some", artifact_location=str(folder / "artifacts"))
    parent = ParentRun(store, "none", experiment)
    tags = {names.KIND: "trial", names.STUDY: "some", names.SPLIT: "split", names.SEED: "1"}
    trainings = {
        "large": {"best_val_accuracy": 0.9, "n_parameters": 9000, "latency_ms": 2},
        "slow": {"best_val_accuracy": 0.8, "n_parameters": 100, "latency_ms": 9},
        "small": {"best_val_accuracy": 0.7, "n_parameters": 200, "latency_ms": 2},
        "unknown": {"best_val_accuracy": 0.6, "n_parameters": 300},
    }
    for number, (name, figures) in enumerate(trainings.items(), start=1):
        run_id = parent.start_run(name, tags=tags, parameters=complete({"epochs": number}), files={})
        TrainingRun.resume(store, run_id).log_summary(figures)
        end_run(store, run_id, Ending(Cause.COMPLETE))
    return store


@pytest.mark.parametrize(
    ("limits", "chosen"),
    [
        (Limits(), ["large", "slow", "small", "unknown"]),
        (Limits(max_parameters=200), ["slow", "small"]),
        (Limits(max_latency_ms=5), ["large", "small", "unknown"]),
        (Limits(max_parameters=1000, max_latency_ms=5), ["small", "unknown"]),
    ],
)
def test_trainings_over_a_limit_are_no_finalists_and_those_not_measured_are(
    limits: Limits, chosen: list[str], store: TrackingStore
) -> None:
    found = choose_finalists(store, STUDY, metric=ACCURACY, n_finalists=9, limits=limits)
    assert [one.name for one in found] == chosen
    best = choose_finalists(store, STUDY, metric=ACCURACY, n_finalists=1, limits=limits)
    assert [one.name for one in best] == chosen[:1]


def test_limits_that_leave_no_finalist_are_refused_in_one_line(store: TrackingStore) -> None:
    limits = Limits(max_parameters=50)
    expected = (
        "the limits must leave a completed training of study 'some', got none of 4 (n_parameters 9000 is above "
        "max_parameters 50 in the best, large); raise them, or search with them"
    )
    with pytest.raises(SettingError) as caught:
        choose_finalists(store, STUDY, metric=ACCURACY, n_finalists=3, limits=limits)
    assert str(caught.value) == expected
