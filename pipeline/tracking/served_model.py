"""The code of a registered model. MLflow ships this file with the model and runs it there: it needs nothing else of us.

Raw images in, a table out: a row an image with its ``class``, the ``probability`` of that, and a column
``probability_NAME`` for each class, in label order.
"""

from __future__ import annotations

from typing import Any

import mlflow
import numpy as np
import pandas as pd

_IMAGES_AT_ONCE = 500


class ServedClassifier(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A network with what is known of its classes and its images."""

    def load_context(self, context: Any) -> None:
        """Load the network, and what is said of it: ``class_names``, ``input_shape``, ``whole_pixels``."""
        import keras

        self.network = keras.saving.load_model(context.artifacts["network"], compile=False)
        self.class_names = [str(name) for name in context.model_config["class_names"]]
        self.input_shape = tuple(context.model_config["input_shape"])
        self.has_whole_pixels = bool(context.model_config["whole_pixels"])

    def predict(self, context: Any, model_input: np.ndarray, params: Any = None) -> Any:
        """Return the table of answers for images of shape (n, height, width, channels), or one image of that shape.

        Pixels are numbers as in the training images, of any type; images of another height and width are resized as
        those were.
        """
        images = np.asarray(model_input, np.float32)
        if images.ndim == len(self.input_shape):
            images = images[np.newaxis]
        parts = [
            self._probabilities(images[at : at + _IMAGES_AT_ONCE]) for at in range(0, len(images), _IMAGES_AT_ONCE)
        ]
        probabilities = np.concatenate(parts)
        table = pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in self.class_names])
        table.insert(0, "class", [self.class_names[index] for index in probabilities.argmax(axis=1)])
        table.insert(1, "probability", probabilities.max(axis=1))
        return table

    def _probabilities(self, images: Any) -> Any:
        outputs = np.asarray(self.network.predict_on_batch(self._resized(images)), np.float64)
        return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs

    def _resized(self, images: Any) -> Any:
        wanted = self.input_shape
        if images.shape[1:] == wanted:
            return images
        if len(wanted) != 3 or images.ndim != 4 or images.shape[-1] != wanted[-1]:
            raise ValueError(f"images must have the shape (n, {', '.join(map(str, wanted))}), got {images.shape}")
        import tensorflow as tf

        resized = tf.image.resize(images, wanted[:2], antialias=True).numpy()
        return np.rint(resized).clip(0, 255) if self.has_whole_pixels else resized


mlflow.models.set_model(ServedClassifier())
