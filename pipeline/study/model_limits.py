"""Which models of a study are too many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class TrialModel:
    """The model of a trial: the lower its ``loss``, the better; one that ``stays`` is never too much."""

    trial: int
    loss: float
    n_bytes: int = 0
    stays: bool = False


@dataclass(frozen=True)
class ModelLimits:
    """The most models of a study, and the most bytes of models and all else; None: no limit."""

    most_models: int | None = None
    most_bytes: float | None = None

    def surplus(self, models: Iterable[TrialModel], other_bytes: int = 0) -> list[TrialModel]:
        """Return the models that must go, the worst first; the best one never does.

        ``other_bytes`` are used besides.
        """
        ranked = sorted(models, key=lambda model: (model.loss, model.trial))
        too_many = [] if self.most_models is None else ranked[self.most_models :]
        n_bytes = other_bytes + sum(model.n_bytes for model in ranked)
        surplus: list[TrialModel] = []
        for model in reversed(ranked[1:]):
            is_full = self.most_bytes is not None and n_bytes > self.most_bytes
            if (is_full or model in too_many) and not model.stays:
                surplus.append(model)
                n_bytes -= model.n_bytes
        return surplus
