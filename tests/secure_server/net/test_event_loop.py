"""The event loop: calls from other threads, timers, descriptors, and errors that hurt nobody else."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable

import pytest

from secure_server.net import event_loop
from secure_server.net.event_loop import EventLoop
from secure_server.net.poller import READ, SelectorsPoller
from tests.secure_server.host import PATIENCE
from tests.secure_server.net.conftest import TurningClock, on_loop

THREADS = 8
CALLS = 2000
"""Calls a thread hands over: many more bytes of wakeup than a socket pair would hold."""


def test_calls_run_in_the_order_handed_over(loop: EventLoop) -> None:
    """One thread's calls keep their order."""
    seen: list[int] = []
    for number in range(100):
        loop.call_soon(lambda number=number: seen.append(number))  # type: ignore[misc] # bound default
    on_loop(loop, lambda: None)
    assert seen == list(range(100))


def test_a_flood_from_many_threads_loses_no_call(loop: EventLoop) -> None:
    """Every call runs though the wakeup holds far fewer bytes than there are calls."""
    counts = [0] * THREADS
    start, done = threading.Barrier(THREADS), threading.Semaphore(0)

    def count(thread: int) -> None:
        counts[thread] += 1
        if counts[thread] == CALLS:
            done.release()

    def flood(thread: int) -> None:
        start.wait(PATIENCE)
        for _ in range(CALLS):
            loop.call_soon(lambda: count(thread))

    threads = [threading.Thread(target=flood, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    for _ in range(THREADS):
        assert done.acquire(timeout=PATIENCE)
    assert counts == [CALLS] * THREADS


def test_a_full_wakeup_is_no_error(loop: EventLoop) -> None:
    """While the loop is held up, its wakeup fills; the calls run all the same."""
    held, release, seen = threading.Event(), threading.Event(), list[int]()

    def hold() -> None:
        held.set()
        release.wait(PATIENCE)

    loop.call_soon(hold)
    assert held.wait(PATIENCE)
    with contextlib.suppress(BlockingIOError):
        while loop._sender.send(b"\0" * 4096):
            pass
    loop._awake = False
    loop.call_soon(lambda: seen.append(1))
    release.set()
    on_loop(loop, lambda: None)
    assert seen == [1]


def test_a_call_made_by_a_call_runs_in_a_later_round(loop: EventLoop) -> None:
    """So that one that hands itself over again cannot starve the sockets."""
    order: list[str] = []
    done = threading.Event()

    def again() -> None:
        order.append("again")
        loop.call_soon(done.set)
        order.append("handed over")

    loop.call_soon(again)
    assert done.wait(PATIENCE)
    assert order == ["again", "handed over"]


def test_timers_fire_at_their_time_in_order(loop: EventLoop, clock: TurningClock) -> None:
    """Not before, the earlier first, those of one moment as they were made."""
    fired: list[str] = []
    on_loop(
        loop,
        lambda: [
            loop.call_at(clock.now + seconds, lambda name=name: fired.append(name))  # type: ignore[misc] # bound default
            for name, seconds in (("late", 20), ("first", 10), ("second", 10))
        ],
    )
    clock.advance(loop, 9.99)
    assert fired == []
    clock.advance(loop, 0.01)
    assert fired == ["first", "second"]
    clock.advance(loop, 10)
    assert fired == ["first", "second", "late"]


def test_a_timer_wakes_a_loop_that_sleeps() -> None:
    """On the real clock, nobody else waking it."""
    loop, fired = EventLoop("timer"), threading.Event()
    loop.start()
    on_loop(loop, lambda: loop.call_at(loop.now + 0.01, fired.set))
    assert fired.wait(PATIENCE)
    loop.stop()


def test_a_cancelled_timer_does_nothing(loop: EventLoop, clock: TurningClock) -> None:
    """Even where it was due in the same moment as the one that cancels it."""
    fired: list[str] = []

    def arm() -> None:
        timers = [loop.call_at(clock.now + 1, lambda: timers[1].cancel())]  # noqa: PLW0108 - it is made below
        timers.append(loop.call_at(clock.now + 1, lambda: fired.append("cancelled")))

    on_loop(loop, arm)
    clock.advance(loop, 2)
    assert fired == []


def test_cancelled_timers_do_not_pile_up(loop: EventLoop, clock: TurningClock) -> None:
    """A storm of connections leaves no heap of dead idle timers behind, and those alive still fire."""
    fired = threading.Event()

    def storm() -> int:
        loop.call_at(clock.now + 1800, fired.set)
        for _ in range(10 * event_loop.FEW_TIMERS):
            loop.call_at(clock.now + 1800, lambda: None).cancel()
        return len(loop._timers)

    assert on_loop(loop, storm) <= event_loop.FEW_TIMERS
    clock.advance(loop, 1800)
    assert fired.is_set()


def test_an_error_in_a_callback_a_timer_or_a_handler_does_not_end_the_loop(
    loop: EventLoop, clock: TurningClock, pair: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    """Each is logged with its traceback, and the loop goes on."""

    def fail(_ready: int = 0) -> None:
        pair[0].recv(1)
        raise ZeroDivisionError

    loop.call_soon(list[None]().pop)
    on_loop(loop, lambda: loop.call_at(clock.now + 1, lambda: dict[str, None]()["x"]))
    clock.advance(loop, 1)
    on_loop(loop, lambda: loop.register(pair[0].fileno(), READ, fail))
    pair[1].send(b"x")
    while "ZeroDivisionError" not in caplog.text:
        on_loop(loop, lambda: None)
    on_loop(loop, lambda: loop.unregister(pair[0].fileno()))
    assert "IndexError" in caplog.text
    assert "KeyError" in caplog.text
    assert on_loop(loop, lambda: 7) == 7


def test_events_of_what_was_unregistered_in_the_same_round_are_dropped(loop: EventLoop) -> None:
    """Two are ready at once; the first to be called unregisters the other, which then hears nothing."""
    called: list[str] = []
    left, right = socket.socketpair(), socket.socketpair()
    ready = threading.Event()

    def handler(mine: socket.socket, other: socket.socket) -> None:
        called.append("called")
        loop.unregister(mine.fileno())
        loop.unregister(other.fileno())
        ready.set()

    def arm() -> None:
        left[1].send(b"x")
        right[1].send(b"x")
        loop.register(left[0].fileno(), READ, lambda _: handler(left[0], right[0]))
        loop.register(right[0].fileno(), READ, lambda _: handler(right[0], left[0]))

    with left[0], left[1], right[0], right[1]:
        on_loop(loop, arm)
        assert ready.wait(PATIENCE)
        on_loop(loop, lambda: None)
    assert called == ["called"]


def together(loop: EventLoop, count: int, step: Callable[[int], None]) -> list[str]:
    """Have so many sockets be ready in one round, each deferring a step that defers another; returns what happened."""
    happened: list[str] = []
    done = threading.Semaphore(0)

    def handle(number: int, sock: socket.socket) -> None:
        happened.append("read")
        loop.unregister(sock.fileno())
        loop.defer(lambda: answer(number))

    def answer(number: int) -> None:
        happened.append("answer")
        loop.defer(lambda: deliver(number))

    def deliver(number: int) -> None:
        happened.append("deliver")
        done.release()
        step(number)

    with contextlib.ExitStack() as stack:
        pairs = [[stack.enter_context(sock) for sock in socket.socketpair()] for _ in range(count)]

        def arm() -> None:
            for number, (ours, theirs) in enumerate(pairs):
                theirs.send(b"x")
                loop.register(ours.fileno(), READ, lambda _, number=number, ours=ours: handle(number, ours))  # type: ignore[misc] # bound defaults

        on_loop(loop, arm)
        for _ in range(count):
            assert done.acquire(timeout=PATIENCE)
        on_loop(loop, lambda: None)
    return happened


def test_what_is_deferred_waits_for_all_that_is_ready(loop: EventLoop) -> None:
    """A round goes step by step: what is deferred comes in its order, after all handlers."""
    assert together(loop, 3, lambda _: None) == ["read"] * 3 + ["answer"] * 3 + ["deliver"] * 3


def test_no_more_than_so_many_steps_wait(loop: EventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they hold is bounded: the rest of a great round is served after they are."""
    monkeypatch.setattr(event_loop, "MOST_DEFERRED", 2)
    happened = together(loop, 5, lambda _: None)
    turn = ["read"] * 2 + ["answer"] * 2 + ["deliver"] * 2
    assert happened == [*turn, *turn, "read", "answer", "deliver"]


def test_an_error_in_a_deferred_step_does_not_keep_the_others(
    loop: EventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged with its traceback."""

    def fail(number: int) -> None:
        if number == 0:
            raise ZeroDivisionError

    assert together(loop, 3, fail).count("deliver") == 3
    assert "ZeroDivisionError" in caplog.text


def test_only_the_loops_thread_may_touch_it(loop: EventLoop) -> None:
    """Ownership is asserted where it is relied on."""
    for forbidden in (
        lambda: loop.register(0, READ, lambda _: None),
        lambda: loop.modify(0, READ),
        lambda: loop.unregister(0),
        lambda: loop.call_at(0, lambda: None),
    ):
        with pytest.raises(AssertionError):
            forbidden()
    assert not loop.owned
    assert on_loop(loop, lambda: loop.owned)


def test_stop_runs_what_was_handed_over_and_frees_everything() -> None:
    """Calls before the stop run; the sockets and the poller are closed; a later call and a second stop do no harm."""
    loop, seen = EventLoop("stopping"), list[int]()
    loop.start()
    loop.call_soon(lambda: seen.append(1))
    loop.stop()
    assert seen == [1]
    assert loop._receiver.fileno() == loop._sender.fileno() == -1
    loop._awake = False
    loop.call_soon(lambda: seen.append(2))
    loop.stop()
    assert seen == [1]


def test_a_loop_that_never_started_is_freed() -> None:
    """A server that could not start leaks no descriptor."""
    loop = EventLoop("never")
    loop.stop()
    assert loop._receiver.fileno() == -1


def test_it_runs_on_the_portable_poller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no epoll."""
    monkeypatch.setattr(event_loop, "new_poller", SelectorsPoller)
    loop, fired = EventLoop("portable"), threading.Event()
    loop.start()
    on_loop(loop, lambda: loop.call_at(loop.now + 0.01, fired.set))
    assert fired.wait(PATIENCE)
    loop.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="one niceness for all threads")
def test_a_nice_loop_lets_other_threads_go_first() -> None:
    """Its own thread alone is nicer than the process."""
    loop = EventLoop("nice", niceness=5)
    loop.start()
    try:
        theirs = on_loop(loop, lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    finally:
        loop.stop()
    ours = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert theirs == min(19, ours + 5)
