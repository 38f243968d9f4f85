"""A conversation without a descriptor: what a transport may rely on when it gives bytes and takes them."""

from __future__ import annotations

import threading
import weakref

import pytest

from secure_protocol.reasons import CloseReason
from secure_server.auth.principal import Role
from secure_server.net.conversation import Conversation
from secure_server.net.event_loop import EventLoop
from secure_server.session.call import Later
from secure_server.session.session import Session
from tests.secure_server.host import PATIENCE, Host
from tests.secure_server.net.turning import TurningClock, on_loop


class Drain:
    """A wire that takes so many bytes, and keeps them."""

    def __init__(self) -> None:
        self.unsent = b""
        self.room = 1_000_000
        self.taken = b""

    def write(self, output: bytearray) -> int:
        """Take what there is room for."""
        took = bytes(output[: self.room])
        self.room -= len(took)
        self.taken += took
        return len(took)


class Talk:
    """A session of somebody who types lines, joined to such a wire."""

    def __init__(self, host: Host, loop: EventLoop, clock: TurningClock) -> None:
        host.clock = clock
        self.loop, self.wire, self.session = loop, Drain(), host.local()
        self.closed: list[Session] = []
        self.conversation = Conversation(loop, self.wire, self.session, host.config.timeouts, self.closed.append)
        self.session.attach(self.conversation)
        on_loop(loop, self.conversation.start)

    def said(self) -> list[str]:
        """The lines that the wire took, once the loop has nothing more to do."""
        on_loop(self.loop, lambda: None)
        on_loop(self.loop, lambda: None)
        return self.wire.taken.decode().splitlines()


@pytest.fixture
def talk(host: Host, loop: EventLoop, clock: TurningClock) -> Talk:
    """One that has begun."""
    return Talk(host, loop, clock)


def test_what_comes_in_one_round_is_answered_together(talk: Talk) -> None:
    """A transport may give more than one piece; none is lost, and they stay in order."""

    def pieces() -> None:
        for piece in (b"PI", b"NG\nECHO ", b"x\n"):
            talk.conversation.receive(piece)

    on_loop(talk.loop, pieces)
    assert talk.said() == ["PONG", "ECHO: x"]
    assert talk.session.activity.received == 12


def test_bytes_and_the_end_in_one_round(talk: Talk) -> None:
    """What came before the end is answered, and then the session ends."""

    def both() -> None:
        talk.conversation.receive(b"PING\n")
        talk.conversation.receive(b"")

    on_loop(talk.loop, both)
    assert talk.said() == ["PONG"]
    assert [session.close_reason for session in talk.closed] == [CloseReason.PEER_CLOSED]


def test_what_comes_after_the_close_is_not_answered(talk: Talk) -> None:
    """In the same round, and later."""

    def kicked() -> None:
        talk.conversation.receive(b"PING\n")
        talk.conversation.close(CloseReason.KICKED)
        talk.conversation.receive(b"PING\n")
        talk.conversation.receive(b"")

    on_loop(talk.loop, kicked)
    assert talk.said() == []
    assert talk.session.activity.received == 0
    assert len(talk.closed) == 1


def test_what_the_wire_does_not_take_goes_when_there_is_room(talk: Talk) -> None:
    """The transport says so by `flush`."""
    talk.wire.room = 2
    on_loop(talk.loop, lambda: talk.conversation.receive(b"PING\n"))
    assert talk.said() == ["PO"]
    talk.wire.room = 100
    on_loop(talk.loop, talk.conversation.flush)
    assert talk.said() == ["PONG"]


def test_a_callback_is_run_after_the_end_too(talk: Talk) -> None:
    """What a worker did is recorded by it, whoever still listens."""
    on_loop(talk.loop, talk.conversation.lose)
    ran: list[bool] = []
    talk.session.call_soon(lambda: ran.append(True))
    on_loop(talk.loop, lambda: None)
    assert ran == [True]
    assert talk.session.close_reason is CloseReason.CONNECTION_LOST


def test_it_lets_go_of_its_session_at_the_end(talk: Talk) -> None:
    """Which leads back to it: what is over waits for no collector."""
    wire = weakref.ref(talk.wire)
    on_loop(talk.loop, talk.conversation.lose)
    assert not hasattr(talk.conversation, "_session")
    del talk.wire
    assert wire() is None


def test_a_strangers_clock_stands_still_while_its_login_waits(host: Host, loop: EventLoop, clock: TurningClock) -> None:
    """However long that takes; what was left of its time before is left afterwards, and no more."""
    gates, host.clock = host.clock, clock
    session = host.session()
    closed: list[Session] = []
    seconds = host.config.timeouts.authentication
    conversation = Conversation(loop, Drain(), session, host.config.timeouts, closed.append)
    session.attach(conversation)
    on_loop(loop, conversation.start)

    def advance(seconds: float) -> None:
        gates.now += seconds
        clock.advance(loop, seconds)

    advance(seconds - 1)
    begun, held = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        held.wait(PATIENCE)

    later: Later[object] = Later(work, lambda _: "OK", lambda: None)
    host.command("LOGIN", lambda _context: later, inline=True, role=Role.NOBODY)
    on_loop(loop, lambda: conversation.receive(b"LOGIN\n"))
    assert begun.wait(PATIENCE)  # a worker that is late by this clock would not begin at all
    assert on_loop(loop, lambda: session.busy)
    for _ in range(3):
        advance(seconds + 1)
    assert not closed
    held.set()
    while on_loop(loop, lambda: session.busy):
        pass
    advance(0.9)
    assert not closed
    advance(0.2)
    assert [item.close_reason for item in closed] == [CloseReason.AUTH_TIMEOUT]


@pytest.mark.parametrize("piece", [b"PING\n", b""], ids=["bytes", "the-end"])
def test_a_bug_ends_its_session(
    talk: Talk, piece: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Met while it answers bytes or their end: told in the log, and no session is left that nothing can end."""

    def bug(_session: Session) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Session, "process", bug)
    on_loop(talk.loop, lambda: talk.conversation.receive(piece))
    talk.said()
    assert [session.close_reason for session in talk.closed] == [CloseReason.INTERNAL_ERROR]
    assert "closing session" in caplog.text
