"""A tracking store and studies as commands leave them, made without training anything."""

from __future__ import annotations

import socket
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import optuna
from mlflow.entities import Run
from optuna.trial import TrialState

from pipeline.doctor.examination import examine
from pipeline.paths import StudyPlaces
from pipeline.settings import DoctorSettings, make_settings
from pipeline.study.storage import find_study, open_storage, requeue
from pipeline.study.trial_attributes import DEATHS, OWNER, RUN_ID, STUDY_RUN
from pipeline.tracking import names
from pipeline.tracking.parent_run import ParentRun
from pipeline.tracking.store import TrackingStore

MACHINE = ("disk:", "memory:", "GPU:", "browser:")


def dead_process() -> str:
    """Return the owner of what a process of this machine started that is dead by now."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return f"{socket.gethostname()} {process.pid} 1000000000.00"


@dataclass
class Clinic:
    """A folder with a store, a study and its run; ``mend`` has the doctor look at it."""

    folder: Path
    name: str = "tiny"
    storage: str | None = None
    owner: str = field(default_factory=dead_process)

    @property
    def store(self) -> TrackingStore:
        return TrackingStore(f"sqlite:///{self.folder / 'mlflow.db'}")

    @property
    def places(self) -> StudyPlaces:
        return StudyPlaces(self.store.studies, self.name)

    @cached_property
    def experiment(self) -> str:
        return str(self.store.client.create_experiment("some", str(self.folder / "mlruns" / "1")))

    @cached_property
    def study(self) -> optuna.Study:
        location = self.storage or str(self.places.journal)
        study = optuna.create_study(study_name=self.name, storage=open_storage(location), direction="maximize")
        study.set_user_attr(STUDY_RUN, self.parent.run_id)
        return study

    @cached_property
    def parent(self) -> ParentRun:
        """The run of the study, whose command was killed."""
        return self.command("study", f"study-{self.name}", study=self.name)

    def command(self, kind: str, name: str, *, owner: str | None = None, study: str | None = None) -> ParentRun:
        """Return the run of a command that was killed, or has another ``owner``."""
        tags = {names.KIND: kind, names.OWNER: owner or self.owner, **({names.STUDY: study} if study else {})}
        run = self.store.client.create_run(self.experiment, run_name=name, tags=tags)
        return ParentRun(self.store, run.info.run_id, self.experiment)

    def training(self, parent: ParentRun, kind: str, name: str, **tags: str) -> str:
        """Return a RUNNING run below a command's."""
        marks = {names.KIND: kind, **{f"pipeline.{key}": value for key, value in tags.items()}}
        return parent.start_run(name, tags=marks, parameters={"epochs": 1}, files={})

    def trial(
        self, state: str = "RUNNING", *, status: str = "RUNNING", deaths: int = 0, tags: dict[str, str] | None = None,
        knows_run: bool = True, owner: str | None = None,
    ) -> str:  # fmt: skip
        """Make a trial of the study in a state, with a run of a status; return that run."""
        self.study.enqueue_trial({"filters": 8})
        trial = self.study.ask()
        trial.set_user_attr(OWNER, owner or self.owner)
        trial.suggest_int("filters", 4, 8)
        number = str(trial.number)
        run_id = self.training(self.parent, "trial", f"trial-{trial.number:04d}", study=self.name, trial=number)
        if knows_run:
            trial.set_user_attr(RUN_ID, run_id)
        if deaths:
            trial.set_user_attr(DEATHS, deaths)
        for key, value in (tags or {}).items():
            self.store.client.set_tag(run_id, key, value)
        self.store.client.update_run(run_id, status=status)
        if state == "WAITING":
            requeue(self.study, trial.number, {})
        elif state != "RUNNING":
            self.study.tell(trial, 0.5 if state == "COMPLETE" else None, state=TrialState[state])
        return run_id

    def checkpoint(self, run_id: str, fold: int = 1) -> Path:
        path = self.store.checkpoints / f"{run_id}-{fold}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(2_000_000))
        return path

    def run(self, run_id: str) -> Run:
        return self.store.client.get_run(run_id)

    def stands(self, run_id: str) -> tuple[str, str | None]:
        """Return the status and the tag of the state of a run."""
        run = self.run(run_id)
        return run.info.status, run.data.tags.get(names.STATE)

    def trials(self) -> list[optuna.trial.FrozenTrial]:
        study = find_study(self.storage or str(self.places.journal), self.name)
        assert study is not None
        return study.get_trials()

    def mend(self, **settings: object) -> list[str]:
        """Have the doctor mend; return what it says of studies and store."""
        lines: list[str] = []
        examine(make_settings(DoctorSettings, **settings), lines.append)
        assert [line.partition(" ")[0] for line in lines[: len(MACHINE)]] == [
            line.partition(" ")[0] for line in MACHINE
        ]
        return lines[len(MACHINE) :]

    def mend_all(self, **settings: object) -> list[str]:
        """Mend, and check that a dry run before tells the same and writes nothing, and that nothing is left after."""
        before = self.files()
        wishes = self.mend(dry_run=True, **settings)
        assert self.files() == before
        deeds = self.mend(**settings)
        assert [_wish(line) for line in deeds[:-1]] == wishes[:-1]
        assert [line for line in self.mend(**settings) if not line.startswith("note: ")] == ["nothing to mend"]
        return deeds

    def files(self) -> dict[str, bytes]:
        paths = (path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}


def _wish(deed: str) -> str:
    """Return what a dry run says in the place of a line."""
    verb, _, rest = deed.partition(" ")
    return deed if verb == "note:" else f"would {_infinitive(verb)} {rest}"


def _infinitive(verb: str) -> str:
    verbs = ("requeue", "remove", "end", "fail", "detach", "redirect", "mend", "deliver")
    return next(one for one in verbs if verb in (f"{one}d", f"{one}ed"))
