"""The settings of ``search``."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import ValidationInfo, field_validator, model_validator

from pipeline.settings.base import check_name, named_after_data
from pipeline.settings.fields import option
from pipeline.settings.training import TrainingSettings

Sampler = Literal["tpe", "random", "gp", "cmaes", "qmc", "grid"]
Strategy = Literal["brackets", "plain"]
Pruner = Literal["reachable", "successive_halving", "hyperband", "median", "percentile", "patient", "wilcoxon", "none"]
_DEFAULT_TRIALS, _UNBOUNDED = 20, 10**9
SAMPLERS: tuple[str, ...] = get_args(Sampler)
PRUNERS: tuple[str, ...] = get_args(Pruner)


class SearchSettings(TrainingSettings):
    """The options of ``search``."""

    seed: int = option(
        0, group="Training", ge=0, lt=2**31, meaning="Random seed of the data split, the sampler and training."
    )
    space: str | None = option(
        None, group="Search", shown="the data set's own", meaning="YAML file of the search space."
    )
    trials: int | None = option(
        None, group="Search", shown="20, or unbounded with a timeout", ge=1, le=100_000,
        meaning="Total number of finished trials in the study, pruned ones included.",
    )  # fmt: skip
    timeout_minutes: float | None = option(
        None, group="Search", shown="none", gt=0,
        meaning="Time of the study in minutes, over all commands; it ends with a finished model.",
    )  # fmt: skip
    strategy: Strategy = option(
        "brackets", group="Search", shown="brackets; with sampler grid plain",
        meaning="brackets: challengers race an incumbent over short complete schedules, the winner trains in full; "
        "plain: Optuna's sampler and pruner over whole trainings.",
    )  # fmt: skip
    max_parameters: int | None = option(
        None, group="Search", shown="none", ge=1, meaning="Most parameters of a network; no larger one is trained."
    )
    max_latency_ms: float | None = option(
        None, group="Search", shown="none", gt=0,
        meaning="Highest latency in milliseconds of predicting one image on this machine.",
    )  # fmt: skip
    study: str = option(
        "", group="Storage", shown="the data set's name", meaning="Name of the study; an existing study is continued."
    )
    sampler: Sampler = option("tpe", group="Search", meaning="Optuna sampler that proposes the knobs of each trial.")
    pruner: Pruner = option(
        "reachable", group="Search", shown="reachable; plain: successive_halving; with folds wilcoxon",
        meaning="Pruner that stops unpromising trials; with folds wilcoxon or none.",
    )  # fmt: skip
    storage: str | None = option(
        None, group="Storage", shown="a journal beside the tracking store",
        meaning="Optuna storage of the study: path of a journal file, or database URL.",
    )  # fmt: skip
    keep_models: Literal["all", "best", "none"] = option(
        "all", group="Storage", meaning="Trials whose model is logged; best: each new best trial."
    )

    @field_validator("study")
    @classmethod
    def _study_is_a_file_name(cls, value: str) -> str:
        return check_name(value)

    @model_validator(mode="before")
    @classmethod
    def _study_is_named_after_the_data(cls, values: dict[str, Any]) -> dict[str, Any]:
        return named_after_data(values)

    @model_validator(mode="before")
    @classmethod
    def _strategy_and_pruner_follow_from_others(cls, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("strategy") in (None, "auto"):
            values = {**values, "strategy": "plain" if values.get("sampler") == "grid" else "brackets"}
        if values.get("pruner") not in (None, "auto"):
            return values
        of_epochs = "successive_halving" if values["strategy"] == "plain" else "reachable"
        return {**values, "pruner": of_epochs if values.get("folds") is None else "wilcoxon"}

    @property
    def most_trials(self) -> int:
        """The number of finished trials that the study ends with."""
        if not self.is_bounded_by_trials:
            return _UNBOUNDED
        return self.trials or _DEFAULT_TRIALS

    @property
    def is_bounded_by_trials(self) -> bool:
        """Whether a number of trials ends the study, and not the time alone."""
        return self.trials is not None or self.timeout_minutes is None

    @field_validator("pruner")
    @classmethod
    def _pruner_judges_what_there_is(cls, pruner: str, others: ValidationInfo) -> str:
        folds = others.data.get("folds")
        if folds is not None and pruner not in ("wilcoxon", "none"):
            raise ValueError("must be wilcoxon or none with folds: the others compare epochs")
        if folds is None and pruner == "wilcoxon":
            raise ValueError("may be wilcoxon with --folds only: it compares folds")
        return pruner
