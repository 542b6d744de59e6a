"""Prediction from an image and its mirror image: the mean of both probabilities, outside training."""

from __future__ import annotations

from typing import Any

_WIDTH_AXIS = 2


def predict_mirrored(network: Any) -> Any:
    """Return a network of the same layers that trains as ``network`` does, and predicts the mean over both images.

    ``network`` is a ``Sequential`` for images of shape (n, height, width, channels). Its layers are shared.
    """
    import keras

    class Mirrored(keras.Sequential):  # type: ignore[misc]
        """Needs this module to be loaded again: ``with_mirrored_prediction`` makes one that does not."""

        def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
            outputs = super().call(inputs, training=training, mask=mask)
            if training:
                return outputs
            return (outputs + super().call(_mirror(inputs), training=training, mask=mask)) / 2

    return Mirrored([keras.Input(network.input_shape[1:], name="pixels"), *network.layers], name=network.name)


def with_mirrored_prediction(network: Any) -> Any:
    """Return a network of the same layers, for prediction alone: the mean over an image and its mirror image.

    It consists of what Keras has, so that it is saved and loaded like any other.
    """
    import keras

    pixels = keras.Input(network.input_shape[1:], name="pixels")
    both = [_apply(network.layers, pixels), _apply(network.layers, _mirror(pixels))]
    return keras.Model(pixels, keras.layers.Average(name="mean_of_both", dtype="float32")(both), name=network.name)


def _apply(layers: list[Any], inputs: Any) -> Any:
    for layer in layers:
        inputs = layer(inputs)
    return inputs


def _mirror(pixels: Any) -> Any:
    from keras import ops

    return ops.flip(pixels, axis=_WIDTH_AXIS)
