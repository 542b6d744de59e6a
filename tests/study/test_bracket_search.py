"""Searches in brackets with real trainings: by the clock, by a number of trials, interrupted and resumed.

The time limits are so long that a slow machine keeps them: the number of trials, and few epochs, end the searches.
"""

from __future__ import annotations

import json

import optuna
import pytest
from mlflow.entities import Run
from workplace import Workplace

from pipeline.study.storage import open_storage
from pipeline.workers.events import EpochEnd, Event, Note

pytestmark = pytest.mark.slow

SPACE = """
knobs:
  blocks: {low: 1, high: 2}
  filters: {choices: [4, 8]}
  batch_size: {choices: [16, 32]}
  optimizer: sgd
  learning_rate: {low: 1e-3, high: 1.0, log: true}
  learning_rate_schedule: one_cycle
  epochs: {low: 4, high: 40, log: true}
first_trials:
  - {blocks: 1, filters: 8, batch_size: 32, learning_rate: 0.1, epochs: 8}
"""


TIMED = {"strategy": "brackets", "timeout_minutes": 15, "trials": 8, "keep_models": "none"}


@pytest.fixture
def brackets(workplace: Workplace) -> Workplace:
    (workplace.folder / "tiny.yaml").write_text(SPACE)
    return workplace


def finals(place: Workplace) -> list[Run]:
    return [run for run in place.runs("trial") if run.data.tags["pipeline.rung"] == "final"]


def lines(place: Workplace) -> list[str]:
    return [event.text for event in place.events if isinstance(event, Note)]


def states(place: Workplace) -> list[str]:
    study = optuna.load_study(study_name="tiny", storage=open_storage(str(place.places.journal)))
    return [trial.state.name for trial in study.get_trials()]


def test_search_within_a_time_races_challengers_and_ends_with_a_finished_model(brackets: Workplace) -> None:
    brackets.search(**{**TIMED, "keep_models": "all"})
    (final,) = finals(brackets)
    assert final.data.tags["pipeline.state"] == "COMPLETE"
    assert final.outputs.model_outputs, "its model is logged"
    rates = [point.value for point in brackets.client.get_metric_history(final.info.run_id, "learning_rate")]
    assert rates[-1] < 0.01 * max(rates), "its schedule has ended"
    tags = [run.data.tags for run in brackets.runs("trial")]
    assert {one["pipeline.origin"] for one in tags} >= {"prior", "mutation", "promotion"}
    assert all(float(one["pipeline.budget_seconds"]) > 0 for one in tags)
    assert all("pipeline.parent_trial" in one for one in tags if one["pipeline.origin"] in ("mutation", "promotion"))
    told = lines(brackets)
    assert any(line.startswith("bracket 1: ") for line in told)
    assert "exploring ends: the trials are used up" in told
    assert told[-1].startswith("the search ")
    assert brackets.n_running() == 0


def test_search_in_too_short_a_time_trains_the_first_configuration_to_the_end_of_its_schedule(
    brackets: Workplace,
) -> None:
    brackets.search(**{**TIMED, "timeout_minutes": 0.5})
    (final,) = finals(brackets)
    path = brackets.client.download_artifacts(final.info.run_id, "schedule.json", str(brackets.folder))
    with open(path) as file:
        (steps,) = json.load(file)
    assert (steps["knots"][0], steps["knots"][-1][1]) == ([0, 0.0], 1.0)
    assert any("too short" in line for line in lines(brackets))


def test_search_without_a_time_trains_its_number_of_trials_and_repeats_exactly(
    brackets: Workplace, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"strategy": "brackets", "trials": 8, "keep_models": "none"}
    brackets.search(**given)
    assert len(states(brackets)) == 8
    assert set(states(brackets)) <= {"COMPLETE", "PRUNED"}
    assert finals(brackets)

    again = Workplace(tmp_path_factory.mktemp("again"))
    monkeypatch.chdir(again.folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", again.uri)
    (again.folder / "tiny.yaml").write_text(SPACE)
    again.search(**given)
    first, second = (
        [(run.data.params, run.data.metrics.get("best_val_accuracy")) for run in place.runs("trial")]
        for place in (brackets, again)
    )
    assert first == second


@pytest.mark.parametrize("is_final", [False, True], ids=["in a rung", "in the final training"])
def test_search_that_is_interrupted_goes_on_with_the_same_trial(is_final: bool, brackets: Workplace) -> None:
    cut: list[str] = []

    def interrupt(event: Event) -> None:
        if isinstance(event, EpochEnd) and event.epoch.number == 1 and not cut:
            run = next(run for run in brackets.runs("trial") if run.info.status == "RUNNING")
            if (run.data.tags["pipeline.rung"] == "final") == is_final and run.data.tags["pipeline.trial"] != "0":
                cut.append(run.info.run_id)
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        brackets.search(**TIMED, show=interrupt)
    assert brackets.client.get_run(cut[0]).info.status == "SCHEDULED"
    assert states(brackets).count("WAITING") == 1
    assert brackets.n_running() == 0

    brackets.search(**TIMED)
    assert set(states(brackets)) <= {"COMPLETE", "PRUNED"}
    run = brackets.client.get_run(cut[0])
    assert run.info.status in ("FINISHED", "KILLED")
    steps = [point.step for point in brackets.client.get_metric_history(cut[0], "val_accuracy")]
    assert steps == [*range(1, len(steps) + 1)]
    assert [one.data.tags["pipeline.state"] for one in finals(brackets)] == ["COMPLETE"]


def test_two_workers_race_challengers_side_by_side_and_the_final_training_is_alone(brackets: Workplace) -> None:
    (brackets.folder / "tiny.yaml").write_text(SPACE.replace("high: 40,", "high: 120,"))  # longer than a worker's start
    brackets.search(**TIMED, workers=2)
    spans = [(run.info.start_time, run.info.end_time, run.data.tags["pipeline.rung"]) for run in brackets.runs("trial")]
    assert any(one[0] < other[0] < one[1] for one in spans for other in spans if one[2] == other[2] == "0")
    (final,) = [span for span in spans if span[2] == "final"]
    assert all(span[1] <= final[0] for span in spans if span is not final)
