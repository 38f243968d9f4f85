"""What is counted, by whom it was asked for, and that all of it is bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import pytest

from secure_server.audit.record import HELD_BYTES
from secure_server.audit.who import Who
from secure_server.statistics import statistics as module
from secure_server.statistics.figures import MOST_CODES, OTHERS
from secure_server.statistics.statistics import SHOWN, Statistics
from tests.secure_server.host import PATIENCE, Clock

ADA = Who(1, "ada", "192.0.2.7:1", "192.0.2.7", "tls")
BOB = Who(2, "bob", "unix", "", "unix")
STRANGER = Who(3, "", "192.0.2.8:1", "192.0.2.8", "tls")


class Counted:
    """Statistics whose time, and traffic, go on when told."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.traffic = (0, 0)
        self.statistics = Statistics(lambda: self.traffic, self.clock, lambda: 5.0)

    def pass_seconds(self, seconds: int) -> None:
        """As the thread does it."""
        for _ in range(seconds):
            self.clock.now += 1
            self.statistics.close_seconds()


@pytest.fixture
def counted() -> Counted:
    """At the start."""
    return Counted()


def run(statistics: Statistics, who: Who = ADA, name: str = "ECHO", failure: str = "", seconds: float = 0.01) -> None:
    """A handler was called."""
    statistics.command(who, name, failure, ran=True, seconds=seconds)


def test_a_command_is_counted_by_name_by_principal_and_by_transport(counted: Counted) -> None:
    """With what failed, and refused ones among that."""
    run(counted.statistics)
    run(counted.statistics, BOB, failure="ERR", seconds=0.03)
    counted.statistics.command(STRANGER, "ECHO", "NOAUTH", ran=False)
    shown = counted.statistics.shown()
    (echo,) = shown.commands
    assert (echo.command, echo.calls, echo.failed, echo.minute) == ("ECHO", 3, 2, 3)
    assert [echo.p50, echo.p99, echo.minute_max] == [pytest.approx(0.03, rel=0.05)] * 3
    assert (echo.minute_p50, echo.minute_p99, echo.max) == (echo.p50, echo.p99, 0.03)
    assert [tuple(user) for user in shown.users] == [("", 1, 1, 1), ("ada", 1, 0, 1), ("bob", 1, 1, 1)]
    assert echo.failures == {"ERR": 1, "NOAUTH": 1}
    assert [tuple(item) for item in shown.transports] == [("tls", 0, 2, 1, 2), ("unix", 0, 1, 1, 1)]
    assert (shown.totals.commands, shown.totals.failed) == (3, 2)
    info = counted.statistics.of_info()["ECHO"]
    assert (info.calls, info.refused, dict(info.failures)) == (2, 1, {"ERR": 1, "NOAUTH": 1})
    assert info.seconds == pytest.approx(0.04)


def test_a_tally_counts_without_being_asked(counted: Counted) -> None:
    """Runs of the short way, of which several are told together."""
    tally = counted.statistics.tally(ADA, "ECHO")
    tally.add(16, 0.16)
    run(counted.statistics)
    shown = counted.statistics.shown()
    assert (shown.totals.commands, shown.commands[0].calls, shown.users[0].calls) == (17, 17, 17)
    assert shown.transports[0].calls == 17
    assert shown.took.p50 == pytest.approx(0.01, rel=0.05)
    assert counted.statistics.of_info()["ECHO"].calls == 17


def test_threads_count_apart_and_are_added(counted: Counted) -> None:
    """No thread waits for another, and nothing is lost."""

    def add() -> None:
        tally = counted.statistics.tally(ADA, "ECHO")
        for _ in range(1_000):
            tally.add(1, 0.001)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert counted.statistics.shown().commands[0].calls == 4_000
    assert counted.statistics.shown().users[0].calls == 4_000


def test_percentiles_of_the_last_minute_forget(counted: Counted) -> None:
    """Those since the start do not."""
    run(counted.statistics, seconds=10.0)
    counted.pass_seconds(71)
    for _ in range(3):
        run(counted.statistics, seconds=0.01)
    shown = counted.statistics.shown()
    assert shown.took.max == pytest.approx(0.01, rel=0.05)
    (echo,) = shown.commands
    assert echo.minute_max == pytest.approx(0.01, rel=0.05)
    assert (echo.minute, echo.max) == (3, 10.0)
    assert (shown.transports[0].calls - shown.transports[0].minute, shown.transports[0].minute) == (1, 3)


def test_nothing_that_ran_has_no_percentiles(counted: Counted) -> None:
    """None, and not 0: nobody knows."""
    counted.statistics.command(ADA, "KICK", "NOPERM", ran=False)
    shown = counted.statistics.shown()
    assert tuple(shown.took) == (None, None, None)
    assert tuple(shown.commands[0])[4:7] == (None, None, None)
    run(counted.statistics)
    counted.pass_seconds(71)
    shown = counted.statistics.shown()
    assert tuple(shown.took) == (None, None, None)
    assert shown.commands[0].minute_p50 is None
    assert shown.commands[0].p50 is not None


