"""Another thread's loop, asked and turned by a test, and the server's part of a handshake."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable
from typing import TypeVar

from secure_server.net.event_loop import EventLoop
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
