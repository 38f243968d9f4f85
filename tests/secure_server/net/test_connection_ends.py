"""How a connection ends: by its deadlines, by its peer's, an administrator's or the server's will, and by faults."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_protocol.errors import ErrorCode, ProtocolError
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import Push
from secure_protocol.resp_requests import encode_request
from secure_protocol.text_requests import Request
from secure_server.auth.principal import Principal
from secure_server.commands.context import Context
from secure_server.net.poller import READ
from secure_server.net.wire import PlainWire
from secure_server.session.session import Session
from secure_server.session.terms import Terms
from tests.integration.running import eventually
from tests.secure_server.host import PATIENCE, NeverClears
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

# Deadlines


def test_a_stranger_has_its_own_deadline(line: Line) -> None:
    """Five seconds from the end of the handshake, whatever it sends meanwhile; then it is told and closed."""
    ours, theirs = tcp_pair()
    session = line.adopt(ours, theirs)
    for request in (b"PING\n", b"RESET\n"):
        line.advance(2.4)
        theirs.sendall(request)
        assert read_line(theirs)
    assert not line.closed
    line.advance(0.2)
    assert read_all(theirs).startswith(b"ERROR: CLOSED reason=auth-timeout ")
    assert line.wait_closed() is session


def test_a_stranger_cannot_stretch_its_deadline_by_not_reading(
    make_line: MakeLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replies that wait are no reason to stay."""
    monkeypatch.setattr("secure_server.session.standing.STRANGER_REQUESTS", 20_000)
    line = make_line(limits={"output_high_water": 4096})
    ours, theirs = tcp_pair(4096)
    session = line.adopt(ours, theirs)
    theirs.sendall(b"PING\n" * 20_000)
    while on_loop(line.loop, lambda: session.wants_input):
        pass
    line.advance(5)
    assert line.wait_closed().close_reason is CloseReason.AUTH_TIMEOUT


def test_authentication_ends_the_strangers_deadline_and_reset_begins_it_anew(line: Line) -> None:
    """A client may sit longer than five seconds; after RESET it is a stranger with a fresh clock."""
    ours, theirs = tcp_pair()
    line.adopt(ours, theirs)
    authenticate(line, theirs)
    line.advance(60)
    theirs.sendall(b"RESET\n")
    assert read_line(theirs) == b"RESET\n"
    line.advance(4.9)
    assert not line.closed
    line.advance(0.2)
    assert line.wait_closed().close_reason is CloseReason.AUTH_TIMEOUT


def test_a_request_half_sent_has_a_deadline(line: Line) -> None:
    """A minute from its first byte, however it trickles; each request has its own, also beside a running command."""
    ours, theirs = tcp_pair()
    session = line.adopt(ours, theirs)
    authenticate(line, theirs)
    for _ in range(3):
        line.advance(59)
        theirs.sendall(b"PING\nPI")
        assert read_line(theirs) == b"PONG\n"
        eventually(lambda: on_loop(line.loop, lambda: session.half_sent_since) == line.clock.now)
        line.advance(59)
        theirs.sendall(b"NG\n")
        assert read_line(theirs) == b"PONG\n"
    line.advance(3600 / 2 - 1)
    theirs.sendall(b"PI")
    eventually(lambda: on_loop(line.loop, lambda: session.half_sent_since) == line.clock.now)
    for _ in range(2):
        line.advance(29)
        theirs.sendall(b"x")
    assert not line.closed
    line.advance(2)
    assert read_all(theirs) == b"ERROR: CLOSED reason=request-timeout The rest of a request did not come in time.\n"
    assert line.wait_closed().close_reason is CloseReason.REQUEST_TIMEOUT


