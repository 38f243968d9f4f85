"""A connection on its I/O thread: real sockets, real TLS, the real gate behind, and a clock that moves when told."""

from __future__ import annotations

import errno
import socket
import threading
from pathlib import Path

import pytest

from secure_protocol.reasons import CloseReason
from secure_protocol.resp_replies import ReplyDecoder
from secure_protocol.resp_requests import encode_request
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.net.event_loop import SUSPECTS, EventLoop
from secure_server.net.poller import READ, WRITE, SelectorsPoller
from secure_server.net.wire import PlainWire
from tests.secure_server.host import PATIENCE
from tests.secure_server.net.line import (
    LOCAL,
    RESET,
    Line,
    MakeLine,
    Moody,
    authenticate,
    read_all,
    read_line,
    tcp_pair,
    tls_pair,
)
from tests.secure_server.net.turning import on_loop


class Stuck(PlainWire):
    """A wire with bytes of its own to send, which go when there is room."""

    __slots__ = ("room", "unsent")

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.unsent = b""
        self.room = threading.Event()

    def write(self, output: bytearray) -> int:
        """Send them first."""
        if self.unsent and not self.room.is_set():
            return 0
        self.unsent = b""
        return super().write(output) if output else 0


class Early(PlainWire):
    """A wire that has something before the socket has."""

    __slots__ = ("_early", "ready")

    def __init__(self, sock: socket.socket, early: bytes) -> None:
        super().__init__(sock)
        self._early = early
        self.ready = True

    def read(self) -> bytes | None:
        """Give it."""
        early, self._early, self.ready = self._early, b"", False
        return early or super().read()


class Suspect(PlainWire):
    """A wire of which nobody knows yet whether reading is worth it; notes how many others wait for their turn then."""

    __slots__ = ("_loop", "_waiting", "suspect")

    def __init__(self, sock: socket.socket, loop: EventLoop, waiting: list[int]) -> None:
        super().__init__(sock)
        self._loop = loop
        self._waiting = waiting
        self.suspect = True

    def read(self) -> bytes | None:
        """Read, and be none any more."""
        self._waiting.append(len(self._loop.suspects))
        self.suspect = False
        return super().read()


# Exchange


@pytest.mark.parametrize("tls", [False, True])
def test_requests_are_answered(line: Line, certificates: Path, tls: bool) -> None:  # noqa: FBT001 - the transport
    """Over TLS, and plain as on the admin socket; bytes are counted both ways."""
    ours, theirs = tls_pair(certificates) if tls else tcp_pair()
    session = line.adopt(ours, theirs)
    authenticate(line, theirs)
    before = on_loop(line.loop, lambda: (session.activity.received, session.activity.sent))
    theirs.sendall(b"PING\nEXIT\n")
    assert read_all(theirs) == b"PONG\nGoodbye.\n"
    assert line.wait_closed() is session
    assert session.close_reason is CloseReason.GOODBYE
    assert (session.activity.received, session.activity.sent) == (before[0] + 10, before[1] + 14)


def test_an_orderly_close_is_never_a_reset(line: Line, certificates: Path) -> None:
    """The peer sent much behind its EXIT; it still reads the goodbye and a close_notify."""
    ours, theirs = tls_pair(certificates)
    session = line.adopt(ours, theirs)
    theirs.sendall(b"EXIT\n" + b"PING\n" * 20_000)
    assert line.wait_closed() is session
    assert read_all(theirs) == b"Goodbye.\n"


@pytest.mark.parametrize("tls", [False, True])
def test_the_peers_end_still_gets_its_answers(line: Line, certificates: Path, tls: bool) -> None:  # noqa: FBT001 - as above
    """`printf … | ncat --ssl`: the input ends before the worker has answered."""
    release = threading.Semaphore(0)

    def slow(_context: Context) -> str:
        assert release.acquire(timeout=PATIENCE)
        return "slow"

    line.host.command("SLOW", slow)
    ours, theirs = tls_pair(certificates) if tls else tcp_pair()
    session = line.adopt(ours, theirs)
    authenticate(line, theirs)
    theirs.sendall(b"SLOW\nPING\n")
    socket.socket.shutdown(theirs, socket.SHUT_WR)  # no close_notify, as many clients do it
    while not on_loop(line.loop, lambda: session._intake.ended):
        pass
    release.release()
    assert read_line(theirs) == b"slow\n"
    assert read_all(theirs) == b"PONG\n"
    assert line.wait_closed().close_reason is CloseReason.PEER_CLOSED


