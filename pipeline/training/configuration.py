"""A configuration: all that one training is made of, but for the images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from pipeline.data.scaling import fit_scaling
from pipeline.data.source import Split
from pipeline.knobs.table import Knobs, complete
from pipeline.model.architecture import Architecture, make_architecture
from pipeline.model.hand_made import HandMade, build_hand_made
from pipeline.model.network import build_network
from pipeline.training.plan import TrainingPlan, make_plan

Build = Callable[[str], Any]
"""From the name of a Keras dtype policy to an uncompiled network that takes raw pixels."""


@dataclass(frozen=True, eq=False)
class Setup:
    """A configuration met with its images: ``split`` and ``build`` are what ``train`` takes."""

    split: Split
    build: Build

    def finish(self, trained: Any) -> Any:
        """Return the trained network for use elsewhere: without optimizer, computing in float32."""
        network = self.build("float32")
        network.set_weights(trained.get_weights())
        return network


@dataclass(frozen=True)
class Configuration:
    """All ``knobs``, and the ``hand_made`` model that takes the place of those that describe the network."""

    knobs: Knobs
    hand_made: HandMade | None = None

    @property
    def plan(self) -> TrainingPlan:
        """How the network is trained."""
        return make_plan(self.knobs)

    @property
    def image_size(self) -> int:
        """Side that the images are resized to, in pixels; 0: as they are."""
        return int(self.knobs["image_size"])

    def parameters(self) -> Knobs:
        """Return the knobs that have a say."""
        if self.hand_made is None:
            return self.knobs
        network = {field.name for field in fields(Architecture)}
        return {name: value for name, value in self.knobs.items() if name not in network}

    def with_epochs_at_most(self, epochs: int | None) -> Configuration:
        """Return the configuration with no more than ``epochs``; None leaves it as it is."""
        if epochs is None:
            return self
        return replace(self, knobs={**self.knobs, "epochs": min(int(self.knobs["epochs"]), epochs)})

    def at_size(self, image_size: int | None) -> Configuration:
        """Return the configuration for images of another side in pixels; None leaves it as it is."""
        return self if image_size is None else replace(self, knobs={**self.knobs, "image_size": image_size})

    def setup(self, split: Split) -> Setup:
        """Meet the images: fit the scaling on those for training, and return what ``train`` takes.

        Raises:
            OutputError: one sigmoid unit is asked to tell more than two classes apart.
        """
        scaling = fit_scaling(str(self.knobs["scaling"]), split.train.images)
        if self.hand_made is not None:
            model = self.hand_made.at(split.input_shape)
            return Setup(split, lambda precision: build_hand_made(model, pixel_scaling=scaling, precision=precision))
        architecture = make_architecture(
            self.knobs, input_shape=split.input_shape, n_classes=len(split.class_names), pixel_scaling=scaling
        )
        return Setup(split, lambda precision: build_network(architecture, precision=precision))


def hand_made_configuration(model: HandMade) -> Configuration:
    """Return the configuration of a hand-made model: its training settings, and each other knob's default."""
    return Configuration(complete(model.training), model)
