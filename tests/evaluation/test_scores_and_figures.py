"""Scores and figures made from predictions."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from pipeline.data.image_set import Array
from pipeline.evaluation.canvas import draw_gallery
from pipeline.evaluation.figures import draw_confusion, draw_curves, draw_mistakes
from pipeline.evaluation.scores import Predictions, confusion_table, predict, report_table
from pipeline.training.result import Epoch, mean_epoch


def predictions_of(rows: list[list[float]], labels: list[int], names: tuple[str, ...]) -> Predictions:
    return Predictions(np.array(rows), np.array(labels), names)


def some_predictions(n_classes: int, n_images: int = 300, share_right: float = 0.7) -> Predictions:
    """Return predictions of which about ``share_right`` are right, with names such as ``class 03``."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, n_classes, n_images)
    probabilities = rng.random((n_images, n_classes))
    right = rng.random(n_images) < share_right
    probabilities[right, labels[right]] += n_classes
    names = tuple(f"class {number:02}" for number in range(n_classes))
    return Predictions(probabilities / probabilities.sum(axis=1, keepdims=True), labels, names)


def texts_of(figure: Figure) -> list[str]:
    """Draw the figure as a PNG, and return all texts in it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=20)
    assert buffer.getvalue().startswith(b"\x89PNG")
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def picture_of(figure: Figure) -> Array:
    """Return the figure as it is seen: grey values of 0 to 1, of shape (height, width), 100 pixels an inch."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    grey: Array = np.asarray(canvas.buffer_rgba())[..., :3].mean(axis=-1) / 255
    return grey


THREE = predictions_of(
    [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.4, 0.6, 0.0], [0.0, 1.0, 0.0], [0.7, 0.2, 0.1], [0.6, 0.4, 0.0]],
    [0, 0, 1, 1, 2, 0],
    ("cat", "dog", "eel"),
)


def test_confusion_counts_true_against_predicted() -> None:
    table = confusion_table(THREE)

    assert table.to_numpy().tolist() == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert list(table.index) == list(table.columns) == ["cat", "dog", "eel"]
    assert (table.index.name, table.columns.name) == ("true", "predicted")


def test_confusion_has_classes_that_no_image_has() -> None:
    table = confusion_table(predictions_of([[1, 0, 0], [1, 0, 0]], [0, 0], ("cat", "dog", "eel")))

    assert table.to_numpy().tolist() == [[2, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_report_has_each_class_and_the_averages() -> None:
    report = report_table(THREE)

    assert list(report.index) == ["cat", "dog", "eel", "macro avg", "weighted avg", "accuracy"]
    assert list(report.columns) == ["precision", "recall", "f1-score", "support"]
    assert report.loc["cat"].tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 3])
    assert report.loc["dog"].tolist() == pytest.approx([2 / 3, 1, 0.8, 2])
    assert report.loc["accuracy", "f1-score"] == pytest.approx(4 / 6)
    assert report["support"].tolist() == [3, 2, 1, 6, 6, 6]


def test_class_that_is_never_predicted_scores_zero_without_a_warning() -> None:
    assert report_table(THREE).loc["eel"].tolist() == [0, 0, 0, 1]


def test_report_of_images_of_one_class_has_the_others_too() -> None:
    report = report_table(predictions_of([[1, 0], [1, 0]], [0, 0], ("cat", "dog")))

    assert report.loc["dog"].tolist() == [0, 0, 0, 0]
    assert report.loc["accuracy", "f1-score"] == 1


def test_mistakes_come_with_the_most_confident_first() -> None:
    assert THREE.predicted.tolist() == [0, 1, 1, 1, 0, 0]
    assert THREE.mistakes().tolist() == [1, 4]


def test_equally_confident_mistakes_keep_their_order() -> None:
    assert predictions_of([[0.8, 0.2]] * 4, [1, 0, 1, 1], ("cat", "dog")).mistakes().tolist() == [0, 2, 3]


def test_one_output_is_the_probability_of_the_second_of_two_classes() -> None:
    def network(images: Array, training: bool) -> Array:
        return images / 100

    images = np.array([[10.0], [50.0], [90.0], [51.0]])

    predictions = predict(network, images, np.array([0, 0, 0, 1]), ("no", "yes"))

    np.testing.assert_allclose(predictions.probabilities, [[0.9, 0.1], [0.5, 0.5], [0.1, 0.9], [0.49, 0.51]])
    assert predictions.predicted.tolist() == [0, 0, 1, 1]
    assert predictions.mistakes().tolist() == [2]


