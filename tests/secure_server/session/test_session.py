"""A session, sans I/O: bytes are fed, `output` is read, and the gate behind it is the real one."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from secure_protocol.reasons import CloseReason
from secure_protocol.resp_requests import encode_request
from secure_server.auth.principal import Principal, Role
from secure_server.commands.context import Context
from secure_server.session.endings import CLOSE_SENTENCES
from secure_server.session.session import Session
from secure_server.session.state import State
from secure_server.session.terms import Terms
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import PATIENCE, Host, taken

ADA = Principal("ada", Role.USER, "x", None)


class Gate:
    """A command that a worker runs until the test lets it go on."""

    def __init__(self, host: Host) -> None:
        self.running = threading.Semaphore(0)
        self.release = threading.Semaphore(0)
        host.command("SLOW", self.handler())

    def handler(self) -> Callable[[Context], str]:
        """Return the handler."""

        def slow(_context: Context) -> str:
            self.running.release()
            assert self.release.acquire(timeout=PATIENCE)
            return "slow"

        return slow


# Codecs


def test_the_first_byte_picks_the_codec_for_good(host: Host) -> None:
    """A star makes it RESP, anything else text; later bytes change nothing."""
    program, person = host.session(), host.session()
    assert host.send(program, b"*1\r\n$4\r\nPING\r\n").startswith(b"-NOAUTH ")
    assert not program.codec.for_people
    assert host.send(program, b"PING\r\n").startswith(b"-ERR Protocol error")
    assert program.close_reason is CloseReason.PROTOCOL_ERROR
    assert host.send(person, b"PING\r\n").startswith(b"ERROR: NOAUTH ")
    assert person.codec.for_people
    assert host.send(person, b"*1\r\n").startswith(b"ERROR: NOAUTH ")
    assert person.close_reason is None


def test_a_request_in_single_bytes_is_answered_once_whole(host: Host) -> None:
    """Nothing is said before the last byte, and one reply after it."""
    session = host.user()
    assert [host.send(session, bytes([byte])) for byte in b"PING\n"] == [b"", b"", b"", b"", b"PONG\n"]
    assert session.activity.received > 5


# Before authentication


@pytest.mark.parametrize("line", ["PING", "ECHO x", "TIME", "HELP", "CLIENT LIST", "CLIENT", "NONSENSE", "COMMANDS"])
def test_strangers_learn_nothing(host: Host, line: str) -> None:
    """Whether a command exists or not, a stranger gets the same answer."""
    session = host.session()
    assert host.ask(session, line) == "ERROR: NOAUTH Authentication required: AUTH <token>.\n"
    assert session.state is State.UNAUTHENTICATED


@pytest.mark.parametrize("line", ["EXIT", "QUIT", "exit"])
def test_strangers_may_leave(host: Host, line: str) -> None:
    """EXIT needs no token."""
    session = host.session()
    assert host.ask(session, line) == "Goodbye.\n"
    assert session.close_reason is CloseReason.GOODBYE


def test_a_strangers_line_is_bounded_to_four_kibibytes(host: Host) -> None:
    """One byte more closes; as much as that is taken."""
    session = host.session()
    assert host.ask(session, "x" * 4096).startswith("ERROR: NOAUTH")
    assert "longer than 4096 bytes" in host.ask(session, "x" * 4097)
    assert session.close_reason is CloseReason.PROTOCOL_ERROR


def test_what_follows_auth_is_judged_by_the_limits_it_earns(host: Host) -> None:
    """AUTH and a request too large for strangers in one read: both are answered, in text and in RESP."""
    token, large = host.token().reveal(), "x" * 10_000
    person, program = host.session(), host.session()
    assert host.send(person, f"AUTH {token}\nECHO {large}\n".encode()) == f"OK\nECHO: {large[:4096]}…\n".encode()
    pipelined = encode_request([b"AUTH", token.encode()]) + encode_request([b"ECHO", large.encode()])
    assert host.send(program, pipelined) == b"+OK\r\n$10000\r\n" + large.encode() + b"\r\n"


def test_what_follows_a_refused_auth_is_still_a_strangers(host: Host) -> None:
    """A refused AUTH earns no limits."""
    session = host.session()
    answer = host.send(session, b"AUTH wrong\nECHO " + b"x" * 10_000 + b"\n").decode()
    assert answer.startswith("ERROR: WRONGPASS")
    assert "longer than 4096 bytes" in answer


def test_a_stranger_cannot_pile_up_bytes_behind_a_running_command(host: Host) -> None:
    """While a login takes its time, a request's bytes are held, for its end comes behind them; then reading pauses."""
    session = host.session()
    call = session.begin()
    session.receive(b"PING\n", host.clock())
    assert session.wants_input
    session.receive(b"ECHO " + b"x" * 4090 + b"\n", host.clock())
    assert not session.wants_input
    session.finish(call, b"", host.clock())
    assert session.wants_input
    assert taken(session).startswith(b"ERROR: NOAUTH")


