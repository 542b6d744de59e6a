"""A write to a run, as a value that can wait in a file; to send one again changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

from pipeline.tracking import names

_METRICS_AT_ONCE = 1000
_PARAMETERS_AT_ONCE = _TAGS_AT_ONCE = 100

Point = tuple[str, float, int, int, str | None]
"""A value of a metric: its name, value, time in milliseconds, step, and the id of a model it is of."""


@dataclass(frozen=True)
class Write:
    """What a run gets; each part is sent in this order. ``end_time`` (milliseconds) is that of a final status."""

    run_id: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    points: tuple[Point, ...] = ()
    removed_tags: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    status: str = ""
    end_time: int | None = None

    def send(self, client: MlflowClient) -> None:
        """Send all of it.

        Raises:
            MlflowException: the store does not take it.
        """
        for tag in self.removed_tags:
            _remove_tag(client, self.run_id, tag)
        params = [Param(name, value) for name, value in self.parameters.items()]
        metrics = [Metric(name, value, at, step, model_id=model) for name, value, at, step, model in self.points]
        tags = [RunTag(name, value[: names.MAX_TAG]) for name, value in self.tags.items()]
        for some in _parts(params, _PARAMETERS_AT_ONCE):
            client.log_batch(self.run_id, params=some)
        for some in _parts(metrics, _METRICS_AT_ONCE):
            client.log_batch(self.run_id, metrics=some)
        for some in _parts(tags, _TAGS_AT_ONCE):
            client.log_batch(self.run_id, tags=some)
        for artifact, text in self.texts.items():
            client.log_text(self.run_id, text, artifact)
        if self.status and RunStatus.is_terminated(RunStatus.from_string(self.status)):
            client.set_terminated(self.run_id, self.status, self.end_time)
        elif self.status:
            client.update_run(self.run_id, status=self.status)

    def to_line(self) -> str:
        """Return it as a line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Write:
        """Read what ``to_line`` has made; a line that was cut off is a write of nothing."""
        try:
            parts = json.loads(line)
        except ValueError:
            return cls("")
        points = tuple(tuple(point) for point in parts.pop("points"))
        return cls(**{**parts, "removed_tags": tuple(parts["removed_tags"])}, points=points)


def _remove_tag(client: MlflowClient, run_id: str, tag: str) -> None:
    try:
        client.delete_tag(run_id, tag)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):  # it has none
            raise


def _parts(items: list[Any], n_at_once: int) -> Iterable[list[Any]]:
    return (items[start : start + n_at_once] for start in range(0, len(items), n_at_once))
