"""QUIC over a socket of UDP, for one thread or one event loop: what opens it, and what moves it to another address."""

from __future__ import annotations

import errno
import math
import socket
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from secure_client.connection import quic_certificate
from secure_client.connection.quic_flow import IDLE_TIMEOUT, Flow
from secure_client.connection.transport import Transport
from secure_client.core.trust import Trust

MOVE_AFTER = 3.0
"""Seconds without an acknowledgement of what was sent before another socket is tried: the network may have changed."""
MOVE_PAUSE = 1.0
"""Seconds before an error on sending has it tried again, where this machine has no way to the server at all."""
DATAGRAMS_AT_ONCE = 64
"""Taken in a row, so that a flood of them lets the thread look at its other duties."""
DATAGRAM_BYTES = 64 * 1024
"""More than a datagram can have."""
_FULL = {errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS}
"""This machine's queue is full: a datagram lost, and sent again in its time."""

_REFUSALS = (ConnectionRefusedError, ConnectionResetError)
"""The server's machine says that nobody listens there; Windows calls that a reset."""

Address = tuple[int, tuple[object, ...]]
"""A family, and an address of it, as getaddrinfo gives them."""


class QuicTransport(Transport):
    """A stream over QUIC, which survives a change of network.

    Args:
        connected: of UDP, with the server as its peer.
        flow: the connection.
        address: the server's.
        clock: monotonic seconds.

    Attributes:
        moved_to: the address of this machine that the connection went on from last; empty before.
    """

    kind = "quic"

    def __init__(self, connected: socket.socket, flow: Flow, address: Address, clock: Callable[[], float]) -> None:
        super().__init__(connected)
        self._flow = flow
        self._address = address
        self._clock = clock
        self._left: list[socket.socket] = []  # that it moved from; closed once nobody waits for them
        self._looked = since_boot()
        self._tried = -math.inf  # to move
        self._refused = False

    @property
    def certificate(self) -> bytes | None:
        """The server's, in DER."""
        return self._flow.certificate

    @property
    def open(self) -> bool:
        """Whether the handshake is over, and the server has proved who it is."""
        return self._flow.open

    @property
    def error(self) -> OSError | None:
        """Why it is over."""
        return self._flow.error

    @property
    def deadline(self) -> float:
        """The monotonic second at which to call `tick`."""
        since = self._flow.unanswered_since
        due = self._flow.deadline
        return due if since is None or not self.open else min(due, max(since, self._tried) + MOVE_AFTER)

    @property
    def holds(self) -> bool:
        """As of any transport."""
        return self._flow.holds

    def tick(self) -> None:
        """Take the datagrams that came, look at the time, and send what there is."""
        for old in self._left:
            old.close()
        self._left.clear()
        now = self._clock()
        self._notice_sleep()
        self._take(now)
        self._flow.tick(now)
        self._send(now)
        since = self._flow.unanswered_since
        if self.open and since is not None and now >= max(since, self._tried) + MOVE_AFTER:
            self._move(now)

    def interest(self, *, reads: bool, writes: bool) -> int:  # noqa: ARG002 - acknowledgements come at all times
        """Datagrams are taken at all times: acknowledgements are among them. What is sent waits for no socket."""
        return super().interest(reads=True, writes=False)

    def send(self, data: bytes | bytearray) -> int:
        """As of any transport."""
        now = self._clock()
        self._notice_sleep()
        count = self._flow.write(data, now)
        self._send(now)
        return count

    def receive(self) -> bytes | None:
        """As of any transport; what came is taken by `tick`."""
        data = self._flow.read()
        if data:
            self._send(self._clock())  # the room that there is again
        return data

    def close(self, clock: Callable[[], float]) -> None:
        """Say that it ends; there is no end to wait for."""
        now = clock()
        self._flow.end()
        self._send(now)
        self._flow.close()
        self._send(now)
        self._flow.fail(ConnectionAbortedError(errno.ECONNABORTED, ""))
        for each in (*self._left, self.socket):
            each.close()
        self._left.clear()

    def _notice_sleep(self) -> None:
        """End it where this machine slept for so long that the server has given it up; nothing is sent into that."""
        before, self._looked = self._looked, since_boot()
        if self._looked - before >= IDLE_TIMEOUT:  # looked at more often than that, as the flow has deadlines
            self._flow.fail(TimeoutError(errno.ETIMEDOUT, ""))

    # -- datagrams ----------------------------------------------------------------------------------------------------

    def _take(self, now: float) -> None:
        for _number in range(DATAGRAMS_AT_ONCE):
            try:
                datagram = self.socket.recv(DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                self._unsent(error, now)
                return
            self._refused = False
            self._flow.take(datagram, now)

    def _send(self, now: float) -> None:
        for datagram in self._flow.datagrams(now):
            try:
                self.socket.send(datagram)
            except OSError as error:
                self._unsent(error, now)

    def _unsent(self, error: OSError, now: float) -> None:
        """Take that a datagram could not be sent, or that the network says so of an earlier one."""
        if error.errno in _FULL:
            return
        if not self.open:
            self._flow.fail(error)
        elif isinstance(error, _REFUSALS) and self._refused:
            self._flow.fail(error)  # from the new socket too, and nothing came since
        elif now >= self._tried + MOVE_PAUSE:
            self._refused = isinstance(error, _REFUSALS)
            self._move(now)

    def _move(self, now: float) -> None:
        """Go on from a new socket: the system chooses it by the networks that there are now."""
        self._tried = now
        try:
            fresh = connected_to(self._address)
        except OSError:
            return  # no way there yet
        self._left.append(self.socket)
        self.socket = fresh
        self.moved_to = str(fresh.getsockname()[0])
        self._flow.moved(now)
        self._send(now)


class QuicOpening:
    """Handshakes with one address of the server after the other, until one is over.

    `step` is called at `deadline`, and whenever `socket` has something.

    Args:
        addresses: of the server; at least one.
        host: as its certificate names it.
        context: of TLS, with the CAs of `trust`.
        trust: whom to believe.
        deadline: monotonic seconds, for all of them.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        addresses: Sequence[Address],
        host: str,
        context: ssl.SSLContext,
        trust: Trust,
        deadline: float,
        clock: Callable[[], float],
    ) -> None:
        self._left = list(addresses)
        self._host = host
        self._verify = partial(quic_certificate.check, host=host, context=context, trust=trust)
        self._until = deadline
        self._share = 0.0
        self._clock = clock
        self._transport: QuicTransport | None = None

    @property
    def socket(self) -> socket.socket | None:
        """To be waited for, for reading."""
        return None if self._transport is None else self._transport.socket

    @property
    def deadline(self) -> float:
        """The monotonic second at which to call `step`."""
        return self._share if self._transport is None else min(self._share, self._transport.deadline)

    def step(self) -> QuicTransport | None:
        """Go on with the handshake; return what is open then, which the caller owns.

        Raises:
            OSError: it failed with the last address, which may be ssl.SSLError.
            TimeoutError: it was not over in time.
        """
        while True:
            try:
                opened = self._step()
            except OSError as error:
                self.close()
                if not self._left or isinstance(error, ssl.SSLError):
                    raise
            else:
                return opened

    def _step(self) -> QuicTransport | None:
        now = self._clock()
        if self._transport is None:
            self._share = now + (self._until - now) / len(self._left)  # one dead address leaves time for the others
            address = self._left.pop(0)
            plain = connected_to(address)
            self._transport = QuicTransport(
                plain, Flow(address[1], self._host, self._verify, now), address, self._clock
            )
        transport = self._transport
        transport.tick()
        if transport.error is not None:
            raise transport.error
        if transport.open:
            self._transport = None
            return transport
        if now >= self._share:
            raise TimeoutError
        return None

    def close(self) -> None:
        """Give up what is going on."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close(self._clock)


def since_boot() -> float:
    """Return seconds that pass while this machine sleeps, too, where it has such a clock."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def connected_to(address: Address) -> socket.socket:
    """Return a socket of UDP that takes datagrams of the server alone.

    Raises:
        OSError: there is no way to it.
    """
    family, where = address
    plain = socket.socket(family, socket.SOCK_DGRAM)
    try:
        plain.settimeout(0)
        plain.connect(where)
    except BaseException:
        plain.close()
        raise
    return plain
