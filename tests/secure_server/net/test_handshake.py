"""The handshake thread: raw sockets in, established TLS out, and a deadline of its own."""

from __future__ import annotations

import errno
import queue
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from secure_protocol.reasons import CloseReason
from secure_server.identity.identity import Identity
from secure_server.limits.newcomers import GiveWay, Place, Shortage
from secure_server.net import handshake
from secure_server.net.event_loop import EventLoop
from secure_server.net.handshake import Handshakes
from secure_server.net.lingering import Lingering
from secure_server.net.tls import ALPN_OURS, server_context
from secure_server.net.tls_wire import TlsWire
from secure_server.pki.preflight import check_pair
from secure_server.session.peer import Peer
from tests.secure_server.host import PATIENCE

Failed = tuple[str, CloseReason, str]
AWAY = "203.0.113.7:4711"
NEWCOMER = Peer(AWAY)


class Gateway:
    """Handshakes on a loop of their own, and what they report."""

    def __init__(self, certificates: Path, minimum: str, seconds: float) -> None:
        self.contexts = [server_context(certificates / "server.pem", certificates / "server-key.pem", minimum)]
        self.certificate = check_pair(
            certificates / "server.pem", certificates / "server-key.pem", now=datetime.now(UTC)
        )
        self.established: queue.Queue[TlsWire] = queue.Queue()
        self.failed: queue.Queue[Failed] = queue.Queue()
        self.places: list[Place] = []
        self._stack = ExitStack()
        self._loop = EventLoop("handshake-test")
        self._handshakes = Handshakes(
            self._loop,
            lambda: Identity(self.contexts[-1], self.certificate),
            seconds=seconds,
            lingering=Lingering(self._loop, 0.2),
            routes=dict.fromkeys((None, ALPN_OURS), self._establish),
            enter=self._enter,
            on_failed=lambda peer, _place, *what: self.failed.put((peer.address, *what)),
        )
        self._loop.start()

    def _enter(self, _peer: Peer, give_way: GiveWay) -> Place:
        self.places.append(Place("", give_way))
        return self.places[-1]

    def _establish(self, wire: TlsWire, _peer: Peer, place: Place) -> None:
        assert place in self.places
        self.established.put(wire)

    def connect(self) -> socket.socket:
        """The peer's end of a socket that was handed over."""
        ours, theirs = self.pair()
        self.submit(ours)
        return theirs

    def submit(self, sock: socket.socket) -> None:
        """Hand over a socket."""
        self._loop.call_soon(lambda: self._handshakes.begin(sock, NEWCOMER))

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Ours, not handed over, and the peer's."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            theirs = self._stack.enter_context(socket.create_connection(listener.getsockname(), PATIENCE))
            return listener.accept()[0], theirs

    def failure(self) -> Failed:
        """What was reported of the next that failed."""
        return self.failed.get(timeout=PATIENCE)

    def success(self) -> TlsWire:
        """The next that was established."""
        wire = self.established.get(timeout=PATIENCE)
        self._stack.enter_context(wire.sock)
        return wire

    def stop(self) -> None:
        """End what is in progress, and the thread."""
        self._loop.call_soon(self._handshakes.abort)
        self._loop.stop()

    def close(self) -> None:
        """Stop the thread, and end every socket."""
        self.stop()
        self._stack.close()


@pytest.fixture
def make_gateway(certificates: Path) -> Iterator[Callable[..., Gateway]]:
    """Make one with a minimum version and a deadline."""
    with ExitStack() as stack:

        def make(minimum: str = "1.3", seconds: float = PATIENCE) -> Gateway:
            gateway = Gateway(certificates, minimum, seconds)
            stack.callback(gateway.close)
            return gateway

        yield make


@pytest.fixture
def gateway(make_gateway: Callable[..., Gateway]) -> Gateway:
    """TLS 1.3, and a long deadline."""
    return make_gateway()


@pytest.fixture
def client(certificates: Path) -> ssl.SSLContext:
    """A careful client."""
    return ssl.create_default_context(cafile=str(certificates / "ca.pem"))


