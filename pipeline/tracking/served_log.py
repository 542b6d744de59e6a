"""A network as a model for use elsewhere: raw images in, a table of classes and probabilities out."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from pipeline.data.image_set import ImageSet
from pipeline.data.scaling import pixel_range
from pipeline.tracking.model_log import log_model, output_metadata
from pipeline.tracking.training_run import TrainingRun

_CODE = Path(__file__).with_name("served_model.py")
_PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "mlflow")


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
        return log_model(
            run, packages=_PACKAGES, signature=_signature(images.class_names),
            metadata={**output_metadata(n_outputs, images.class_names), **known,
                      "pixel_range": list(pixel_range(images.images))},
            flavor=mlflow.pyfunc, python_model=str(_CODE), artifacts={"network": str(path)},
            model_config={**known, "whole_pixels": images.images.dtype == np.uint8},
        )  # fmt: skip


def _signature(class_names: tuple[str, ...]) -> ModelSignature:
    """Return the signature: MLflow refuses all number types but that of a tensor, unless it is of objects."""
    columns = ["probability", *(f"probability_{name}" for name in class_names)]
    answers = [ColSpec(DataType.string, "class"), *(ColSpec(DataType.double, column) for column in columns)]
    return ModelSignature(Schema([TensorSpec(np.dtype("O"), (-1,))]), Schema(answers))
