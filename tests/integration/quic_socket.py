"""A QUIC stream used as a socket is, for scenarios that run over each transport, and for abuse of the connection below.

The library is the sans-I/O half of aioquic; a thread of the socket's own runs its timers and reads the datagrams.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import (
    ConnectionTerminated,
    HandshakeCompleted,
    QuicEvent,
    StreamDataReceived,
    StreamReset,
)
from aioquic.quic.packet import QuicPacketType
from aioquic.quic.packet_builder import QuicPacketBuilder
from aioquic.quic.recovery import QuicPacketSpace
from aioquic.quic.stream import QuicStream
from aioquic.tls import Epoch
from cryptography.hazmat.primitives.serialization import Encoding

ALPN = "secure-command/1"
STREAM = 0
"""The one that is the session."""
WINDOW_BYTES = 256 * 1024
"""What the server may send that nobody has read; TCP's of a socket that nobody reads is about as large."""
UNSENT_BYTES = 256 * 1024
"""What waits here for the server to make room, before sending waits, too."""
LARGEST_BYTES = 65_536
LARGEST_PAYLOAD_BYTES = 1_400
"""Of a datagram with frames of a test's own."""
JOIN_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 60.0
"""Of the thread, where the library has no timer."""

Address = tuple[str, int]


class Windowed(QuicConnection):
    """Lets the peer send as much as was read and a window more; the library's own lets it send what has arrived twice.

    Attributes:
        read: bytes that the user of the stream took.
    """

    read = 0

    def _write_connection_limits(self, builder: QuicPacketBuilder, space: QuicPacketSpace) -> None:
        limit = self._local_max_data
        limit.value = self._raised(limit.value)
        used, limit.used = limit.used, 0  # for the library, nothing has arrived that would raise it
        try:
            super()._write_connection_limits(builder, space)
        finally:  # it raises where the datagram is full
            limit.used = used

    def _write_stream_limits(self, builder: QuicPacketBuilder, space: QuicPacketSpace, stream: QuicStream) -> None:
        if stream.stream_id != STREAM:
            super()._write_stream_limits(builder, space, stream)
            return
        stream.max_stream_data_local = self._raised(stream.max_stream_data_local)
        highest, stream.receiver.highest_offset = stream.receiver.highest_offset, 0
        try:
            super()._write_stream_limits(builder, space, stream)
        finally:
            stream.receiver.highest_offset = highest

    def _raised(self, limit: int) -> int:
        wanted = self.read + WINDOW_BYTES
        return wanted if wanted - limit >= WINDOW_BYTES // 2 else limit


