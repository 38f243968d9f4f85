"""A loop of its own for each test, and sockets that end with it."""

from __future__ import annotations

import select
import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from secure_server.net import event_loop
from secure_server.net.event_loop import EventLoop
from secure_server.net.poller import SelectorsPoller
from secure_server.net.tls_wire import TlsWire
from tests.secure_server.host import PATIENCE, Clock

Result = TypeVar("Result")


class TurningClock(Clock):
    """A clock for a loop in its own thread."""

    def advance(self, loop: EventLoop, seconds: float) -> None:
        """Move time on, and have the loop see it; returns once it did."""
        self.now += seconds
        for _ in range(3):  # a round that had looked at the clock already, one that sees the time, and its timers
            on_loop(loop, lambda: None)


def on_loop(loop: EventLoop, function: Callable[[], Result]) -> Result:
    """Call a function on the loop's thread and return its result."""
    done, results, errors = threading.Event(), list[Result](), list[Exception]()

    def run() -> None:
        try:
            results.append(function())
        except Exception as error:  # noqa: BLE001 - raised again on the test's thread
            errors.append(error)
        done.set()

    loop.call_soon(run)
    assert done.wait(PATIENCE), "the loop does not answer"
    if errors:
        raise errors[0]
    return results[0]


def shake(wire: TlsWire) -> None:
    """Do the server's part of a handshake, waiting for the peer's."""
    done = False
    while not done:
        select.select([wire.sock], [], [], PATIENCE)
        done = wire.shake()


@pytest.fixture(autouse=True, params=["best", "select"])
def _poller(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it on the system's best poller, and on the one that every system has."""
    if request.param == "select":
        monkeypatch.setattr(event_loop, "new_poller", lambda: SelectorsPoller(selectors.SelectSelector()))


@pytest.fixture
def clock() -> TurningClock:
    """The loop's time; it moves when told."""
    return TurningClock()


@pytest.fixture
def loop(clock: TurningClock) -> Iterator[EventLoop]:
    """A running loop."""
    running = EventLoop("test", clock)
    running.start()
    yield running
    running.stop()
    assert not running._thread.is_alive()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected TCP sockets: ours, non-blocking, and the peer's, with a bounded wait."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname(), PATIENCE)
        ours, _ = listener.accept()
    ours.settimeout(0)
    yield ours, theirs
    ours.close()
    theirs.close()