def test_predictions_of_a_network_have_every_image_in_order() -> None:
    images = np.arange(1201, dtype=np.float32).reshape(-1, 1)
    batches: list[int] = []

    def network(batch: Array, training: bool) -> Array:
        assert not training
        batches.append(len(batch))
        return np.concatenate([batch, -batch], axis=1)

    predictions = predict(network, images, np.zeros(1201, int), ("cat", "dog"))

    assert np.array_equal(predictions.probabilities[:, :1], images)
    assert sum(batches) == 1201
    assert max(batches) <= 500


@pytest.mark.parametrize("n_classes", [2, 10, 25, 26, 100])
def test_confusion_is_drawn_with_every_class_and_its_counts(n_classes: int) -> None:
    predictions = some_predictions(n_classes)
    table = confusion_table(predictions)

    figure = draw_confusion(table)

    texts = texts_of(figure)
    assert all(texts.count(name) == 2 for name in predictions.class_names)
    accuracy = (predictions.predicted == predictions.labels).mean()
    assert f"{accuracy:.2%} of 300 images right" in texts
    assert {"predicted", "true", "share of the true class"} <= set(texts)


@pytest.mark.parametrize("n_classes", [2, 10, 25])
def test_cells_of_few_classes_have_count_and_share(n_classes: int) -> None:
    table = confusion_table(some_predictions(n_classes))
    counts = table.to_numpy()

    texts = texts_of(draw_confusion(table))

    cells = sorted(text for text in texts if "\n" in text)
    shares = counts / counts.sum(axis=1, keepdims=True)
    assert cells == sorted(f"{count}\n{shares[place]:.0%}" for place, count in np.ndenumerate(counts) if count)


@pytest.mark.parametrize("n_classes", [26, 100])
def test_confusions_of_many_classes_are_listed_from_the_most_frequent(n_classes: int) -> None:
    table = confusion_table(some_predictions(n_classes))

    (listed,) = (text for text in texts_of(draw_confusion(table)) if text.startswith("Most frequent confusions"))

    rows = listed.splitlines()[3:]
    counts = [int(row.split(": ")[1].split(",")[0]) for row in rows]
    wrong = table.to_numpy() * (1 - np.eye(n_classes, dtype=int))
    assert len(rows) == 30
    assert counts == sorted(wrong.ravel().tolist(), reverse=True)[:30]
    true, predicted = rows[0].split(": ")[0].split(" -> ")
    share = counts[0] / table.loc[true].sum()
    assert table.loc[true, predicted] == counts[0]
    assert rows[0].endswith(f", {share:.0%}")


def test_confusion_of_a_class_without_images_is_drawn() -> None:
    names = pd.Index(["cat", "dog"])

    texts = texts_of(draw_confusion(pd.DataFrame([[3, 1], [0, 0]], index=names, columns=names)))

    assert {"3\n75%", "1\n25%", "75.00% of 4 images right"} <= set(texts)


def test_right_answers_are_seen_on_the_diagonal_from_the_top_left() -> None:
    predictions = predictions_of(np.eye(4).tolist(), [0, 1, 2, 3], ("cat", "dog", "eel", "fox"))

    picture = picture_of(draw_confusion(confusion_table(predictions)))[:, :-110]  # the rest is the colour bar

    rows, columns = (picture < 0.4).nonzero()
    assert np.corrcoef(rows, columns)[0, 1] > 0.8


def test_images_of_a_gallery_are_seen_upright() -> None:
    image = np.array([[0, 0], [255, 255]], np.uint8)[..., None]

    picture = picture_of(draw_gallery([image], ["one"], pixel_range=(0, 255), title="all"))

    assert picture[-175:-105, 20:160].mean() < 0.1
    assert picture[-95:, 20:160].mean() > 0.9


@pytest.mark.parametrize("n_epochs", [1, 2, 40])
def test_curves_mark_the_best_epoch(n_epochs: int) -> None:
    epochs = [Epoch(n, 2 / n, 1 - 1 / n, 3 / n, 0.9 - 0.5 / n, 0.1, 1.0) for n in range(1, n_epochs + 1)]

    figure = draw_curves([epochs], epochs[-1])

    accuracy, loss = figure.axes
    texts = texts_of(figure)
    assert {"Accuracy", "Loss", "epoch", "training", "validation"} <= set(texts)
    assert f"best epoch: {n_epochs} ({0.9 - 0.5 / n_epochs:.4f})" in texts
    assert f"best epoch: {n_epochs} ({3 / n_epochs:.4f})" in texts
    drawn = [np.asarray(line.get_ydata()).tolist() for line in (*accuracy.lines[:2], *loss.lines[:2])]
    names = ("accuracy", "val_accuracy", "loss", "val_loss")
    assert drawn == [[getattr(epoch, name) for epoch in epochs] for name in names]
    assert len(accuracy.lines) == len(loss.lines) == 3


