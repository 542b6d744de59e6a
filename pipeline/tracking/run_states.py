"""How the runs of trainings stand, and how they end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.entities import Run, RunStatus
from mlflow.exceptions import MlflowException

from pipeline.tracking import names
from pipeline.tracking.owner import is_alive
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.write import Write
from pipeline.training.ending import Cause, Ending, State

_MISSING = "RESOURCE_DOES_NOT_EXIST"
_ENDINGS = {
    State.COMPLETE: Ending(Cause.COMPLETE),
    State.PRUNED: Ending(Cause.PRUNED),
    State.FAIL: Ending(Cause.FAILED, "its trial failed"),
    State.WAITING: Ending(Cause.INTERRUPTED, "its trial waits to go on"),
}


@dataclass(frozen=True)
class RunState:
    """A run's status in MLflow's words, and its tags; ``is_deleted``: it lies in MLflow's trash."""

    run_id: str
    name: str
    status: str
    is_deleted: bool
    tags: Mapping[str, str]

    @property
    def kind(self) -> str | None:
        """Kind of the run; None of one that is not ours."""
        return self.tags.get(names.KIND)

    @property
    def study(self) -> str | None:
        """Study that it belongs to."""
        return self.tags.get(names.STUDY)

    @property
    def parent(self) -> str | None:
        """Id of the run above it."""
        return self.tags.get("mlflow.parentRunId")

    @property
    def n_deaths(self) -> int:
        """Workers and commands that died in it."""
        return int(self.tags.get(names.DEATHS, "0"))

    @property
    def is_running(self) -> bool:
        """Whether it is RUNNING."""
        return self.status == "RUNNING"

    @property
    def has_ended(self) -> bool:
        """Whether it came to an end: it neither runs nor waits to go on."""
        return self.is_deleted or bool(RunStatus.is_terminated(RunStatus.from_string(self.status)))

    @property
    def has_dead_owner(self) -> bool:
        """Whether the process that is responsible for it is known, and dead."""
        return names.OWNER in self.tags and not is_alive(self.tags[names.OWNER])

    @property
    def has_living_owner(self) -> bool:
        """Whether the process that is responsible for it is known, and may be at work."""
        return names.OWNER in self.tags and is_alive(self.tags[names.OWNER])

    def agrees_with(self, state: State) -> bool:
        """Tell whether it says of a trial that it is in this state; one that waits has an end in no earlier life."""
        is_marked = state is State.WAITING or self.tags.get(names.STATE) == state.value
        return self.status == state.run_status and is_marked


def read_runs(store: TrackingStore, condition: str) -> list[RunState]:
    """Return how the runs stand that meet MLflow's filter ``condition``; those in the trash are left out."""
    return [_state(run) for run in store.search_runs(condition)]


def find_run(store: TrackingStore, run_id: str) -> RunState | None:
    """Return how a run stands, one in the trash too; None where there is none.

    Raises:
        MlflowException: the store cannot say.
    """
    try:
        return _state(store.client.get_run(run_id))
    except MlflowException as error:
        if error.error_code != _MISSING:
            raise
        return None


def end_run(
    store: TrackingStore, run_id: str, ending: Ending, tags: Mapping[str, str] | None = None,
    *, removed_tags: tuple[str, ...] = (),
) -> None:  # fmt: skip
    """End a training's run with the status of its state; one that waits to go on has no state yet."""
    state = ending.state
    marks = {} if state is State.WAITING else {names.STATE: state.value}
    if ending.reason:
        marks[names.REASON] = ending.reason
    end_time = None if state is State.WAITING else int(time.time() * 1000)
    write = Write(
        run_id, removed_tags=removed_tags, tags={**marks, **(tags or {})}, status=state.run_status, end_time=end_time
    )
    store.outbox.write(write)


def settle_run(store: TrackingStore, run: RunState, state: State, reason: str = "") -> None:
    """End a trial's run as its trial stands, whatever the run says; ``reason`` is that of a failure."""
    ending = Ending(Cause.FAILED, reason) if reason else _ENDINGS[state]
    stale = (names.STATE,) if state is State.WAITING else () if ending.reason else (names.REASON,)
    end_run(store, run.run_id, ending, removed_tags=tuple(tag for tag in stale if tag in run.tags))


def _state(run: Run) -> RunState:
    info = run.info
    return RunState(
        str(info.run_id), str(info.run_name), str(info.status), info.lifecycle_stage != "active", dict(run.data.tags)
    )