def hello(client: ssl.SSLContext) -> bytes:
    """The first bytes of a handshake."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        client.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("alpn", [None, [ALPN_OURS], ["h2", ALPN_OURS], ["something-else"]])
def test_an_honest_peer_is_established(gateway: Gateway, client: ssl.SSLContext, alpn: list[str] | None) -> None:
    """Non-blocking, TLS 1.3, ready to carry bytes; ours is preferred, and none is needed."""
    if alpn:
        client.set_alpn_protocols(alpn)
    with client.wrap_socket(gateway.connect(), server_hostname="localhost") as peer:
        ours = gateway.success()
        assert ours.tls.version() == "TLSv1.3"
        assert not ours.sock.getblocking()
        assert ours.write(bytearray(b"hi")) == 2
        assert peer.recv(2) == b"hi"
        assert peer.session is None or not peer.session.has_ticket


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_whoever_speaks_http_is_closed(gateway: Gateway, client: ssl.SSLContext, alpn: str) -> None:
    """A browser lured here sends nothing that is read as a command (ALPACA); it sees an orderly end."""
    client.set_alpn_protocols([alpn])
    with client.wrap_socket(gateway.connect(), server_hostname="localhost", suppress_ragged_eofs=False) as peer:
        assert gateway.failure() == (AWAY, CloseReason.HANDSHAKE_FAILED, "ALPN: the peer wants HTTP")
        assert peer.recv(1) == b""
    assert gateway.established.empty()


def test_an_old_version_is_refused_with_an_alert(gateway: Gateway, client: ssl.SSLContext) -> None:
    """TLS 1.2 where 1.3 is the least: both sides learn why."""
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        client.wrap_socket(gateway.connect(), server_hostname="localhost")
    address, reason, detail = gateway.failure()
    assert (address, reason, detail) == (AWAY, CloseReason.HANDSHAKE_FAILED, "UNSUPPORTED_PROTOCOL")


def test_an_old_version_is_spoken_where_configured(
    make_gateway: Callable[..., Gateway], client: ssl.SSLContext
) -> None:
    """For peers that cannot do better."""
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    gateway = make_gateway("1.2")
    with client.wrap_socket(gateway.connect(), server_hostname="localhost"):
        assert gateway.success().tls.version() == "TLSv1.2"


@pytest.mark.parametrize("share", [0, 1])
def test_an_unfinished_handshake_hits_its_own_deadline(
    make_gateway: Callable[..., Gateway], client: ssl.SSLContext, share: int
) -> None:
    """Silent, or silent after half of its first message; the peer sees an end, not a reset."""
    gateway = make_gateway(seconds=0.05)
    peer = gateway.connect()
    first = hello(client)
    peer.sendall(first[: share * len(first) // 2])
    assert gateway.failure() == (AWAY, CloseReason.HANDSHAKE_TIMEOUT, "")
    assert peer.recv(1) == b""


def test_a_silent_newcomer_delays_nobody(gateway: Gateway, client: ssl.SSLContext) -> None:
    """The next one's handshake is done while the first says nothing."""
    gateway.connect()
    with client.wrap_socket(gateway.connect(), server_hostname="localhost"):
        gateway.success()
    assert gateway.failed.empty()


def test_what_is_no_tls_is_refused(gateway: Gateway) -> None:
    """The detail is OpenSSL's word, not the peer's."""
    peer = gateway.connect()
    peer.sendall(b"GET / HTTP/1.1\r\nHost: secret\r\n\r\n")
    address, reason, detail = gateway.failure()
    assert (address, reason) == (AWAY, CloseReason.HANDSHAKE_FAILED)
    assert detail == "HTTP_REQUEST"
    while peer.recv(100):  # an alert perhaps, and an orderly end: a reset would raise
        pass


def test_a_peer_that_leaves_is_lost(gateway: Gateway, client: ssl.SSLContext) -> None:
    """At once, half-way, or by a reset."""
    gateway.connect().close()
    assert gateway.failure() == (AWAY, CloseReason.CONNECTION_LOST, "")
    half = gateway.connect()
    half.sendall(hello(client)[:20])
    half.close()
    assert gateway.failure() == (AWAY, CloseReason.CONNECTION_LOST, "")
    ours, theirs = gateway.pair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    theirs.close()
    gateway.submit(ours)
    assert gateway.failure() == (AWAY, CloseReason.CONNECTION_LOST, "")


def test_a_socket_that_cannot_be_wrapped_is_lost(gateway: Gateway) -> None:
    """It was closed under our feet: reported, and the thread lives."""
    ours, _ = gateway.pair()
    ours.close()
    gateway.submit(ours)
    assert gateway.failure() == (AWAY, CloseReason.CONNECTION_LOST, "")


