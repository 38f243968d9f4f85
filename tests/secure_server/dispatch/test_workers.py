"""The worker pool: places, lines, and threads that stand in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from secure_server.dispatch import workers
from secure_server.dispatch.workers import Task, Workers, WorkersBusyError
from tests.integration.running import eventually
from tests.secure_server.host import PATIENCE

HELD_SECONDS = 60.0
"""How long a task runs that no test lets go; longer than any waits."""


class Pool(Workers):
    """Workers whose tasks a test holds and lets go."""

    def __init__(self, count: int, waiting: int = 100, spare: int = 0, *, long: float = 3600.0) -> None:
        super().__init__(count, waiting, spare, long=long)
        self.begun: list[str] = []
        self.release = threading.Event()
        self._gates: dict[Task, threading.Event] = {}

    def hold(self, line: str = "") -> Task:
        """Submit a task that runs until it, or all, may end."""
        gate = threading.Event()

        def work() -> None:
            self.begun.append(line)
            gate.wait(HELD_SECONDS)

        task = self.submit(work, line)
        self._gates[task] = gate
        return task

    def let_go(self, *tasks: Task) -> None:
        """End these; all of them, where none is named."""
        for task in tasks or self._gates:
            self._gates[task].set()

    def begins(self, *lines: str) -> None:
        """Wait until tasks of these lines have begun since the last time, in any order, and no others."""
        eventually(lambda: len(self.begun) >= len(lines))
        assert sorted(self.begun) == sorted(lines)
        self.begun.clear()


@pytest.fixture
def pools() -> Iterator[list[Pool]]:
    """Those to start in a test; all end with it."""
    made: list[Pool] = []
    yield made
    for pool in made:
        pool.let_go()
        pool.stop(PATIENCE)


def started(pools: list[Pool], pool: Pool) -> Pool:
    """Start one."""
    pools.append(pool)
    pool.start()
    return pool


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


def test_lines_are_served_in_turn(pools: list[Pool]) -> None:
    """Who has a hundred requests waiting delays another's one by one of them."""
    pool, order, done = started(pools, Pool(1)), list[str](), threading.Semaphore(0)

    def work(line: str) -> None:
        order.append(line)
        done.release()

    held = pool.hold()
    pool.begins("")
    for line in ("a", "a", "a", "b", "c", "b"):
        pool.submit(partial(work, line), line)
    pool.let_go(held)
    assert all(done.acquire(timeout=PATIENCE) for _ in range(6))
    assert order == ["a", "b", "c", "a", "b", "a"]


def test_nobody_takes_all_places(pools: list[Pool]) -> None:
    """Of eight one alone gets five, and the next comers some of what is left; a place given back is used again."""
    pool = started(pools, Pool(8))
    first = [pool.hold("a") for _ in range(9)]
    pool.begins(*"aaaaa")
    for line, begun in (("b", 2), ("c", 1), ("d", 0)):
        for _ in range(3):
            pool.hold(line)
        pool.begins(*line * begun)
    assert (pool.running, pool.waiting) == (8, 10)
    pool.let_go(*first[:2])
    pool.begins(*"cd")


@pytest.mark.parametrize("count", [1, 2])
def test_few_places_are_used_all_the_same(pools: list[Pool], count: int) -> None:
    """By one alone: nobody gains by a place that is kept for others."""
    pool = started(pools, Pool(count))
    for _ in range(3):
        pool.hold("a")
    pool.begins(*"a" * count)


def test_nobody_takes_all_the_room_to_wait(pools: list[Pool]) -> None:
    """Whoever has more waiting than there is room left is refused, and others are not."""
    pool = started(pools, Pool(1, 10))
    pool.hold("a")
    pool.begins("a")
    for _ in range(6):
        pool.hold("a")
    with pytest.raises(WorkersBusyError):
        pool.hold("a")
    pool.hold("b")
    assert pool.waiting == 7


def test_what_takes_long_gives_its_place_up(pools: list[Pool]) -> None:
    """As soon as somebody waits for one, and as often as there are threads to stand in; its own thread ends with it."""
    pool = started(pools, Pool(1, spare=2, long=0.0))
    first = pool.hold("a")
    pool.begins("a")
    assert (pool.running, pool.beside) == (1, 0), "nobody waits"
    second, _third = pool.hold("b"), pool.hold("c")
    pool.begins("b", "c")
    pool.hold("d")
    eventually(lambda: pool._watching)
    assert (pool.running, pool.beside, pool.waiting, pool.begun) == (1, 2, 1, [])
    pool.let_go(second)
    pool.begins("d")
    pool.let_go(first)
    eventually(lambda: (pool.running, pool.beside, len(pool._threads)) == (1, 1, 2))