# Order and bounds


def test_replies_keep_order_while_a_worker_runs(host: Host) -> None:
    """Pings behind a slow command wait for it, and come in order."""
    gate, session = Gate(host), host.user()
    assert host.send(session, b"PING a\nSLOW\nPING b\nPING c\n") == b"a\n"
    assert session.busy
    assert gate.running.acquire(timeout=PATIENCE)
    assert host.send(session, b"PING d\n") == b""
    gate.release.release()
    host.turn()
    assert taken(session) == b"slow\nb\nc\nd\n"


def test_the_queue_behind_a_command_is_bounded_and_reading_resumes(make_host: MakeHost) -> None:
    """With two requests waiting, no more is read; once they are answered, reading goes on."""
    host = make_host(limits={"pending_requests": 2})
    gate, session = Gate(host), host.user()
    host.send(session, b"SLOW\nPING 1\n")
    assert session.wants_input
    host.send(session, b"PING 2\nPING 3\nPING 4\n")
    assert not session.wants_input
    gate.release.release()
    host.turn()
    assert taken(session) == b"slow\n1\n2\n3\n4\n"
    assert session.wants_input


def test_a_peer_that_does_not_read_pauses_its_own_requests(make_host: MakeHost) -> None:
    """Above the high water nothing more is dispatched or read; when what waits is sent, it goes on where it was."""
    host = make_host(limits={"output_high_water": 4096})
    session = host.user()
    session.receive(b"".join(b"ECHO %03d%s\n" % (number, b"x" * 97) for number in range(100)), host.clock())
    assert 4096 <= len(session.output) < 4096 + 200
    assert not session.wants_input
    answered = session.activity.commands
    replies = taken(session)
    while session.activity.commands <= 100:
        session.process()
        assert session.output, "it makes no progress"
        replies += taken(session)
    assert answered < session.activity.commands == 101
    assert [line[6:9] for line in replies.splitlines()] == [b"%03d" % number for number in range(100)]


def test_bytes_that_are_no_request_are_answered_in_their_place(host: Host) -> None:
    """A line of invalid UTF-8 gets its error between its neighbours' replies, and the connection lives."""
    session = host.user()
    replies = host.send(session, b"PING a\n\xff\nPING b\n").decode().splitlines()
    assert replies[0] == "a"
    assert replies[1].startswith("ERROR: The line is not valid UTF-8")
    assert replies[2] == "b"
    assert session.close_reason is None


def test_http_is_turned_away(host: Host) -> None:
    """A browser's POST ends the connection, and nothing after it is looked at."""
    session = host.user()
    assert host.send(session, b"POST / HTTP/1.1\nHost: x\nPING\n") == b"ERROR: This is not an HTTP server.\n"
    assert session.close_reason is CloseReason.PROTOCOL_ERROR
    assert not session.wants_input


# Ends


def test_what_was_asked_before_the_end_of_input_is_answered(host: Host) -> None:
    """The peer ends its side: the running command and those behind it are answered, then it closes quietly."""
    gate, session = Gate(host), host.user()
    host.send(session, b"SLOW\nPING\n")
    session.end_input()
    assert session.close_reason is None
    assert not session.wants_input
    gate.release.release()
    host.turn()
    assert taken(session) == b"slow\nPONG\n"
    assert session.close_reason is CloseReason.PEER_CLOSED


def test_the_end_of_input_waits_for_a_slow_reader(make_host: MakeHost) -> None:
    """Requests that wait for room are answered even after the peer ended its side."""
    host = make_host(limits={"output_high_water": 1024})
    session = host.user()
    session.receive(b"ECHO " + b"x" * 2000 + b"\nPING last\n", host.clock())
    session.end_input()
    assert session.close_reason is None
    taken(session)
    session.process()
    assert taken(session) == b"last\n"
    assert session.close_reason is CloseReason.PEER_CLOSED


def test_end_of_input_before_any_byte_closes(host: Host) -> None:
    """Somebody who connects and leaves costs nothing."""
    session = host.session()
    session.end_input()
    assert (session.close_reason, bytes(session.output)) == (CloseReason.PEER_CLOSED, b"")


