"""The settings of ``search``."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import ValidationInfo, field_validator, model_validator

from pipeline.settings.base import check_name, named_after_data
from pipeline.settings.fields import option
from pipeline.settings.training import TrainingSettings

Sampler = Literal["tpe", "random", "gp", "cmaes", "qmc", "grid", "nsga2"]
Strategy = Literal["brackets", "plain"]
Pruner = Literal["reachable", "successive_halving", "hyperband", "median", "percentile", "patient", "wilcoxon", "none"]
_DEFAULT_TRIALS, _UNBOUNDED, _MOST_TRIALS = 20, 10**9, 100_000
SAMPLERS: tuple[str, ...] = get_args(Sampler)
PRUNERS: tuple[str, ...] = get_args(Pruner)
KEEP_MODELS = ("all", "best", "none")
OBJECTIVES = ("val_accuracy", "val_loss", "n_parameters", "latency_ms")
_PLAIN_SAMPLERS = ("grid", "cmaes", "nsga2")  # whose next point follows from all that they proposed before
_SINGLE_SAMPLERS = ("gp", "cmaes")  # of a single objective alone


class SearchSettings(TrainingSettings):
    """The options of ``search``."""

    split: Literal["pipeline"] = option("pipeline", group="Data", meaning="", exclude=True)  # test images stay sealed
    seed: int = option(
        0, group="Training", ge=0, lt=2**31, meaning="Random seed of the data split, the sampler and training."
    )
    space: str | None = option(
        None, group="Search", shown="the data set's own", meaning="YAML file of the search space."
    )
    trials: int | None = option(
        None, group="Search", shown="20, or unbounded with a timeout", ge=1, le=_MOST_TRIALS,
        meaning="Total number of finished trials in the study, pruned ones included.",
    )  # fmt: skip
    timeout_minutes: float | None = option(
        None, group="Search", shown="none", gt=0, le=525_600,
        meaning="Time of the study in minutes, over all commands; it ends with a finished model.",
    )  # fmt: skip
    strategy: Strategy = option(
        "brackets", group="Search", shown="brackets; with sampler grid, cmaes or nsga2, or objectives, plain",
        meaning="brackets: challengers race an incumbent over short complete schedules, the winner trains in full; "
        "plain: Optuna's sampler and pruner over whole trainings.",
    )  # fmt: skip
    max_parameters: int | None = option(
        None,
        group="Search",
        shown="none",
        ge=1,
        le=10**12,
        meaning="Most parameters of a network; no larger one is trained.",
    )
    max_latency_ms: float | None = option(
        None, group="Search", shown="none", gt=0, le=10**6,
        meaning="Highest latency in milliseconds of predicting one image on this machine.",
    )  # fmt: skip
    study: str = option(
        "", group="Storage", shown="the data set's name", meaning="Name of the study; an existing study is continued."
    )
    sampler: Sampler = option("tpe", group="Search", meaning="Optuna sampler that proposes the knobs of each trial.")
    objectives: str | None = option(
        None, group="Search", shown="the metric",
        meaning="Comma-separated objectives of a plain search: val_accuracy, val_loss, n_parameters, latency_ms; of "
        "several, the leaderboard marks the Pareto front.",
    )  # fmt: skip
    pruner: Pruner = option(
        "reachable", group="Search",
        shown="reachable; plain: successive_halving; with folds wilcoxon; with objectives none",
        meaning="Pruner that stops unpromising trials; with folds wilcoxon or none, with objectives none.",
    )  # fmt: skip
    storage: str | None = option(
        None, group="Storage", shown="a journal beside the tracking store",
        meaning="Optuna storage of the study: path of a journal file, or database URL.",
    )  # fmt: skip
    keep_models: str = option(
        "all", group="Storage",
        meaning="Trials whose model is logged: all; best, each new best trial by the metric; none; or a number: so "
        "many best ones, of which others are removed.",
    )  # fmt: skip
    max_disk_gb: float | None = option(
        None, group="Storage", shown="none", gt=0, le=10**6,
        meaning="Most gigabytes of the study's models, checkpoints and caches: above them the models of the worst "
        "trials are removed, but for those that are registered.",
    )  # fmt: skip

    @field_validator("study")
    @classmethod
    def _study_is_a_file_name(cls, value: str) -> str:
        return check_name(value)

    @field_validator("keep_models")
    @classmethod
    def _kept_models_are_a_word_or_a_number(cls, value: str) -> str:
        if value not in KEEP_MODELS and not (value.isdecimal() and 0 < int(value) <= _MOST_TRIALS):
            raise ValueError(f"must be 'all', 'best', 'none' or a number from 1 to {_MOST_TRIALS}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _study_is_named_after_the_data(cls, values: dict[str, Any]) -> dict[str, Any]:
        return named_after_data(values)

    @model_validator(mode="before")
    @classmethod
    def _strategy_and_pruner_follow_from_others(cls, values: dict[str, Any]) -> dict[str, Any]:
        has_objectives = values.get("objectives") not in (None, "auto", values.get("metric", "val_accuracy"))
        if values.get("strategy") in (None, "auto"):
            is_plain = has_objectives or values.get("sampler") in _PLAIN_SAMPLERS
            values = {**values, "strategy": "plain" if is_plain else "brackets"}
        if values.get("pruner") not in (None, "auto"):
            return values
        of_epochs = "successive_halving" if values["strategy"] == "plain" else "reachable"
        of_metric = of_epochs if values.get("folds") is None else "wilcoxon"
        return {**values, "pruner": "none" if has_objectives else of_metric}

    @property
    def objective_names(self) -> tuple[str, ...]:
        """The objectives: the metric alone, unless others are given."""
        return tuple((self.objectives or self.metric).split(","))

    @property
    def most_models(self) -> int | None:
        """How many models the study keeps at most; None: no number was given."""
        return None if self.keep_models in KEEP_MODELS else int(self.keep_models)

    @property
    def max_disk_bytes(self) -> float | None:
        """The most bytes of models, checkpoints and caches; None: no limit."""
        return None if self.max_disk_gb is None else self.max_disk_gb * 10**9

    @property
    def measures_latency(self) -> bool:
        """Whether the latency of each trained network is measured."""
        return self.max_latency_ms is not None or "latency_ms" in self.objective_names

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

    @field_validator("sampler")
    @classmethod
    def _sampler_fits_the_strategy(cls, sampler: str, others: ValidationInfo) -> str:
        is_plain = others.data.get("strategy") == "plain"
        if sampler in _PLAIN_SAMPLERS and not is_plain:
            raise ValueError(f"may be {sampler} with strategy plain only: brackets mix its proposals with others")
        if sampler == "grid" and is_plain and others.data.get("max_parameters") is not None:
            raise ValueError("must not be grid with max_parameters: a grid has all of its points, so limit the space")
        return sampler

    @field_validator("objectives")
    @classmethod
    def _objectives_are_known_and_fit(cls, text: str | None, others: ValidationInfo) -> str | None:
        if text is None:
            return None
        names = [name.strip() for name in text.split(",")]
        if set(names) - set(OBJECTIVES) or len(set(names)) < len(names):
            raise ValueError(f"must be some of {', '.join(OBJECTIVES)}, separated by commas, none of them twice")
        if names != [others.data.get("metric")] and others.data.get("strategy") == "brackets":
            raise ValueError("must be the metric alone with strategy brackets: take strategy plain for others")
        if len(names) > 1 and others.data.get("sampler") in _SINGLE_SAMPLERS:
            raise ValueError(f"must be a single one with sampler {others.data['sampler']}: take tpe, random or nsga2")
        return ",".join(names)

    @field_validator("pruner")
    @classmethod
    def _pruner_judges_what_there_is(cls, pruner: str, others: ValidationInfo) -> str:
        folds, metric = others.data.get("folds"), others.data.get("metric")
        if pruner != "none" and others.data.get("objectives") not in (None, metric):
            raise ValueError("must be none with objectives: pruners compare the metric alone")
        if folds is not None and pruner not in ("wilcoxon", "none"):
            raise ValueError("must be wilcoxon or none with folds: the others compare epochs")
        if folds is None and pruner == "wilcoxon":
            raise ValueError("may be wilcoxon with --folds only: it compares folds")
        return pruner
