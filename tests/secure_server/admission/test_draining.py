"""Draining: who leaves and when, who comes in, and that it can be taken back."""

from __future__ import annotations

import threading

from secure_protocol.reasons import CloseReason
from secure_protocol.replies import Push
from secure_protocol.resp_replies import ReplyDecoder
from secure_server.auth.principal import Role, TokenUse
from secure_server.session.session import Session
from tests.secure_server.host import Host, taken


def turn_all(host: Host) -> None:
    """Do what was handed over to the sessions' threads."""
    while not host.handed_over.empty():
        host.turn()


def reasons(*sessions: Session) -> list[CloseReason | None]:
    """Why each has closed; None for who is in."""
    return [session.close_reason for session in sessions]


def test_clients_leave_and_administrators_and_strangers_stay(host: Host) -> None:
    """Each on its own thread; a stranger may be an administrator yet."""
    user, admin, local, stranger = host.user(), host.user("root", Role.ADMIN), host.local(), host.session()
    assert host.draining.begin(30, 7)
    assert (reasons(user), host.draining.left) == ([None], 1)
    turn_all(host)
    assert reasons(user, admin, local, stranger) == [CloseReason.DRAINING, None, None, None]
    assert host.draining.left == 0
    told = "The server closes its connections for a while; come back later."
    assert taken(user).decode() == f"ERROR: CLOSED reason=draining retry-after=7 {told}\n"


def test_a_program_is_told_when_to_come_back(host: Host) -> None:
    """In a push, with the seconds of this drain."""
    program = host.program()
    host.draining.begin(30, 90)
    turn_all(host)
    decoder = ReplyDecoder()
    decoder.feed(taken(program))
    (push,) = decoder.decode()
    assert isinstance(push, Push)
    assert (push.kind, list(push.items)[:2]) == ("closed", ["draining", 90])


def test_what_runs_is_answered_until_the_time_is_up(host: Host) -> None:
    """Then whoever is left is closed; one timer looks at that."""
    release = threading.Event()
    host.command("SLOW", lambda _context: "done" if release.wait(30) else "late")
    first, second = host.user("a"), host.user("b")
    for session in (first, second):
        host.send(session, b"SLOW\n")
    host.draining.begin(5, 7)
    turn_all(host)
    assert reasons(first, second) == [None, None]
    for _ in range(5):
        assert len(host.timers) == 3  # those of the two commands, and one
        assert not first.closing
        host.wait(1)
        turn_all(host)
    assert reasons(first, second) == [CloseReason.DRAINING] * 2
    release.set()


def test_the_answer_of_what_runs_comes_first(host: Host) -> None:
    """And then the end."""
    release = threading.Event()
    host.command("SLOW", lambda _context: "done" if release.wait(30) else "late")
    session = host.user()
    host.send(session, b"SLOW\n")
    host.draining.begin(5, 7)
    host.turn()
    release.set()
    host.turn()
    assert taken(session).startswith(b"done\nERROR: CLOSED reason=draining retry-after=7 ")


def test_a_drain_that_is_taken_back_lets_those_stay_who_are_in(host: Host) -> None:
    """Also those who were asked to leave and waited for an answer; and everybody comes in again."""
    release = threading.Event()
    host.command("SLOW", lambda _context: "done" if release.wait(30) else "late")
    busy = host.user("a")
    host.send(busy, b"SLOW\n")
    host.draining.begin(5, 7)
    host.turn()
    assert host.draining.cancel()
    assert not host.draining.cancel()
    host.turn()
    release.set()
    host.turn()
    assert taken(busy) == b"done\n"
    assert host.ask(busy, "PING") == "PONG\n"
    assert host.ask(host.session(), f"AUTH {host.token('b').reveal()}") == "OK\n"
    host.wait(60)
    turn_all(host)
    assert not busy.closing
    assert host.timers == []


def test_one_that_is_taken_back_before_it_was_heard_ends_nobody(host: Host) -> None:
    """What was handed over by then knows that it is over."""
    session = host.user()
    host.draining.begin(0, 7)
    host.draining.cancel()
    turn_all(host)
    assert not session.closing


def test_a_revocation_is_not_taken_back_with_a_drain(host: Host) -> None:
    """Whichever of them came first."""
    release = threading.Event()
    host.command("SLOW", lambda _context: "done" if release.wait(30) else "late")
    first, second = host.user("a"), host.user("b")
    host.send(first, b"SLOW\n")
    host.send(second, b"SLOW\n")
    first.close_later(CloseReason.REVOKED)
    host.draining.begin(5, 7)
    turn_all(host)
    second.close_later(CloseReason.REVOKED)
    host.draining.cancel()
    turn_all(host)
    release.set()
    host.turn()
    host.turn()
    assert reasons(first, second) == [CloseReason.REVOKED] * 2


def test_newcomers_are_told_when_to_come_back(host: Host) -> None:
    """Once their token proved good, which is not used up; one that is not good is refused as ever."""
    token = host.tokens.create("once", Role.USER, None, None, use=TokenUse.ONCE)
    host.authenticator.reload()
    host.draining.begin(30, 7)
    newcomer = host.session()
    answer = host.ask(newcomer, f"AUTH {token.reveal()}")
    sentence = "The server is draining and takes in nobody but administrators; retry-after=7"
    assert answer.startswith(f"ERROR: DRAINING {sentence}\nERROR: CLOSED reason=draining retry-after=7 ")
    assert host.authentications[-1] == ("refused", f"draining token={token.id}")
    assert host.ask(host.session(), "AUTH nonsense").startswith("ERROR: WRONGPASS ")
    assert host.ask(host.session(), f"AUTH {host.token('root', Role.ADMIN).reveal()}") == "OK\n"
    host.draining.cancel()
    assert host.ask(host.session(), f"AUTH {token.reveal()}") == "OK\n"


def test_who_came_in_as_it_began_leaves_as_well(host: Host) -> None:
    """Asked once more when it is in the population with its name: `begin` saw a stranger."""
    session = host.session()
    admit = host.sessions.admit

    def admitted(*given: object) -> object:
        host.draining.begin(30, 7)
        return admit(*given)  # type: ignore[arg-type] # as they came

    host.sessions.admit = admitted  # type: ignore[assignment, method-assign] # a drain in between
    assert host.ask(session, f"AUTH {host.token().reveal()}").startswith("OK\nERROR: CLOSED reason=draining ")


def test_the_end_spares_nobody_and_is_not_taken_back(host: Host) -> None:
    """Administrators leave as well, and are not let in any more."""
    user, local = host.user(), host.local()
    host.draining.begin(30, 7)
    turn_all(host)
    host.draining.end()
    turn_all(host)
    assert reasons(user, local) == [CloseReason.DRAINING] * 2
    assert taken(local) == b""
    assert not host.draining.cancel()
    assert not host.draining.begin(30, 7)
    answer = host.ask(host.session(), f"AUTH {host.token('root', Role.ADMIN).reveal()}")
    assert answer.startswith("ERROR: DRAINING ")
    assert "retry-after=1\n" in answer
