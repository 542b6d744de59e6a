"""A candidate against the champion: tables and figures."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from pipeline.evaluation.comparison import class_changes, class_extremes, only_right
from pipeline.evaluation.comparison_figures import draw_class_changes, draw_confusion_difference, draw_only_one_right
from pipeline.evaluation.scores import Predictions, confusion_table

NAMES = ("cat", "dog", "e$el")
LABELS = [0, 0, 0, 1, 1, 2, 2]


def predictions(answers: list[int], sureness: float = 0.8) -> Predictions:
    rows = np.full((len(answers), 3), (1 - sureness) / 2)
    rows[np.arange(len(answers)), answers] = sureness
    rows[0, answers[0]] += 0.1
    return Predictions(rows, np.array(LABELS), NAMES)


CANDIDATE, CHAMPION = predictions([0, 0, 1, 1, 1, 0, 2]), predictions([1, 0, 0, 1, 0, 0, 2])
DIFFERENCE = confusion_table(CANDIDATE) - confusion_table(CHAMPION)


def texts_of(figure: Figure) -> list[str]:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=20)
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_class_table_says_which_classes_got_better_and_worse() -> None:
    table = class_changes(CANDIDATE, CHAMPION)

    assert list(table.index) == ["dog", "cat", "e$el"]
    assert table["change"].tolist() == [0.5, 0.0, 0.0]
    assert table.loc["cat"].tolist() == pytest.approx([3, 2 / 3, 2 / 3, 0])


def test_class_without_images_is_left_out() -> None:
    few = [Predictions(np.eye(3)[[0, 1]], np.array([0, 1]), NAMES)] * 2

    assert set(class_changes(*few).index) == {"cat", "dog"}


def test_images_that_one_alone_gets_right_come_the_surest_first() -> None:
    assert only_right(CANDIDATE, CHAMPION).tolist() == [0, 4]
    assert only_right(CHAMPION, CANDIDATE).tolist() == [2]


def test_difference_of_confusions_counts_what_the_candidate_has_more() -> None:
    assert DIFFERENCE.to_numpy().tolist() == [[0, 0, 0], [-1, 1, 0], [0, 0, 0]]
    assert (DIFFERENCE.index.name, DIFFERENCE.columns.name) == ("true", "predicted")


def test_extremes_are_the_classes_that_are_most_and_least_often_right() -> None:
    assert class_extremes(CANDIDATE) == {"easiest": ("dog", 1.0), "hardest": ("e$el", 0.5)}


def test_figures_show_changes_differences_and_images() -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 1)).astype(np.uint8)

    assert "50.0% to 100.0%" in texts_of(draw_class_changes(class_changes(CANDIDATE, CHAMPION)))
    assert {"+1", "-1"} <= set(texts_of(draw_confusion_difference(DIFFERENCE)))
    shown = texts_of(draw_only_one_right(images, CANDIDATE, CHAMPION))
    assert "Right by the candidate alone: 2, by the champion alone: 1" in shown
    assert "champion is right\ntrue: cat\ncandidate: dog" in shown


def test_figures_of_two_models_that_answer_alike_can_be_drawn() -> None:
    images = np.zeros((7, 8, 8, 3), np.uint8)

    assert texts_of(draw_class_changes(class_changes(CANDIDATE, CANDIDATE)))
    assert texts_of(draw_confusion_difference(DIFFERENCE * 0))
    assert texts_of(draw_only_one_right(images, CANDIDATE, CANDIDATE)) == [
        "Right by the candidate alone: 0, by the champion alone: 0"
    ]


def test_of_many_classes_those_that_changed_most_are_drawn() -> None:
    labels = np.arange(300) % 100
    names = tuple(f"class {number}" for number in range(100))
    right, wrong = np.eye(100)[labels], np.eye(100)[(labels + (labels < 3)) % 100]
    table = class_changes(Predictions(right, labels, names), Predictions(wrong, labels, names))

    shown = texts_of(draw_class_changes(table))

    assert {"class 0", "class 1", "class 2"} <= set(shown)
    assert len({text for text in shown if text.startswith("class ")}) == 40