def test_the_history_tells_each_second(counted: Counted) -> None:
    """Commands, failures, sessions, who was refused, and bytes in and out."""
    statistics = counted.statistics
    run(statistics)
    statistics.connected("tls", handshake=True)
    counted.traffic = (100, 200)
    counted.pass_seconds(1)
    run(statistics, failure="ERR")
    statistics.handshake_failed()
    statistics.login(accepted=False)
    statistics.login(accepted=True)
    counted.pass_seconds(1)
    assert [column[-2:] for column in statistics.shown().history] == [
        [1, 1], [0, 1], [1, 0], [0, 2], [100, 0], [200, 0]
    ]  # fmt: skip
    assert (statistics.shown().accepted, statistics.shown().refused) == (1, 1)


def test_looking_ends_a_second_that_is_over(counted: Counted) -> None:
    """Whether the thread came to it or not."""
    run(counted.statistics)
    counted.clock.now += 1
    assert counted.statistics.shown().history[0][-1] == 1


def test_sessions_are_counted_by_transport(counted: Counted) -> None:
    """Those there are; a Unix socket has no handshake."""
    statistics = counted.statistics
    statistics.connected("tls", handshake=True)
    statistics.connected("tls", handshake=True)
    statistics.connected("unix", handshake=False)
    statistics.disconnected("tls")
    shown = statistics.shown()
    assert [(item.transport, item.sessions) for item in shown.transports] == [("tls", 1), ("unix", 1)]
    assert (shown.handshakes, shown.handshakes_failed, shown.totals.connections) == (2, 0, 3)


@pytest.mark.parametrize(
    ("bound", "ask", "names"),
    [
        ("MOST_COMMANDS", lambda number: (ADA, f"C{number}"), lambda shown: [item.command for item in shown.commands]),
        ("MOST_ASKERS", lambda number: (ADA._replace(principal=f"u{number}"), "ECHO"),
         lambda shown: [item.user for item in shown.users]),
        ("MOST_TRANSPORTS", lambda number: (ADA._replace(transport=f"t{number}"), "ECHO"),
         lambda shown: [item.transport for item in shown.transports]),
    ],
)  # fmt: skip
def test_beyond_the_bound_are_the_others(
    counted: Counted,
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
    ask: Callable[[int], tuple[Who, str]],
    names: Callable[[object], list[str]],
) -> None:
    """Names that a peer, or an operator, makes up take no memory without end; nothing goes uncounted."""
    monkeypatch.setattr(module, bound, 3)
    for number in range(10):
        who, name = ask(number)
        counted.statistics.connected(who.transport, handshake=True)
        run(counted.statistics, who, name)
    shown = counted.statistics.shown()
    assert len(names(shown)) == 4
    assert OTHERS in names(shown)
    assert shown.totals.commands == sum(item.calls for item in shown.transports) == 10


def test_codes_are_bounded_too(counted: Counted) -> None:
    """A handler may make up its own."""
    for number in range(MOST_CODES + 10):
        run(counted.statistics, failure=f"E{number}")
    failures = counted.statistics.of_info()["ECHO"].failures
    assert (len(failures), failures[OTHERS], failures.total()) == (MOST_CODES + 1, 10, MOST_CODES + 10)


def test_the_busiest_come_first_and_the_rest_is_left_out(counted: Counted) -> None:
    """By the last minute; then by all."""
    for _ in range(9):
        run(counted.statistics, name="OLD")
    counted.pass_seconds(61)
    for number in range(SHOWN + 5):
        run(counted.statistics, name=f"C{number}")
    run(counted.statistics, name="C7")
    shown = counted.statistics.shown()
    assert len(shown.commands) == SHOWN
    assert shown.commands[0].command == "C7"
    assert "OLD" not in [item.command for item in shown.commands]


def test_what_a_worker_did_is_told_apart(counted: Counted) -> None:
    """Also what it did for a command that was answered without it."""
    counted.statistics.command(ADA, "DISK", "", ran=True, seconds=2.0, worker_seconds=2.0)
    counted.statistics.worked("DISK", 3.0)
    assert counted.statistics.shown().commands[0].worker_seconds == 5.0


def test_arguments_are_looked_at_of_the_slowest_alone(counted: Counted) -> None:
    """Most commands are quick, and what they were given is nobody's business."""
    asked: list[float] = []

    def arguments(seconds: float) -> list[bytes]:
        asked.append(seconds)
        return [b"x" * 100_000]

    for seconds in (0.0001, 0.5):
        given = partial(arguments, seconds)
        counted.statistics.command(ADA, "DISK", "", ran=True, seconds=seconds, arguments=given)
    assert asked == [0.5]
    (slow,) = counted.statistics.slowest()
    assert (slow.seconds, slow.moment, slow.who, slow.command) == (0.5, 5.0, ADA, "DISK")
    assert slow.arguments == [b"x" * HELD_BYTES]
    assert counted.statistics.forget_slowest() == 1
    assert counted.statistics.slowest() == []


def test_the_thread_ends_seconds_whether_anybody_looks(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    """And goes on after an error."""
    closed = threading.Event()
    tries = iter([OSError("once"), None])

    def close() -> None:
        if (error := next(tries, None)) is not None:
            raise error
        closed.set()

    monkeypatch.setattr(counted.statistics, "close_seconds", close)
    monkeypatch.setattr(counted.statistics._stopping, "wait", lambda _seconds: counted.statistics._stopping.is_set())
    counted.statistics.start()
    assert closed.wait(PATIENCE)
    counted.statistics.stop()


def test_one_that_was_never_started_stops(counted: Counted) -> None:
    """As where the server could not start."""
    counted.statistics.stop()
