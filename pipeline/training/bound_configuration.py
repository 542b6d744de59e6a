"""A configuration bound to a data split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pipeline.data.source import Split
from pipeline.model.mirrored import predict_mirrored, with_mirrored_prediction

Build = Callable[[str], Any]
"""From the name of a Keras dtype policy to an uncompiled network that takes what is in the split."""


@dataclass(frozen=True, eq=False)
class BoundConfiguration:
    """What ``train`` takes, ``split`` and ``build``; and what is made of the network that it leaves.

    ``images`` is the split of the raw images; ``split`` is the same, or has features in their place.
    ``build_whole`` returns the network from raw images to probabilities, in float32; its layers are those of the one
    that is trained, by name, and where that takes features, those below it.
    """

    images: Split
    split: Split
    build: Build
    build_whole: Callable[[], Any]
    predicts_mirrored: bool = False

    @classmethod
    def on_images(cls, split: Split, build: Build) -> BoundConfiguration:
        """Return that of a network which is trained on the images themselves."""
        return cls(split, split, build, lambda: build("float32"))

    def mirrored(self) -> BoundConfiguration:
        """Return the same with mirrored prediction, in validation too; the network must take the images themselves."""
        return replace(self, build=lambda precision: predict_mirrored(self.build(precision)), predicts_mirrored=True)

    def finish(self, trained: Any) -> Any:
        """Return the trained network for use elsewhere: whole, without optimizer, computing in float32."""
        network = self.build_whole()
        for layer in trained.layers:
            network.get_layer(layer.name).set_weights(layer.get_weights())
        return with_mirrored_prediction(network) if self.predicts_mirrored else network
