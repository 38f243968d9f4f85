"""One I/O thread, what connects to it, and what is read there: for the tests of connections."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from secure_server.auth.principal import Principal, Role
from secure_server.config.settings import Config
from secure_server.net.connection import Connection
from secure_server.net.io_thread import IOThread
from secure_server.net.tls import server_context
from secure_server.net.tls_wire import TlsWire
from secure_server.net.wire import PlainWire, Wire
from secure_server.session.session import Session
from tests.secure_server.host import PATIENCE, Host
from tests.secure_server.net.turning import TurningClock, on_loop, shake

LOCAL = Principal("local:root", Role.ADMIN, None, None)
RESET = b"\1\0\0\0\0\0\0\0"
"""SO_LINGER that makes close send a reset."""


class Moody(socket.socket):
    """A socket that says first what it was told to say; as TLS does when it wants the other direction."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(fileno=sock.detach())
        self.settimeout(0)
        self.on_recv: list[OSError] = []
        self.on_send: list[OSError] = []

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Complain, or read."""
        if self.on_recv:
            raise self.on_recv.pop(0)
        return super().recv(size, flags)

    def send(self, data: bytes | bytearray, flags: int = 0, /) -> int:  # type: ignore[override] # narrower suffices
        """Complain, or write."""
        if self.on_send:
            raise self.on_send.pop(0)
        return super().send(data, flags)


class Line:
    """One I/O thread, and what connects to it.

    Args:
        host: the gate behind.
        config: its deadlines.
    """

    def __init__(self, host: Host, config: Config) -> None:
        self.host = host
        self.clock = TurningClock()
        host.clock = self.clock
        object.__setattr__(host.services, "clock", self.clock)
        self.closed: list[Session] = []
        self._ended = threading.Semaphore(0)
        self.thread = IOThread("io-test", config.timeouts, self._on_closed, self.clock)
        self.loop = self.thread._loop
        self.thread.start()
        self._peers: list[socket.socket] = []

    def stop(self) -> None:
        """Stop the thread, and end the peers."""
        self.thread.stop()
        for peer in self._peers:
            peer.close()

    def adopt(self, ours: Wire | socket.socket, theirs: socket.socket, session: Session | None = None) -> Session:
        """Have the thread carry a session over `ours`."""
        wire = PlainWire(ours) if isinstance(ours, socket.socket) else ours
        wire.sock.settimeout(0)
        theirs.settimeout(PATIENCE)
        self._peers.append(theirs)
        session = session or self.host.session()
        self.thread.adopt(wire, session)()
        return session

    def connection(self, session: Session) -> Connection:
        """What carries a session."""
        return on_loop(self.loop, lambda: self.thread._connections[session])

    def advance(self, seconds: float) -> None:
        """Move time on."""
        self.clock.advance(self.loop, seconds)

    def wait_closed(self) -> Session:
        """The next session to end."""
        assert self._ended.acquire(timeout=PATIENCE)
        return self.closed[-1]

    def _on_closed(self, session: Session) -> None:
        self.closed.append(session)
        self._ended.release()


MakeLine = Callable[..., Line]


def tcp_pair(buffer: int = 0) -> tuple[socket.socket, socket.socket]:
    """Ours and the peer's end, with small buffers where asked."""
    with socket.socket() as listener:
        if buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        theirs = socket.socket()
        if buffer:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        theirs.connect(listener.getsockname())
        return listener.accept()[0], theirs


def tls_pair(certificates: Path, buffer: int = 0) -> tuple[TlsWire, ssl.SSLSocket]:
    """The same, with TLS established."""
    ours, theirs = tcp_pair(buffer)
    server = server_context(certificates / "server.pem", certificates / "server-key.pem", "1.3")
    client = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    ours.settimeout(0)
    wire = TlsWire(ours, server)
    accepting = threading.Thread(target=shake, args=(wire,))
    accepting.start()
    peer = client.wrap_socket(theirs, server_hostname="localhost", suppress_ragged_eofs=False)
    accepting.join(PATIENCE)
    return wire, peer


def read_line(sock: socket.socket) -> bytes:
    """Read up to a line's end, and not beyond."""
    line = b""
    while not line.endswith(b"\n"):
        piece = sock.recv(1)
        if not piece:
            break
        line += piece
    return line


def read_all(sock: socket.socket) -> bytes:
    """Read until an orderly end; a reset or a ragged end raises."""
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data


def authenticate(line: Line, theirs: socket.socket, name: str = "ada") -> None:
    """Send a token of its own."""
    theirs.sendall(f"AUTH {line.host.token(name).reveal()}\n".encode())
    assert read_line(theirs) == b"OK\n"
