"""The I/O loops, each with the connections it owns."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from functools import partial

from secure_protocol.reasons import CloseReason
from secure_server.config.settings import Timeouts
from secure_server.net.connection import Connection
from secure_server.net.conversation import OnClosed
from secure_server.net.event_loop import EventLoop
from secure_server.net.lingering import MOST_LINGERING, Lingering
from secure_server.net.wire import Wire
from secure_server.session.session import Session


class IOThread:
    """One thread that owns sockets: reads, dispatches and writes for all of them.

    Args:
        name: of the thread.
        timeouts: deadlines of its connections.
        on_closed: told of each session whose connection ended; called on this thread.
        clock: monotonic seconds.
        most_lingering: see `Lingering`.
    """

    def __init__(
        self,
        name: str,
        timeouts: Timeouts,
        on_closed: OnClosed,
        clock: Callable[[], float],
        most_lingering: int = MOST_LINGERING,
    ) -> None:
        self._loop = EventLoop(name, clock)
        self._lingering = Lingering(self._loop, timeouts.linger, most_lingering)
        self._timeouts = timeouts
        self._on_closed = on_closed
        self._connections: dict[Session, Connection] = {}
        self._forget_one = self._forget  # bound once, for every connection keeps it

    def start(self) -> None:
        """Start the thread."""
        self._loop.start()

    def stop(self) -> None:
        """Close what is still open and what lingers, and end the thread."""
        self._loop.call_soon(self._close_all)
        self._loop.stop()

    def take_up(self, timeouts: Timeouts) -> None:
        """Have other deadlines for the connections that come from here on. Any thread."""
        self._timeouts = timeouts
        self._lingering.seconds = timeouts.linger

    @property
    def lingering(self) -> int:
        """Sockets that still wait for their peer's end. Any thread."""
        return self._lingering.count

    def adopt(self, wire: Wire, session: Session) -> Callable[[], None]:
        """Own an established wire from here on. Any thread.

        Returns:
            What begins the exchange, so that the session can be made known before its first request is answered.
        """
        connection = Connection(self._loop, wire, session, self._timeouts, self._lingering, self._forget_one)
        session.attach(connection)

        def begin() -> None:
            self._connections[session] = connection
            connection.start()

        return lambda: self._loop.call_soon(begin)

    # Loop thread only

    def _forget(self, session: Session) -> None:
        del self._connections[session]
        self._on_closed(session)

    def _close_all(self) -> None:
        for connection in list(self._connections.values()):
            connection.close(CloseReason.DRAINING)
        self._lingering.close_all()


class IOThreads:
    """All of them; newcomers are dealt out in turn.

    Args:
        count: how many.
        timeouts, on_closed, clock, most_lingering: see `IOThread`.
    """

    def __init__(
        self,
        count: int,
        timeouts: Timeouts,
        on_closed: OnClosed,
        clock: Callable[[], float],
        most_lingering: int = MOST_LINGERING,
    ) -> None:
        self._threads = [
            IOThread(f"io-{number}", timeouts, on_closed, clock, most_lingering) for number in range(1, count + 1)
        ]
        self._next = itertools.cycle(self._threads)
        self._clock = clock

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def wait_for_lingering(self, seconds: float) -> None:
        """Give the peers of ended connections their moment to end their side."""
        pause = threading.Event()
        deadline = self._clock() + seconds
        while self.lingering and self._clock() < deadline:
            pause.wait(0.01)

    def stop(self) -> None:
        """Stop each of them; see `IOThread.stop`."""
        for thread in self._threads:
            thread.stop()

    def take_up(self, timeouts: Timeouts) -> None:
        """Have other deadlines for the connections that come from here on."""
        for thread in self._threads:
            thread.take_up(timeouts)

    @property
    def lingering(self) -> int:
        """Sockets that still wait for their peer's end."""
        return sum(thread.lingering for thread in self._threads)

    def seat(self, wire: Wire) -> Callable[[Session], Callable[[], None]]:
        """Return what joins a session to a wire, on the thread whose turn it is; see `IOThread.adopt`."""
        return partial(next(self._next).adopt, wire)
