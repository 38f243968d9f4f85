"""A QUIC stream that tests use as a socket is one, against a server of the library's own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("aioquic", reason="needs aioquic, which the extra `quic` has")

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import PingAcknowledged, QuicEvent, StreamDataReceived

from tests.integration.datagram_proxy import DatagramProxy
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.quic_socket import ALPN, STREAM, UNSENT_BYTES, WINDOW_BYTES, QuicSocket
from tests.integration.running import eventually

WORD = bytes(range(256)) * 4096
"""A megabyte, several times the windows."""


class Connection(QuicConnectionProtocol):
    """Sends back what it gets on any stream, and ends the stream when the client does."""

    def quic_event_received(self, event: QuicEvent) -> None:
        """Called by the library."""
        if isinstance(event, StreamDataReceived):
            self._quic.send_stream_data(event.stream_id, event.data, event.end_stream)


class Echo:
    """A server of such connections, on a thread of its own.

    Attributes:
        port: where it listens.
    """

    def __init__(self, certificates: Path, alpn: str = ALPN) -> None:
        self._configuration = QuicConfiguration(is_client=False, alpn_protocols=[alpn])
        self._configuration.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.port = 0
        self._connections: list[Connection] = []
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))
        self._thread.start()
        assert self._ready.wait(PATIENCE_SECONDS)

    def stop(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    def end(self, code: int, reason: str) -> None:
        """End each connection."""
        for connection in self._connections:
            self._loop.call_soon_threadsafe(connection.close, code, reason)

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        server = await serve("127.0.0.1", 0, configuration=self._configuration, create_protocol=self._made)
        assert server._transport is not None
        self.port = server._transport.get_extra_info("sockname")[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        await asyncio.sleep(0)  # for the transport to be closed

    def _made(self, connection: QuicConnection, **_: object) -> Connection:
        made = Connection(connection)
        self._connections.append(made)
        return made


@pytest.fixture
def echo(certificates: Path) -> Iterator[Echo]:
    """A server."""
    server = Echo(certificates)
    yield server
    server.stop()


@pytest.fixture
def peer(echo: Echo, certificates: Path) -> Iterator[QuicSocket]:
    """A socket that is connected to it."""
    sock = QuicSocket(echo.port, certificates / "ca.pem")
    yield sock
    sock.close()


def whole(peer: QuicSocket, count: int) -> bytes:
    """Return so many bytes."""
    got = b""
    while len(got) < count:
        data = peer.recv(count - len(got))
        assert data
        got += data
    return got


def echoed(peer: QuicSocket, word: bytes) -> bool:
    """Send it while its echo is read."""
    sending = threading.Thread(target=peer.sendall, args=(word,))
    sending.start()
    same = whole(peer, len(word)) == word
    sending.join()
    return same


def test_bytes_both_ways_and_an_end(peer: QuicSocket) -> None:
    """Many at once, then the end of each side; nothing can be sent behind it."""
    assert echoed(peer, WORD)
    peer.shutdown(socket.SHUT_WR)
    assert peer.recv(1) == b""
    assert peer.recv(1) == b""
    with pytest.raises(BrokenPipeError):
        peer.sendall(b"more")


def test_the_certificate_is_checked(echo: Echo, certificates: Path, tmp_path: Path) -> None:
    """Its name, and who signed it; `certificate` is what the server showed."""
    with pytest.raises(ConnectionRefusedError, match="hostname"):
        QuicSocket(echo.port, certificates / "ca.pem", "elsewhere.example")
    other = tmp_path / "other.pem"
    other.write_bytes((certificates / "server.pem").read_bytes())
    with pytest.raises(ConnectionRefusedError, match="certificate"):
        QuicSocket(echo.port, other)


def test_the_protocol_is_agreed_on(certificates: Path) -> None:
    """A server of something else is refused by both."""
    server = Echo(certificates, alpn="h3")
    try:
        with pytest.raises(ConnectionRefusedError, match="ALPN"):
            QuicSocket(server.port, certificates / "ca.pem")
    finally:
        server.stop()


def test_nobody_there(certificates: Path) -> None:
    """It takes as long as it may, and no longer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        with pytest.raises(TimeoutError):
            QuicSocket(silent.getsockname()[1], certificates / "ca.pem", timeout=0.3)


def test_waiting_is_bounded(peer: QuicSocket) -> None:
    """As of a socket."""
    peer.settimeout(0.05)
    with pytest.raises(TimeoutError):
        peer.recv(1)


def test_who_does_not_read_makes_the_server_wait(peer: QuicSocket, echo: Echo) -> None:
    """No more comes than the window; then reading goes on, and nothing is missing."""
    peer.sendall(WORD)
    peer.settled()
    eventually(lambda: len(peer._received) >= WINDOW_BYTES - 2000)
    assert len(peer._received) <= WINDOW_BYTES
    assert whole(peer, len(WORD)) == WORD


def test_a_server_that_does_not_read_makes_us_wait(peer: QuicSocket) -> None:
    """What is sent waits here within a bound, and sending says so."""
    with peer.steering():
        peer.quic._remote_max_data = 10_000  # the library's server never stops reading
        peer.quic._local_max_data.sent = peer.quic._local_max_data.value
    peer.settimeout(0.2)
    with DatagramProxy(peer.server[1]) as proxy:
        peer.server = ("127.0.0.1", proxy.port)
        proxy.swallow()
        with pytest.raises(TimeoutError):
            peer.sendall(WORD)
    assert peer.unsent <= UNSENT_BYTES


def test_the_servers_end_is_told(peer: QuicSocket, echo: Echo) -> None:
    """Its code and its reason; what was read before is not lost, and its stream was not ended."""
    peer.sendall(b"word")
    assert whole(peer, 4) == b"word"
    echo.end(4005, "kicked")
    assert peer.end() == (4005, "kicked")
    with pytest.raises(ConnectionResetError, match="kicked"):
        peer.recv(1)
    with pytest.raises(BrokenPipeError):
        peer.sendall(b"more")


def test_it_moves(peer: QuicSocket) -> None:
    """The same connection goes on from port to port."""
    ports = {peer.getsockname()}
    for _ in range(20):
        assert echoed(peer, b"still here")
        ports.add(peer.move())
    assert echoed(peer, WORD)
    assert len(ports) == 21


def test_the_library_can_be_reached(peer: QuicSocket) -> None:
    """For whatever no socket can do."""
    with peer.steering() as quic:
        quic.send_ping(7)
        assert quic.get_next_available_stream_id() == STREAM
    peer.wait_for(PingAcknowledged)


def test_it_runs_its_timers(echo: Echo, certificates: Path) -> None:
    """What is lost is sent anew while nobody calls."""
    with DatagramProxy(echo.port) as proxy:
        peer = QuicSocket(proxy.port, certificates / "ca.pem")
        assert echoed(peer, b"word")
        proxy.swallow()
        peer.sendall(b"lost")
        eventually(lambda: proxy.up.swallowed > 0)
        proxy.clear()
        assert whole(peer, 4) == b"lost"
        proxy.lose(0.05)
        assert echoed(peer, WORD)
        proxy.clear()
        peer.close()
