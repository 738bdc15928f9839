"""Threads that take jobs."""

from __future__ import annotations

import gc
import threading
import weakref
from concurrent.futures import wait

import pytest

from kstream.core.workers import NoThreadFree, Workers


def test_jobs_run_at_the_same_time_and_tell_what_they_raised() -> None:
    meeting = threading.Barrier(2)

    def fail() -> None:
        meeting.wait(60)
        raise SystemExit(3)

    def succeed() -> None:
        meeting.wait(60)

    workers = Workers()
    good, bad = workers.start([succeed, fail])
    wait([good, bad], 60)
    workers.retire()
    assert good.result() is None
    with pytest.raises(SystemExit):
        bad.result()


def test_retired_threads_end_also_one_that_was_stuck() -> None:
    go, threads = threading.Event(), []

    def stick() -> None:
        threads.append(threading.current_thread())
        go.wait(60)

    workers = Workers()
    workers.start([stick, stick])
    workers.retire()
    go.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_a_job_starts_at_once_or_is_refused_and_a_stuck_thread_is_one_of_them_until_it_ends() -> None:
    go, meeting = threading.Event(), threading.Barrier(2)
    workers = Workers(2)
    stuck = workers.submit(go.wait, 60)
    assert workers.submit(threading.current_thread).result(60).daemon
    assert workers.submit(threading.current_thread).result(60).daemon, "the one that is not stuck serves again"
    other = workers.submit(meeting.wait, 60)
    with pytest.raises(NoThreadFree, match="2 have calls in hand"):
        workers.submit(go.wait, 60)
    go.set()
    assert stuck.result(60)
    workers.submit(meeting.wait, 60).result(60)
    other.result(60)
    workers.retire()


def test_an_idle_thread_keeps_nothing_of_its_last_job() -> None:
    class Job:
        def __call__(self) -> None: ...

    workers, job = Workers(), Job()
    gone = weakref.ref(job)
    futures = workers.start([job])
    wait(futures, 60)
    del job, futures
    [next_job] = workers.start([lambda: None])  # once this has run, the thread is through with the first
    wait([next_job], 60)
    gc.collect()
    workers.retire()
    assert gone() is None


def test_a_job_whose_thread_the_system_does_not_give_is_not_kept_and_takes_no_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    workers, ran = Workers(1), []
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        for _ in range(2):
            with pytest.raises(RuntimeError, match="can't start"):
                workers.submit(ran.append, "kept")
    workers.submit(ran.append, "sound").result(60)
    workers.retire()
    assert ran == ["sound"]