def test_curves_of_folds_are_thin_beneath_their_mean_as_far_as_all_go() -> None:
    folds = [[Epoch(n, 1.0, 0.1 * n, 2.0, 0.1 * fold, 0.1, 1.0) for n in range(1, 3 + fold)] for fold in (0, 1, 2)]
    best = mean_epoch([epochs[-1] for epochs in folds])

    accuracy, loss = draw_curves(folds, best).axes

    lines = {line.get_label(): line for line in accuracy.lines if not str(line.get_label()).startswith("_")}
    assert set(lines) == {
        "training, mean of 3 folds",
        "validation, mean of 3 folds",
        "best epochs: median 3, mean 0.1000",
    }
    bold = lines["validation, mean of 3 folds"]
    thin = [line for line in accuracy.lines if line.get_color() == bold.get_color() and line is not bold]
    assert np.asarray(bold.get_ydata()).tolist() == pytest.approx([0.1, 0.1])
    assert [len(np.asarray(line.get_ydata())) for line in thin] == [2, 3, 4]
    assert all(line.get_linewidth() < bold.get_linewidth() for line in thin)
    assert "best epochs: median 3, mean 2.0000" in [line.get_label() for line in loss.lines]


IMAGES = {
    "grey": np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), np.uint8),
    "colour": np.random.default_rng(0).random((60, 8, 8, 3), np.float32) * 9 - 4,
    "two channels": np.zeros((60, 5, 7, 2), np.uint8),
    "sequences": np.random.default_rng(0).random((60, 50, 2), np.float32),
    "one pixel": np.full((60, 1, 1, 1), 7, np.uint8),
}


@pytest.mark.parametrize("images", IMAGES.values(), ids=IMAGES)
def test_mistakes_are_drawn_with_true_and_predicted_class(images: Any) -> None:
    predictions = some_predictions(3, n_images=60, share_right=0.2)
    mistakes = predictions.mistakes()

    figure = draw_mistakes(images, predictions)

    texts = texts_of(figure)
    assert len(mistakes) > 24
    assert f"{len(mistakes)} of 60 wrong, most confident first" in texts
    captions = [text for text in texts if text.startswith("true: ")]
    names, probabilities = predictions.class_names, predictions.probabilities.max(axis=1)
    assert captions == [
        f"true: {names[predictions.labels[i]]}\nsays: {names[predictions.predicted[i]]} ({probabilities[i]:.0%})"
        for i in mistakes[:24]
    ]
    lines = 2 if images.ndim == 3 else 1  # of a sequence, one for each of its channels
    assert len(figure.artists) == 24 * lines


@pytest.mark.parametrize(("n_mistakes", "n_rows"), [(0, 1), (1, 1), (7, 2), (30, 4)])
def test_mistakes_take_the_rows_that_they_need(n_mistakes: int, n_rows: int) -> None:
    labels = [1] * n_mistakes + [0] * (60 - n_mistakes)

    figure = draw_mistakes(IMAGES["grey"], predictions_of([[0.9, 0.1]] * 60, labels, ("cat", "dog")))

    assert f"{n_mistakes} of 60 wrong, most confident first" in texts_of(figure)
    _, height = figure.get_size_inches()
    assert 1.6 * n_rows < height < 2.5 * n_rows + 0.5
    assert len(figure.artists) == min(n_mistakes, 24)


@pytest.mark.parametrize("names", [("$5", "$10"), ("a_b^c", "$x$"), ("$\\bad{$", "%s")])
def test_class_names_are_drawn_as_they_are(names: tuple[str, str]) -> None:
    predictions = predictions_of([[0.9, 0.1]] * 60, [0, 1] * 30, names)

    assert set(names) <= set(texts_of(draw_confusion(confusion_table(predictions))))
    assert any(names[1] in text for text in texts_of(draw_mistakes(IMAGES["grey"], predictions)))


def test_curves_of_a_training_without_validation_show_it_alone() -> None:
    nan = float("nan")
    epochs = [Epoch(number, 1.0, 0.5, nan, nan, 0.01, 1.0) for number in (1, 2)]

    shown = texts_of(draw_curves([epochs], epochs[-1]))

    assert "training" in shown
    assert not [text for text in shown if text.startswith(("validation", "best epoch"))]