@pytest.mark.parametrize("reason", list(CLOSE_SENTENCES))
def test_a_close_names_its_reason_in_each_codec(host: Host, reason: CloseReason) -> None:
    """Text gets an ERROR line, RESP2 an error that it waits for, RESP3 a push; and when to come back if that helps."""
    person, old, new = host.user("a"), host.program(2, "b"), host.program(3, "c")
    assert host.send(old, b"*1\r\n") == b""
    for session in (person, old, new):
        session.close(reason)
    seconds = {CloseReason.TOO_MANY: 5, CloseReason.DRAINING: 1}.get(reason)
    retry = "" if seconds is None else f" retry-after={seconds}"
    sentence = CLOSE_SENTENCES[reason]
    assert taken(person).decode() == f"ERROR: CLOSED reason={reason}{retry} {sentence}\n"
    assert taken(old).decode() == f"-CLOSED reason={reason}{retry} {sentence}\r\n"
    push = taken(new).decode()
    assert push.startswith(f">4\r\n$6\r\nclosed\r\n+{reason}\r\n:{-1 if seconds is None else seconds}\r\n"), push
    assert push.endswith(f"{sentence}\r\n")


REST = {
    "nothing": (b"", False),
    "a request": (b"*1\r\n$4\r\nSLOW\r\n", True),
    "two requests": (b"*1\r\n$4\r\nSLOW\r\n" * 2, True),
    "the count of a request": (b"*2\r\n", True),
    "a part of a request": (b"*2\r\n$4\r\nEC", True),
    "an answered request": (b"*1\r\n$4\r\nPING\r\n", False),
    "what asks for nothing": (b"\r\n*0\r\n*-1\r\n\n", False),
    "NOTIFY on": (b"*2\r\n$6\r\nNOTIFY\r\n$2\r\non\r\n", True),
    "NOTIFY off": (b"*2\r\n$6\r\nNOTIFY\r\n$2\r\non\r\n*2\r\n$6\r\nNOTIFY\r\n$3\r\noff\r\n", False),
    "unheard": (b"*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$3\r\nOFF\r\n*1\r\n$4\r\nSLOW\r\n", False),
    "skipped": (b"*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\n*1\r\n$4\r\nSLOW\r\n", False),
    "one behind a skipped": (
        b"*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\n" + b"*1\r\n$4\r\nSLOW\r\n" * 2,
        True,
    ),
}
"""What a RESP2 client sent last, and whether it waits for an answer then."""


@pytest.mark.parametrize("sent", REST)
@pytest.mark.parametrize("reason", [CloseReason.IDLE, CloseReason.KICKED, CloseReason.DRAINING, CloseReason.EXPIRED])
def test_over_resp2_a_close_is_an_answer_or_nothing(host: Host, reason: CloseReason, sent: str) -> None:
    """A reply that nobody asked for makes Redis' clients stop working: they see the end, as from Redis."""
    gate, session = Gate(host), host.program(2)
    requests, waits = REST[sent]
    host.send(session, requests)
    session.close(reason)
    gate.release.release()
    said = taken(session)
    assert said.startswith(f"-CLOSED reason={reason} ".encode()) if waits else said == b""
    assert said.count(b"\r\n") == waits, "the first that waits is answered, no other"
    assert session.close_reason is reason


@pytest.mark.parametrize("sent", [b"", b"*", b"*2\r\n$4\r\nAUTH\r\n", b"A"], ids=["nothing", "star", "half", "text"])
def test_a_stranger_is_told_of_the_end_where_it_can_tell(host: Host, sent: bytes) -> None:
    """Before its first byte nobody knows what it speaks; a Redis client that opened in advance would stop working."""
    session = host.session()
    if sent:
        host.send(session, sent)
    session.close(CloseReason.AUTH_TIMEOUT)
    assert taken(session)[:7] == {b"": b"", b"A": b"ERROR: "}.get(sent, b"-CLOSED")


def test_a_session_turned_away_is_told_instead_of_its_first_answer(host: Host) -> None:
    """Before that it could not be told; blank lines ask for nothing; only one answer is given."""
    program, person, silent = host.session(), host.session(), host.session()
    for session in (program, person, silent):
        session.turned_away = CloseReason.TOO_MANY, "Full.", None
        assert (taken(session), session.close_reason) == (b"", None)
    ping = encode_request([b"PING"])
    assert host.send(program, b"*0\r\n" + ping + ping) == b"-CLOSED reason=too-many retry-after=5 Full.\r\n"
    assert host.send(person, b"\nPING\nPING\n") == b"ERROR: CLOSED reason=too-many retry-after=5 Full.\n"
    assert program.close_reason is person.close_reason is CloseReason.TOO_MANY
    silent.close(CloseReason.AUTH_TIMEOUT)
    assert (taken(silent), silent.close_reason) == (b"", CloseReason.AUTH_TIMEOUT)


