"""A configuration: all that one training is made of, but for the images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pipeline.data.scaling import Scaling, fit_scaling, scale_to_bytes
from pipeline.data.source import Split
from pipeline.data.whitening import fit_whitening
from pipeline.knobs.table import KNOBS, Knobs, complete
from pipeline.model.architecture import make_architecture
from pipeline.model.model_file import ModelFile, build_from_file
from pipeline.model.network import build_network
from pipeline.training.backbone_cache import BackboneCache
from pipeline.training.bound_configuration import BoundConfiguration, Build
from pipeline.training.plan import TrainingPlan
from pipeline.training.transfer import bind_transfer


@dataclass(frozen=True)
class Configuration:
    """All ``knobs``, and the ``model_file`` that replaces those that describe the network."""

    knobs: Knobs
    model_file: ModelFile | None = None

    @property
    def plan(self) -> TrainingPlan:
        """How the network is trained."""
        return TrainingPlan(self.knobs)

    @property
    def image_size(self) -> int:
        """Side that the images are resized to, in pixels; 0: as they are."""
        return int(self.knobs["image_size"])

    def parameters(self) -> Knobs:
        """Return the knobs that have a say: none of the network for a hand-made model, or of blocks for a backbone."""
        if self.model_file is not None:
            silent: tuple[str, ...] = ("blocks", "network", "backbone")
        else:
            silent = ("blocks", "pixels") if self.has_backbone else ()
        return {name: value for name, value in self.knobs.items() if KNOBS[name].part not in silent}

    def with_epochs_at_most(self, epochs: int | None) -> Configuration:
        """Return the configuration with no more than ``epochs``; None leaves it as it is."""
        if epochs is None:
            return self
        return replace(self, knobs={**self.knobs, "epochs": min(int(self.knobs["epochs"]), epochs)})

    def at_size(self, image_size: int | None) -> Configuration:
        """Return the configuration for images of another side in pixels; None leaves it as it is."""
        return self if image_size is None else replace(self, knobs={**self.knobs, "image_size": image_size})

    def without_validation(self, epochs: int) -> Configuration:
        """Return the configuration for exactly ``epochs``, with nothing in it that asks for validation images.

        The schedule spans these epochs; where it waits for a validation figure, it waits for the training's own.
        """
        own: Knobs = {
            "epochs": epochs,
            "early_stopping_patience": 0,
            "early_stopping_monitor": "auto",
            "plateau_monitor": str(self.knobs["plateau_monitor"]).removeprefix("val_"),
        }
        return replace(self, knobs={**self.knobs, **own})

    def bind(self, split: Split, backbones: BackboneCache | None = None) -> BoundConfiguration:
        """Fit scaling and whitening on the training images, and return what ``train`` takes.

        ``backbones`` (None: one with the default folders) gives weights and features.

        Raises:
            OutputError: one sigmoid unit is asked to tell more than two classes apart.
            BackboneError: the backbone does not take the images, or its weights cannot be had.
            TrainingStopped: ``on_batch`` of ``backbones`` said so while features were computed.
        """
        bound = self._bind(split, backbones or BackboneCache())
        return bound.mirrored() if self._predicts_mirrored(split) else bound

    def _bind(self, split: Split, backbones: BackboneCache) -> BoundConfiguration:
        if self.model_file is not None:
            return BoundConfiguration.on_images(split, self._model_file_build(self.model_file, split, backbones))
        architecture = make_architecture(
            self.knobs, input_shape=split.images.input_shape, n_classes=len(split.images.class_names),
            pixel_scaling=self._scaling(split),
        )  # fmt: skip
        if self.has_backbone:
            return bind_transfer(
                architecture, split, self.plan.augmentation, predicts_mirrored=self._predicts_mirrored(split),
                backbones=backbones,
            )  # fmt: skip
        if architecture.whitens:
            whitening = fit_whitening(split.train.images, architecture.pixel_scaling)
            architecture = replace(architecture, fitted_whitening=whitening)
        return BoundConfiguration.on_images(split, lambda precision: build_network(architecture, precision=precision))

    def _model_file_build(self, model: ModelFile, split: Split, backbones: BackboneCache) -> Build:
        fitted, scaling = model.at(split.images.input_shape), self._scaling(split)
        pretrained = model.pretrained_backbone
        weights = None if pretrained is None else backbones.weights_of(pretrained, "imagenet")

        def build(precision: str) -> Any:
            return build_from_file(fitted, pixel_scaling=scaling, backbone_weights=weights, precision=precision)

        return build

    @property
    def has_backbone(self) -> bool:
        """Whether the network begins with one of the pretrained networks."""
        if self.model_file is not None:
            return self.model_file.backbone is not None
        return self.knobs["backbone"] != "none"

    def _predicts_mirrored(self, split: Split) -> bool:
        """Whether a mirror image has a say: sequences have none."""
        return bool(self.knobs["mirrored_prediction"]) and len(split.images.input_shape) == 3

    def _scaling(self, split: Split) -> Scaling:
        images = split.train.images
        return scale_to_bytes(images) if self.has_backbone else fit_scaling(str(self.knobs["scaling"]), images)


def model_file_configuration(model: ModelFile) -> Configuration:
    """Return the configuration of a hand-made model: its training settings, and each other knob's default."""
    return Configuration(complete(model.training), model)
