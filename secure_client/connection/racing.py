"""QUIC and TLS side by side: the one whose handshake is over first is used, and the other one closed.

Only then is anything said of who wants in, so that is said once.
"""

from __future__ import annotations

import contextlib
import selectors
from collections.abc import Callable
from socket import socket

from secure_client.connection.quic_transport import QuicOpening, QuicTransport
from secure_client.connection.transport import HEAD_START, Transport, Wait
from secure_client.errors import ClientError


class _WonError(Exception):
    """QUIC was there first."""

    def __init__(self, transport: QuicTransport) -> None:
        super().__init__()
        self.transport = transport


def alone(opening: QuicOpening, wait: Wait, clock: Callable[[], float]) -> Transport:
    """Wait until a handshake over QUIC is over.

    Raises:
        OSError: it failed.
        TimeoutError: it was not over in time.
    """
    try:
        while (opened := opening.step()) is None:
            _look_again(opening, wait, opening.deadline, clock)
    except BaseException:
        opening.close()
        raise
    return opened


def _look_again(opening: QuicOpening, wait: Wait, deadline: float, clock: Callable[[], float]) -> None:
    if opening.socket is not None and deadline > clock():
        with contextlib.suppress(TimeoutError):
            wait(opening.socket, selectors.EVENT_READ, deadline)


class Race:
    """One race.

    Args:
        opening: of QUIC.
        over_tls: opens a transport of TLS, by what waits for its sockets.
        wait: waits for a socket.
        deadline: monotonic seconds, for both.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        opening: QuicOpening,
        over_tls: Callable[[Wait], Transport],
        wait: Wait,
        deadline: float,
        clock: Callable[[], float],
    ) -> None:
        self._opening: QuicOpening | None = opening
        self._begins = 0.0  # when QUIC may
        self._over_tls = over_tls
        self._wait = wait
        self._deadline = deadline
        self._clock = clock

    def run(self, *, tls_first: bool) -> Transport:
        """Return the winner.

        Raises:
            ClientError: both failed; this is what TLS says, which knows more of why.
            OSError: likewise.
        """
        now = self._clock()
        try:
            if tls_first:
                self._begins = now + HEAD_START
            elif (won := self._quic_until(now + HEAD_START)) is not None:
                return won
            try:
                return self._over_tls(self._beside)
            except _WonError as end:
                return end.transport
            except (OSError, ClientError):
                if (won := self._quic_until(self._deadline)) is not None:
                    return won
                raise
        finally:
            self._give_up()

    def _quic_until(self, deadline: float) -> QuicTransport | None:
        """Go on with QUIC alone; None: it has failed, or it is that late."""
        while (opening := self._opening) is not None and self._clock() < deadline:
            if (won := self._step()) is not None:
                return won
            _look_again(opening, self._wait, min(deadline, opening.deadline), self._clock)
        return None

    def _step(self) -> QuicTransport | None:
        if self._opening is None or self._clock() < self._begins:
            return None
        try:
            return self._opening.step()
        except OSError:
            self._give_up()
            return None

    def _beside(self, watched: socket, events: int, deadline: float, beside: socket | None = None) -> bool:  # noqa: ARG002 - QUIC's is
        """Wait for a socket of TLS, and go on with QUIC meanwhile."""
        while True:
            if (won := self._step()) is not None:
                raise _WonError(won)
            opening, now = self._opening, self._clock()
            due = deadline if opening is None else min(deadline, max(self._begins, opening.deadline))
            try:
                if self._wait(watched, events, max(due, now), opening.socket if opening is not None else None):
                    return True
            except TimeoutError:
                if self._clock() >= deadline:
                    raise

    def _give_up(self) -> None:
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.close()
