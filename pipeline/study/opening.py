"""Open a study: who may, whether it is still the same study, and what stands in it from the start."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import optuna

from pipeline.data.source import TrainingData
from pipeline.errors import SettingError
from pipeline.knobs.space import SearchSpace
from pipeline.locks import held
from pipeline.paths import StudyPlaces
from pipeline.settings import SearchSettings
from pipeline.study.storage import open_storage
from pipeline.training.metric import Metric

_IDENTITY = "identity"


@dataclass(frozen=True, eq=False)
class Preparation:
    """Everything that a search needs, checked, with nothing written yet."""

    settings: SearchSettings
    space: SearchSpace
    metric: Metric
    data: TrainingData

    def identity(self) -> dict[str, str]:
        """Return what makes trials comparable; a study goes on only where it is the same."""
        return {
            "dataset": self.data.digest,
            "space": self.space.fingerprint,
            "metric": self.metric.name,
            "seed": str(self.settings.seed),
            "validation share": str(self.settings.validation_share),
            "folds": str(self.data.n_splits),
        }


def check_identity(study: optuna.Study | None, preparation: Preparation) -> None:
    """Check that a study that exists is the one that the settings mean.

    Raises:
        SettingError: its data, space, metric, seed or split are others.
    """
    if study is None or _IDENTITY not in study.user_attrs:
        return
    was, is_now = study.user_attrs[_IDENTITY], preparation.identity()
    changed = [name for name in is_now if was.get(name) != is_now[name]]
    if changed:
        raise SettingError(
            f"a study keeps its dataset, space, metric, seed, validation share and folds, but {', '.join(changed)} of "
            f"study '{preparation.settings.study}' changed; give the new search a name of its own with --study"
        )


def locked(places: StudyPlaces) -> AbstractContextManager[None]:
    """Hold the study's lock, so that one command at a time coordinates it.

    Raises:
        SettingError: another command holds it.
    """
    error = SettingError(
        f"a study is searched by one command at a time, and another one is at work on '{places.study}'; "
        "wait for it, or give --study another name"
    )
    return held(places.lock, seconds=0, error=error)


def open_study(location: str, preparation: Preparation) -> optuna.Study:
    """Open the study, made with its first trials enqueued where it is new."""
    study = optuna.create_study(
        storage=open_storage(location),
        study_name=preparation.settings.study,
        direction=preparation.metric.direction,
        load_if_exists=True,
    )
    if _IDENTITY not in study.user_attrs:
        for params in preparation.space.first_params():
            study.enqueue_trial(params, skip_if_exists=True)
        study.set_user_attr(_IDENTITY, preparation.identity())
    return study
