"""TLS in bounded pieces, over a real socket, with the client's end in the standard library's own hands."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_server.net import tls_wire
from secure_server.net.tls import KEY_EXCHANGE, server_context
from secure_server.net.tls_wire import FIRST_BYTES, MOST_HANDSHAKE_BYTES, HandshakeTooLongError, TlsWire
from secure_server.net.wire import READ_BYTES, PlainWire
from tests.secure_server.host import PATIENCE
from tests.secure_server.net.turning import shake

Ends = tuple[TlsWire, ssl.SSLSocket]


class Counted(socket.socket):
    """A socket that tells how much it was asked for, and takes no more than it is told to."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(fileno=sock.detach())
        self.settimeout(0)
        self.asked: list[int] = []
        self.takes: int | None = None
        self.gives: int | None = None

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Note the size."""
        self.asked.append(size)
        return super().recv(size if self.gives is None else min(size, self.gives), flags)

    def send(self, data: bytes | bytearray, flags: int = 0, /) -> int:  # type: ignore[override] # narrower suffices
        """Take a part."""
        if self.takes == 0:
            raise BlockingIOError
        return super().send(data if self.takes is None else data[: self.takes], flags)


@pytest.fixture
def server(certificates: Path) -> ssl.SSLContext:
    """The server's context."""
    return server_context(certificates / "server.pem", certificates / "server-key.pem", "1.2")


@pytest.fixture
def client(certificates: Path) -> ssl.SSLContext:
    """A careful client's, that is not asked again: its first message is taken."""
    context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    context.set_ecdh_curve(KEY_EXCHANGE)
    return context


class Public:
    """A connection of OpenSSL's as a later Python may have it: without the object that it hands its calls on to."""

    def __init__(self, tls: ssl.SSLObject) -> None:
        self._public = tls

    def __getattr__(self, name: str) -> object:
        if name == "_sslobj":
            raise AttributeError(name)
        return getattr(self._public, name)


