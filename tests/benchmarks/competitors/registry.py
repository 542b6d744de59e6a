"""The competitors by name."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass


@dataclass(frozen=True)
class Competitor:
    """One way to use a budget; ``module`` runs it, ``library`` is what it needs beside the project's own."""

    name: str
    module: str
    label: str
    library: str | None = None

    @property
    def is_peer(self) -> bool:
        """Whether it is a search of somebody else's."""
        return self.module not in ("ours", "recipe")

    @property
    def has_prior(self) -> bool:
        """Whether it is a peer that is given our prior and speed."""
        return self.name.endswith("+prior")

    @property
    def is_installed(self) -> bool:
        """Whether its library is installed."""
        return self.library is None or importlib.util.find_spec(self.library) is not None


_PEERS = (
    ("optuna", "optuna_tpe", "Optuna: TPE, MedianPruner", None),
    ("keras_tuner", "keras_tuner_hyperband", "KerasTuner: Hyperband", "keras_tuner"),
    ("ray", "ray_asha", "Ray Tune: ASHA, Optuna search", "ray"),
    ("one_epoch", "one_epoch", "one epoch each, the best in full", None),
    ("sweep", "sweep", "the documents' sweep", None),
)
COMPETITORS = {
    one.name: one
    for one in (
        Competitor("ours", "ours", "ours"),
        Competitor("ours_bad_prior", "ours", "ours from a bad prior"),
        Competitor("recipe", "recipe", "the recipe alone"),
        *(Competitor(name, module, label, library) for name, module, label, library in _PEERS),
        *(Competitor(f"{name}+prior", module, f"{label} + prior", library)
          for name, module, label, library in _PEERS),
    )
}  # fmt: skip
