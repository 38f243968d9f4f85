"""The worker pool."""

from __future__ import annotations

import threading

import pytest

from secure_server.dispatch.workers import Workers, WorkersBusyError
from tests.secure_server.host import PATIENCE


def test_jobs_run_on_the_workers_threads() -> None:
    """Each job runs, on a thread named after the pool, several at once."""
    workers = Workers(2, 10)
    workers.start()
    together, names = threading.Barrier(3), []

    def job() -> None:
        names.append(threading.current_thread().name)
        together.wait(PATIENCE)

    workers.submit(job)
    workers.submit(job)
    together.wait(PATIENCE)
    workers.stop(PATIENCE)
    assert sorted(names) == ["worker-1", "worker-2"]


def test_a_full_queue_refuses_at_once() -> None:
    """With the worker busy and the queue full, submit raises and does not wait; the room made is used again."""
    workers = Workers(1, 1)
    workers.start()
    running, release, done = threading.Event(), threading.Event(), threading.Semaphore(0)

    def hold() -> None:
        running.set()
        release.wait(PATIENCE)

    workers.submit(hold)
    assert running.wait(PATIENCE)
    workers.submit(done.release)
    with pytest.raises(WorkersBusyError):
        workers.submit(done.release)
    release.set()
    assert done.acquire(timeout=PATIENCE)
    workers.submit(done.release)
    assert done.acquire(timeout=PATIENCE)
    workers.stop(PATIENCE)


def test_an_error_costs_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    """A job that raises is logged, and the only worker takes the next."""
    workers = Workers(1, 2)
    workers.start()
    done = threading.Event()
    workers.submit([].pop)
    workers.submit(done.set)
    assert done.wait(PATIENCE)
    workers.stop(PATIENCE)
    assert "IndexError" in caplog.text


def test_stop_begins_nothing_more_and_refuses_what_comes() -> None:
    """What runs is waited for, what waits is not begun, what comes is refused; all threads end."""
    workers = Workers(3, 1)
    workers.start()
    running, release, began = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        running.set()
        release.wait(PATIENCE)

    workers.submit(hold)
    assert running.wait(PATIENCE)
    workers.stop(0)
    with pytest.raises(WorkersBusyError):
        workers.submit(began.set)
    assert [thread.is_alive() for thread in workers._threads].count(True) >= 1
    release.set()
    workers.stop(PATIENCE)
    assert not any(thread.is_alive() for thread in workers._threads)
    assert not began.is_set()


def test_stop_leaves_a_handler_that_hangs_and_drops_what_waited() -> None:
    """Stopping takes no longer than it was told, and the job behind the hanging one never runs."""
    workers = Workers(1, 1)
    workers.start()
    running, release, began = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        running.set()
        release.wait(PATIENCE)

    workers.submit(hang)
    assert running.wait(PATIENCE)
    workers.submit(began.set)
    workers.stop(0.01)
    assert workers._threads[0].is_alive()
    release.set()
    workers._threads[0].join(PATIENCE)
    assert not began.is_set()


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_whatever_a_job_raises_its_worker_lives(error: type[BaseException]) -> None:
    """Or so many of them and the pool is empty."""
    workers = Workers(1, 2)
    workers.start()
    done = threading.Event()

    def fail() -> None:
        raise error

    workers.submit(fail)
    workers.submit(done.set)
    assert done.wait(PATIENCE)
    workers.stop(PATIENCE)


def test_stop_before_start_is_harmless() -> None:
    """A server that could not start stops its parts all the same."""
    Workers(2, 1).stop(PATIENCE)