def hide_the_private(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have connections made without the private name."""
    wrap = ssl.SSLContext.wrap_bio

    def wrapped(
        context: ssl.SSLContext, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *, server_side: bool
    ) -> Public:
        return Public(wrap(context, incoming, outgoing, server_side=server_side))

    monkeypatch.setattr(ssl.SSLContext, "wrap_bio", wrapped)


@pytest.fixture(params=["TLSv1.3", "TLSv1.2", "public"])
def ends(
    server: ssl.SSLContext, client: ssl.SSLContext, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ends]:
    """The server's end, non-blocking, and the client's; TLS is established, the private way and the public one."""
    if request.param == "public":
        hide_the_private(monkeypatch)
    if request.param == "TLSv1.2":
        client.maximum_version = ssl.TLSVersion.TLSv1_2
    with contextlib.ExitStack() as stack:
        ours, theirs = socket.socketpair()
        stack.enter_context(theirs).settimeout(PATIENCE)
        wire = TlsWire(stack.enter_context(Counted(ours)), server)
        thread = threading.Thread(target=shake, args=(wire,))
        thread.start()
        peer = stack.enter_context(client.wrap_socket(theirs, server_hostname="localhost", suppress_ragged_eofs=False))
        thread.join(PATIENCE)
        assert peer.version() == ("TLSv1.3" if request.param == "public" else request.param)
        assert isinstance(wire._openssl, Public) is (request.param == "public")
        yield wire, peer


def counted(wire: TlsWire) -> Counted:
    """The socket below."""
    assert isinstance(wire.sock, Counted)
    return wire.sock


def test_records_are_read_and_written(ends: Ends) -> None:
    """Bytes, nothing there yet, and the orderly end."""
    ours, theirs = ends
    assert ours.read() is None
    theirs.sendall(b"hello")
    assert ours.read() == b"hello"
    assert ours.write(bytearray(b"world")) == 5
    assert theirs.recv(10) == b"world"
    theirs.settimeout(0)
    with contextlib.suppress(ssl.SSLWantReadError):
        theirs.unwrap()
    assert ours.read() == b""


def test_an_end_without_close_notify_is_an_end(ends: Ends) -> None:
    """As many clients do it."""
    ours, theirs = ends
    socket.socket.shutdown(theirs, socket.SHUT_WR)
    assert ours.read() == b""


def test_what_came_before_the_end_is_given_first(ends: Ends) -> None:
    """In one piece with close_notify: the end is announced by no event, so the wire says that it is there."""
    ours, theirs = ends
    theirs.sendall(b"last")
    theirs.settimeout(0)
    with contextlib.suppress(ssl.SSLWantReadError):
        theirs.unwrap()
    assert ours.read() == b"last"
    assert ours.ready
    assert ours.read() == b""


def test_a_turn_is_small_until_a_full_one_was_mostly_data(ends: Ends) -> None:
    """So KeyUpdates, with a byte of data among them or not, earn nobody the longer turn."""
    ours, theirs = ends
    sock = counted(ours)
    sock.asked.clear()
    theirs.sendall(b"x")
    assert ours.read() == b"x"
    for piece in (b"x" * 1500, b"y" * 1500):
        theirs.sendall(piece)
    assert ours.read() == b"x" * 1500  # of a full turn, and more than half of it
    assert ours.read() == b"y" * 1500
    theirs.sendall(b"x" * 16000)
    assert ours.read() == b"x" * 16000
    assert sock.asked == [FIRST_BYTES, FIRST_BYTES, READ_BYTES, READ_BYTES]
    sock.asked.clear()
    sock.gives = 3000
    theirs.sendall(b"x" * 16000)
    assert ours.read() is None  # a full turn that gave nothing
    sock.gives = None
    assert ours.read() is None
    assert sock.asked == [READ_BYTES, FIRST_BYTES]


def test_many_records_in_one_piece_are_given_together(ends: Ends) -> None:
    """Nothing stays inside OpenSSL, where no event would announce it."""
    ours, theirs = ends
    for number in range(30):
        theirs.sendall(b"%d " % number)
    assert ours.read() == b"".join(b"%d " % number for number in range(30))
    assert not ours.ready


def test_a_long_record_comes_in_pieces(ends: Ends) -> None:
    """OpenSSL keeps the part that has come, so the shared memory is empty after each turn."""
    ours, theirs = ends
    theirs.sendall(b"x" * 16000)
    reads = [ours.read()]
    while reads[-1] is None:
        assert ours._pair[0].pending == 0
        reads.append(ours.read())
    assert reads[-1] == b"x" * 16000
    assert len(reads) == 8


def test_whoever_gave_no_data_last_is_suspect(ends: Ends) -> None:
    """A newcomer, and whoever is in the middle of a long record; not one who asks for something."""
    ours, theirs = ends
    assert ours.suspect
    theirs.sendall(b"x")
    assert (ours.read(), ours.suspect) == (b"x", False)
    theirs.sendall(b"x" * 16000)
    assert (ours.read(), ours.suspect) == (None, True)
    while ours.read() is None:
        assert ours.suspect
    assert not ours.suspect


@pytest.mark.parametrize(
    ("took", "gave", "suspect"),
    [
        (36, 14, False),  # a PING in a record to itself
        (120, 2, False),  # little of anything
        (2048, 600, False),  # many small requests, each in a record
        (2048, 80, True),  # forty KeyUpdates, and two bytes of data with each
        (27, 0, True),
    ],
)
def test_who_gives_little_for_much_is_suspect(ends: Ends, took: int, gave: int, suspect: bool) -> None:  # noqa: FBT001 - a table
    """Though it gives something: else a byte with each KeyUpdate would be a way round the line."""
    ours, _theirs = ends
    ours._weigh(took, gave)
    assert ours.suspect is suspect


def test_what_the_socket_does_not_take_goes_first_and_counts_when_it_went(ends: Ends) -> None:
    """The output stays as it was until the peer has all of the record; then the next one is encrypted."""
    ours, theirs = ends
    sock, output = counted(ours), bytearray(b"a" * 5000)
    sock.takes = 1000
    assert ours.write(output) == 0
    assert ours.unsent
    sock.takes = 0
    assert ours.write(output) == 0
    output += b"b" * 10
    sock.takes = None
    assert ours.write(output) == 5000
    del output[:5000]
    assert not ours.unsent
    assert ours.write(output) == 10
    received = b""
    while len(received) < 5010:
        received += theirs.recv(16384)
    assert received == b"a" * 5000 + b"b" * 10


def test_garbage_is_refused_with_an_alert_and_the_pair_stays_clean(ends: Ends) -> None:
    """Those who share the memory read nothing of it."""
    ours, theirs = ends
    pair = ours._pair
    with socket.socket(fileno=socket.dup(theirs.fileno())) as raw:
        raw.sendall(b"\x17\x03\x03\x00\x20" + b"\0" * 32 + b"more")
        with pytest.raises(ssl.SSLError):
            ours.read()
    assert (pair[0].pending, pair[1].pending) == (0, 0)
    with pytest.raises(ssl.SSLError, match=r"(?i)bad.record.mac|decrypt"):
        theirs.recv(1)


def test_what_was_agreed_on_is_told(ends: Ends) -> None:
    """Version, cipher, no ALPN, and no certificate of the client's."""
    tls, theirs = ends[0].tls, ends[1]
    assert (tls.version(), tls.cipher()) == (theirs.version(), theirs.cipher())
    assert tls.selected_alpn_protocol() is None
    assert tls.getpeercert(binary_form=True) is None


def test_the_end_says_close_notify_and_leaves_the_socket_open(ends: Ends) -> None:
    """The peer reads an orderly end; what it sends afterwards can still be read and dropped."""
    ours, theirs = ends
    with ours.end() as plain:
        assert theirs.recv(10) == b""
        assert not plain.getblocking()
        plain.shutdown(socket.SHUT_WR)
        theirs.sendall(b"too late")
        assert plain.recv(100)
        assert ours.end() is plain, "ending twice does no harm"


def test_the_end_of_what_never_began_is_no_error(server: ssl.SSLContext) -> None:
    """The peer said nothing yet."""
    left, right = socket.socketpair()
    with right:
        left.settimeout(0)
        TlsWire(left, server).end().close()
        assert right.recv(10) == b""


def hello(client: ssl.SSLContext) -> tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
    """A client by hand, whose first message is in the last."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return tls, incoming, outgoing


def test_what_comes_with_the_end_of_the_handshake_is_not_lost(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """AUTH in one piece with Finished: the wire has it, and no event will say so."""
    left, right = socket.socketpair()
    with left, right:
        left.settimeout(0)
        wire = TlsWire(left, server)
        tls, incoming, outgoing = hello(client)
        right.sendall(outgoing.read())
        assert not wire.shake()
        incoming.write(right.recv(65536))
        tls.do_handshake()
        tls.write(b"AUTH x")
        right.sendall(outgoing.read())
        assert wire.shake()
        assert wire.ready
        assert wire.read() == b"AUTH x"
        assert not wire.ready
        assert wire.read() is None


def test_a_handshake_without_end_fails(server: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever OpenSSL would still take."""
    monkeypatch.setattr(TlsWire, "_step", lambda _self, _data: False)
    left, right = socket.socketpair()
    with left, right:
        left.settimeout(0)
        wire, sent = TlsWire(left, server), 0
        while sent + FIRST_BYTES <= MOST_HANDSHAKE_BYTES:
            right.sendall(b"x" * FIRST_BYTES)
            assert not wire.shake()
            sent += FIRST_BYTES
        right.sendall(b"x" * FIRST_BYTES)
        with pytest.raises(HandshakeTooLongError):
            wire.shake()


def test_the_lock_is_not_held_around_a_system_call(ends: Ends) -> None:
    """Else one connection's kernel time would be everybody's who shares its pair."""
    ours, theirs = ends
    sock, held = counted(ours), list[bool]()

    def noted(call: Callable[..., object]) -> Callable[..., object]:
        def run(*arguments: object) -> object:
            held.append(ours._pair[2].locked())
            return call(*arguments)

        return run

    sock.recv, sock.send = noted(sock.recv), noted(sock.send)  # type: ignore[assignment, method-assign] # looks on
    theirs.sendall(b"x")
    assert ours.read() == b"x"
    assert ours.write(bytearray(b"y")) == 1
    assert theirs.recv(1) == b"y"
    ours.end()
    assert held == [False] * 3


def test_pairs_are_dealt_out_in_turn(server: ssl.SSLContext) -> None:
    """All of them serve, so that seldom two wait for one."""
    with socket.socket() as sock:
        wires = [TlsWire(sock, server) for _ in range(2 * tls_wire.PAIRS)]
    assert len({id(wire._pair) for wire in wires}) == tls_wire.PAIRS


def test_what_is_no_tls_is_read_and_written_as_it_is() -> None:
    """The admin socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0)
        wire = PlainWire(ours)
        assert wire.read() is None
        assert wire.write(bytearray(b"hello")) == 5
        assert theirs.recv(10) == b"hello"
        theirs.sendall(b"world")
        assert wire.read() == b"world"
        assert wire.end() is ours
