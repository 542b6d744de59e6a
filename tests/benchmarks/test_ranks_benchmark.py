"""The rank benchmark: what it draws, its correlations, and its small form."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks.drawing import draw_configurations
from benchmarks.rank_report import table_of_correlations, table_of_trainings
from benchmarks.ranks import main
from pipeline.data.named import load_named
from pipeline.knobs.reader import read_space
from pipeline.paths import SPACES_DIR

SPACE = """
knobs:
  blocks: 1
  filters: {choices: [4, 8]}
  batch_size: 64
  optimizer: sgd
  learning_rate: {low: 1e-4, high: 1, log: true}
first_trials:
  - {filters: 8, learning_rate: 0.05}
"""


def test_draws_are_the_prior_mutations_of_it_and_uniform_ones() -> None:
    space = read_space(SPACES_DIR / "cifar10.yaml")
    draws = draw_configurations(space, 11, seed=0)
    assert [draw.origin for draw in draws] == ["prior", *["mutation"] * 5, *["uniform"] * 5]
    assert len({json.dumps(draw.knobs) for draw in draws}) == 11
    assert all(space.domain(name).holds(value) for draw in draws for name, value in draw.knobs.items())
    assert len({draw.knobs["epochs"] for draw in draws}) == 1
    assert draws == draw_configurations(space, 11, seed=0)


def results(*rows: tuple[float, float, float]) -> list[dict[str, object]]:
    return [
        {"dataset": "x.npz", "number": number, "origin": "uniform", "knobs": {}, "budgets": [
            {"seconds": 4**place, "val_accuracy": value, "train_accuracy": 0.9, "epochs": 1}
            for place, value in enumerate(row)]}
        for number, row in enumerate(rows)
    ]  # fmt: skip


def test_correlation_is_over_all_and_over_the_better_half_of_the_longest_budget() -> None:
    table = table_of_trainings(results((0.1, 0.2, 0.5), (0.2, 0.1, 0.6), (0.4, 0.4, 0.7), (0.3, 0.5, 0.8)))
    found = table_of_correlations(table).set_index(["seconds", "with"])
    assert found.loc[("1", "16"), "spearman_all"] == pytest.approx(0.8)
    assert found.loc[("1", "16"), "spearman_better_half"] == pytest.approx(-1)
    assert found.loc[("4", "16"), "spearman_better_half"] == pytest.approx(1)


def test_forecast_by_the_second_budget_has_a_row_with_how_the_training_error_that_was_left_fell() -> None:
    gain = 0.1 * (1 - 4**-0.3)  # of 0.1 that are left
    found = table_of_correlations(
        table_of_trainings(results(*((0.2, after, after + gain) for after in (0.4, 0.6, 0.8))))
    )
    assert (found.iloc[-1]["seconds"], found.iloc[-1]["with"]) == ("forecast by 4", "16")
    assert found.iloc[-1]["spearman_all"] == pytest.approx(1)
    assert found.iloc[-1]["exponent"] == pytest.approx(0.3)


def test_correlation_of_equal_values_is_no_number() -> None:
    table = table_of_trainings(results((0.1, 0.2, 0.5), (0.1, 0.1, 0.6)))
    assert np.isnan(table_of_correlations(table)["spearman_all"].iloc[0])


@pytest.mark.slow
def test_small_form_trains_at_three_budgets_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    train, test = (load_named("digits", tmp_path, part=part) for part in ("train", "test"))
    dataset, space, out = tmp_path / "digits.npz", tmp_path / "space.yaml", tmp_path / "out"
    np.savez(dataset, x_train=train.images, y_train=train.labels, x_test=test.images, y_test=test.labels)
    space.write_text(SPACE)
    command = ["--configurations", "4", "--seconds", "0.5", "--datasets", str(dataset), "--space", str(space)]
    run = CliRunner()
    done = run.invoke(main, [*command, "--out", str(out)], catch_exceptions=False)
    table = pd.read_csv(out / "rank_trainings.csv")
    assert len(table) == 4, done.output
    assert (table["epochs_2"] > table["epochs_0"]).all()
    assert (out / "ranks.png").stat().st_size > 10_000
    lines = (out / "ranks.jsonl").read_text()
    (out / "ranks.jsonl").write_text("".join(line + "\n" for line in lines.splitlines()[:3]))
    run.invoke(main, [*command, "--out", str(out)], catch_exceptions=False)
    assert len((out / "ranks.jsonl").read_text().splitlines()) == 4
