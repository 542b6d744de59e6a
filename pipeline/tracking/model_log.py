"""Networks, and classical models, as MLflow models."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from pipeline.tracking.training_run import TrainingRun

_KERAS = ("tensorflow", "keras", "numpy", "mlflow")
_SKLEARN = ("scikit-learn", "cloudpickle", "numpy", "mlflow")


def log_network(
    run: TrainingRun, network: Any, class_names: tuple[str, ...], *, provenance: Mapping[str, object]
) -> str:
    """Log a network as the run's model ``model`` and return the model's id.

    It takes raw images as float32 of 0..255 and holds its scaling. Its metadata has ``class_names``, and how to read
    the ``output``: ``softmax`` is one probability a class, ``sigmoid`` one alone, of the ``positive_class``;
    and its ``provenance``.
    Requirements are named here: MLflow would start a process to guess them, for 5 to 10 seconds a model.
    """
    import mlflow.keras

    return _log(
        run, input_shape=network.input_shape[1:], n_outputs=network.output_shape[-1], class_names=class_names,
        packages=_KERAS, provenance=provenance, flavor=mlflow.keras, model=network,
    )  # fmt: skip


def log_classical(run: TrainingRun, model: Any, input_shape: tuple[int, ...], class_names: tuple[str, ...]) -> str:
    """Log a fitted scikit-learn pipeline that takes raw images, as ``log_network`` logs a network."""
    import mlflow.sklearn

    return _log(
        run, input_shape=input_shape, n_outputs=len(class_names), class_names=class_names, packages=_SKLEARN,
        provenance={}, flavor=mlflow.sklearn, sk_model=model,
        pyfunc_predict_fn="predict_proba", serialization_format="cloudpickle",
    )  # fmt: skip


def _log(
    run: TrainingRun, *, input_shape: tuple[int, ...], n_outputs: int, class_names: tuple[str, ...],
    packages: tuple[str, ...], provenance: Mapping[str, object], **flavored: Any,
) -> str:  # fmt: skip
    return log_model(
        run, packages=packages, signature=_signature(input_shape, n_outputs),
        metadata={**output_metadata(n_outputs, class_names), **provenance}, **flavored,
    )  # fmt: skip


def log_model(
    run: TrainingRun, *, packages: tuple[str, ...], signature: ModelSignature, metadata: Mapping[str, Any],
    **flavored: Any,
) -> str:  # fmt: skip
    """Log what a flavor of MLflow takes as the run's model ``model``, requiring the ``packages`` as they are here."""
    import mlflow

    mlflow.set_tracking_uri(run.store.uri)
    logged = run.store.client.create_logged_model(run.experiment_id, name="model", source_run_id=run.run_id)
    Model.log(
        artifact_path=None, run_id=run.run_id, model_id=logged.model_id, signature=signature, metadata=dict(metadata),
        pip_requirements=[f"{package}=={version(package)}" for package in packages], **flavored,
    )  # fmt: skip
    return str(logged.model_id)


def output_metadata(n_outputs: int, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Return what metadata say of a network's outputs: the class names, and how to read them."""
    names = list(class_names)
    if n_outputs == 1:
        return {"class_names": names, "output": "sigmoid", "positive_class": names[1]}
    return {"class_names": names, "output": "softmax"}


def _signature(input_shape: tuple[int, ...], n_outputs: int) -> ModelSignature:
    pixels = TensorSpec(np.dtype(np.float32), (-1, *input_shape))  # with a name, MLflow would hand a dict on
    probabilities = TensorSpec(np.dtype(np.float32), (-1, n_outputs), "probabilities")
    return ModelSignature(Schema([pixels]), Schema([probabilities]))
