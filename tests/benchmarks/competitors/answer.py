"""What a competitor holds when its time is up, and its accuracy on the test images: found out after the budget."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.data.image_set import Array, ImageSet

from . import ours, recipe
from .keras_network import build_network
from .progress import read_lines
from .task import Task

_AT_ONCE = 500


@dataclass(frozen=True)
class Answer:
    """Validation and test accuracy of what is held (None: nothing), and the knobs that it was trained with."""

    val_accuracy: float | None
    test_accuracy: float | None
    knobs: dict[str, Any]


def write_answer(task: Task) -> None:
    """Evaluate what the competitor holds, and write the answer to the task's folder."""
    task.answer_file.write_text(json.dumps(asdict(find_answer(task)), indent=1))


def find_answer(task: Task) -> Answer:
    """Return what the competitor holds, evaluated on the test images."""
    if task.competitor.startswith("ours"):
        return _answer_of_ours(task)
    return _answer_of_recipe(task) if task.competitor == "recipe" else _answer_of_peer(task)


def _answer_of_ours(task: Task) -> Answer:
    import mlflow

    ours.write_progress(task)
    record = ours.held(task)
    if record is None:
        return Answer(None, None, {})
    images = task.test_images()
    mlflow.set_tracking_uri(record.store.uri)
    network = mlflow.keras.load_model(record.model_uri, load_model_kwargs={"compile": False})
    accuracy = _accuracy(_probabilities(network, images), images)
    return Answer(record.metrics["best_val_accuracy"], accuracy, dict(record.parameters))


def _answer_of_recipe(task: Task) -> Answer:
    import keras

    path = task.path / recipe.HELD_FILE
    lines = read_lines(task.progress_file)
    if not path.exists() or "best" not in lines[-1]:
        return Answer(None, None, {})
    images = task.test_images()
    accuracy = _accuracy(_probabilities(keras.saving.load_model(path, compile=False), images), images)
    return Answer(lines[-1]["best"], accuracy, lines[0]["knobs"])


def _answer_of_peer(task: Task) -> Answer:
    if not task.held_file.exists():
        return Answer(None, None, {})
    images = task.test_images()
    with np.load(task.held_file) as file:
        knobs, val_accuracy = json.loads(str(file["knobs"])), float(file["val_accuracy"])
        network = build_network(knobs, input_shape=images.input_shape, n_classes=len(images.class_names))
        network.set_weights([file[name] for name in sorted(name for name in file.files if name.startswith("weight_"))])
    return Answer(val_accuracy, _accuracy(_probabilities(network, images), images), knobs)


def _probabilities(network: Any, images: ImageSet) -> Array:
    answers: Array = network.predict(np.asarray(images.images), batch_size=_AT_ONCE, verbose=0)
    return answers


def _accuracy(probabilities: Array, images: ImageSet) -> float:
    return float(np.mean(probabilities.argmax(axis=1) == images.labels))
