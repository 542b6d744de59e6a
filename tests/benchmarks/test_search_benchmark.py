"""The search benchmark: its report, and its small form with every competitor that is installed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks.competitors.progress import read_lines
from benchmarks.competitors.registry import COMPETITORS
from benchmarks.search import main
from benchmarks.search_report import read_pairs, table_of_results, table_of_times, write_search_report
from pipeline.data.named import load_named

SPACE = """
knobs:
  blocks: {low: 1, high: 2}
  filters: {choices: [4, 8]}
  batch_size: 128
  optimizer: sgd
  learning_rate: {low: 1e-3, high: 1, log: true}
  epochs: {low: 1, high: 3}
first_trials:
  - {blocks: 1, filters: 8, learning_rate: 0.05, epochs: 2}
"""
INSTALLED = [name for name, one in COMPETITORS.items() if one.is_installed]


def leave_result(folder: Path, name: str, seed: int, curve: list[float], *, test: float | None) -> None:
    """Leave what a competitor leaves that ended an epoch every 10 of its 60 seconds."""
    pair = folder / name / f"seed-{seed}"
    pair.mkdir(parents=True)
    lines = [{"seconds": 10 * (place + 1), "training": 1, "epoch": 1, "val_accuracy": value, "best": value}
             for place, value in enumerate(curve)]  # fmt: skip
    (pair / "progress.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = {
        "competitor": name, "seed": seed, "minutes": 1.0, "val_accuracy": curve[-1], "test_accuracy": test,
        "n_trainings": 1, "n_epochs": len(curve), "was_killed": False,
    }  # fmt: skip
    (pair / "result.json").write_text(json.dumps(result))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for seed, shift in enumerate([0.0, 0.02, -0.02]):
        leave_result(tmp_path, "ours", seed, [0.5, 0.7, 0.8], test=0.8 + shift)
        leave_result(tmp_path, "optuna", seed, [0.3, 0.5, 0.6], test=0.6)
    leave_result(tmp_path, "optuna+prior", 0, [0.4, 0.75], test=None)
    return tmp_path


def test_table_has_medians_over_seeds_and_how_far_ours_is_ahead(results: Path) -> None:
    table = table_of_results(read_pairs(results)).set_index("competitor")
    assert table.loc["ours", ["seeds", "test", "test_low", "test_high"]].tolist() == [3, 0.8, 0.78, 0.8200000000000001]
    assert table.loc["optuna", "ours_ahead"] == pytest.approx(20)
    assert table.loc["optuna+prior", "held_nothing"] == 1


def test_time_to_a_peer_is_when_ours_had_its_last_validation_accuracy(results: Path) -> None:
    times = table_of_times(read_pairs(results)).set_index(["peers", "seed"])
    assert times.loc[("as users write them", 0), "our_seconds"] == 20  # 0.7 is the first above 0.6
    assert times.loc[("our prior and speed", 0), "share_of_budget"] == 0.5


def test_best_so_far_is_unknown_before_the_first_epoch(results: Path) -> None:
    pair = read_pairs(results)[0]
    np.testing.assert_array_equal(pair.best_at(np.array([5.0, 10.0, 29.0, 99.0])), [np.nan, 0.5, 0.7, 0.8])


def test_report_writes_tables_and_a_figure(results: Path) -> None:
    assert "| ours | 3 |" in write_search_report(results)
    assert (results / "search.png").stat().st_size > 10_000
    assert len(pd.read_csv(results / "search_pairs.csv")) == 7


def test_unknown_competitor_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--competitors", "hyperopt", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "hyperopt" in done.output


def test_results_of_another_budget_are_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"minutes": 5, "dataset": "", "space": ""}))
    dataset = tmp_path / "empty.npz"
    dataset.touch()
    done = CliRunner().invoke(main, ["--out", str(tmp_path), "--dataset", str(dataset), "--competitors", "recipe"])
    assert done.exit_code == 2
    assert "another minutes" in done.output


@pytest.mark.slow
def test_small_form_runs_every_installed_competitor(tmp_path: Path) -> None:
    train, test = (load_named("digits", tmp_path, part=part) for part in ("train", "test"))
    dataset, space, out = tmp_path / "digits.npz", tmp_path / "space.yaml", tmp_path / "out"
    space.write_text(SPACE)
    np.savez(dataset, x_train=train.images, y_train=train.labels, x_test=test.images, y_test=test.labels)
    # A peer without our prior is covered by the same one with it, but for one.
    names = [name for name in INSTALLED if name in ("ours", "recipe", "optuna") or name.endswith("+prior")]
    command = ["--competitors", ",".join(names), "--minutes", "3", "--most-epochs", "3", "--seeds", "1",
               "--space", str(space), "--dataset", str(dataset), "--out", str(out)]  # fmt: skip
    done = CliRunner().invoke(main, command, catch_exceptions=False)
    table = pd.read_csv(out / "search.csv").set_index("competitor")
    assert sorted(table.index) == sorted(names), done.output
    logs = {name: (out / name / "seed-0" / "log.txt").read_text()[-2000:] for name in names}
    assert {name: logs[name] for name in names if table.loc[name, "held_nothing"]} == {}
    assert (table["trainings"] >= 1).all()
    assert (table["killed"] == 0).all(), done.output
    rungs = [line["rung"] for line in read_lines(out / "ours" / "seed-0" / "progress.jsonl") if "rung" in line]
    assert rungs[-1] == "final"
    again = CliRunner().invoke(main, command, catch_exceptions=False)
    assert "seed 0:" not in again.output  # all of them are finished