def test_a_close_is_told_in_the_sessions_language(host: Host) -> None:
    """Code and reason stay, the sentence is translated."""
    session = host.user()
    session.speak("pt_BR")
    session.close(CloseReason.IDLE)
    said = taken(session).decode()
    assert said.startswith("ERROR: CLOSED reason=idle ")
    assert CLOSE_SENTENCES[CloseReason.IDLE] not in said


def test_the_first_reason_stays_and_an_administrators_words_are_told(host: Host) -> None:
    """A second close changes nothing and says nothing."""
    session = host.user()
    session.close(CloseReason.KICKED, "maintenance")
    session.close(CloseReason.IDLE)
    assert taken(session) == b"ERROR: CLOSED reason=kicked maintenance\n"
    assert session.close_reason is CloseReason.KICKED


def test_nothing_is_dispatched_after_a_close(host: Host) -> None:
    """EXIT in a pipeline is the last thing answered."""
    session = host.user()
    assert host.send(session, b"PING\nEXIT\nPING\n") == b"PONG\nGoodbye.\n"
    session.process()
    assert session.output == b""


def test_a_worker_that_ends_after_the_close_says_nothing_more(host: Host) -> None:
    """The close is the last thing a peer reads, whatever was still running."""
    gate, session = Gate(host), host.user()
    host.send(session, b"SLOW\nPING\n")
    session.close(CloseReason.KICKED)
    assert taken(session).startswith(b"ERROR: CLOSED reason=kicked")
    gate.release.release()
    host.turn()
    assert session.output == b""
    assert not session.busy


def test_close_later_lets_the_running_command_answer(host: Host) -> None:
    """Draining: the running command is answered, then the close is told; what waited behind it is not begun."""
    gate, session = Gate(host), host.user()
    host.send(session, b"SLOW\nPING\n")
    session.close_later(CloseReason.DRAINING)
    assert session.output == b""
    gate.release.release()
    host.turn()
    assert taken(session).startswith(b"slow\nERROR: CLOSED reason=draining retry-after=1 ")


def test_close_later_with_nothing_running_closes_now(host: Host) -> None:
    """An idle session drains at once."""
    session = host.user()
    session.close_later(CloseReason.DRAINING)
    assert session.closing


# Reset, activity, other threads


def test_a_stranger_cannot_stretch_its_deadline_by_reset(host: Host) -> None:
    """RESET starts the authentication clock anew for somebody who was authenticated; strangers have no RESET."""
    stranger, user = host.session(), host.user()
    began = host.clock.now
    host.clock.now += 3
    assert host.ask(stranger, "RESET").startswith("ERROR: NOAUTH")
    assert host.ask(user, "RESET") == "RESET\n"
    assert stranger.established == began
    assert user.established == began + 3
    assert user.state is State.UNAUTHENTICATED
    assert user.role is Role.NOBODY


def test_reset_on_the_admin_socket_keeps_the_principal(host: Host) -> None:
    """Who the transport proved stays proved."""
    session = host.local()
    assert host.call(session, "HELLO", "3", "SETNAME", "x").startswith(b"%")
    assert host.call(session, "RESET") == b"+RESET\r\n"
    assert (session.codec.version, session.client_name, session.role) == (2, "", Role.ADMIN)


def test_a_long_command_is_no_idleness(host: Host) -> None:
    """When a handler ends, the session counts as active at that moment."""
    session = host.user()
    call = session.begin()
    host.clock.now += 500
    session.finish(call, b"", host.clock())
    assert session.activity.last_active == host.clock.now


def test_another_threads_callback_is_handed_over(host: Host) -> None:
    """It runs on the owning thread, in that one's turn."""
    session, order = host.user(), list[str]()
    session.call_soon(lambda: order.append("call"))
    assert order == []
    host.turn()
    assert order == ["call"]


def test_a_session_without_a_connection_cannot_be_handed_work(host: Host) -> None:
    """Forgetting to attach is a bug that shows at once."""
    session = Session(1, host.session().peer, Terms.of(host.config, host.dispatcher, "en", host.clock))
    with pytest.raises(AttributeError):
        session.call_soon(lambda: None)
