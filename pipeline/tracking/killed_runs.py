"""Runs that are RUNNING though nobody works on them: those of commands that are dead, and of trainings below them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from pipeline.act import Act
from pipeline.tracking import names
from pipeline.tracking.checkpoints import act_on_training
from pipeline.tracking.run_states import RunState, end_run, read_runs
from pipeline.tracking.store import TrackingStore
from pipeline.tracking.write import Write
from pipeline.training.ending import Cause, Ending


@dataclass(frozen=True)
class KilledRun:
    """A RUNNING run that nobody works on."""

    run: RunState

    @property
    def is_command(self) -> bool:
        """Whether it is that of a command, and not of a training or an evaluation below one."""
        return self.run.kind not in names.CHILD_KINDS

    @property
    def can_go_on(self) -> bool:
        """Whether the next command goes on with it."""
        return self.run.kind in names.FITTING_KINDS and self.run.n_deaths + 1 < names.MAX_DEATHS

    def end(self, store: TrackingStore) -> None:
        """End it: a training waits to go on, or fails, and all else fails."""
        if self.is_command:
            reason = {names.REASON: "it was killed"}
            store.outbox.write(Write(self.run.run_id, tags=reason, status="FAILED", end_time=int(time.time() * 1000)))
            return
        ending = Ending(Cause.INTERRUPTED if self.can_go_on else Cause.FAILED, "the command that ran it was killed")
        end_run(store, self.run.run_id, ending, {names.DEATHS: str(self.run.n_deaths + 1)})


def killed_runs(store: TrackingStore) -> list[KilledRun]:
    """Return the killed runs, those of trainings first; a run without a known owner may be that of ``mlflow run``.

    What is RUNNING below a command that has ended counts too, but for trials: Optuna knows who works on them.
    """
    running = read_runs(store, "attributes.status = 'RUNNING'")
    commands = {run.run_id: run for run in running if run.kind not in names.CHILD_KINDS}
    dead = {run_id for run_id, run in commands.items() if run.has_dead_owner}
    below = [run for run in running if run.kind in names.CHILD_KINDS]
    found = [run for run in below if run.parent in dead or (run.parent not in commands and run.kind != "trial")]
    return [KilledRun(run) for run in (*found, *(commands[run_id] for run_id in dead))]


def end_killed_runs(store: TrackingStore) -> None:
    """End the runs of commands that are not alive any more; trainings below them wait to go on."""
    for killed in killed_runs(store):
        killed.end(store)


def killed_run_acts(store: TrackingStore, is_ours: Callable[[RunState], bool]) -> Iterator[Act]:
    """End the killed runs that are ours to end."""
    for killed in killed_runs(store):
        run, do = killed.run, partial(killed.end, store)
        if not is_ours(run):
            continue
        if killed.can_go_on:
            what = f"run {run.name} as SCHEDULED: its command is dead, and the next one goes on with it"
            yield Act("end", what, do)
        else:
            yield act_on_training("end", f"run {run.name} as FAILED: its command is dead", do, store, run.run_id)
