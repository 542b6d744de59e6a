"""Networks, and classical models, as MLflow models."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from pipeline.data.image_set import ImageSet
from pipeline.data.scaling import pixel_range
from pipeline.tracking.orphaned_models import remove_unfinished
from pipeline.tracking.training_run import TrainingRun

_KERAS = ("tensorflow", "keras", "numpy", "mlflow")
_SERVED = ("tensorflow", "keras", "numpy", "pandas", "mlflow")
_SERVED_CODE = Path(__file__).with_name("served_model.py")
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

    n_outputs = network.output_shape[-1]
    return _log(
        run, packages=_KERAS, signature=_signature(network.input_shape[1:], n_outputs),
        metadata={**_output_metadata(n_outputs, class_names), **provenance}, flavor=mlflow.keras, model=network,
    )  # fmt: skip


def log_classical(run: TrainingRun, model: Any, input_shape: tuple[int, ...], class_names: tuple[str, ...]) -> str:
    """Log a fitted scikit-learn pipeline that takes raw images, as ``log_network`` logs a network."""
    import mlflow.sklearn

    n_outputs = len(class_names)
    return _log(
        run, packages=_SKLEARN, signature=_signature(input_shape, n_outputs),
        metadata=_output_metadata(n_outputs, class_names), flavor=mlflow.sklearn, sk_model=model,
        pyfunc_predict_fn="predict_proba", serialization_format="cloudpickle",
    )  # fmt: skip


def log_served_model(run: TrainingRun, network: Any, images: ImageSet) -> str:
    """Log a network as the run's model ``model`` with its own code, and return the model's id.

    It takes images as in the training ``images``, of any type of number. Its metadata has ``class_names``, how the
    network's ``output`` is to be read, the ``input_shape`` and the ``pixel_range``, black and white.
    """
    import mlflow.pyfunc

    n_outputs = network.output_shape[-1]
    known = {"class_names": list(images.class_names), "input_shape": list(network.input_shape[1:])}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        network.save(path)
        return _log(
            run, packages=_SERVED, signature=_table_signature(images.class_names),
            metadata={**_output_metadata(n_outputs, images.class_names), **known,
                      "pixel_range": list(pixel_range(images.images))},
            flavor=mlflow.pyfunc, python_model=str(_SERVED_CODE), artifacts={"network": str(path)},
            model_config={**known, "whole_pixels": images.images.dtype == np.uint8},
        )  # fmt: skip


def _log(
    run: TrainingRun, *, packages: tuple[str, ...], signature: ModelSignature, metadata: Mapping[str, Any],
    **flavored: Any,
) -> str:  # fmt: skip
    """Log what a flavor of MLflow takes as the run's model ``model``, requiring the ``packages`` as they are here."""
    import mlflow

    mlflow.set_tracking_uri(run.store.uri)
    client = run.store.client
    if run.goes_on:
        run.send(lambda: remove_unfinished(run.store, run.run_id))
    logged = run.send(lambda: client.create_logged_model(run.experiment_id, name="model", source_run_id=run.run_id))
    requirements = [f"{package}=={version(package)}" for package in packages]
    run.send(
        lambda: Model.log(
            artifact_path=None, run_id=run.run_id, model_id=logged.model_id, signature=signature,
            metadata=dict(metadata), pip_requirements=requirements, **flavored,
        )
    )  # fmt: skip
    return str(logged.model_id)


def _output_metadata(n_outputs: int, class_names: tuple[str, ...]) -> dict[str, Any]:
    """Return the metadata of a network's outputs: the class names, and how to interpret the values."""
    names = list(class_names)
    if n_outputs == 1:
        return {"class_names": names, "output": "sigmoid", "positive_class": names[1]}
    return {"class_names": names, "output": "softmax"}


def _signature(input_shape: tuple[int, ...], n_outputs: int) -> ModelSignature:
    pixels = TensorSpec(np.dtype(np.float32), (-1, *input_shape))  # with a name, MLflow would hand a dict on
    probabilities = TensorSpec(np.dtype(np.float32), (-1, n_outputs), "probabilities")
    return ModelSignature(Schema([pixels]), Schema([probabilities]))


def _table_signature(class_names: tuple[str, ...]) -> ModelSignature:
    """Return the signature: MLflow refuses all number types but that of a tensor, unless it is of objects."""
    columns = ["probability", *(f"probability_{name}" for name in class_names)]
    answers = [ColSpec(DataType.string, "class"), *(ColSpec(DataType.double, column) for column in columns)]
    return ModelSignature(Schema([TensorSpec(np.dtype("O"), (-1,))]), Schema(answers))
