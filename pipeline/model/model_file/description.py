"""The content of a model file, frozen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pipeline.errors import ModelFileError
from pipeline.knobs.table import Knobs, KnobValue, complete

ArgumentValue = KnobValue | tuple[int, ...]

DROPOUTS = ("Dropout", "SpatialDropout1D", "SpatialDropout2D")


@dataclass(frozen=True)
class Reported:
    """A result that a document reports.

    ``on`` is the part of the data that it was measured on, and ``n_images`` how many of its images; None where the
    document does not say.
    """

    accuracy: float
    on: str | None = None
    note: str = ""
    loss: float | None = None
    train_seconds: float | None = None
    n_images: int | None = None

    @property
    def images(self) -> str:
        """The images that it was measured on, in words."""
        if self.on is None:
            return "not stated"
        return self.on if self.n_images is None else f"{self.on} ({self.n_images:,})"


@dataclass(frozen=True)
class Layer:
    """One layer: its Keras class, its arguments, and its line in the file."""

    kind: str
    arguments: dict[str, ArgumentValue]
    line: int

    @property
    def activation(self) -> str | None:
        """The layer's activation; None where it is linear, or has none."""
        return "softmax" if self.kind == "Softmax" else str(self.arguments.get("activation", "")) or None


@dataclass(frozen=True)
class ModelFile:
    """A hand-made model, as its file describes it.

    ``source`` is the path of the file, ``text`` its content, ``n_parameters`` the count that it states.
    ``validated_on`` says which images its document held out; None where it states none. ``training`` holds the knobs
    that it sets, of training and images only: the layers are the network. ``knobs`` are the knobs of the network that
    give exactly these layers; None where it states none.
    """

    name: str
    source: str
    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    dataset: str | None = None
    n_parameters: int | None = None
    validated_on: str | None = None
    reported: tuple[Reported, ...] = ()
    training: Knobs = field(default_factory=dict)
    knobs: Knobs | None = None
    text: str = ""

    def as_point(self) -> Knobs | None:
        """Return all knobs of the model as a point of a search space, or None where knobs cannot describe it."""
        return None if self.knobs is None else complete({**self.knobs, **self.training})

    @property
    def comparable_result(self) -> Reported | None:
        """The reported result that was measured most as trainings are here: the best on validation images.

        Where there is none, it is the best on test images, else the best of all; ``images`` says so.
        """
        order = ("validation", "test")
        return min(
            self.reported, default=None,
            key=lambda one: (order.index(one.on) if one.on in order else len(order), -one.accuracy),
        )  # fmt: skip

    @property
    def n_classes(self) -> int | None:
        """Number of classes; None where no layer states it."""
        units = [layer.arguments["units"] for layer in self.layers if "units" in layer.arguments]
        if self.is_binary or not units:
            return 2 if self.is_binary else None
        return int(str(units[-1]))

    @property
    def output_index(self) -> int:
        """Index of the layer that gives the class probabilities: the last one that is not a dropout."""
        others = [index for index, layer in enumerate(self.layers) if layer.kind not in DROPOUTS]
        return others[-1] if others else len(self.layers) - 1

    @property
    def output(self) -> Layer:
        """The layer that gives the class probabilities."""
        return self.layers[self.output_index]

    @property
    def is_binary(self) -> bool:
        """Whether the output is one sigmoid unit: the probability of the second of two classes."""
        return self.output.activation == "sigmoid"

    @property
    def backbone(self) -> Layer | None:
        """The backbone that the network starts with, or None."""
        return self.layers[0] if self.layers[0].kind == "Backbone" else None

    @property
    def pretrained_backbone(self) -> str | None:
        """Name of the backbone that starts from ImageNet weights, or None."""
        if self.backbone is None or self.backbone.arguments.get("weights") == "random":
            return None
        return str(self.backbone.arguments["name"])

    def at(self, input_shape: tuple[int, ...]) -> ModelFile:
        """Return the same layers for images of another shape, with no stated count of parameters."""
        return self if input_shape == self.input_shape else replace(self, input_shape=input_shape, n_parameters=None)

    def error(self, layer: Layer, text: str) -> ModelFileError:
        """Return the error that names file and line of ``layer``."""
        return ModelFileError(f"{self.source}:{layer.line}: {text}")
