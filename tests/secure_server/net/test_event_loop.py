"""The event loop: calls from other threads, timers, descriptors, and errors that hurt nobody else."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from secure_server.net import event_loop
from secure_server.net.event_loop import SUSPECTS, EventLoop
from secure_server.net.poller import READ, SelectorsPoller
from tests.secure_server.host import PATIENCE
from tests.secure_server.net.turning import TurningClock, on_loop

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


def test_few_suspects_have_a_turn_in_a_round() -> None:
    """In the order of their coming, a few a round, and without an event of their own to wake the loop for the rest."""
    ticks = itertools.count()
    loop = EventLoop("suspects", clock=lambda: float(next(ticks)))
    loop.start()
    seen: list[tuple[float, int]] = []
    done = threading.Event()

    def turn(number: int) -> None:
        seen.append((loop.now, number))
        if number == 3 * SUSPECTS:
            done.set()

    on_loop(loop, lambda: loop.suspects.extend(partial(turn, number) for number in range(3 * SUSPECTS + 1)))
    assert done.wait(PATIENCE)
    loop.stop()
    assert [number for _, number in seen] == list(range(3 * SUSPECTS + 1))
    assert max(Counter(now for now, _ in seen).values()) == SUSPECTS


def test_what_a_timer_defers_waits_for_nothing_else() -> None:
    """No event, and no other timer, is needed for it."""
    loop = EventLoop("timers")
    loop.start()
    done = threading.Event()
    on_loop(loop, lambda: loop.call_at(loop.now + 0.05, lambda: loop.defer(done.set)))
    assert done.wait(PATIENCE)
    loop.stop()


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


class FlakyPoller(SelectorsPoller):
    """Fails as it is told to; in place of an error, None lets a round pass in which nothing is ready."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException | None] = []
        self.failed = 0

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        """Fail, or wait."""
        if not self.errors:
            return super().poll(timeout)
        error = self.errors.pop(0)
        if error is None:
            return []
        self.failed += 1
        raise error


class Flaky(socket.socket):
    """A wakeup that cannot always be read."""

    failures = 0

    def recv(self, *args: int) -> bytes:
        """Fail as often as told, then read."""
        if self.failures:
            self.failures -= 1
            raise OSError("made up")
        return super().recv(*args)


class Mortal:
    """A loop on a poller of its own; its death is noted and ends nothing but its thread."""

    def __init__(self) -> None:
        self.poller = FlakyPoller()
        self.clock = TurningClock()
        self.whys: list[str] = []
        self.pauses: list[float] = []
        self.dead = threading.Event()

    def die(self, why: str) -> None:
        """Note it."""
        self.whys.append(why)
        self.dead.set()

    def end(self) -> str:
        """Wait for the loop's death and the end of its thread; return why it died."""
        assert self.dead.wait(PATIENCE), "it lives"
        self.loop._thread.join(PATIENCE)
        assert not self.loop._thread.is_alive()
        (why,) = self.whys
        return why

    def start(self) -> None:
        """Have it run."""
        self.loop = EventLoop("mortal", self.clock, die=self.die)
        self.loop.start()

    def fail(self, *errors: BaseException | None) -> None:
        """Have the next rounds fail."""
        on_loop(self.loop, lambda: self.poller.errors.extend(errors))

    def flaky_wakeup(self, failures: int) -> None:
        """Have the wakeup fail the next times that it is read."""

        def change() -> None:
            self.loop._receiver = flaky = Flaky(fileno=self.loop._receiver.detach())
            flaky.settimeout(0)
            flaky.failures = failures

        on_loop(self.loop, change)


@pytest.fixture
def mortal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mortal]:
    """A loop that may die, without the pauses between its failures."""
    made = Mortal()
    monkeypatch.setattr(event_loop, "new_poller", lambda: made.poller)
    monkeypatch.setattr(time, "sleep", made.pauses.append)
    made.start()
    yield made
    made.loop.stop()
    assert not made.loop._thread.is_alive()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, BaseException])
