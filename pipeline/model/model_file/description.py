"""What the file of a hand-made model says, frozen."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.knobs.table import Knobs, KnobValue, complete

ArgumentValue = KnobValue | tuple[int, ...]

DROPOUTS = ("Dropout", "SpatialDropout1D", "SpatialDropout2D")


@dataclass(frozen=True)
class Reported:
    """A result that a document states; ``on`` is None where it does not say on which images."""

    accuracy: float
    on: str | None = None
    note: str = ""
    loss: float | None = None
    train_seconds: float | None = None


@dataclass(frozen=True)
class Layer:
    """One layer: Keras's own name for it, its arguments, and the line where it stands in the file."""

    kind: str
    arguments: dict[str, ArgumentValue]
    line: int

    @property
    def activation(self) -> str | None:
        """The layer's activation; None where it is linear, or has none."""
        return "softmax" if self.kind == "Softmax" else str(self.arguments.get("activation", "")) or None


@dataclass(frozen=True)
class ModelFile:
    """A hand-made model.

    ``source`` is the file and ``text`` what stands in it, ``n_parameters`` what it says that the layers have.
    ``training`` holds the knobs that it states and no others: those of the training and of the images, since the
    layers are the network. ``network_knobs`` are those that give the very same layers, None where none do.
    """

    name: str
    source: str
    dataset: str | None
    input_shape: tuple[int, ...]
    n_parameters: int | None
    reported: tuple[Reported, ...]
    training: Knobs
    layers: tuple[Layer, ...]
    network_knobs: Knobs | None = None
    text: str = ""

    def as_point(self) -> Knobs | None:
        """Return all knobs of the point of a search space that the model is, None where it is none."""
        return None if self.network_knobs is None else complete({**self.network_knobs, **self.training})

    @property
    def n_classes(self) -> int | None:
        """Classes that the model tells apart; None where no layer states it."""
        units = [layer.arguments["units"] for layer in self.layers if "units" in layer.arguments]
        if self.is_binary or not units:
            return 2 if self.is_binary else None
        return int(str(units[-1]))

    @property
    def output_index(self) -> int:
        """Index of the layer that gives the class probabilities: the last one that is no dropout."""
        return max(index for index, layer in enumerate(self.layers) if layer.kind not in DROPOUTS)

    @property
    def is_binary(self) -> bool:
        """Whether the output is one sigmoid unit: the probability of the second of two classes."""
        return self.layers[self.output_index].activation == "sigmoid"

    @property
    def backbone(self) -> Layer | None:
        """The backbone that the layers stand on, or None."""
        return self.layers[0] if self.layers[0].kind == "Backbone" else None

    @property
    def pretrained_backbone(self) -> str | None:
        """The backbone that starts from ImageNet weights, or None."""
        if self.backbone is None or self.backbone.arguments.get("weights") == "random":
            return None
        return str(self.backbone.arguments["name"])

    def at(self, input_shape: tuple[int, ...]) -> ModelFile:
        """Return the same layers for images of another shape, whose parameters nobody has counted."""
        return self if input_shape == self.input_shape else replace(self, input_shape=input_shape, n_parameters=None)
