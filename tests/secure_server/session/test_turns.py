"""No turn is unbounded: whatever a session pipelines, the others get theirs after 5 ms."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from secure_protocol.reasons import CloseReason
from secure_protocol.resp_requests import RespRequestDecoder, encode_request
from secure_protocol.text_requests import TextRequestDecoder
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.dispatch.dispatcher import AT_ONCE
from secure_server.session.session import TURN_SECONDS, Session
from tests.secure_server.host import PATIENCE, Host, taken

STEP = TURN_SECONDS / 5
"""What a request of these tests takes, by the clock that is handed in."""
WORK = encode_request([b"WORK"])
DONE = b"$1\r\n.\r\n"


@pytest.fixture(params=["judged", "cleared"])
def worker(host: Host, request: pytest.FixtureRequest) -> Session:
    """Somebody whose every command takes a fifth of a turn, by the gate's long way or by its short one."""

    def work(_context: Context) -> bytes:
        host.clock.now += STEP
        return b"."

    host.clears = request.param == "cleared"
    host.registry.add(vars(command("WORK", inline=True, audit=False)(work))["__command__"][-1])
    session = host.program()
    assert host.send(session, WORK) == DONE
    return session


def turns(host: Host, session: Session) -> list[int]:
    """How many are answered in each further turn of the loop's."""
    counts = []
    while not host.handed_over.empty():
        host.turn()
        counts.append(taken(session).count(DONE))
    return counts


def test_a_pipeline_is_answered_in_turns(host: Host, worker: Session) -> None:
    """Five milliseconds' worth in each, or what is answered between two looks at the clock; nothing is lost."""
    first = host.send(worker, WORK * 100).count(DONE)
    assert not worker.wants_input, "what it sends meanwhile waits in its kernel"
    answered = [first, *turns(host, worker)]
    assert sum(answered) == 100
    assert max(answered) <= (AT_ONCE if host.clears else 6)
    assert worker.wants_input


def test_others_are_answered_between_two_turns(host: Host, worker: Session) -> None:
    """The rest waits for the loop's next round, and not for the end of this one."""
    other = host.program(name="bob")
    host.send(worker, WORK * 100)
    assert host.send(other, encode_request([b"PING"])) == b"+PONG\r\n"
    assert sum(turns(host, worker)) > 0


def test_what_comes_between_two_turns_waits_for_its_own(host: Host, worker: Session) -> None:
    """A second piece of the same round does not buy another turn."""
    host.send(worker, WORK * 50)
    assert host.send(worker, WORK * 50) == b""
    assert sum(turns(host, worker)) > 50


def test_nothing_else_buys_another_turn(host: Host, worker: Session) -> None:
    """Neither room in the output nor the end of a command: what waits goes on by itself, once in a round."""
    host.send(worker, WORK * 50)
    worker.process()
    assert taken(worker) == b""
    assert host.handed_over.qsize() == 1
    assert sum(turns(host, worker)) > 25


def test_who_ends_its_side_between_two_turns_gets_all_answers(host: Host) -> None:
    """`printf … | ncat --ssl`, with much to do."""

    def work(_context: Context) -> str:
        host.clock.now += STEP
        return "."

    host.registry.add(vars(command("WORK", inline=True, audit=False)(work))["__command__"][-1])
    person = host.user()
    first = host.send(person, b"WORK\n" * 100)
    person.end_input()
    answers = first + taken(person)
    assert not person.closing
    while not host.handed_over.empty():
        host.turn()
        answers += taken(person)
    assert answers == b".\n" * 100
    assert person.close_reason is CloseReason.PEER_CLOSED


def test_a_session_closed_between_two_turns_does_nothing_more(host: Host, worker: Session) -> None:
    """Kicked while its requests waited."""
    host.send(worker, WORK * 100)
    before = worker.activity.commands
    worker.close(CloseReason.KICKED)
    taken(worker)
    assert turns(host, worker) == [0]
    assert worker.activity.commands == before


def test_one_request_takes_no_look_at_the_clock(host: Host, worker: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do as many as are answered at once the short way: the ordinary case costs nothing."""
    looks = 0

    def clock() -> float:
        nonlocal looks
        looks += 1
        return host.clock.now

    object.__setattr__(worker.terms, "clock", clock)
    host.send(worker, WORK)
    assert looks == 0
    if host.clears:
        host.send(worker, WORK * AT_ONCE)
        assert looks == 0


def decoding_takes_time(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each call of a decoder's take a fifth of a turn, by the clock that is handed in."""
    for kind in (TextRequestDecoder, RespRequestDecoder):
        for name in ("decode", "take"):
            if (plain := vars(kind).get(name)) is None:
                continue

            def slow(*given: object, plain: Callable[..., object] = plain) -> object:
                host.clock.now += STEP
                return plain(*given)

            monkeypatch.setattr(kind, name, slow)


def spent(host: Host, act: Callable[[], object]) -> float:
    """How long that took, in turns."""
    began = host.clock.now
    act()
    return (host.clock.now - began) / TURN_SECONDS


@pytest.mark.parametrize("codec", ["lines", "line ends", "arrays", "requests between them"])
@pytest.mark.parametrize("gate", ["judged", "cleared"])
def test_blanks_are_passed_over_in_turns(host: Host, monkeypatch: pytest.MonkeyPatch, codec: str, gate: str) -> None:
    """Sixteen kilobytes that ask for nothing take no longer turns than requests do, and what is behind is answered."""
    host.clears = gate == "cleared"
    session = host.user() if codec == "lines" else host.program()
    ping = b"PING\n" if codec == "lines" else encode_request([b"PING"])
    host.send(session, ping)
    blanks = {"lines": b"\n", "line ends": b"\r\n", "arrays": b"*0\r\n"}.get(codec, b"\n" * 127 + ping)
    decoding_takes_time(host, monkeypatch)
    data = blanks * (16384 // len(blanks)) + ping
    answers: list[bytes] = []
    longest = spent(host, lambda: answers.append(host.send(session, data)))
    assert not session.wants_input, "what it sends meanwhile waits in its kernel"
    turns = 1
    while not host.handed_over.empty():
        longest = max(longest, spent(host, host.turn))
        answers.append(taken(session))
        turns += 1
    assert b"".join(answers).count(b"PONG") == data.count(ping)
    assert longest <= 2, "a turn, and what the looks before and after it find"
    assert turns >= 5
    assert session.wants_input


def test_blanks_behind_a_running_command_are_passed_over_in_turns(host: Host) -> None:
    """They neither pile up nor keep what must not wait from acting; the replies keep their order."""
    session = host.program()
    go_on = threading.Event()
    host.command("WAIT", lambda _context: go_on.wait(PATIENCE))
    host.send(session, encode_request([b"WAIT"]))
    before = session.activity.commands
    host.send(session, b"\n" * 16384 + encode_request([b"PING"]))
    rounds = 0
    while not session.wants_input:
        host.turn()
        rounds += 1
    assert session.busy
    assert rounds >= 16384 // host.config.limits.pending_requests
    assert session._intake.decoder is not None
    assert session._intake.decoder.buffered == 0
    assert session.activity.commands == before
    go_on.set()
    while session.busy:
        host.turn()
    assert taken(session) == b"#t\r\n+PONG\r\n"
