"""Networks, and classical models, as MLflow models."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from pipeline.tracking.training_run import TrainingRun

_KERAS = ("tensorflow", "keras", "numpy", "mlflow")
_SKLEARN = ("scikit-learn", "cloudpickle", "numpy", "mlflow")


def log_network(run: TrainingRun, network: Any, class_names: tuple[str, ...]) -> str:
    """Log a network as the run's model ``model`` and return the model's id.

    It takes raw images as float32 of 0..255, holds its scaling, and carries the class names in its metadata.
    Requirements are named here: MLflow would start a process to guess them, for 5 to 10 seconds a model.
    """
    import mlflow.keras

    shape = tuple(network.input_shape[1:])
    return _log(run, shape, class_names, _KERAS, flavor=mlflow.keras, model=network)


def log_classical(run: TrainingRun, model: Any, input_shape: tuple[int, ...], class_names: tuple[str, ...]) -> str:
    """Log a fitted scikit-learn pipeline that takes raw images, as ``log_network`` logs a network."""
    import mlflow.sklearn

    return _log(
        run, input_shape, class_names, _SKLEARN, flavor=mlflow.sklearn, sk_model=model,
        pyfunc_predict_fn="predict_proba", serialization_format="cloudpickle",
    )  # fmt: skip


def _log(
    run: TrainingRun, input_shape: tuple[int, ...], class_names: tuple[str, ...], packages: tuple[str, ...],
    **flavored: Any,
) -> str:  # fmt: skip
    import mlflow

    mlflow.set_tracking_uri(run.store.uri)
    logged = run.store.client.create_logged_model(run.experiment_id, name="model", source_run_id=run.run_id)
    Model.log(
        artifact_path=None, run_id=run.run_id, model_id=logged.model_id,
        signature=_signature(input_shape, len(class_names)), metadata={"class_names": list(class_names)},
        pip_requirements=[f"{package}=={version(package)}" for package in packages], **flavored,
    )  # fmt: skip
    return str(logged.model_id)


def _signature(input_shape: tuple[int, ...], n_classes: int) -> ModelSignature:
    pixels = TensorSpec(np.dtype(np.float32), (-1, *input_shape), "pixels")
    probabilities = TensorSpec(np.dtype(np.float32), (-1, n_classes), "probabilities")
    return ModelSignature(Schema([pixels]), Schema([probabilities]))
