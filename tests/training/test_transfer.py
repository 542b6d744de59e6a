"""Networks with a backbone: trained whole, or their classifier alone on features, to the same whole network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.data.augmentation import make_augment
from pipeline.data.cache import ArrayCache
from pipeline.data.image_set import make_image_set
from pipeline.data.image_source import make_array_source
from pipeline.data.partition import make_partition
from pipeline.data.pixels import Copies
from pipeline.data.source import Split, TrainingData
from pipeline.errors import BackboneError
from pipeline.knobs.table import KnobValue, complete
from pipeline.model.model_file import read_model_file
from pipeline.training.backbone_cache import N_CHANGED, BackboneCache
from pipeline.training.bound_configuration import BoundConfiguration
from pipeline.training.configuration import Configuration, model_file_configuration
from pipeline.training.ending import Cause, Ending, TrainingStopped
from pipeline.training.metric import get_metric
from pipeline.training.result import TrainingResult
from pipeline.training.trainer import train

SMALL: dict[str, KnobValue] = {
    "backbone": "VGG16", "backbone_weights": "random", "batch_size": 16, "epochs": 1, "learning_rate": 0.05,
}  # fmt: skip


def split_of(*, side: int = 32, n_channels: int = 3, dtype: Any = np.uint8, n_classes: int = 2) -> Split:
    """Return 40 images whose brightness tells the class."""
    labels = np.arange(40) % n_classes
    noise = np.random.default_rng(0).integers(0, 60, (40, side, side, n_channels))
    images = (noise + 120 * labels[:, None, None, None] / n_classes).astype(np.uint8)
    pixels = images if dtype == np.uint8 else (images / 255).astype(dtype)
    source = make_array_source(make_image_set(name="made", source="made", images=pixels, labels=labels))
    return TrainingData(source, make_partition(source, seed=0), 0).at(0)


@pytest.fixture(scope="module")
def split() -> Split:
    return split_of()


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> BackboneCache:
    folder = tmp_path_factory.mktemp("cache")
    return BackboneCache(folder, ArrayCache(folder / "features"))


def configured(**knobs: KnobValue) -> Configuration:
    return Configuration(complete({**SMALL, **knobs}))


def fit(configuration: Configuration, bound: BoundConfiguration, *, precision: str = "float32") -> TrainingResult:
    return train(
        build=bound.build, plan=configuration.plan, data=bound.split, metric=get_metric("val_loss"), seed=0,
        precision=precision,
    )  # fmt: skip


@pytest.mark.parametrize("head", ["global_average", "global_max", "flatten"])
def test_whole_network_gives_what_the_classifier_gave_on_features(head: str, backbones: BackboneCache) -> None:
    split = split_of(side=64)  # 2 x 2 maps
    configuration = configured(head=head, fc_depth=1, fc_units=8, fc_dropout=0.2, dropout_after_pool=0.3)
    bound = configuration.bind(split, backbones)
    result = fit(configuration, bound)

    whole = bound.finish(result.network)

    assert bound.split.images.input_shape == (512 * (4 if head == "flatten" else 1),)
    assert bound.images is split
    on_images = np.asarray(whole(split.validation.images))
    on_features = np.asarray(result.network(bound.split.validation.images))
    assert on_images.dtype == np.float32
    np.testing.assert_allclose(on_images, on_features, atol=1e-5)
    assert whole.count_params() == 14_714_688 + result.network.count_params()


def test_whole_network_is_saved_with_its_backbone(tmp_path: Path, split: Split, backbones: BackboneCache) -> None:
    import keras

    configuration = configured()
    bound = configuration.bind(split, backbones)
    whole = bound.finish(fit(configuration, bound).network)
    whole.save(tmp_path / "whole.keras")

    loaded = keras.saving.load_model(tmp_path / "whole.keras", compile=False)

    images = split.validation.images
    np.testing.assert_array_equal(np.asarray(loaded(images)), np.asarray(whole(images)))


def test_layers_above_the_backbone_follow_the_knobs(split: Split, backbones: BackboneCache) -> None:
    configuration = configured(head="global_max", fc_depth=2, fc_units=8, fc_dropout=0.1, dropout_after_pool=0.2)

    whole = configuration.bind(split, backbones).build_whole()

    assert [layer.name for layer in whole.layers] == [
        "VGG16", "global_max", "dropout_after_pool", "fc1", "fc1_dropout", "fc2", "fc2_dropout", "classes",
        "probabilities",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("knobs", "on_features"),
    [
        ({}, True),
        ({"unfrozen_blocks": 1}, False),
        ({"augmentation": "shifts"}, True),
        ({"mirrored_prediction": True}, False),
    ],
    ids=["frozen", "unfrozen", "augmented", "mirrored"],
)
def test_features_take_the_images_place_where_the_backbone_is_frozen(
    split: Split, backbones: BackboneCache, knobs: dict[str, KnobValue], on_features: bool
) -> None:
    bound = configured(**knobs).bind(split, backbones)

    assert (bound.split is not split) == on_features


def test_features_of_changed_images_are_kept_beside_those_of_the_images(split: Split, tmp_path: Path) -> None:
    backbones = BackboneCache(tmp_path, ArrayCache(tmp_path / "features"))
    plain = configured().bind(split, backbones).split.images.images

    bound = configured(augmentation="shifts").bind(split, backbones)

    copies = bound.split.images.images
    assert isinstance(copies, Copies)
    assert copies.array.shape == (40, 1 + N_CHANGED, 512)
    np.testing.assert_array_equal(copies[:], plain)
    np.testing.assert_array_equal(bound.split.validation.images[:], plain[split.partition.validation])
    assert all((copies.array[:, one] != copies.array[:, other]).any() for one, other in ((0, 1), (1, 2)))
    before = files(backbones)
    assert len(before) == 1 + N_CHANGED
    again = configured(augmentation="shifts", fc_depth=1).bind(split, BackboneCache(tmp_path, backbones.store))
    np.testing.assert_array_equal(again.split.images.images.array, copies.array)
    assert files(backbones) == before


def test_changed_copies_are_those_of_the_augmentation(split: Split, backbones: BackboneCache) -> None:
    import tensorflow as tf

    configuration = configured(augmentation="flips_and_shifts")
    copies = configuration.bind(split, backbones).split.images.images
    augment = make_augment(configuration.plan.augmentation, input_shape=(32, 32, 3), pixel_range=(0, 255))
    assert augment is not None
    changed = augment(tf.constant(split.images.images), tf.constant([2, 0]))

    others = BackboneCache(backbones.data_dir, ArrayCache(backbones.data_dir / "others"))
    of_changed = configured().bind(split.with_pixels(changed.numpy()), others)

    np.testing.assert_allclose(copies.array[:, 2], of_changed.split.images.images, atol=1e-5)


def test_alternating_flips_are_drawn_for_copies(split: Split, backbones: BackboneCache) -> None:
    knobs: dict[str, KnobValue] = {"augmentation": "flips_and_shifts"}

    by_chance, alternating = (
        configured(**knobs, alternating_flip=alternates).bind(split, backbones).split.images.images.array
        for alternates in (False, True)
    )

    np.testing.assert_array_equal(by_chance, alternating)


def weights_by_layer(network: Any) -> dict[str, Any]:
    layers = network.get_layer("VGG16").get_layer("vgg16").layers
    return {layer.name: layer.get_weights() for layer in layers if layer.weights}


def test_unfrozen_blocks_change_and_no_others(split: Split, backbones: BackboneCache) -> None:
    configuration = configured(unfrozen_blocks=1, optimizer="sgd")
    bound = configuration.bind(split, backbones)
    before = weights_by_layer(bound.build_whole())
    result = fit(configuration, bound)

    after = weights_by_layer(bound.finish(result.network))

    changed = {name for name in before if any((a != b).any() for a, b in zip(before[name], after[name], strict=True))}
    assert changed == {"block5_conv1", "block5_conv2", "block5_conv3"}


def test_augmented_training_leaves_a_frozen_backbone_as_it_was(split: Split, backbones: BackboneCache) -> None:
    configuration = configured(augmentation="shifts")
    bound = configuration.bind(split, backbones)
    before = weights_by_layer(bound.build_whole())

    after = weights_by_layer(bound.finish(fit(configuration, bound).network))

    assert all((a == b).all() for name in before for a, b in zip(before[name], after[name], strict=True))


@pytest.mark.parametrize("knobs", [{}, {"mirrored_prediction": True}], ids=["features", "images"])
def test_mixed_precision_keeps_probabilities_and_the_finished_network_in_float32(
    split: Split, backbones: BackboneCache, knobs: dict[str, KnobValue]
) -> None:
    configuration = configured(**knobs)
    bound = configuration.bind(split, backbones)
    result = fit(configuration, bound, precision="mixed_bfloat16")

    whole = bound.finish(result.network)

    assert result.network.get_layer("classes").compute_dtype == "bfloat16"
    assert result.network.get_layer("probabilities").compute_dtype == "float32"
    assert {layer.compute_dtype for layer in whole.layers} == {"float32"}
    assert {layer.compute_dtype for layer in whole.get_layer("VGG16").layers} == {"float32"}


def test_images_of_another_range_are_brought_to_that_of_photographs(split: Split, backbones: BackboneCache) -> None:
    part = split_of(dtype=np.float32)
    low, high = part.train.images.min(), part.train.images.max()
    stretched = (part.images.images - low) / (high - low) * 255

    of_floats = configured().bind(part, backbones)
    as_bytes = configured().bind(split.with_pixels(np.rint(stretched).clip(0, 255).astype(np.uint8)))

    np.testing.assert_allclose(of_floats.split.images.images, as_bytes.split.images.images, atol=0.02)
    np.testing.assert_allclose(
        np.asarray(of_floats.build_whole().layers[1](of_floats.build_whole().layers[0](part.images.images[:3]))).max(
            axis=(1, 2)
        ),
        of_floats.split.images.images[:3],
        atol=1e-5,
    )


def test_grey_images_are_trained_on(backbones: BackboneCache) -> None:
    grey = split_of(n_channels=1)
    configuration = configured()
    bound = configuration.bind(grey, backbones)

    whole = bound.finish(fit(configuration, bound).network)

    assert whole.input_shape == (None, 32, 32, 1)


def files(backbones: BackboneCache) -> dict[str, int]:
    """Return the files with what changes when one is written again."""
    return {path.name: path.stat().st_ino for path in backbones.store.folder.iterdir()}


def test_global_heads_share_features_and_a_later_process_reads_them(tmp_path: Path, split: Split) -> None:
    first = BackboneCache(tmp_path, ArrayCache(tmp_path / "features"))
    averages = configured(head="global_average").bind(split, first).split.images.images
    before = files(first)
    later = BackboneCache(tmp_path, ArrayCache(tmp_path / "features"))

    maxima = configured(head="global_max", fc_depth=1).bind(split, later).split.images.images

    assert files(later) == before
    assert len(before) == 1
    assert (np.asarray(averages) <= np.asarray(maxima)).all()


def test_features_are_kept_in_the_users_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert BackboneCache().store.folder == tmp_path / "knobsearch" / "features"


def test_features_of_other_images_or_weights_are_computed_for_themselves(tmp_path: Path, split: Split) -> None:
    import keras

    backbones = BackboneCache(tmp_path, ArrayCache(tmp_path / "features"))
    configured().bind(split, backbones)
    configured().bind(split_of(n_classes=4), backbones)
    assert len(files(backbones)) == 2

    keras.utils.set_random_seed(1)
    keras.applications.VGG16(include_top=False, weights=None).save_weights(tmp_path / "VGG16_notop.weights.h5")
    configured(backbone_weights="imagenet").bind(split, backbones)
    assert len(files(backbones)) == 3


@pytest.mark.parametrize("cause", [Cause.TIME_UP, Cause.INTERRUPTED])
def test_features_that_take_too_long_are_broken_off(tmp_path: Path, split: Split, cause: Cause) -> None:
    ending = Ending(cause, "because")
    backbones = BackboneCache(tmp_path, ArrayCache(tmp_path / "features"), lambda share: ending)

    with pytest.raises(TrainingStopped) as caught:
        configured().bind(split, backbones)

    assert caught.value.ending is ending
    assert files(backbones) == {}


@pytest.mark.parametrize(
    ("side", "n_channels", "message"),
    [
        (31, 3, "backbone VGG16 needs images of 32 x 32 pixels or more, got 31 x 31; set image_size to that or more"),
        (32, 2, "backbone VGG16 needs images of 1 or 3 channels, got 2; use backbone: none"),
    ],
)
def test_images_that_the_backbone_does_not_take_are_refused(
    backbones: BackboneCache, side: int, n_channels: int, message: str
) -> None:
    with pytest.raises(BackboneError) as caught:
        configured().bind(split_of(side=side, n_channels=n_channels), backbones)

    assert str(caught.value) == message


@pytest.mark.usefixtures("offline")
def test_pretrained_backbone_is_never_random_unasked(tmp_path: Path, split: Split) -> None:
    with pytest.raises(BackboneError, match=r"backbone_weights imagenet needs a file with the weights of VGG16"):
        configured(backbone_weights="imagenet").bind(split, BackboneCache(tmp_path))


def test_knobs_without_a_say_are_no_parameters_of_a_training_with_a_backbone() -> None:
    parameters = configured().parameters()

    assert {"backbone", "backbone_weights", "unfrozen_blocks", "head", "fc_units", "activation"} <= set(parameters)
    assert not {"blocks", "filters", "kernel_size", "batch_norm", "pooling", "scaling"} & set(parameters)
    assert "blocks" in configured(backbone="none").parameters()


MODEL_FILE = """
input_shape: [32, 32, 3]
training: {batch_size: 16, epochs: 1}
layers:
  - Backbone: {name: VGG16%s}
  - Flatten
  - Dense: {units: 2, activation: softmax}
