"""Fits: one training of one configuration on one rung, as its trial in Optuna records it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from pipeline.data.image_set import Array
from pipeline.evaluation.paired import unpack_scores
from pipeline.knobs.table import Knobs
from pipeline.tracking.names import FINAL_RUNG

FINAL = 1000
"""The rung of the final training: above all others, also as a step that is reported to Optuna."""
PROMOTION, MUTATION = "promotion", "mutation"
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
_ENDED = (*FINISHED, TrialState.FAIL)

# Attributes of trials.
BRACKET, RUNG, ORIGIN, PARENT, RESOURCE, LIMIT = "bracket", "rung", "origin", "parent", "resource", "limit"
VALUE, SCORES, CURVE, FIGURES, SECONDS = "value", "scores", "curve", "figures", "seconds"

Curve = list[tuple[float, float]]
"""Pairs of (share of the schedule, metric)."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A training on a rung; ``resource`` is its seconds or epochs, None where it has all of its own epochs.

    ``parent`` is the trial that was promoted or mutated. ``value`` is None while it runs, and where it failed.
    ``limit`` is that of the whole search when it was started. ``figures`` are those of its run, ``seconds`` those from
    its start to its end, artifacts included.
    """

    number: int
    params: Knobs
    state: TrialState
    bracket: int
    rung: int
    origin: str
    parent: int | None
    resource: float | None
    limit: float
    value: float | None
    curve: Curve
    figures: dict[str, float]
    seconds: float
    packed_scores: str

    @property
    def configuration(self) -> int:
        """Number of the trial in which its configuration was tried first."""
        return self.parent if self.origin == PROMOTION and self.parent is not None else self.number

    @property
    def has_ended(self) -> bool:
        """Whether it neither runs nor waits."""
        return self.state in _ENDED

    @property
    def has_finished_schedule(self) -> bool:
        """Whether its learning rate reached the end of its schedule: it was neither stopped nor did it fail."""
        return self.value is not None and bool(self.packed_scores)

    @property
    def scores(self) -> Array:
        """The scores of the validation images, shape (n,); only where its schedule was finished."""
        return unpack_scores(self.packed_scores)

    @property
    def overhead_seconds(self) -> float:
        """Seconds beyond those of its schedule: building, tracing, last predictions, artifacts."""
        trained = self.figures.get("train_seconds", self.seconds)
        return max(0.0, self.seconds - min(trained, self.resource or trained))

    @property
    def seconds_per_image(self) -> float | None:
        """Measured seconds for each training image; None where it was not measured."""
        speed = self.figures.get("images_per_second")
        return 1 / speed if speed else None


def read_fits(study: optuna.Study) -> list[Fit]:
    """Return the fits of a study, in the order of their trials."""
    return [_fit(trial) for trial in study.get_trials(deepcopy=False) if RUNG in trial.user_attrs]


def rung_name(rung: int) -> str:
    """Return the rung as tags and messages name it."""
    return FINAL_RUNG if rung == FINAL else str(rung)


def _fit(trial: FrozenTrial) -> Fit:
    known: dict[str, Any] = trial.user_attrs
    return Fit(
        number=trial.number,
        params=trial.params or trial.system_attrs.get("fixed_params", {}),
        state=trial.state,
        bracket=known[BRACKET],
        rung=known[RUNG],
        origin=known[ORIGIN],
        parent=known.get(PARENT),
        resource=known.get(RESOURCE),
        limit=known[LIMIT],
        value=known.get(VALUE),
        curve=[(share, value) for share, value in known.get(CURVE, [])],
        figures=known.get(FIGURES, {}),
        seconds=known.get(SECONDS, 0.0),
        packed_scores=known.get(SCORES, ""),
    )
