"""Which models of a study are kept: whether that of a trial is logged, and which are removed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import optuna
from optuna.trial import FrozenTrial, TrialState

from pipeline.data.cache import ArrayCache
from pipeline.errors import describe_failure
from pipeline.paths import cache_dir
from pipeline.settings import SearchSettings
from pipeline.study.fits import FINAL, RUNG
from pipeline.study.model_limits import ModelLimits, TrialModel
from pipeline.study.trial_attributes import RUN_ID, finished_trials, metric_value
from pipeline.tracking import names
from pipeline.tracking.checkpoints import checkpoints_of, size_of
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.stored_models import StoredModel, count_bytes, find_models, registered_of, remove_model
from pipeline.tracking.write import Write
from pipeline.training.metric import Metric


@dataclass(eq=False)
class KeptModels:
    """The models of a study's trials, in the coordinating process alone; ``say`` gets lines for people.

    What the limits leave no room for is removed from the store: the worst by the metric first, never one that is
    registered or of a completed final training, and never the best.
    """

    study: optuna.Study
    store: TrackingStore
    settings: SearchSettings
    metric: Metric
    say: Callable[[str], None]
    start: float = field(default_factory=time.time)
    _models: dict[int, TrialModel] = field(default_factory=dict)
    _stored: dict[int, list[StoredModel]] = field(default_factory=dict)
    _largest_bytes: int = 0
    _is_read: bool = False
    _said: set[str] = field(default_factory=set)

    @property
    def limits(self) -> ModelLimits:
        """The limits of the settings."""
        return ModelLimits(self.settings.most_models, self.settings.max_disk_bytes)

    def keeps(self, number: int, value: float) -> bool:
        """Tell whether the model of a trial that ends with this ``value`` of the metric is to be logged.

        Room for it is made first, as for the largest one until now.
        """
        if not self._is_wanted(value):
            return False
        with self._unless_store_fails():
            return not self._is_limited() or self._has_room(self._trial(number), value)
        return True

    def settle(self, number: int) -> None:
        """Take the end of a trial, and remove the models that are too many now."""
        with self._unless_store_fails():
            if self._is_limited():
                self._read_all()
                trial = self._trial(number)
                self._take(trial, find_models(self.store, trial.user_attrs[RUN_ID]))
                self._remove(self._surplus(self.limits, self._models.values()))

    def _is_limited(self) -> bool:
        """Tell whether there are limits to keep now: while a server is away, there are none."""
        if self.limits == ModelLimits():
            return False
        answers = self.store.outbox.answers()
        self._is_read &= answers
        return answers

    def _is_wanted(self, value: float) -> bool:
        if self.settings.keep_models != "best":
            return self.settings.keep_models != "none"
        values = [metric_value(trial) for trial in finished_trials(self.study)]
        return not any(other is not None and self.metric.is_better(other, value) for other in values)

    def _has_room(self, trial: FrozenTrial, value: float) -> bool:
        self._read_all()
        new = TrialModel(trial.number, self._loss(value), self._largest_bytes, stays=_is_final(trial))
        others = [model for model in self._models.values() if model.trial != trial.number]
        if new in self._surplus(replace(self.limits, most_bytes=None), [*others, new]):
            return False
        surplus = self._surplus(replace(self.limits, most_models=None), [*others, new])
        if new in surplus:
            self._say_once(f"{self._fullness()}: models of worse trials are not kept")
            return False
        best = min(others, key=lambda model: (model.loss, model.trial), default=None)
        self._remove([model for model in surplus if model != best])  # that one goes when a better one is there
        self._models[trial.number] = new
        return True

    def _surplus(self, limits: ModelLimits, models: Collection[TrialModel]) -> list[TrialModel]:
        """Return the models that are too many; it is looked up which are registered where there are some."""
        other_bytes = 0 if limits.most_bytes is None else self._other_bytes()
        if not limits.surplus(models, other_bytes):
            return []
        registered = registered_of(self.store, [one for stored in self._stored.values() for one in stored])
        known = {n: any(one.model_id in registered for one in stored) for n, stored in self._stored.items()}
        return limits.surplus(
            [replace(model, stays=model.stays or known.get(model.trial, False)) for model in models], other_bytes
        )

    def _remove(self, surplus: Iterable[TrialModel]) -> None:
        """Remove models; one that is being logged, or whose figures are not sent, is looked at again later."""
        for model in [model for model in surplus if model.trial in self._stored]:
            run_id = self._trial(model.trial).user_attrs[RUN_ID]
            if self.store.outbox.unsent(run_id):
                continue
            if self.settings.max_disk_bytes is not None and self.settings.most_models is None:
                self._say_once(f"{self._fullness()}: the models of the worst trials are removed")
            for stored in self._stored.pop(model.trial):
                self._say_once(remove_model(self.store, stored))
            del self._models[model.trial]
            self.store.outbox.write(Write(run_id, tags={names.MODEL: "removed"}))

    def _read_all(self) -> None:
        """Read which models the trials have, from earlier commands and from when the store could not be read."""
        if self._is_read:
            return
        by_run: dict[str, list[StoredModel]] = {}
        for model in find_models(self.store):
            by_run.setdefault(model.run_id, []).append(model)
        for trial in self.study.get_trials(deepcopy=False):
            self._take(trial, by_run.get(trial.user_attrs.get(RUN_ID, ""), []))
        self._is_read = True

    def _take(self, trial: FrozenTrial, stored: list[StoredModel]) -> None:
        self._models.pop(trial.number, None)
        self._stored.pop(trial.number, None)
        if not stored:
            return
        is_bounded = self.limits.most_bytes is not None
        n_bytes = sum(count_bytes(self.store, model) for model in stored) if is_bounded else 0
        stays = _is_final(trial) and trial.state is TrialState.COMPLETE
        self._stored[trial.number] = stored
        self._models[trial.number] = TrialModel(trial.number, self._loss(metric_value(trial)), n_bytes, stays)
        self._largest_bytes = max(n_bytes, self._largest_bytes)

    def _other_bytes(self) -> int:
        """Return the size of the checkpoints of this study, and of what it has used of the caches."""
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING))
        runs = [trial.user_attrs[RUN_ID] for trial in waiting if RUN_ID in trial.user_attrs]
        caches = [ArrayCache(folder) for folder in cache_dir().glob("*/")]
        return sum(size_of(checkpoints_of(self.store, run_id)) for run_id in runs) + sum(
            cache.bytes_used_since(self.start) for cache in caches
        )

    def _trial(self, number: int) -> FrozenTrial:
        return self.study.get_trials(deepcopy=False)[number]

    def _loss(self, value: float | None) -> float:
        return math.inf if value is None or math.isnan(value) else self.metric.loss_of(value)

    def _fullness(self) -> str:
        return f"models, checkpoints and caches of the study fill max_disk_gb, {self.settings.max_disk_gb:g} GB"

    def _say_once(self, line: str) -> None:
        if line and line not in self._said:
            self._said.add(line)
            self.say(line)

    @contextmanager
    def _unless_store_fails(self) -> Iterator[None]:
        """Go on without what is inside where the store fails: the next trial tries it again."""
        try:
            yield
        except Exception as error:  # each kind of store raises its own
            self._is_read = False
            self._say_once(f"models that are too many stay for now: {describe_failure(error)}")


def _is_final(trial: FrozenTrial) -> bool:
    return trial.user_attrs.get(RUNG) == FINAL