"""


def model_file(folder: Path, arguments: str) -> Configuration:
    path = folder / "mine.yaml"
    path.write_text(MODEL_FILE % arguments)
    return model_file_configuration(read_model_file(path))


@pytest.mark.parametrize("arguments", ["", ", weights: imagenet"])
@pytest.mark.usefixtures("offline")
def test_hand_made_model_needs_its_weights_unless_it_asks_for_random_ones(
    tmp_path: Path, split: Split, arguments: str
) -> None:
    backbones = BackboneCache(tmp_path)
    with pytest.raises(BackboneError, match="imagenet needs a file with the weights of VGG16"):
        model_file(tmp_path, arguments).bind(split, backbones)

    assert model_file(tmp_path, ", weights: random").bind(split, backbones).build_whole().count_params()


@pytest.mark.parametrize(("arguments", "n_trained"), [("", 2), (", trainable: true", 28)])
def test_hand_made_model_starts_from_its_weights_and_trains_what_it_says(
    tmp_path: Path, split: Split, arguments: str, n_trained: int
) -> None:
    import keras

    network = keras.applications.VGG16(include_top=False, weights=None)
    network.save_weights(tmp_path / "VGG16_notop.weights.h5")

    bound = model_file(tmp_path, arguments).bind(split, BackboneCache(tmp_path))

    built = bound.build("mixed_bfloat16")
    inner = built.get_layer("VGG16").get_layer("vgg16")
    assert all((a == b).all() for a, b in zip(inner.get_weights(), network.get_weights(), strict=True))
    assert len(built.trainable_weights) == n_trained
    assert inner.layers[1].compute_dtype == "bfloat16"
    assert bound.split is split
