"""Plain searches with several objectives or with limits, by real trainings of digits."""

from __future__ import annotations

import optuna
import pandas as pd
import pytest
from workplace import Workplace, enter

from pipeline.errors import SettingError
from pipeline.settings import SearchSettings, make_settings
from pipeline.study.storage import open_storage
from pipeline.tracking.leaderboard import update_study_leaderboards
from pipeline.tracking.store import TrackingStore
from pipeline.training.ending import State
from pipeline.workers.events import Ended, Event, Note

OBJECTIVES = "val_accuracy,n_parameters,latency_ms"
SPACE = """
knobs:
  {blocks: 1, filters: {choices: [4, 8, 512]}, batch_size: 64, learning_rate: {low: 0.001, high: 0.1, log: true},
  epochs: 1}
first_trials: [{filters: 512, learning_rate: 0.05}, {filters: 8, learning_rate: 0.05}]
"""


def study_of(place: Workplace) -> optuna.Study:
    return optuna.load_study(study_name="tiny", storage=open_storage(str(place.places.journal)))


def searched(place: Workplace, **changes: object) -> pd.DataFrame:
    (place.folder / "tiny.yaml").write_text(SPACE)
    return place.search(keep_models="best", **changes).leaderboard


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workplace, pd.DataFrame]:
    """Return the folder and the leaderboard of a search with three objectives."""
    with pytest.MonkeyPatch.context() as patch:
        place = enter(patch, tmp_path_factory.mktemp("several"))
        return place, searched(place, objectives=OBJECTIVES, trials=3)


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Return the folder of a search that only the smaller networks take part in, and whose latency none keeps."""
    with pytest.MonkeyPatch.context() as patch:
        place = enter(patch, tmp_path_factory.mktemp("limited"))
        searched(place, max_parameters=3000, max_latency_ms=0.001, trials=3, pruner="none")
    return place


@pytest.mark.slow
def test_values_of_a_trial_are_the_figures_of_its_run(several: tuple[Workplace, pd.DataFrame]) -> None:
    place, _ = several
    study, runs = study_of(place), place.runs("trial")
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE", "MINIMIZE"]
    for trial, run in zip(study.trials, runs, strict=True):
        figures = run.data.metrics
        assert trial.values == [figures["best_val_accuracy"], figures["n_parameters"], figures["latency_ms"]]


@pytest.mark.slow
def test_no_trial_is_pruned_and_first_trials_come_first(several: tuple[Workplace, pd.DataFrame]) -> None:
    place, _ = several
    assert {run.data.tags["pipeline.state"] for run in place.runs("trial")} == {"COMPLETE"}
    assert [run.data.params["filters"] for run in place.runs("trial")][:2] == ["512", "8"]


@pytest.mark.slow
def test_leaderboard_marks_the_front_that_optuna_knows(several: tuple[Workplace, pd.DataFrame]) -> None:
    place, board = several
    expected = {f"trial-{trial.number:04d}" for trial in study_of(place).best_trials}
    assert set(board[board["on_front"]]["run"]) == expected
    assert board["latency_ms"].notna().all()
    store = TrackingStore(place.uri)
    (run,) = place.runs("study")
    update_study_leaderboards(store, split=run.data.tags["pipeline.split_digest"])
    path = store.client.download_artifacts(run.info.run_id, "leaderboard.csv")
    again = pd.read_csv(path)
    assert again["on_front"].tolist() == board["on_front"].tolist()


@pytest.mark.slow
def test_study_of_several_objectives_goes_on_and_tells_what_it_has(
    several: tuple[Workplace, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.study.search import search

    place = enter(monkeypatch, several[0].folder)
    before: list[tuple[State, float | None]] = []
    search(place.settings(objectives=OBJECTIVES, trials=3), lambda event: None, lambda study, log: before.extend(study))
    accuracies = [run.data.metrics["best_val_accuracy"] for run in place.runs("trial")]
    assert before == [(State.COMPLETE, value) for value in accuracies]


@pytest.mark.slow
@pytest.mark.parametrize("objectives", [None, "val_accuracy,n_parameters"])
def test_study_does_not_go_on_with_other_objectives(
    objectives: str | None, several: tuple[Workplace, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = enter(monkeypatch, several[0].folder)
    with pytest.raises(SettingError, match="but objectives of study 'tiny' changed"):
        place.search(objectives=objectives, trials=9)


@pytest.mark.slow
def test_no_larger_network_is_trained_and_larger_first_trials_are_left_out_with_a_note(limited: Workplace) -> None:
    runs = limited.runs("trial")
    assert len(runs) == 3
    assert max(run.data.metrics["n_parameters"] for run in runs) <= 3000
    assert (runs[0].data.params["filters"], runs[0].data.params["learning_rate"]) == ("8", "0.05")
    notes = [event.text for event in limited.events if isinstance(event, Note)]
    assert notes == ["1 of the 2 first trials have more than 3,000 parameters and are left out"]


@pytest.mark.slow
def test_trial_above_the_latency_is_completed_says_so_and_breaks_a_constraint(limited: Workplace) -> None:
    for run, trial in zip(limited.runs("trial"), study_of(limited).trials, strict=True):
        latency = run.data.metrics["latency_ms"]
        assert run.data.tags["pipeline.state"] == "COMPLETE"
        assert run.data.tags["pipeline.reason"].startswith("over a limit: latency_ms")
        assert "is above max_latency_ms 0.001" in run.data.tags["pipeline.reason"]
        assert trial.constraints == {"max_latency_ms": pytest.approx(latency - 0.001)}


@pytest.mark.slow
def test_generations_search_several_objectives(workplace: Workplace) -> None:
    seen: list[Event] = []
    searched(workplace, objectives="n_parameters,val_loss", trials=2, sampler="nsga2", show=seen.append)
    assert [event.ending.state for event in seen if isinstance(event, Ended)] == [State.COMPLETE] * 2


@pytest.mark.parametrize(
    ("given", "strategy", "pruner"),
    [
        ({"objectives": OBJECTIVES}, "plain", "none"),
        ({"objectives": "val_loss"}, "plain", "none"),
        ({"objectives": " val_accuracy , n_parameters", "folds": 3}, "plain", "none"),
        ({"objectives": "val_accuracy"}, "brackets", "reachable"),
        ({"objectives": "val_loss", "metric": "val_loss"}, "brackets", "reachable"),
        ({"sampler": "nsga2"}, "plain", "successive_halving"),
        ({}, "brackets", "reachable"),
    ],
)
def test_open_strategy_and_pruner_follow_from_the_objectives(
    given: dict[str, object], strategy: str, pruner: str
) -> None:
    settings = make_settings(SearchSettings, **given)
    assert (settings.strategy, settings.pruner) == (strategy, pruner)


def test_objectives_are_the_metric_unless_others_are_given() -> None:
    assert make_settings(SearchSettings, metric="val_loss").objective_names == ("val_loss",)
    given = make_settings(SearchSettings, objectives=" val_accuracy , n_parameters")
    assert given.objective_names == ("val_accuracy", "n_parameters")
    assert given.as_parameters()["objectives"] == "val_accuracy,n_parameters"


@pytest.mark.parametrize(
    ("given", "is_measured"),
    [({}, False), ({"max_latency_ms": 3}, True), ({"objectives": OBJECTIVES}, True), ({"max_parameters": 3}, False)],
)
def test_latency_is_measured_for_a_limit_or_as_an_objective(given: dict[str, object], is_measured: bool) -> None:
    assert make_settings(SearchSettings, **given).measures_latency is is_measured


@pytest.mark.slow
def test_trial_of_a_bracket_above_the_latency_says_so_too(workplace: Workplace) -> None:
    searched(workplace, strategy="brackets", max_latency_ms=0.001, trials=1)
    (run,) = workplace.runs("trial")
    assert run.data.tags["pipeline.state"] == "COMPLETE"
    assert run.data.tags["pipeline.reason"].startswith("over a limit: latency_ms")
