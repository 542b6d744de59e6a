"""A whole examination: the machine, then each concern in turn; a dry run takes the same way without doing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

from pipeline.act import Act, describe_bytes
from pipeline.doctor.leftovers import part_acts, reserve_acts, unsent_acts
from pipeline.doctor.machine import describe_machine
from pipeline.doctor.studies import AtWork, Found, agreement_acts, find_all, journal_acts, kept_off
from pipeline.errors import PipelineError, describe_failure
from pipeline.paths import cache_dir
from pipeline.settings import DoctorSettings
from pipeline.tracking.checkpoints import checkpoint_acts
from pipeline.tracking.killed_runs import killed_run_acts
from pipeline.tracking.moved_artifacts import move_acts
from pipeline.tracking.orphaned_models import model_acts
from pipeline.tracking.run_states import RunState, read_runs
from pipeline.tracking.store import TrackingStore, find_store


def examine(settings: DoctorSettings, show: Callable[[str], None]) -> None:
    """Check the machine, and mend studies and tracking store; ``show`` gets each line.

    Raises:
        SettingError: study, storage or tracking store cannot be used; nothing was done.
        PipelineError: something could not be mended.
    """
    store = find_store()
    if store.exists:
        store.check()
    store.outbox.say, store.outbox.may_send = show, False  # what waits is told before it is sent
    found = find_all(settings, store)
    for line in describe_machine(store.folder or store.studies):
        show(line)
    examination = Examination(settings, store, found, show)
    examination.run()
    examination.conclude()


@dataclass
class Examination:
    """Goes through all concerns, and counts what it does."""

    settings: DoctorSettings
    store: TrackingStore
    found: Found
    show: Callable[[str], None]
    _left_out: set[str] = field(default_factory=set)
    _n_done: int = 0
    _n_failed: int = 0
    _n_bytes: int = 0

    def run(self) -> None:
        """Send what waits and mend the store's places first: all else may read them."""
        if not self.store.exists:
            self.show(f"note: there is no tracking store {self.store.shown_uri} yet")
            return
        self._carry_out(unsent_acts(self.store))
        self.store.outbox.may_send = not self.settings.dry_run
        if self._is_at_rest:
            self._carry_out(move_acts(self.store))
        else:
            self.show("note: artifact locations are not checked: a command may be at work in this tracking store")
        self._mend_journals()
        for name, problem in sorted(self.found.problems.items()):
            self.show(f"note: study '{name}' is left out: {problem}")
        for name, agreement in sorted(self.found.agreements.items()):
            self._mend_study(name, agreement_acts(agreement))
        self._carry_out(killed_run_acts(self.store, self._is_ours))
        self._remove_leftovers()

    def conclude(self) -> None:
        """Say what it comes to.

        Raises:
            PipelineError: something could not be mended.
        """
        self.store.outbox.flush()
        dry = self.settings.dry_run
        freed = f", {describe_bytes(self._n_bytes)} {'would be ' * dry}freed" if self._n_bytes else ""
        if self._n_done:
            self.show(f"{self._n_done} thing{'s' * (self._n_done > 1)} {'to mend' if dry else 'mended'}{freed}")
        elif not self._n_failed:
            self.show("nothing to mend")
        if self._n_failed:
            raise PipelineError(f"{self._n_failed} of {self._n_done + self._n_failed} things could not be mended")

    @cached_property
    def _is_at_rest(self) -> bool:
        """Whether no command may be at work in the store."""
        return not any(run.has_living_owner for run in read_runs(self.store, "attributes.status = 'RUNNING'"))

    def _mend_journals(self) -> None:
        """Mend journals that were cut off; their studies can be read only then."""
        for name, path in sorted(self.found.torn.items()):
            self._mend_study(name, journal_acts(path))
            if self.settings.dry_run:
                self.show(f"note: study '{name}' can be looked at only when its journal is mended")
        if self.found.torn and not self.settings.dry_run:
            self.found = find_all(self.settings, self.store)

    def _mend_study(self, name: str, acts: Iterable[Act]) -> None:
        """Mend a study, with other commands kept off; one at work is left out."""
        try:
            with kept_off(self.store, name, dry_run=self.settings.dry_run):
                self._carry_out(acts)
        except AtWork as reason:
            self._left_out.add(name)
            self.show(f"note: study '{name}' is left out: {reason}")

    def _is_ours(self, run: RunState) -> bool:
        """Tell whether a killed run is asked for, and belongs to no study that was mended already or is at work."""
        agreement = self.found.agreements.get(run.study or "")
        is_done = run.study in self._left_out or (agreement is not None and agreement.covers(run))
        return not is_done and self.settings.study in (None, run.study)

    def _remove_leftovers(self) -> None:
        waiting = (agreement.waiting_runs() for agreement in self.found.agreements.values())
        self._carry_out(checkpoint_acts(self.store, set().union(*waiting)))
        self._carry_out(model_acts(self.store))
        self._carry_out(part_acts(self.store.studies))
        self._carry_out(part_acts(cache_dir()))
        if self._is_at_rest:
            self._carry_out(reserve_acts(self.store.studies))

    def _carry_out(self, acts: Iterable[Act]) -> None:
        for act in acts:
            if self.settings.dry_run:
                self.show(act.wish)
            elif not self._did(act):
                continue
            self._n_done += 1
            self._n_bytes += act.n_bytes

    def _did(self, act: Act) -> bool:
        """Do an act; what one cannot do is no reason to leave the others."""
        try:
            act.do()
        except (OSError, PipelineError) as error:
            self._n_failed += 1
            self.show(f"could not {act.wish.removeprefix('would ')}: {describe_failure(error)}")
            return False
        self.show(act.deed)
        return True
