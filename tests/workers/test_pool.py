"""The pool with a made-up executor: who gets which job, and what becomes of those whose workers die."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.errors import DiskFull, TrainingsFailed
from pipeline.training.budget import Budget
from pipeline.training.ending import Cause, Ending, State
from pipeline.training.result import Epoch
from pipeline.workers import pool as pool_module
from pipeline.workers.events import (
    Command,
    Died,
    Ended,
    EpochEnd,
    Event,
    FoldEnd,
    Ready,
    Report,
    Started,
    Stop,
    Verdict,
)  # fmt: skip
from pipeline.workers.job import Job
from pipeline.workers.pool import Pool

Script = Callable[[Job], list[Event]]
DONE, FAILED = Ending(Cause.COMPLETE), Ending(Cause.FAILED, "bad shape")


def epoch(number: int = 1, accuracy: float = 0.5) -> Epoch:
    return Epoch(number, 1.0, accuracy, 1.0, accuracy, 0.1, 1.0)


def ended(job: Job, ending: Ending = DONE) -> Ended:
    return Ended(job.number, job.name, ending, epoch(), 1.0)


def completes(job: Job) -> list[Event]:
    return [Started(job.number, job.name, 1), EpochEnd(job.number, 1, epoch()), ended(job)]


def dies(job: Job) -> list[Event]:
    return [Started(job.number, job.name, 1), Died("a worker was ended by SIGKILL")]


@dataclass
class ScriptedExecutor:
    """Plays what a worker says to each job; ``scripts`` are used up one a job, the last of them again and again."""

    scripts: list[Script]
    n_workers: int = 1
    n_places: int = 0
    n_devices: int = 1
    starts: list[Event] = field(default_factory=list)
    n_started: int = 0
    sent: list[tuple[int, Command]] = field(default_factory=list)
    killed: list[int] = field(default_factory=list)
    _said: deque[tuple[int, Event]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.n_places = self.n_workers

    def start(self, worker: int) -> None:
        event = self.starts[self.n_started] if self.n_started < len(self.starts) else Ready()
        self.n_started += 1
        self._said.append((worker, event))

    def send(self, worker: int, command: Command) -> None:
        self.sent.append((worker, command))
        if isinstance(command, Job):
            script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
            self._said.extend((worker, event) for event in script(command))

    def poll(self, timeout_seconds: float) -> list[tuple[int, Event]]:
        if not self._said:
            time.sleep(0.001)
            return []
        return [self._said.popleft()]

    def kill(self, worker: int, *, patience_seconds: float = 0.0) -> None:
        self.killed.append(worker)
        self._said = deque((number, event) for number, event in self._said if number != worker)

    @property
    def jobs(self) -> list[Job]:
        return [command for _, command in self.sent if isinstance(command, Job)]


@dataclass
class Numbers:
    """A source of ``n_jobs`` jobs, which waiting ones join again."""

    n_jobs: int
    verdict: Verdict = field(default_factory=Verdict)
    ends: list[tuple[Job, Ended]] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    budget: Budget = field(default_factory=Budget)
    most: Callable[[int], int | None] = lambda n_made: None
    _waiting: list[Job] = field(default_factory=list)
    _n_made: int = 0

    def n_left(self, n_running: int) -> int:
        if n_running and self.most_workers():  # as where a final training waits for the others
            return 0
        return self.n_jobs - self._n_made + len(self._waiting)

    def most_workers(self) -> int | None:
        return self.most(self._n_made)

    def next(self) -> Job | None:
        if self._waiting:
            return self._waiting.pop()
        self._n_made += 1
        number = self._n_made - 1
        return Job(f"job-{number}", None, seed=0, tags={}, number=number, budget=self.budget)

    def report(self, job: Job, report: Report) -> Verdict:
        self.reports.append(report)
        return self.verdict

    def finish(self, job: Job, ended: Ended) -> Ended:
        self.ends.append((job, ended))
        if ended.ending.state is State.WAITING:
            self._waiting.append(job)
        return ended

    def states(self) -> list[State]:
        return [end.ending.state for _, end in self.ends]


def run(
    source: Numbers, executor: ScriptedExecutor, *, deadline: float | None = None, show: Callable[[Event], None] = id
) -> list[Event]:  # fmt: skip
    shown: list[Event] = []

    def take(event: Event) -> None:
        shown.append(event)
        show(event)

    Pool(source, executor, take, Path("the.log"), deadline).run()
    return shown


def test_every_job_is_trained_once_and_its_end_reaches_the_source() -> None:
    source, executor = Numbers(3), ScriptedExecutor([completes])
    run(source, executor)
    assert [job.number for job in executor.jobs] == [0, 1, 2]
    assert source.states() == [State.COMPLETE] * 3
    assert executor.n_started == 1
    assert executor.sent[-1] == (0, None)


def test_no_more_workers_are_started_than_there_are_jobs() -> None:
    executor = ScriptedExecutor([completes], n_workers=4)
    run(Numbers(2), executor)
    assert executor.n_started == 2
    assert {worker for worker, command in executor.sent if isinstance(command, Job)} == {0, 1}


def test_verdict_of_the_source_goes_to_the_worker_that_reported() -> None:
    verdict = Verdict(Ending(Cause.PRUNED, "not among the best"))
    source, executor = Numbers(1, verdict), ScriptedExecutor([completes])
    run(source, executor)
    assert source.reports == [EpochEnd(0, 1, epoch())]
    assert (0, verdict) in executor.sent


def test_job_whose_worker_died_goes_on_in_another_one_and_the_death_is_shown() -> None:
    source, executor = Numbers(2), ScriptedExecutor([dies, completes])
    shown = run(source, executor)
    assert [(job.number, job.deaths) for job in executor.jobs] == [(0, 0), (0, 1), (1, 0)]
    assert source.states() == [State.WAITING, State.COMPLETE, State.COMPLETE]
    assert Died("a worker was ended by SIGKILL", "job-0") in shown
    assert executor.killed[0] == 0
    assert executor.n_started == 2


def test_job_fails_with_the_reason_after_three_deaths_and_the_others_are_done() -> None:
    source, executor = Numbers(2), ScriptedExecutor([dies, dies, dies, completes])
    shown = run(source, executor)
    (failed, *_) = [end for _, end in source.ends if end.ending.state is State.FAIL]
    assert failed.ending.reason == "a worker was ended by SIGKILL; 3 workers have died in it"
    assert failed in shown
    assert source.states() == [State.WAITING, State.WAITING, State.FAIL, State.COMPLETE]


def test_worker_that_dies_while_it_starts_is_replaced() -> None:
    source, executor = Numbers(1), ScriptedExecutor([completes], starts=[Died("a worker could not start: no images")])
    shown = run(source, executor)
    assert source.states() == [State.COMPLETE]
    assert shown[0] == Died("a worker could not start: no images")


def test_worker_that_dies_between_two_jobs_is_replaced() -> None:
    executor = ScriptedExecutor([lambda job: [*completes(job), Died("gone")], completes])
    source = Numbers(2)
    run(source, executor)
    assert source.states().count(State.COMPLETE) == 2
    assert executor.n_started == 2


def test_five_deaths_in_a_row_before_any_training_end_the_command_with_the_reason() -> None:
    source, executor = Numbers(1), ScriptedExecutor([completes], starts=[Died("a worker was ended by SIGSEGV")] * 9)
    with pytest.raises(TrainingsFailed, match=r"5 workers died .* SIGSEGV; see the\.log"):
        run(source, executor)
    assert executor.n_started == 5
    assert source.ends == []


def test_workers_that_are_lost_with_their_machines_are_no_failures_and_no_deaths_of_their_job() -> None:
    def is_lost(job: Job) -> list[Event]:
        return [Started(job.number, job.name, 1), Died("a worker was lost with its node", with_machine=True)]

    source = Numbers(1)
    run(source, ScriptedExecutor([*[is_lost] * 9, completes]))
    assert source.states() == [*[State.WAITING] * 9, State.COMPLETE]
    assert {job.deaths for job, _ in source.ends} == {0}


def test_deaths_that_finished_trainings_lie_between_end_no_command() -> None:
    scripts: list[Script] = [dies, dies, completes] * 4
    source = Numbers(4)
    run(source, ScriptedExecutor(scripts))
    assert source.states().count(State.COMPLETE) == 4


def test_deaths_that_epochs_lie_between_end_no_command() -> None:
    def gets_further(job: Job) -> list[Event]:
        started, *others = dies(job)
        return [started, EpochEnd(job.number, 1, epoch(job.deaths + 1)), *others]

    source = Numbers(4)
    run(source, ScriptedExecutor([gets_further] * 6 + [completes]))
    assert source.states().count(State.COMPLETE) == 2
    assert source.states().count(State.FAIL) == 2


def test_five_trainings_that_fail_by_deaths_in_a_row_end_the_command() -> None:
    def gets_no_further(job: Job) -> list[Event]:
        started, *others = dies(job)
        return [started, EpochEnd(job.number, 1, epoch()), *others]

    source = Numbers(9)
    with pytest.raises(TrainingsFailed, match=r"5 trainings failed .* 3 workers have died in it"):
        run(source, ScriptedExecutor([gets_no_further]))
    assert source.states().count(State.FAIL) == 5


def test_five_failures_in_a_row_end_the_command() -> None:
    source = Numbers(9)
    with pytest.raises(TrainingsFailed, match="the last of: bad shape"):
        run(source, ScriptedExecutor([lambda job: [ended(job, FAILED)]]))
    assert source.states() == [State.FAIL] * 5


def test_worker_is_replaced_after_its_share_of_trainings_and_each_fold_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "TRAININGS_PER_WORKER", 4)
    executor = ScriptedExecutor([lambda job: [Started(job.number, job.name, 1, n_folds=2), ended(job)]])
    run(Numbers(5), executor)
    assert executor.n_started == 3


def test_interruption_has_trainings_pause_and_waits_for_their_ends() -> None:
    paused = Ending(Cause.INTERRUPTED)

    def press_ctrl_c(event: Event) -> None:
        if isinstance(event, Started):
            raise KeyboardInterrupt

    source = Numbers(3)
    executor = ScriptedExecutor([lambda job: [Started(job.number, job.name, 1), ended(job, paused)]])
    with pytest.raises(KeyboardInterrupt):
        run(source, executor, show=press_ctrl_c)
    assert (0, Stop(paused)) in executor.sent
    assert source.states() == [State.WAITING]
    assert source.ends[0][0].deaths == 0


def test_worker_that_does_not_answer_an_interruption_is_killed_and_its_job_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_module, "_PAUSE_PATIENCE_SECONDS", 0.05)

    def press_ctrl_c(event: Event) -> None:
        if isinstance(event, Started):
            raise KeyboardInterrupt

    source, executor = Numbers(3), ScriptedExecutor([lambda job: [Started(job.number, job.name, 1)]])
    with pytest.raises(KeyboardInterrupt):
        run(source, executor, show=press_ctrl_c)
    assert (source.states(), executor.killed) == ([State.WAITING], [0])


def test_worker_that_dies_of_the_interruption_is_no_death_of_its_job() -> None:
    """As where SIGTERM is sent to all processes of a job of a cluster."""

    def press_ctrl_c(event: Event) -> None:
        if isinstance(event, Started):
            raise KeyboardInterrupt

    source = Numbers(3)
    with pytest.raises(KeyboardInterrupt):
        run(source, ScriptedExecutor([dies]), show=press_ctrl_c)
    assert [(end.ending, job.deaths) for job, end in source.ends] == [(Ending(Cause.INTERRUPTED), 0)]


def test_idle_worker_is_ended_at_an_interruption_without_waiting_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    patience: list[float] = []

    def press_ctrl_c(event: Event) -> None:
        if isinstance(event, Ready):
            raise KeyboardInterrupt

    executor = ScriptedExecutor([completes])
    kill = executor.kill

    def note(worker: int, *, patience_seconds: float = 0.0) -> None:
        patience.append(patience_seconds)
        kill(worker)

    monkeypatch.setattr(executor, "kill", note)
    with pytest.raises(KeyboardInterrupt):
        run(Numbers(3), executor, show=press_ctrl_c)
    assert patience == [0.0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_waits_until_the_source_has_taken_an_end(number: int) -> None:
    source, executor = Numbers(2), ScriptedExecutor([completes])
    finish = source.finish

    def interrupted(job: Job, end: Ended) -> None:
        os.kill(os.getpid(), number)
        finish(job, end)

    source.finish = interrupted  # type: ignore[method-assign]
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        run(source, executor)
    assert source.states() == [State.COMPLETE]
    assert len(executor.jobs) == 1
    assert signal.getsignal(number) is before


def test_interruption_at_the_very_end_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    source, executor = Numbers(1), ScriptedExecutor([completes])
    kill = executor.kill

    def interrupted(worker: int, *, patience_seconds: float = 0.0) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        kill(worker, patience_seconds=patience_seconds)

    monkeypatch.setattr(executor, "kill", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(source, executor)
    assert source.states() == [State.COMPLETE]


def test_second_interruption_ends_all_at_once() -> None:
    source, executor = Numbers(1), ScriptedExecutor([lambda job: [Started(job.number, job.name, 1)]])

    def press_ctrl_c_twice(event: Event) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(source, executor, show=press_ctrl_c_twice)
    assert executor.killed == [0]
    assert time.monotonic() - start < pool_module._PAUSE_PATIENCE_SECONDS


def test_job_has_ended_for_its_source_before_its_end_is_shown() -> None:
    source = Numbers(1)
    states: list[list[State]] = []
    run(source, ScriptedExecutor([completes]), show=lambda event: states.append(source.states()))
    assert states[-1] == [State.COMPLETE]


def test_worker_that_waits_for_a_verdict_at_an_interruption_gets_one() -> None:
    def press_ctrl_c(event: Event) -> None:
        if isinstance(event, Started):
            raise KeyboardInterrupt

    source, executor = Numbers(1), ScriptedExecutor([completes])
    with pytest.raises(KeyboardInterrupt):
        run(source, executor, show=press_ctrl_c)
    assert (0, Verdict(Ending(Cause.INTERRUPTED), keep_model=False)) in executor.sent
    assert source.states() == [State.COMPLETE]


def test_trainings_at_work_are_stopped_once_at_the_deadline() -> None:
    def never_ends(job: Job) -> list[Event]:
        return [Started(job.number, job.name, 9)]

    source, executor = Numbers(2), ScriptedExecutor([never_ends])
    stops: list[Command] = []
    send = executor.send

    def answer(worker: int, command: Command) -> None:
        send(worker, command)
        if isinstance(command, Stop):
            stops.append(command)
            executor._said.append((worker, ended(executor.jobs[0], Ending(Cause.TIME_UP))))

    executor.send = answer  # type: ignore[method-assign]
    run(source, executor, deadline=time.time() + 0.05)
    assert stops == [Stop(Ending(Cause.TIME_UP))]
    assert source.states() == [State.PRUNED]


@pytest.mark.parametrize(
    ("script", "n_trained"),
    [
        (lambda job: [Started(job.number, "", 9), EpochEnd(job.number, 1, epoch(1)), ended(job)], 1),
        (lambda job: [Started(job.number, "", 9), EpochEnd(job.number, 1, epoch(5)), ended(job)], 3),
        (lambda job: [Started(job.number, "", 9, 5), EpochEnd(job.number, 1, epoch(1)), ended(job)], 3),
        (lambda job: [Started(job.number, "", 9, 5), FoldEnd(job.number, 1, epoch(9), epoch(9)), ended(job)], 1),
        (lambda job: [Started(job.number, "", 9), ended(job, Ending(Cause.PRUNED, "diverged"))], 3),
    ],
    ids=["first epoch", "a later epoch of one that goes on", "first epoch of a fold", "first fold", "none"],
)
def test_no_job_is_started_that_would_end_before_its_first_result(
    script: Script, n_trained: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour is left; trainings are made to have started two hours before their results."""
    source, executor = Numbers(3), ScriptedExecutor([script])
    pool = Pool(source, executor, lambda event: None, Path("the.log"), deadline=time.time() + 3600)
    note = pool._note_first_result

    def slowly(worker: object, event: EpochEnd | FoldEnd) -> None:
        pool._workers[0].start -= 7200
        note(pool._workers[0], event)

    monkeypatch.setattr(pool, "_note_first_result", slowly)
    pool.run()
    assert len(executor.jobs) == n_trained