def test_who_is_not_read_is_not_late(make_line: MakeLine) -> None:
    """While a command runs and enough waits behind it; the rest has its minute from when it is read again."""
    line = make_line(limits={"pending_requests": 1})
    release = threading.Semaphore(0)

    def slow(_context: Context) -> str:
        assert release.acquire(timeout=PATIENCE)
        return "slow"

    line.host.command("SLOW", slow)
    ours, theirs = tcp_pair()
    session = line.adopt(ours, theirs)
    authenticate(line, theirs)
    theirs.sendall(b"SLOW\nPING\nPI")
    eventually(lambda: on_loop(line.loop, lambda: session.busy and not session.wants_input))
    line.advance(50)  # less than the command may take
    release.release()
    assert read_line(theirs) == b"slow\n"
    assert read_line(theirs) == b"PONG\n"
    eventually(lambda: on_loop(line.loop, lambda: session.half_sent_since) == line.clock.now)
    line.advance(59)
    assert not line.closed
    line.advance(2)
    assert line.wait_closed().close_reason is CloseReason.REQUEST_TIMEOUT


def test_idle_clients_are_closed_and_active_ones_are_not(make_line: MakeLine) -> None:
    """Counted from the last request, not from the first."""
    line = make_line(timeouts={"idle": 100})
    ours, theirs = tcp_pair()
    line.adopt(ours, theirs)
    authenticate(line, theirs)
    for _ in range(3):
        line.advance(99)
        theirs.sendall(b"PING\n")
        assert read_line(theirs) == b"PONG\n"
    line.advance(100)
    assert read_all(theirs) == b"ERROR: CLOSED reason=idle Closed after too long without a command.\n"
    assert line.wait_closed().close_reason is CloseReason.IDLE


@pytest.mark.parametrize("version", [2, 3], ids=["RESP2", "RESP3"])
def test_who_takes_what_it_is_told_is_not_idle(make_line: MakeLine, version: int) -> None:
    """A listener that asks nothing: each push that goes out whole begins the time anew; without any it is idle."""
    line = make_line(timeouts={"idle": 100})
    ours, theirs = tcp_pair()
    session = line.adopt(ours, theirs)
    hello = encode_request([b"HELLO", b"%d" % version, b"AUTH", b"ada", line.host.token().reveal().encode()])
    theirs.sendall(hello + encode_request([b"NOTIFY", b"on"]))
    eventually(lambda: session.activity.commands == 2)
    for _ in range(3):
        line.advance(99)
        sent = session.activity.sent
        session.post(Push("message", ("root", "hello")))
        eventually(lambda sent=sent: session.activity.sent > sent)  # type: ignore[misc] # bound default
    line.advance(99)
    assert not line.closed
    line.advance(1)
    assert b"hello" in read_all(theirs)
    assert line.wait_closed().close_reason is CloseReason.IDLE


def test_a_running_command_is_not_idle_nor_is_who_just_got_its_reply(make_line: MakeLine) -> None:
    """A command longer than the idle deadline is answered, and the deadline begins at its end."""
    line = make_line(timeouts={"idle": 15})
    release = threading.Semaphore(0)

    def slow(_context: Context) -> str:
        assert release.acquire(timeout=PATIENCE)
        return "slow"

    line.host.command("SLOW", slow)
    ours, theirs = tcp_pair()
    session = line.adopt(ours, theirs)
    authenticate(line, theirs)
    theirs.sendall(b"SLOW\n")
    while not on_loop(line.loop, lambda: session.busy):
        pass
    for _ in range(3):
        line.advance(14)
    release.release()
    assert read_line(theirs) == b"slow\n"
    line.advance(14)
    assert not line.closed
    line.advance(15)
    assert line.wait_closed().close_reason is CloseReason.IDLE


@pytest.mark.parametrize(("idle", "principal"), [(0, None), (100, LOCAL)])
def test_no_idle_deadline_where_none_is_wanted(make_line: MakeLine, idle: int, principal: Principal | None) -> None:
    """Zero never closes, and the admin socket has none."""
    line = make_line(timeouts={"idle": idle})
    ours, theirs = tcp_pair()
    line.adopt(ours, theirs, line.host.session(principal))
    if principal is None:
        authenticate(line, theirs)
    line.advance(1_000_000)
    theirs.sendall(b"PING\n")
    assert read_line(theirs) == b"PONG\n"