def test_a_reset_ends_the_session(line: Line) -> None:
    """Whoever is gone is lost, not closed."""
    ours, theirs = tcp_pair()
    session = line.adopt(ours, theirs)
    authenticate(line, theirs)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    theirs.close()
    assert line.wait_closed() is session
    assert session.close_reason is CloseReason.CONNECTION_LOST


def test_a_reset_while_reading_pauses_ends_the_session(make_line: MakeLine) -> None:
    """Nobody reads, so nobody would find the error: it must not spin on it either."""
    line = make_line(limits={"pending_requests": 1})
    release = threading.Event()

    def slow(_context: Context) -> None:
        release.wait(PATIENCE)

    line.host.command("SLOW", slow)
    ours, theirs = tcp_pair()
    session = line.adopt(ours, theirs)
    authenticate(line, theirs)
    theirs.sendall(b"SLOW\nPING\n")
    connection = line.connection(session)
    while on_loop(line.loop, lambda: connection._interest):
        pass
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    theirs.close()
    if isinstance(line.loop._poller, SelectorsPoller):  # it does not watch what nothing is wanted of
        release.set()
    assert line.wait_closed().close_reason is CloseReason.CONNECTION_LOST
    release.set()


def test_what_the_poller_does_not_take_is_closed(
    make_line: MakeLine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says why, and nothing of it is left; it is told nothing, for it has not said what it speaks."""
    line = make_line()

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no watches left")

    monkeypatch.setattr(line.loop, "register", refuse)
    ours, theirs = tcp_pair()
    line.adopt(ours, theirs)
    assert line.wait_closed().close_reason is CloseReason.INTERNAL_ERROR
    assert read_all(theirs) == b""
    assert "cannot be watched, and is closed: [Errno 28] no watches left" in caplog.text
    assert on_loop(line.loop, lambda: len(line.thread._connections)) == 0
    assert ours.fileno() == -1


def test_suspects_are_read_in_line(make_line: MakeLine) -> None:
    """Not as they come, but after all others of the round; each stands there once, however often its event comes."""
    line = make_line()
    count, waiting, held, gate = 3 * SUSPECTS, list[int](), threading.Event(), threading.Event()
    peers = []
    for _ in range(count):
        ours, theirs = tcp_pair()
        line.adopt(Suspect(ours, line.loop, waiting), theirs)
        peers.append(theirs)
    on_loop(line.loop, lambda: None)  # all are watched

    def hold() -> None:
        held.set()
        gate.wait(PATIENCE)

    line.loop.call_soon(hold)
    assert held.wait(PATIENCE)  # else the first peer's bytes come into the round before
    for peer in peers:
        peer.sendall(b"HELP\n")
    gate.set()
    assert all(peer.recv(100).startswith(b"ERROR: NOAUTH") for peer in peers)
    assert waiting == list(reversed(range(count)))


def test_reading_pauses_and_resumes(make_line: MakeLine) -> None:
    """A full queue stops reading, without a spin; when it empties, all is answered in order."""
    line = make_line(limits={"pending_requests": 2})
    release = threading.Semaphore(0)

    def slow(_context: Context) -> str:
        assert release.acquire(timeout=PATIENCE)
        return "slow"

    line.host.command("SLOW", slow)
    ours, theirs = tcp_pair()
    session = line.adopt(ours, theirs)
    authenticate(line, theirs)
    theirs.sendall(b"SLOW\n" + b"".join(b"PING %d\n" % number for number in range(50_000)))
    connection = line.connection(session)
    while on_loop(line.loop, lambda: connection._interest):
        pass
    assert session.activity.received < 200_000
    assert rounds(line) < 5
    release.release()
    assert read_line(theirs) == b"slow\n"
    theirs.shutdown(socket.SHUT_WR)
    assert read_all(theirs) == b"".join(b"%d\n" % number for number in range(50_000))


def rounds(line: Line) -> int:
    """How often the loop turns in a moment in which nothing happens."""
    turned = 0
    clock = line.loop._clock

    def counting() -> float:
        nonlocal turned
        turned += 1
        return clock()

    on_loop(line.loop, lambda: setattr(line.loop, "_clock", counting))
    threading.Event().wait(0.03)  # a moment, for a spin to show itself
    count = turned
    line.loop._clock = clock
    return count


# Bytes of the wire's own


def test_nothing_is_read_while_the_wire_has_something_to_send(line: Line) -> None:
    """An answer to a KeyUpdate that the peer does not take: no request of its is read before it went."""
    ours, theirs = tcp_pair()
    wire = Stuck(ours)
    session = line.adopt(wire, theirs)
    connection = line.connection(session)
    assert on_loop(line.loop, connection._wanted) == READ
    on_loop(line.loop, lambda: setattr(wire, "unsent", b"an answer"))
    on_loop(line.loop, connection.flush)
    assert on_loop(line.loop, connection._wanted) == WRITE
    theirs.sendall(b"PING\n")
    on_loop(line.loop, lambda: connection._on_event(READ))
    assert session.activity.received == 0
    wire.room.set()
    assert read_line(theirs).startswith(b"ERROR: NOAUTH")


def test_who_does_not_take_what_the_wire_has_to_send_is_a_slow_consumer(line: Line) -> None:
    """Though the session itself has nothing to say."""
    ours, theirs = tcp_pair()
    wire = Stuck(ours)
    session = line.adopt(wire, theirs, line.host.session(LOCAL))
    on_loop(line.loop, lambda: setattr(wire, "unsent", b"an answer"))
    on_loop(line.loop, line.connection(session).flush)
    line.advance(9.9)
    assert not line.closed
    line.advance(0.2)
    assert line.wait_closed().close_reason is CloseReason.SLOW_CONSUMER


def test_what_no_event_announces_is_read(line: Line) -> None:
    """Bytes that came with the end of the handshake: the socket itself has nothing more."""
    ours, theirs = tcp_pair()
    line.adopt(Early(ours, b"PING\n"), theirs)
    assert read_line(theirs).startswith(b"ERROR: NOAUTH")


def test_what_no_event_announces_is_answered_before_what_one_does(line: Line) -> None:
    """Both in one round: `printf … | ncat --ssl` sends lines with its last handshake message, and then its end."""
    ours, theirs = tcp_pair()
    theirs.shutdown(socket.SHUT_WR)
    line.adopt(Early(ours, b"PING\nECHO x\n"), theirs)
    assert [said[:13] for said in read_all(theirs).splitlines()] == [b"ERROR: NOAUTH"] * 2


def test_replies_that_do_not_go_out_at_once_go_out_later(line: Line) -> None:
    """Far more than a record, to requests that came together and were all answered at once."""
    ours, theirs = tcp_pair(buffer=4096)
    session = line.host.program()
    line.adopt(ours, theirs, session)
    decoder, replies = ReplyDecoder(), 0
    for count in (1, 40):
        theirs.sendall(encode_request([b"COMMANDS"]) * count)
        replies += count
        while replies:
            decoder.feed(theirs.recv(65536))
            replies -= len(decoder.decode())
    assert b"COMMANDS" in session.cleared


def test_a_write_that_fails_loses_the_session(line: Line) -> None:
    """The peer went away before the reply."""
    ours, theirs = tcp_pair()
    moody = Moody(ours)
    moody.on_send = [BrokenPipeError(errno.EPIPE, "gone")]
    line.adopt(moody, theirs)
    theirs.sendall(b"PING\n")
    assert line.wait_closed().close_reason is CloseReason.CONNECTION_LOST


# What is ready at once


def test_all_that_is_ready_is_answered_before_any_of_it_is_sent(line: Line) -> None:
    """In one round: two requests are read, both are answered, and both answers go."""
    happened: list[str] = []

    class Seen(Moody):
        """Tells when it is read and written."""

        def recv(self, size: int, flags: int = 0, /) -> bytes:
            happened.append("read")
            return super().recv(size, flags)

        def send(self, data: bytes | bytearray, flags: int = 0, /) -> int:  # type: ignore[override] # as Moody's
            happened.append("send")
            return super().send(data, flags)

    def note(_context: Context) -> bytes:
        happened.append("answer")
        return b"."

    line.host.registry.add(vars(command("NOTE", inline=True, audit=False)(note))["__command__"][-1])
    peers = []
    for name in ("ada", "eve"):
        ours, theirs = tcp_pair()
        line.adopt(Seen(ours), theirs, line.host.program(name=name))
        peers.append(theirs)
    request = encode_request([b"NOTE"])

    def both() -> None:
        for peer in peers:
            peer.sendall(request)

    for _ in range(2):  # the gate is asked, and then no more
        happened.clear()
        on_loop(line.loop, both)
        assert [read_line(peer) + read_line(peer) for peer in peers] == [b"$1\r\n.\r\n"] * 2
        assert happened == ["read"] * 2 + ["answer"] * 2 + ["send"] * 2
