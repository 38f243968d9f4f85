"""What an event loop carries bytes by: asyncio's own streams, and QUIC over a socket of UDP that it watches."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from secure_client.connection.transport import CHUNK_BYTES, LINGER_TIMEOUT, tune
from secure_client.core.link import Link
from secure_client.core.status import Way
from secure_client.core.trust import Trust
from secure_client.errors import SetupError
from secure_client.i18n import _

if TYPE_CHECKING:
    from secure_client.connection.quic_transport import Address, QuicOpening, QuicTransport

READS_AT_ONCE = 16
"""So that a flood of replies over QUIC lets the loop look at its other duties every MiB."""


class Wire(Protocol):
    """One connection."""

    @property
    def way(self) -> Way:
        """By what it goes."""

    def attend(self, link: Link) -> None:
        """Write what there is, as long as it is taken, and read on or not."""

    def close(self) -> None:
        """End it in order."""

    async def over(self) -> None:
        """Wait until it has ended; at most `LINGER_TIMEOUT`, then it is cut."""


class Owner(Protocol):
    """Who uses one."""

    def opened(self, wire: Wire, certificate: bytes | None) -> None:
        """Take that one is open, and, with TLS, that the certificate is good."""

    def received(self, wire: Wire, data: bytes) -> None:
        """Take what came."""

    def lost(self, wire: Wire, error: Exception | None) -> None:
        """Take that it is at its end."""

    def moved(self, wire: Wire) -> None:
        """Take that it goes another way."""

    def attend(self) -> None:
        """Do what is to be done, after anything has happened."""


class StreamWire(asyncio.Protocol):
    """A connection of asyncio's."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._writable = True
        self._reads = True
        self._ended = asyncio.Event()

    @property
    def way(self) -> Way:
        """By what it goes."""
        secured = self._transport is not None and self._transport.get_extra_info("ssl_object") is not None
        return Way("tls" if secured else "unix")

    def attend(self, link: Link) -> None:
        """Write what there is, as long as it is taken, and read on or not."""
        transport = self._transport
        assert transport is not None  # noqa: S101 - it was opened
        while link.outgoing and self._writable:
            data = bytes(link.outgoing[:CHUNK_BYTES])
            link.took(len(data))
            transport.write(data)
        if link.reads != self._reads:
            self._reads = link.reads
            if self._reads:
                transport.resume_reading()
            else:
                transport.pause_reading()

    def close(self) -> None:
        """End TLS and TCP in order."""
        if self._transport is not None:
            self._transport.close()

    async def over(self) -> None:
        """Wait until it has ended; at most `LINGER_TIMEOUT`, then it is cut."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_TIMEOUT):
                await self._ended.wait()
        if not self._ended.is_set() and self._transport is not None:
            self._transport.abort()
            await self._ended.wait()

    # -- asyncio's calls ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take that it is open; with TLS, that the certificate is good."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream
        self._transport = transport
        secured = transport.get_extra_info("ssl_object")
        plain = transport.get_extra_info("socket")
        if secured is not None and plain is not None:
            tune(plain)
        self._owner.opened(self, secured.getpeercert(binary_form=True) if secured is not None else None)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._owner.received(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take that it is at its end."""
        self._ended.set()
        self._owner.lost(self, exc)

    def pause_writing(self) -> None:
        """Take that asyncio holds enough that the network has not taken."""
        self._writable = False

    def resume_writing(self) -> None:
        """Take that it holds little again."""
        self._writable = True
        self._owner.attend()


class QuicWire:
    """A connection over QUIC, which may go on from another socket.

    Args:
        owner: who uses it.
        transport: its handshake over.
        loop: that watches its socket.
    """

    def __init__(self, owner: Owner, transport: QuicTransport, loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
        self._transport = transport
        self._loop = loop
        self._watched = transport.socket
        self._timer: asyncio.TimerHandle | None = None
        self._link: Link | None = None  # whose bytes it carries, since it was attended to
        self._closed = False
        loop.add_reader(self._watched, self._step)
        self._set_timer()

    @property
    def way(self) -> Way:
        """By what it goes."""
        return Way(self._transport.kind, self._transport.moved_to)

    def attend(self, link: Link) -> None:
        """Write what there is, as long as it is taken, and have what came read on or not."""
        self._link = link
        with contextlib.suppress(OSError):  # the same is raised where it is read, which is soon
            while link.outgoing and (sent := self._transport.send(link.outgoing)):
                link.took(sent)
        self._set_timer()

    def close(self) -> None:
        """End it in order."""
        self._end()
        self._owner.lost(self, None)

    async def over(self) -> None:
        """It has ended: there is nothing to wait for."""

    def _end(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._watched)
        if self._timer is not None:
            self._timer.cancel()
        self._transport.close(self._loop.time)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._closed:
            reads = self._transport.holds and self._link is not None and self._link.reads
            self._timer = self._loop.call_at(0.0 if reads else self._transport.deadline, self._step)

    def _step(self) -> None:
        before = self._transport.moved_to, self._watched
        self._transport.tick()
        if self._transport.socket is not self._watched:
            self._loop.remove_reader(self._watched)
            self._watched = self._transport.socket
            self._loop.add_reader(self._watched, self._step)
        if before != (self._transport.moved_to, self._watched):
            self._owner.moved(self)
        self._receive()
        if not self._closed:
            self._owner.attend()  # an acknowledgement makes room for more to send
            self._set_timer()

    def _receive(self) -> None:
        for _read in range(READS_AT_ONCE):
            if self._closed or self._link is None or not self._link.reads:
                return
            try:
                data = self._transport.receive()
            except OSError as error:
                self._end()
                self._owner.lost(self, error)
                return
            if data is None:
                return
            if not data:
                self.close()
                return
            self._owner.received(self, data)


async def shake_hands(
    addresses: Sequence[Address], host: str, context: ssl.SSLContext, trust: Trust, deadline: float
) -> QuicTransport:
    """Open a connection over QUIC on the running loop.

    Args:
        addresses: of the server.
        host: as its certificate names it.
        context: of TLS, with the CAs of `trust`.
        trust: whom to believe.
        deadline: of the loop's clock.

    Raises:
        OSError: it failed.
        TimeoutError: it was not over in time.
        SetupError: this loop cannot watch a socket.
    """
    from secure_client.connection.quic_transport import QuicOpening  # noqa: PLC0415 - few have aioquic

    loop = asyncio.get_running_loop()
    opening = QuicOpening(addresses, host, context, trust, deadline, loop.time)
    try:
        while (opened := opening.step()) is None:
            await _ready(loop, opening)
    except NotImplementedError:
        opening.close()
        raise SetupError(_("This event loop cannot carry QUIC: use asyncio.SelectorEventLoop, or TLS.")) from None
    except BaseException:
        opening.close()
        raise
    return opened


async def _ready(loop: asyncio.AbstractEventLoop, opening: QuicOpening) -> None:
    """Wait until a handshake is to be looked at."""
    ready = asyncio.Event()
    watched = opening.socket
    timer = loop.call_at(opening.deadline, ready.set)
    if watched is not None:
        loop.add_reader(watched, ready.set)
    try:
        await ready.wait()
    finally:
        timer.cancel()
        if watched is not None:
            loop.remove_reader(watched)