def test_job_that_hangs_beyond_its_budget_is_stopped_then_ended_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_OVERDUE_SECONDS", 0.0)
    monkeypatch.setattr(pool_module, "_STOP_PATIENCE_SECONDS", 0.05)
    source = Numbers(2, budget=Budget(seconds=0.01))
    executor = ScriptedExecutor([lambda job: [Started(job.number, job.name, 1)], completes])
    shown = run(source, executor)
    assert any(isinstance(command, Stop) and command.ending.cause is Cause.TIME_UP for _, command in executor.sent)
    assert source.states() == [State.FAIL, State.COMPLETE]
    (failed,) = [event for event in shown if isinstance(event, Ended) and event.ending.state is State.FAIL]
    assert "hung" in failed.ending.reason


def test_machine_is_divided_anew_where_the_next_jobs_want_fewer_workers() -> None:
    source, executor = (
        Numbers(4, most=lambda n_made: 1 if n_made >= 3 else None),
        ScriptedExecutor([completes], n_workers=3),
    )
    run(source, executor)
    assert source.states() == [State.COMPLETE] * 4
    assert executor.n_workers == 1
    assert executor.n_started == 4, "the last job has a worker of its own, with the whole machine"


def test_full_disk_ends_the_work_in_order_and_its_job_waits(tmp_path: Path) -> None:
    full = Ending(Cause.DISK_FULL, "the disk of '/x' is full")

    def fills_the_disk(job: Job) -> list[Event]:
        return [Started(job.number, job.name, 1), ended(job, full)]

    source, executor = Numbers(2), ScriptedExecutor([fills_the_disk])
    with pytest.raises(DiskFull, match="the disk of '/x' is full"):
        Pool(source, executor, lambda event: None, tmp_path / "log").run()
    assert [(end.ending, end.ending.state) for _, end in source.ends] == [(full, State.WAITING)]
    assert len(executor.jobs) == 1
    assert list(tmp_path.iterdir()) == []
