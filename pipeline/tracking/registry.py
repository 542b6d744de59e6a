"""The model registry: versions of a registered model, and which of them is champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from pipeline.errors import SettingError
from pipeline.tracking import names
from pipeline.tracking.store import TrackingStore

CHAMPION, CHALLENGER = "champion", "challenger"
PREVIOUS_CHAMPION, DECISION, REASON = "previous_champion", "decision", "reason"
NO_VERSION = "none"
_EXISTS, _MISSING = "RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"


@dataclass(frozen=True)
class Version:
    """A version of a registered model."""

    name: str
    number: str
    tags: Mapping[str, str]

    @property
    def uri(self) -> str:
        """URI by which MLflow loads it."""
        return f"models:/{self.name}/{self.number}"


@dataclass(frozen=True)
class Registry:
    """One registered model of a store."""

    store: TrackingStore
    name: str

    def champion(self) -> Version | None:
        """Return the version with the alias ``champion``, or None."""
        if not self.store.exists:
            return None
        try:
            number = self.store.client.get_registered_model(self.name).aliases.get(CHAMPION)
        except MlflowException as error:
            _check_missing(error)
            return None
        return self.version(str(number)) if number else None

    def version(self, number: str) -> Version | None:
        """Return the version of that number, or None."""
        try:
            return _version(self.store.client.get_model_version(self.name, number))
        except MlflowException as error:
            _check_missing(error)
            return None

    def register(self, model_id: str, run_id: str, tags: Mapping[str, str], description: str) -> Version:
        """Register a logged model as the next version, and make it the challenger."""
        client = self.store.client
        try:
            client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != _EXISTS:
                raise
        made = client.create_model_version(
            self.name, f"models:/{model_id}", run_id=run_id, tags=dict(tags), description=description,
            model_id=model_id,
        )  # fmt: skip
        client.set_registered_model_alias(self.name, CHALLENGER, str(made.version))
        return _version(made)

    def annotate(self, version: Version, tags: Mapping[str, str], description: str | None = None) -> None:
        """Tag a version, and replace its description where one is given."""
        for key, value in tags.items():
            self.store.client.set_model_version_tag(self.name, version.number, key, value[: names.MAX_TAG])
        if description is not None:
            self.store.client.update_model_version(self.name, version.number, description)

    def make_champion(self, version: Version) -> None:
        """Give the alias ``champion`` to a version."""
        self.store.client.set_registered_model_alias(self.name, CHAMPION, version.number)

    def require_champion(self) -> Version:
        """Return the champion.

        Raises:
            SettingError: there is none; the message lists the models that have one.
        """
        champion = self.champion()
        if champion is None:
            there = ", ".join(_models_with_champion(self.store)) or "there is none"
            raise SettingError(
                f"name must be a registered model with a champion ({there}), got '{self.name}'; promote first, change "
                "--name, or set MLFLOW_TRACKING_URI"
            )
        return champion


def _check_missing(error: MlflowException) -> None:
    """Raise any error but that of something missing."""
    if error.error_code != _MISSING:
        raise error


def _models_with_champion(store: TrackingStore) -> list[str]:
    if not store.exists:
        return []
    models = store.client.search_registered_models(max_results=1000)
    return sorted(model.name for model in models if CHAMPION in model.aliases)


def _version(made: ModelVersion) -> Version:
    return Version(made.name, str(made.version), dict(made.tags))