def test_nobody_takes_all_threads_that_stand_in(pools: list[Pool]) -> None:
    """One alone gets about half; then it waits, and another's long ones still give their places up."""
    pool = started(pools, Pool(2, spare=4, long=0.0))
    mine = [pool.hold("a") for _ in range(9)]
    pool.begins(*"aaaaa")  # three beside, two with a place
    assert (pool.running, pool.beside, pool.waiting) == (2, 3, 4)
    pool.let_go(mine[3], mine[4])
    pool.begins(*"aa")
    pool.let_go(*mine[5:8])
    assert pool.beside == 3


def test_a_thread_that_is_free_again_stands_in_at_once(pools: list[Pool], monkeypatch: pytest.MonkeyPatch) -> None:
    """And not when it is next tried."""
    monkeypatch.setattr(workers, "RETRY_SECONDS", HELD_SECONDS)
    pool = started(pools, Pool(1, spare=1, long=0.0))
    beside = pool.hold("a")
    pool.begins("a")
    pool.hold("b")
    pool.begins("b")
    pool.hold("c")
    eventually(lambda: pool._watching)
    pool.let_go(beside)
    pool.begins("c")


def test_a_line_is_the_same_as_long_as_it_holds_anything(pools: list[Pool]) -> None:
    """Else whoever has nothing but threads that stand in could have as many again."""
    pool = started(pools, Pool(1, spare=1, long=0.0))
    beside = pool.hold("a")
    pool.begins("a")
    placed = pool.hold("a")
    pool.begins("a")
    pool.let_go(placed)
    eventually(lambda: pool.running == 0)
    again = pool.hold("a")
    pool.begins("a")
    assert again.line is beside.line
    pool.let_go()
    eventually(lambda: not pool._lines)


def test_what_nobody_waits_for_gives_its_place_up_at_once(pools: list[Pool]) -> None:
    """Long before it takes long; it is counted until it ends."""
    pool = started(pools, Pool(1, spare=1))
    stuck = pool.hold("a")
    pool.begins("a")
    pool.hold("b")
    assert pool.waiting == 1
    eventually(lambda: pool._watching)  # until it takes long, of which it has to be woken
    assert (stuck.leave(), pool.stuck) == (1, 1)
    pool.begins("b")
    pool.let_go(stuck)
    eventually(lambda: (pool.stuck, pool.beside) == (0, 0))
    assert (stuck.leave(), pool.stuck) == (0, 0)


def test_who_comes_after_it_was_left_gets_the_place(pools: list[Pool]) -> None:
    """Also where nobody waited when it was left."""
    pool = started(pools, Pool(1, spare=1))
    stuck = pool.hold("a")
    pool.begins("a")
    assert stuck.leave()
    pool.hold("b")
    pool.begins("b")


def test_what_is_withdrawn_never_begins(pools: list[Pool]) -> None:
    """It makes room at once, and once only; what has begun is not taken back."""
    pool = started(pools, Pool(1, 2))
    running = pool.hold("a")
    pool.begins("a")
    waiting = [pool.hold("b"), pool.hold("c")]
    with pytest.raises(WorkersBusyError):
        pool.hold("d")
    assert [waiting[0].withdraw(), waiting[0].withdraw(), running.withdraw()] == [True, False, False]
    pool.hold("d")
    pool.let_go(running)
    pool.begins("c")
    pool.let_go(waiting[1])
    pool.begins("d")


def test_where_no_thread_can_be_had_it_is_tried_again(
    pools: list[Pool], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The place stays where it is meanwhile, and nothing else suffers."""
    pool = started(pools, Pool(1, spare=1, long=0.0))
    held = pool.hold("a")
    pool.begins("a")

    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(pool, "_new_thread", NoThread)
        pool.hold("b")
        eventually(lambda: "no further thread" in caplog.text)
    assert (pool.running, pool.beside) == (1, 0)
    pool.let_go(held)
    pool.begins("b")


def test_a_task_lets_go_of_what_it_worked_with(pools: list[Pool]) -> None:
    """A worker that waits for the next one keeps nothing of the last."""
    pool = started(pools, Pool(1))
    task = pool.hold("a")
    work = task.work
    pool.begins("a")
    pool.let_go(task)
    eventually(lambda: task.work is not work)