def test_a_slow_consumer_is_closed_and_its_memory_bounded(make_line: MakeLine) -> None:
    """A peer that asks and never reads holds the high water and one reply, and is gone ten seconds later."""
    line = make_line(limits={"output_high_water": 65536})
    ours, theirs = tcp_pair(4096)
    session = line.adopt(ours, theirs)
    authenticate(line, theirs)
    theirs.settimeout(0)
    with contextlib.suppress(BlockingIOError):
        while True:
            theirs.send(b"ECHO " + b"x" * 4000 + b"\n")
    while on_loop(line.loop, lambda: session.wants_input):
        pass
    assert 65536 <= len(session.output) < 65536 + 4096 + 20
    line.advance(9.9)
    assert not line.closed
    line.advance(0.2)
    assert line.wait_closed().close_reason is CloseReason.SLOW_CONSUMER
    assert session.output == b""


@pytest.mark.parametrize("tls", [False, True])
def test_a_slow_but_steady_reader_gets_all_of_a_large_reply(line: Line, certificates: Path, tls: bool) -> None:  # noqa: FBT001 - as above
    """Each record it takes counts, though OpenSSL tells nothing of a write before all of it went."""

    def big(_context: Context) -> bytes:
        return b"x" * 400_000

    line.host.command("BIG", big)
    ours, theirs = tls_pair(certificates, 4096) if tls else tcp_pair(4096)
    line.adopt(ours, theirs, line.host.session(LOCAL))
    theirs.sendall(b"*1\r\n$3\r\nBIG\r\n")
    expected = b"$400000\r\n" + b"x" * 400_000 + b"\r\n"
    received = b""
    while len(received) < len(expected):
        for _ in range(4):
            if len(received) < len(expected):
                received += theirs.recv(16384)
        line.advance(4)
    assert received == expected
    assert not line.closed


# Bugs and ends


def test_what_was_read_of_a_session_that_ends_in_the_same_round_is_not_answered(line: Line) -> None:
    """What another thread handed over may come between the reading and the answering."""
    ours, theirs = tcp_pair()
    session = line.adopt(ours, theirs, line.host.program())
    connection = line.connection(session)
    received = session.activity.received

    def event() -> None:
        theirs.sendall(encode_request([b"PING"]))
        connection._on_event(READ)
        connection.close(CloseReason.KICKED)

    on_loop(line.loop, event)
    assert line.wait_closed() is session
    on_loop(line.loop, lambda: None)
    assert session.activity.received == received


