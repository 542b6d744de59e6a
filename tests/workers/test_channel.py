"""The worker's end of the connection: what it does with commands while the training does not look at them."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

from pipeline.training.ending import Cause, Ending
from pipeline.training.result import Epoch
from pipeline.workers.channel import Channel
from pipeline.workers.events import Ended, EpochEnd, Stop, Verdict
from pipeline.workers.job import Job

EPOCH = Epoch(1, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0)
JOB = Job("job", None, seed=0, tags={}, number=7)
ENDED = Ended(7, "job", Ending(Cause.COMPLETE), None, 1.0)
PAUSE, TIME_UP = Ending(Cause.INTERRUPTED), Ending(Cause.TIME_UP)

Ends = tuple["Connection[object, object]", Channel]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Yield the pool's end and the worker's."""
    pool, worker = multiprocessing.Pipe()
    with pool, worker:
        channel = Channel(worker)
        yield pool, channel
        pool.close()
        while channel.next_job() is not None:  # until its thread has left the pipe, whose number the next one gets
            pass


def test_job_saves_at_once_where_it_is_told_to_pause_while_it_is_busy(ends: Ends) -> None:
    pool, channel = ends
    saved = threading.Event()
    channel.start_fold(1, 1, saved.set)
    pool.send(Stop(PAUSE))
    assert saved.wait(10)
    assert channel.end_batch(0.5) == PAUSE


def test_job_that_is_to_end_saves_nothing(ends: Ends) -> None:
    pool, channel = ends
    saved = threading.Event()
    channel.start_fold(1, 1, saved.set)
    pool.send(Stop(TIME_UP))
    pool.send(Verdict())
    assert channel.ask(EpochEnd(7, 1, EPOCH)).ending == TIME_UP
    assert not saved.is_set()


def test_job_that_has_ended_saves_nothing_any_more(ends: Ends) -> None:
    _, channel = ends
    saved = threading.Event()
    channel.start_fold(1, 1, saved.set)
    channel.send(ENDED)
    channel.save()
    assert not saved.is_set()


def test_stop_that_came_too_late_does_not_stop_the_next_job(ends: Ends) -> None:
    pool, channel = ends
    pool.send(Stop(TIME_UP))
    pool.send(JOB)
    assert channel.next_job() == JOB
    assert channel.end_batch(0.5) is None


def test_worker_whose_pool_is_gone_ends_its_job_and_waits_for_no_other(ends: Ends) -> None:
    pool, channel = ends
    pool.close()
    verdict = channel.ask(EpochEnd(7, 1, EPOCH))
    assert verdict.ending is not None
    assert verdict.ending.cause is Cause.INTERRUPTED
    assert channel.next_job() is None