def test_nothing_that_is_raised_ends_the_loop(
    error: type[BaseException],
    mortal: Mortal,
    pair: tuple[socket.socket, socket.socket],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not by a call, a timer, a handler or a deferred step, and be it what would end the process elsewhere."""
    loop, clock = mortal.loop, mortal.clock

    def fail(what: str) -> None:
        raise error(f"raised by a {what}")

    def handle(_ready: int) -> None:
        loop.unregister(pair[0].fileno())
        loop.defer(lambda: fail("step"))
        fail("handler")

    loop.call_soon(lambda: fail("call"))
    on_loop(loop, lambda: loop.call_at(clock.now + 1, lambda: fail("timer")))
    clock.advance(loop, 1)
    pair[1].send(b"x")
    on_loop(loop, lambda: loop.register(pair[0].fileno(), READ, handle))
    while "raised by a step" not in caplog.text:
        on_loop(loop, lambda: None)
    told = [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
    assert told == [f"raised by a {what}" for what in ("call", "timer", "handler", "step")]


def test_a_log_that_fails_does_not_end_the_loop(mortal: Mortal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever adds a handler to the log may err, too."""
    records: list[logging.LogRecord] = []

    def fail(record: logging.LogRecord) -> bool:
        records.append(record)
        raise SystemExit

    monkeypatch.setattr(event_loop._log, "filters", [fail])
    mortal.loop.call_soon(list[None]().pop)
    assert on_loop(mortal.loop, lambda: 7) == 7
    assert len(records) == 1


@pytest.mark.parametrize("error", [OSError, ValueError, KeyboardInterrupt])
def test_a_poll_that_fails_is_tried_again(
    error: type[BaseException], mortal: Mortal, caplog: pytest.LogCaptureFixture
) -> None:
    """Each time is logged with its traceback; a round that works begins the count anew."""
    most = event_loop.MOST_FAILURES - 1
    mortal.fail(*(error("made up") for _ in range(most)), None, *(error("made up") for _ in range(most)))
    while mortal.poller.errors:
        on_loop(mortal.loop, lambda: None)
    assert on_loop(mortal.loop, lambda: 7) == 7
    told = [str(record.exc_info[1]) for record in caplog.records if record.exc_info]
    assert told == ["made up"] * 2 * most
    assert mortal.whys == []


def test_a_clock_that_fails_is_asked_again(mortal: Mortal, caplog: pytest.LogCaptureFixture) -> None:
    """The round is lost, what was ready in it is not."""
    tell, failures = mortal.loop._clock, [1, 2]

    def fail() -> float:
        if failures:
            failures.pop()
            raise ZeroDivisionError
        return tell()

    on_loop(mortal.loop, lambda: setattr(mortal.loop, "_clock", fail))
    assert on_loop(mortal.loop, lambda: 7) == 7
    assert on_loop(mortal.loop, lambda: 8) == 8
    assert failures == []
    assert caplog.text.count("Traceback") == 2


def test_a_poll_that_fails_for_good_ends_the_process(mortal: Mortal, caplog: pytest.LogCaptureFixture) -> None:
    """After a number of tries with a pause after each, so that neither a core nor the log is filled."""
    most = event_loop.MOST_FAILURES
    mortal.fail(*[OSError("made up")] * 10 * most)
    assert mortal.end() == (f"the loop 'mortal' cannot go on: waiting for what is ready failed {most} times in a row")
    assert mortal.poller.failed == most
    assert mortal.pauses == [event_loop.FAILURE_PAUSE] * (most - 1)
    assert caplog.text.count("Traceback") == most - 1
    assert mortal.loop._receiver.fileno() == -1


def test_a_loop_whose_poll_fails_can_be_stopped(mortal: Mortal) -> None:
    """What was handed over is taken all the same, and a stop is an orderly end."""
    seen: list[int] = []

    def arm() -> None:
        mortal.poller.errors += [OSError("made up")] * 10 * event_loop.MOST_FAILURES
        mortal.loop.call_soon(lambda: seen.append(1))
        mortal.loop.call_soon(mortal.loop._end)

    on_loop(mortal.loop, arm)
    mortal.loop.stop()
    assert not mortal.loop._thread.is_alive()
    assert (seen, mortal.whys) == ([1], [])
    assert mortal.poller.failed == 1


def test_a_wakeup_that_cannot_be_read_is_read_again(mortal: Mortal, caplog: pytest.LogCaptureFixture) -> None:
    """What was handed over runs at once; and once it could be read, the count begins anew."""
    for _ in range(2):
        mortal.flaky_wakeup(event_loop.MOST_FAILURES - 1)
        assert on_loop(mortal.loop, lambda: 7) == 7
        while mortal.loop._receiver.failures:  # type: ignore[attr-defined] # it is a Flaky
            on_loop(mortal.loop, lambda: None)
        on_loop(mortal.loop, lambda: None)
    assert caplog.text.count("OSError: made up") == 2 * (event_loop.MOST_FAILURES - 1)
    assert mortal.whys == []


def test_a_wakeup_that_can_never_be_read_ends_the_process(mortal: Mortal) -> None:
    """Its byte stays, so the loop would turn for ever."""
    most = event_loop.MOST_FAILURES
    mortal.flaky_wakeup(10 * most)
    mortal.loop.call_soon(lambda: None)
    assert mortal.end() == f"the loop 'mortal' cannot go on: reading the wakeup failed {most} times in a row"
    assert mortal.pauses == [event_loop.FAILURE_PAUSE] * (most - 1)


def test_a_wakeup_that_is_closed_ends_the_process(mortal: Mortal) -> None:
    """Its end would be read for ever."""
    on_loop(mortal.loop, lambda: mortal.loop._sender.shutdown(socket.SHUT_RDWR))
    assert "reading the wakeup failed" in mortal.end()


def test_a_loop_that_cannot_be_woken_ends_the_process(
    mortal: Mortal, pair: tuple[socket.socket, socket.socket]
) -> None:
    """It sleeps and hears nobody; whoever hands it a call finds out."""

    def lose() -> None:
        mortal.loop.unregister(mortal.loop._receiver.fileno())
        mortal.loop._receiver.close()
        mortal.loop.register(pair[0].fileno(), READ, lambda _: mortal.loop.unregister(pair[0].fileno()))

    on_loop(mortal.loop, lose)
    mortal.loop.call_soon(lambda: None)
    pair[1].send(b"x")  # the process would have ended
    assert mortal.end() == "the loop 'mortal' cannot go on: it cannot be woken"


def test_an_error_of_the_loop_itself_ends_the_process(mortal: Mortal, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the guards holds it, and no dead thread is left in a living process."""

    def fail() -> None:
        raise SystemExit

    monkeypatch.setattr(mortal.loop, "_fire", fail)
    on_loop(mortal.loop, lambda: mortal.loop.call_at(mortal.clock.now, lambda: None))
    assert mortal.end() == "the loop 'mortal' cannot go on: an error that is the loop's own"
    assert mortal.loop._receiver.fileno() == -1


def test_a_loop_that_cannot_begin_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would never serve."""
    made = Mortal()
    made.poller.close()
    monkeypatch.setattr(event_loop, "new_poller", lambda: made.poller)
    made.start()
    assert made.end() == "the loop 'mortal' cannot go on: an error that is the loop's own"


def test_an_orderly_stop_ends_nothing_else(mortal: Mortal) -> None:
    """Nor do a call that comes too late, and a loop that never started."""
    mortal.loop.stop()
    never = EventLoop("never", die=mortal.die)
    never.stop()
    for stopped in (mortal.loop, never):
        stopped._awake = False
        stopped.call_soon(lambda: None)
    assert mortal.whys == []


DIES = """
import logging, logging.handlers, sys, threading
from secure_server.net import event_loop
from secure_server.net.poller import SelectorsPoller

class Broken(SelectorsPoller):
    def poll(self, timeout):
        raise OSError("no more events")

class Stuck(logging.Handler):
    def emit(self, record):
        if record.levelno == logging.CRITICAL:
            threading.Event().wait()

console = logging.StreamHandler(sys.stderr)
late = logging.handlers.MemoryHandler(1000, logging.CRITICAL + 1, console)  # shows nothing until it is flushed
logging.basicConfig(handlers=[late, *([Stuck()] if sys.argv[1] == "stuck" else [])])
event_loop.new_poller = Broken
event_loop.FAILURE_PAUSE = 0
event_loop.LAST_WORDS_SECONDS = 0.1 if sys.argv[1] == "stuck" else 60
event_loop.EventLoop("dying").start()
threading.Event().wait(30)
"""


@pytest.mark.parametrize("log", ["flushed", "stuck"])
@pytest.mark.usefixtures("unmeasured")
def test_a_process_ends_with_a_code_and_says_why(log: str) -> None:
    """Though its main thread lives: on the log, with the traceback, flushed; and a stuck log holds up nothing."""
    done = subprocess.run([sys.executable, "-c", DIES, log], capture_output=True, text=True, timeout=40, check=False)
    assert done.returncode == event_loop.EX_SOFTWARE == 70
    if log == "flushed":
        why = "the loop 'dying' cannot go on: waiting for what is ready failed 20 times in a row"
        assert f"{why}; ending the process with code 70\nTraceback" in done.stderr
        assert done.stderr.count("OSError: no more events") == event_loop.MOST_FAILURES


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


def test_a_nice_loop_lets_other_threads_go_first() -> None:
    """Its own thread alone is nicer than the process."""
    if sys.platform != "linux":
        pytest.skip("one niceness for all threads")
    loop = EventLoop("nice", niceness=5)
    loop.start()
    try:
        theirs = on_loop(loop, lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    finally:
        loop.stop()
    ours = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert theirs == min(19, ours + 5)