class QuicSocket:
    """The client's end, with its handshake done. One thread sends and one receives, at most.

    Args:
        port: the server's, or that of a proxy before it.
        ca: the file with the certificates that the server's must come from.
        name: the server's, as its certificate has it.
        timeout: seconds for the handshake, and for each call until `settimeout` says otherwise.
        source: the address to send from.
        prepare: changes the configuration before it is used.

    Attributes:
        quic: the library's connection; touch it inside `steering` alone.
        closed: how the connection ended, once it did: its code and reason.
        mute: send nothing of the library's own: no acknowledgement, and nothing anew.
        events: what the library said, but the stream's data, which `recv` has.

    Raises:
        ConnectionRefusedError: the handshake failed.
        TimeoutError: nobody answered.
    """

    def __init__(
        self,
        port: int,
        ca: Path,
        name: str = "localhost",
        *,
        timeout: float = 30.0,
        source: str = "127.0.0.1",
        prepare: Callable[[QuicConfiguration], None] = lambda _: None,
    ) -> None:
        configuration = QuicConfiguration(
            alpn_protocols=[ALPN],
            server_name=name,
            cafile=str(ca),
            max_data=WINDOW_BYTES,
            max_stream_data=WINDOW_BYTES,
        )
        prepare(configuration)
        self.server: Address = ("127.0.0.1", port)
        self.quic = Windowed(configuration=configuration)
        self.closed: tuple[int, str] | None = None
        self.events: list[QuicEvent] = []
        self.mute = False
        self._timeout: float | None = timeout
        self._received = bytearray()
        self._ended = self._connected = self._shut = False
        self._changed = threading.Condition(threading.RLock())
        self._socket = bound(source)
        self._waker, self._woken = socket.socketpair()
        self._over = False
        with self.steering() as quic:
            quic.connect(self.server, now=time.monotonic())
        self._thread = threading.Thread(target=self._run, name="quic socket", daemon=True)
        self._thread.start()
        try:
            self._wait(lambda: self._connected or self.closed is not None)
        except TimeoutError:
            self.vanish()
            raise
        if not self._connected:
            self.vanish()
            raise ConnectionRefusedError(f"{self.closed}")

    @contextlib.contextmanager
    def steering(self) -> Iterator[QuicConnection]:
        """Have the library's connection for oneself; what it has to send then is sent."""
        with self._changed:
            yield self.quic
            self._flush()
        with contextlib.suppress(OSError):  # closed
            self._waker.send(b"!")  # its timers may be others now

    def settimeout(self, seconds: float | None) -> None:
        """As of a socket."""
        self._timeout = seconds

    def gettimeout(self) -> float | None:
        """As of a socket."""
        return self._timeout

    def getsockname(self) -> Address:
        """As of a socket: where this is now."""
        with self._changed:
            host, port = self._socket.getsockname()[:2]
        return host, port

    def getpeername(self) -> Address:
        """As of a socket."""
        return self.server

    def certificate(self) -> bytes:
        """Return the server's certificate, as DER."""
        found = self.quic.tls._peer_certificate
        assert found is not None
        return found.public_bytes(Encoding.DER)

    def sendall(self, data: bytes) -> None:
        """Send bytes; wait while the server makes no room for them.

        Raises:
            TimeoutError: it made none.
            BrokenPipeError: the connection ended, or this side of the stream.
        """
        rest = memoryview(data)
        while rest:
            rest = rest[self.send(bytes(rest[:UNSENT_BYTES])) :]

    def send(self, data: bytes) -> int:
        """Send some of the bytes, and return how many; see `sendall`."""
        self._wait(lambda: self.closed is not None or self._shut or self.unsent < UNSENT_BYTES)
        if self.closed is not None or self._shut:
            raise BrokenPipeError(f"{self.closed or 'shut down'}")
        piece = data[: UNSENT_BYTES - self.unsent]
        with self.steering() as quic:
            quic.send_stream_data(STREAM, piece)
        return len(piece)

    @property
    def unsent(self) -> int:
        """How many bytes of the stream wait: for room, for the network, or for the server to acknowledge them."""
        with self._changed:
            stream = self.quic._streams.get(STREAM)
            return 0 if stream is None else len(stream.sender._buffer)

    def recv(self, most: int) -> bytes:
        """Return what came of the stream; nothing once the server ended it.

        Raises:
            TimeoutError: nothing came.
            ConnectionResetError: the connection ended, and the stream had not.
        """
        self._wait(lambda: bool(self._received) or self._ended or self.closed is not None)
        with self._changed:
            taken = bytes(self._received[:most])
            del self._received[:most]
        if taken:
            with self.steering():
                self.quic.read += len(taken)
            return taken
        if not self._ended:
            raise ConnectionResetError(f"ended without the stream's end: {self.closed}")
        return b""

    def shutdown(self, how: int) -> None:
        """End our side of the stream, as of a socket."""
        if how != socket.SHUT_RD and not self._shut and self.closed is None:
            self._shut = True
            with self.steering() as quic:
                quic.send_stream_data(STREAM, b"", end_stream=True)

    def close(self) -> None:
        """End the connection without ceremony, as a program does that exits; once more is fine."""
        if not self._over:
            with self.steering() as quic:
                quic.close()
        self.vanish()

    def vanish(self) -> None:
        """Be gone without a word, as after a loss of power."""
        if self._over:
            return
        self._over = True
        self._waker.send(b"!")
        self._thread.join(JOIN_SECONDS)
        assert not self._thread.is_alive()
        for one in (self._socket, self._waker, self._woken):
            one.close()

    def end(self) -> tuple[int, str]:
        """Wait until the connection has ended, and return how: its code and reason."""
        self._wait(lambda: self.closed is not None)
        assert self.closed is not None
        return self.closed

    def wait_for(self, kind: type[QuicEvent]) -> QuicEvent:
        """Wait until the library said such a thing, and return the first."""
        self._wait(lambda: any(isinstance(event, kind) for event in self.events))
        return next(event for event in self.events if isinstance(event, kind))

    def settled(self) -> None:
        """Wait until the server has acknowledged all that was sent."""
        self._wait(lambda: not self.unsent or self.closed is not None)

    def move(self, source: str = "127.0.0.1") -> Address:
        """Go on from another port, or address, as a client does that has changed its network; return the new one.

        Raises:
            OSError: this machine has no such address.
        """
        new = bound(source)
        with self.steering() as quic:
            old, self._socket = self._socket, new
            quic.change_connection_id()
            quic.send_ping(0)
            old.close()
        return self.getsockname()

    def ask(self) -> None:
        """Have the server acknowledge something, as clients do that have heard nothing for a while."""
        with self.steering() as quic:
            quic.send_ping(0)

    def frames(self, payload: bytes, *, skip: int = 0) -> None:
        """Send frames that the library would not, in a datagram of their own, encrypted as any.

        Args:
            payload: one frame or several, as they go over the network; the first one's type is a byte.
            skip: packet numbers that are left out before.
        """
        with self._changed:
            quic = self.quic
            quic._packet_number += skip
            builder = QuicPacketBuilder(
                host_cid=quic.host_cid,
                is_client=True,
                max_datagram_size=LARGEST_PAYLOAD_BYTES,
                packet_number=quic._packet_number,
                peer_cid=quic._peer_cid.cid,
                version=quic._version or 0,
            )
            builder.start_packet(QuicPacketType.ONE_RTT, quic._cryptos[Epoch.ONE_RTT])
            builder.start_frame(payload[0], capacity=len(payload)).push_bytes(payload[1:])
            datagrams, _ = builder.flush()
            quic._packet_number = builder.packet_number
        for data in datagrams:
            self.say(data)

    def say(self, data: bytes) -> None:
        """Send a datagram that the library knows nothing of."""
        with self._changed, contextlib.suppress(BlockingIOError):  # as networks lose it
            self._socket.sendto(data, self.server)

    def _wait(self, holds: Callable[[], bool]) -> None:
        with self._changed:
            if not self._changed.wait_for(holds, self._timeout):
                raise TimeoutError("nothing came")

    def _run(self) -> None:
        while not self._over:
            with self._changed:
                timer, sock = self.quic.get_timer(), self._socket
            wait = LONGEST_WAIT_SECONDS if timer is None else max(0.0, timer - time.monotonic())
            with contextlib.suppress(OSError, ValueError):  # moved meanwhile: the old one is closed
                if self._woken in select.select([sock, self._woken], [], [], wait)[0]:
                    self._woken.recv(LARGEST_BYTES)
            with self._changed:
                self._turn()

    def _turn(self) -> None:
        with contextlib.suppress(OSError):  # no more; or nobody listens there
            while True:
                data, _ = self._socket.recvfrom(LARGEST_BYTES)
                self.quic.receive_datagram(data, self.server, now=time.monotonic())
        timer = self.quic.get_timer()
        if timer is not None and timer <= time.monotonic():
            self.quic.handle_timer(now=time.monotonic())
        while (event := self.quic.next_event()) is not None:
            self._take(event)
        self._flush()
        self._changed.notify_all()

    def _take(self, event: QuicEvent) -> None:
        if isinstance(event, StreamDataReceived) and event.stream_id == STREAM:
            self._received += event.data
            self._ended = self._ended or event.end_stream
            return
        self.events.append(event)
        if isinstance(event, HandshakeCompleted):
            assert event.alpn_protocol == ALPN, event
            self._connected = True
        elif isinstance(event, StreamReset) and event.stream_id == STREAM:
            self.closed = event.error_code, "the stream was reset"
        elif isinstance(event, ConnectionTerminated):
            self.closed = event.error_code, event.reason_phrase

    def _flush(self) -> None:
        if self.mute:
            return
        for data, _ in self.quic.datagrams_to_send(now=time.monotonic()):
            with contextlib.suppress(OSError):  # as networks lose it
                self._socket.sendto(data, self.server)


def bound(source: str) -> socket.socket:
    """Return a socket for datagrams, of that address."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    try:
        sock.bind((source, 0))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)  # noqa: FBT003 - the standard library's
    return sock
