"""What a process of its own finds out about a model: its answers to images, and how fast they come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.image_set import Array
from pipeline.data.pixels import Pixels
from pipeline.errors import PipelineError
from pipeline.tracking.loaded_model import load_model
from pipeline.tracking.store import TrackingStore
from pipeline.workers.fresh_process import call_in_fresh_process

TOLERANCE = 1e-3  # of a probability: GPUs choose their algorithms anew in each process


@dataclass(frozen=True, eq=False)
class Examination:
    """Probabilities of shape (n, classes) for the images, the classes, and the milliseconds of a single answer."""

    probabilities: Array
    class_names: tuple[str, ...]
    latency_ms: float


def examine(store: TrackingStore, uri: str, images: Pixels, *, log: Path) -> Examination:
    """Load the model at ``uri`` in a fresh process, and have it answer to raw ``images``.

    Raises:
        PipelineError: it cannot be loaded, or does not answer.
    """
    found = call_in_fresh_process(_examine, store, uri, images, log=log)
    assert isinstance(found, Examination)
    return found


def _examine(store: TrackingStore, uri: str, images: Pixels) -> Examination:
    model = load_model(store, uri)
    probabilities = model.probabilities(images)
    return Examination(probabilities, model.class_names, model.latency_ms(images))


def reload_problem(store: TrackingStore, uri: str, images: Pixels, expected: Array, *, log: Path) -> str | None:
    """Return why the model at ``uri``, loaded in a fresh process, does not repeat its predictions; None if it does."""
    try:
        answers = call_in_fresh_process(_answer, store, uri, images, log=log)
    except PipelineError as error:
        return f"it cannot be loaded back ({error})"
    if answers.shape != expected.shape:
        return f"loaded back, it answers in the shape {answers.shape}, not {expected.shape}"
    farthest = float(np.abs(answers - expected).max())
    return None if farthest <= TOLERANCE else f"loaded back, its probabilities are off by up to {farthest:.3g}"


def _answer(store: TrackingStore, uri: str, images: Pixels) -> Array:
    return load_model(store, uri).probabilities(images)
