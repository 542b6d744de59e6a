"""A logged or registered model, loaded for predictions on raw images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data.image_set import Array
from pipeline.data.pixels import Pixels, in_parts
from pipeline.errors import PipelineError
from pipeline.evaluation.latency import measure_latency
from pipeline.tracking.store import TrackingStore


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model of this project with its metadata; ``pixel_range`` holds the values of black and white."""

    class_names: tuple[str, ...]
    input_shape: tuple[int, ...]
    pixel_range: tuple[float, float]
    _model: Any

    def table(self, images: Array) -> pd.DataFrame:
        """Return the table of answers to raw images of shape (n, ...)."""
        table: pd.DataFrame = self._model.predict(images)
        return table

    def probabilities(self, images: Pixels) -> Array:
        """Return probabilities of shape (n, classes) for raw images of shape (n, ...)."""
        columns = [f"probability_{name}" for name in self.class_names]
        return np.concatenate([self.table(part)[columns].to_numpy(np.float64) for part in in_parts(images)])

    def latency_ms(self, images: Pixels) -> float:
        """Return the milliseconds that an answer for a single image takes."""
        return measure_latency(self._model.predict, images)


def load_model(store: TrackingStore, uri: str) -> LoadedModel:
    """Load the model at ``uri``; imports TensorFlow.

    Raises:
        PipelineError: it is not one that this project made.
        Exception: whatever MLflow and Keras raise for files that are missing or broken.
    """
    import mlflow.pyfunc

    mlflow.set_tracking_uri(store.uri)
    model = mlflow.pyfunc.load_model(uri)
    known = model.metadata.metadata or {}
    missing = [name for name in ("class_names", "input_shape", "pixel_range") if name not in known]
    if missing:
        raise PipelineError(f"{uri} is no model of this project: its metadata lack {', '.join(missing)}")
    low, high = known["pixel_range"]
    return LoadedModel(tuple(known["class_names"]), tuple(known["input_shape"]), (low, high), model)
