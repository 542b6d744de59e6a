"""Networks as MLflow models."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from pipeline.tracking.training_run import TrainingRun

_REQUIRED = ("tensorflow", "keras", "numpy", "mlflow")


def log_network(run: TrainingRun, network: Any, class_names: tuple[str, ...]) -> str:
    """Log a network as the run's model ``model`` and return the model's id.

    It takes raw images as float32 of 0..255, holds its scaling, and carries the class names in its metadata.
    Requirements are named here: MLflow would start a process to guess them, for 5 to 10 seconds a model.
    """
    import mlflow.keras

    mlflow.set_tracking_uri(run.store.uri)
    logged = run.store.client.create_logged_model(run.experiment_id, name="model", source_run_id=run.run_id)
    Model.log(
        artifact_path=None, flavor=mlflow.keras, run_id=run.run_id, model_id=logged.model_id, model=network,
        signature=_signature(network, len(class_names)), metadata={"class_names": list(class_names)},
        pip_requirements=[f"{package}=={version(package)}" for package in _REQUIRED],
    )  # fmt: skip
    return str(logged.model_id)


def _signature(network: Any, n_classes: int) -> ModelSignature:
    pixels = TensorSpec(np.dtype(np.float32), (-1, *network.input_shape[1:]), "pixels")
    probabilities = TensorSpec(np.dtype(np.float32), (-1, n_classes), "probabilities")
    return ModelSignature(Schema([pixels]), Schema([probabilities]))
