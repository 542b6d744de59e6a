"""A configuration bound to a data split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.data.source import Split

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

    @classmethod
    def on_images(cls, split: Split, build: Build) -> BoundConfiguration:
        """Return that of a network which is trained on the images themselves."""
        return cls(split, split, build, lambda: build("float32"))

    def finish(self, trained: Any) -> Any:
        """Return the trained network for use elsewhere: whole, without optimizer, computing in float32."""
        network = self.build_whole()
        for layer in trained.layers:
            network.get_layer(layer.name).set_weights(layer.get_weights())
        return network