@pytest.mark.parametrize("plain", [True, False])
def test_a_bug_while_sending_closes_that_session_alone(
    line: Line,
    plain: bool,  # noqa: FBT001 - a parameter of the table
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever it is, in whichever step: the connection does not stay half answered."""
    ours, theirs = tcp_pair()
    moody = Moody(ours)
    session = line.adopt(moody, theirs, line.host.program())
    if plain:
        theirs.sendall(encode_request([b"ECHO", b"x"]))
        assert read_line(theirs) + read_line(theirs) == b"$1\r\nx\r\n"
    moody.on_send = [ZeroDivisionError("bug")]  # type: ignore[list-item] # no OSError: that is the point
    theirs.sendall(encode_request([b"ECHO", b"x"]))
    assert line.wait_closed() is session
    assert session.close_reason is CloseReason.INTERNAL_ERROR
    assert "ZeroDivisionError: bug" in caplog.text


def test_a_bug_in_one_session_is_told_and_reaches_no_other(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    """The peer learns that it was the server's fault, the log has the traceback, the neighbour is answered."""

    def broken(session: Session, request: Request | ProtocolError) -> None:
        raise ZeroDivisionError("secret")

    host = line.host
    gate = NeverClears(host.dispatcher)
    gate.dispatch = broken
    bad = Session(99, host.session().peer, Terms.of(host.config, gate, "en", line.clock), LOCAL)
    (ours, theirs), (good, neighbour) = tcp_pair(), tcp_pair()
    line.adopt(ours, theirs, bad)
    line.adopt(good, neighbour, host.session(LOCAL))
    theirs.sendall(b"PING\n")
    assert read_all(theirs) == b"ERROR: CLOSED reason=internal-error An internal error closed the connection.\n"
    assert line.wait_closed() is bad
    assert "ZeroDivisionError: secret" in caplog.text
    neighbour.sendall(b"PING\n")
    assert read_line(neighbour) == b"PONG\n"


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("how", ["handed over", "a timer's"])
def test_a_callback_that_fails_closes_its_session_alone(
    line: Line, caplog: pytest.LogCaptureFixture, how: str, error: type[BaseException]
) -> None:
    """What it was about is half done, and its peer might wait for the rest for ever."""

    def fail() -> None:
        raise error("secret")

    (ours, theirs), (good, neighbour) = tcp_pair(), tcp_pair()
    bad = line.adopt(ours, theirs, line.host.session(LOCAL))
    line.adopt(good, neighbour, line.host.session(LOCAL))
    theirs.sendall(b"PING\n")
    assert read_line(theirs) == b"PONG\n"
    connection = line.connection(bad)
    if how == "handed over":
        bad.call_soon(fail)
    else:
        on_loop(line.loop, lambda: connection.call_later(1.0, fail))
        line.advance(1.1)
    assert read_all(theirs).startswith(b"ERROR: CLOSED reason=internal-error ")
    assert line.wait_closed() is bad
    assert "secret" in caplog.text
    neighbour.sendall(b"PING\n")
    assert read_line(neighbour) == b"PONG\n"


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_what_fails_at_each_event_fails_once(
    line: Line, caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    """Bytes that are never read would wake the loop again and again: the connection is closed."""
    ours, theirs = tcp_pair()
    moody = Moody(ours)
    session = line.adopt(moody, theirs, line.host.session(LOCAL))
    moody.on_recv = [error("bug") for _ in range(1000)]  # type: ignore[misc] # no OSError: that is the point
    theirs.sendall(b"PING\n")
    assert line.wait_closed() is session
    assert session.close_reason is CloseReason.INTERNAL_ERROR
    while on_loop(line.loop, lambda: line.thread.lingering):
        pass
    assert len(moody.on_recv) == 998, "once for the connection, once for its lingering end"
    assert caplog.text.count(f"{error.__name__}: bug") == 2


def test_a_session_that_cannot_even_be_closed_well_is_ended(
    line: Line, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed once fails again where the end is to be told: nothing is told then, and its socket is not kept."""

    def fail(*_: object) -> None:
        raise SystemExit("no words")

    ours, theirs = tcp_pair()
    session = line.adopt(ours, theirs, line.host.session(LOCAL))
    line.connection(session)
    monkeypatch.setattr(Session, "close", fail)
    session.call_soon(fail)
    assert line.wait_closed() is session
    assert read_all(theirs) == b""
    assert caplog.text.count("SystemExit: no words") >= 2


def test_a_session_closed_before_its_connection_began_is_ended(line: Line) -> None:
    """Kicked in the moment between the list and the first byte: nobody knows yet how to tell it."""
    ours, theirs = tcp_pair()
    ours.settimeout(0)
    theirs.settimeout(PATIENCE)
    session = line.host.session()
    begin = line.thread.adopt(PlainWire(ours), session)
    session.call_soon(lambda: session.close(CloseReason.KICKED))
    begin()
    assert read_all(theirs) == b""
    assert line.wait_closed() is session
    assert session.close_reason is CloseReason.KICKED
    theirs.close()


def test_kicked_while_a_worker_runs(line: Line) -> None:
    """The close is told at once; what the worker returns later goes nowhere, and nothing breaks."""
    running, release = threading.Event(), threading.Event()

    def slow(_context: Context) -> str:
        running.set()
        assert release.wait(PATIENCE)
        return "slow"

    line.host.command("SLOW", slow)
    ours, theirs = tcp_pair()
    session = line.adopt(ours, theirs)
    authenticate(line, theirs)
    theirs.sendall(b"SLOW\n")
    assert running.wait(PATIENCE)
    assert line.host.sessions.close(lambda _: True, CloseReason.KICKED) == 1
    assert read_all(theirs).startswith(b"ERROR: CLOSED reason=kicked ")
    assert line.wait_closed() is session
    release.set()
    while session.busy:
        on_loop(line.loop, lambda: None)
    assert session.output == b""


def revoke(line: Line, _session: Session, _theirs: socket.socket) -> None:
    """End the token."""
    line.host.revoke("ada")


def kick(line: Line, session: Session, _theirs: socket.socket) -> None:
    """Close it, as an administrator does."""
    assert line.host.sessions.close(lambda item: item is session, CloseReason.KICKED) == 1


def cancel(_line: Line, _session: Session, theirs: socket.socket) -> None:
    """Ask for the end of what runs."""
    theirs.sendall(b"CANCEL\n")


def let_time_pass(line: Line, _session: Session, _theirs: socket.socket) -> None:
    """More than a command has."""
    line.advance(61)


def leave(_line: Line, _session: Session, theirs: socket.socket) -> None:
    """Be gone."""
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    theirs.close()


@pytest.mark.parametrize(
    ("cause", "code", "said"),
    [
        (revoke, ErrorCode.CLOSED, b"ERROR: CLOSED reason=revoked "),
        (kick, ErrorCode.CLOSED, b"ERROR: CLOSED reason=kicked "),
        (cancel, ErrorCode.CANCELLED, b"ERROR: CANCELLED "),
        (let_time_pass, ErrorCode.TIMEOUT, b"ERROR: TIMEOUT "),
        (leave, ErrorCode.CLOSED, b""),
    ],
)
def test_what_nobody_wants_any_more_does_not_begin(
    make_line: MakeLine, cause: Callable[[Line, Session, socket.socket], None], code: ErrorCode, said: bytes
) -> None:
    """Every worker was busy when it was asked for; once one is free, its handler is not called: that is on record."""
    line, called = make_line(threads={"workers": 1}), list[None]()
    held, release = threading.Event(), threading.Event()

    def hold(_context: Context) -> None:
        held.set()
        assert release.wait(PATIENCE)

    line.host.command("HOLD", hold)
    line.host.command("WORK", lambda _context: called.append(None))
    (ours, theirs), (other, holder) = tcp_pair(), tcp_pair()
    line.adopt(other, holder, line.host.session(LOCAL))
    session = line.adopt(ours, theirs)
    authenticate(line, theirs)
    holder.sendall(b"HOLD\n")
    assert held.wait(PATIENCE)
    theirs.sendall(b"WORK\n")
    eventually(lambda: on_loop(line.loop, lambda: session.busy))
    running = session._running
    assert running is not None
    cause(line, session, theirs)
    eventually(lambda: session.closing or running.call.cancelled.is_set())
    release.set()
    eventually(lambda: (session.number, "WORK", code) in line.host.commands)
    place = line.host.commands.index((session.number, "WORK", code))
    assert line.host.given[place] == ([], False)
    assert called == []
    assert not said or read_line(theirs).startswith(said)


def test_stopping_closes_what_is_open(line: Line) -> None:
    """Even a peer that reads nothing, whose replies will never go: no socket is left behind."""
    (ours, theirs), (full, silent) = tcp_pair(), tcp_pair(4096)
    line.adopt(ours, theirs, line.host.session(LOCAL))
    stuck = line.adopt(full, silent, line.host.session(LOCAL))
    silent.sendall(b"ECHO " + b"x" * 60_000 + b"\n" + b"HELP\n" * 200)
    while not on_loop(line.loop, lambda: bool(stuck.output)):
        pass
    assert line.thread.lingering == 0
    line.thread.stop()
    assert {session.close_reason for session in line.closed} == {CloseReason.DRAINING}
    assert (ours.fileno(), full.fileno()) == (-1, -1)
    assert read_all(theirs) == b""  # it never said anything, so nobody knows how to tell it