def test_a_reloaded_certificate_is_used_for_newcomers(
    gateway: Gateway, client: ssl.SSLContext, certificates: Path
) -> None:
    """The context is asked for anew each time."""
    gateway.contexts.append(server_context(certificates / "server.pem", certificates / "server-key.pem", "1.2"))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with client.wrap_socket(gateway.connect(), server_hostname="localhost"):
        gateway.success()


class ShowsGarbage:
    """TLS whose peer showed what only OpenSSL can read."""

    def __init__(self, tls: ssl.SSLObject) -> None:
        self._tls = tls

    def getpeercert(self, binary_form: bool) -> bytes:  # noqa: ARG002, FBT001 - the standard library's
        """No certificate."""
        return b"\x30"

    def __getattr__(self, name: str) -> object:
        return getattr(self._tls, name)


class Unreadable(TlsWire):
    """A wire with such TLS."""

    __slots__ = ()

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        super().__init__(sock, context)
        self.tls = cast("ssl.SSLObject", ShowsGarbage(self.tls))


def test_a_client_certificate_that_only_openssl_can_read(
    gateway: Gateway, client: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one is refused, and the thread goes on."""
    monkeypatch.setattr(handshake, "TlsWire", Unreadable)
    with client.wrap_socket(gateway.connect(), server_hostname="localhost"):
        assert gateway.failure() == (AWAY, CloseReason.HANDSHAKE_FAILED, "the client's certificate cannot be read")
    monkeypatch.undo()
    with client.wrap_socket(gateway.connect(), server_hostname="localhost"):
        assert gateway.success().tls.version() == "TLSv1.3"


class Reset(socket.socket):
    """A socket as BSD and macOS have it when the peer has reset it."""

    def getsockname(self) -> str:
        """Refuse."""
        raise OSError(errno.EINVAL, "Invalid argument")


def test_a_peer_that_goes_at_the_end_of_its_handshake_is_lost(gateway: Gateway, client: ssl.SSLContext) -> None:
    """It is reported as any other, so that its place is free again."""
    ours, theirs = gateway.pair()
    gateway.submit(Reset(fileno=ours.detach()))
    with client.wrap_socket(theirs, server_hostname="localhost") as peer:
        assert gateway.failure() == (AWAY, CloseReason.CONNECTION_LOST, "")
        assert peer.recv(100) == b""


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_what_fails_unforeseen_fails_once(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    """Bytes that are never read would wake the loop until the deadline."""

    def shake(_wire: TlsWire) -> bool:
        raise error("bug")

    monkeypatch.setattr(TlsWire, "shake", shake)
    peer = gateway.connect()
    peer.sendall(b"x")
    assert gateway.failure()[1] is CloseReason.INTERNAL_ERROR
    assert peer.recv(100) == b""
    assert caplog.text.count(f"{error.__name__}: bug") == 1


def test_stopping_ends_those_in_progress(gateway: Gateway) -> None:
    """Each is reported, so that nobody's place is lost, and its socket closed."""
    peers = [gateway.connect() for _ in range(3)]
    gateway.stop()
    assert [gateway.failure()[1] for _ in peers] == [CloseReason.DRAINING] * 3
    assert [peer.recv(1) for peer in peers] == [b""] * 3


@pytest.mark.parametrize("share", [0, 1])
def test_who_gives_way_is_ended_at_once(
    gateway: Gateway, client: ssl.SSLContext, caplog: pytest.LogCaptureFixture, share: int
) -> None:
    """Before its first byte or in the middle; reported once, with which places were short, by whatever thread asks."""
    peer, first = gateway.connect(), hello(client)
    peer.sendall(first[: share * len(first) // 2])
    gateway.connect().close()  # by its end, the first one's bytes have been taken, too
    assert gateway.failure()[1] is CloseReason.CONNECTION_LOST
    for _ in range(2):
        gateway.places[0].give_way(Shortage.ALL)
    assert gateway.failure() == (AWAY, CloseReason.TOO_MANY, "unauthenticated-connections")
    assert peer.recv(1) == b""
    gateway.stop()
    assert gateway.failed.empty()
    assert not caplog.records


def test_who_is_established_does_not_give_way_here(
    gateway: Gateway, client: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    """It is in other hands: asking for it too late does it no harm."""
    with client.wrap_socket(gateway.connect(), server_hostname="localhost") as peer:
        ours = gateway.success()
        gateway.places[0].give_way(Shortage.ALL)
        gateway.connect().close()
        assert gateway.failure()[1] is CloseReason.CONNECTION_LOST
        assert not caplog.records
        assert ours.write(bytearray(b"hi")) == 2
        assert peer.recv(2) == b"hi"
