"""The gate: look up → limit → authorise → validate → run → record."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from secure_protocol.errors import CommandError, ErrorCode
from secure_protocol.reasons import CloseReason
from secure_protocol.resp_requests import encode_request
from secure_server.auth.principal import Principal, Role
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.limits.rate import Rate
from secure_server.session.session import Session
from secure_server.session.standing import STRANGER_REQUESTS
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import PATIENCE, Host, taken

SECRET = "what only the log may tell"


def explode(_context: Context) -> str:
    """Fail with words that no peer may see."""
    raise RuntimeError(SECRET)


def deep(_context: Context) -> object:
    """Return what no codec can write."""
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    return nested


def refuse(_context: Context) -> str:
    """Fail as a handler does on purpose."""
    raise CommandError("Not {what}.", code=ErrorCode.TIMEOUT, what="today")


def test_a_stranger_asks_so_often_and_no_more(host: Host) -> None:
    """Whatever it asks; what comes behind in the same bytes is not answered, and whoever authenticates starts anew."""
    stranger, user, token = host.session(), host.session(), host.token("ada")
    answers = host.send(stranger, b'PING\nHELLO\n"\n' * STRANGER_REQUESTS).splitlines()
    assert len(answers) == STRANGER_REQUESTS + 1
    assert answers[-1] == b"ERROR: NOAUTH Authentication required: AUTH <token>."
    assert stranger.close_reason is CloseReason.AUTH_FAILED
    for _ in range(2):
        assert host.send(user, b"PING\n" * (STRANGER_REQUESTS - 1)).count(b"NOAUTH") == STRANGER_REQUESTS - 1
        assert host.ask(user, f"AUTH {token.reveal()}") == "OK\n"
        assert host.ask(user, "PING\n" * STRANGER_REQUESTS + "RESET").endswith("PONG\nRESET\n")
    assert user.close_reason is None


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b"*0\r\n", b"*-1\r\n", b" " * 63 + b"\n"])
def test_what_asks_for_nothing_counts_before_authentication(host: Host, blank: bytes) -> None:
    """As many as of requests, and what stands behind is not answered; a client may send any number."""
    stranger, user = host.session(), host.program()
    first = b"*0\r\n" if blank[:1] == b"*" else b"\n"
    assert host.send(stranger, first + blank * (STRANGER_REQUESTS - 1)) == b""
    assert stranger.close_reason is None
    said = host.send(stranger, blank + b"PING\r\n").splitlines()
    assert [line.partition(b"NOAUTH")[2] for line in said] == [b" Authentication required: AUTH <token>."]
    assert stranger.close_reason is CloseReason.AUTH_FAILED
    if not blank.startswith(b" "):
        assert host.send(user, blank * 2 * STRANGER_REQUESTS) == b""
        assert host.send(user, encode_request([b"PING"])) == b"+PONG\r\n"


def test_blanks_and_requests_of_a_stranger_are_one_count(host: Host) -> None:
    """Else there would be twice as many turns to have; the request that is one too many is told so."""
    stranger = host.session()
    assert host.send(stranger, b"\nPING\n" * 32).count(b"NOAUTH") == 32
    assert stranger.close_reason is None
    host.send(stranger, b"PING\n")
    assert stranger.close_reason is CloseReason.AUTH_FAILED


def test_four_kilobytes_of_blanks_end_a_stranger(host: Host) -> None:
    """Also in one line, which is not the end of patience with a client."""
    stranger, user = host.session(), host.user()
    blanks = b" " * 4096 + b"\n"
    host.send(stranger, blanks)
    assert stranger.close_reason is CloseReason.AUTH_FAILED
    host.send(user, blanks * 2)
    assert user.close_reason is None


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("handler", [explode, deep])
def test_a_bug_gives_the_peer_a_reference_and_the_log_the_traceback(
    host: Host,
    caplog: pytest.LogCaptureFixture,
    inline: bool,  # noqa: FBT001 - a parameter of the table
    handler: object,
) -> None:
    """On the loop and on a worker, raised or returned: the peer learns a reference, and the session goes on."""
    assert callable(handler)
    host.command("BOOM", handler, inline=inline)
    session = host.user()
    with caplog.at_level(logging.ERROR):
        answer = host.ask(session, "BOOM")
    match = re.fullmatch(r"ERROR: Internal error, reference ([0-9a-f]{8})\.\n", answer)
    assert match, answer
    (record,) = (record for record in caplog.records if match[1] in record.getMessage())
    assert "BOOM" in record.getMessage()
    assert "Traceback (most recent call last)" in record.getMessage()
    assert host.ask(session, "PING") == "PONG\n"
    assert host.commands[-2:] == [(session.number, "BOOM", "internal-error"), (session.number, "PING", "ok")]


def test_exception_text_is_in_the_log_alone(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """The traceback is under the reference; the peer's bytes hold none of it, in RESP either."""
    host.command("BOOM", explode, inline=True)
    answer = host.call(host.program(), "BOOM")
    assert re.fullmatch(rb"-ERR Internal error, reference [0-9a-f]{8}\.\r\n", answer)
    assert SECRET in caplog.text


def test_of_a_secret_command_the_log_gets_no_message(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """An exception likes to quote what it stumbled over, and so does the one that it came from."""

    def stumble(_context: Context, password: str) -> str:
        try:
            int(password)
        except ValueError as error:
            raise RuntimeError(password) from error
        return password

    host.command("LOGIN", stumble, inline=True, secret=True)
    assert "Internal error" in host.ask(host.user(), "LOGIN hunter2")
    assert "hunter2" not in caplog.text
    assert "RuntimeError" in caplog.text
    assert "in stumble" in caplog.text


def test_one_sessions_exploding_handler_does_not_hurt_another(host: Host) -> None:
    """The neighbour's replies come, and the worker lives."""
    host.command("BOOM", explode)
    bad, good = host.user("bad"), host.user("good")
    for _ in range(20):
        assert "Internal error" in host.ask(bad, "BOOM")
        assert host.ask(good, "PING") == "PONG\n"


@pytest.mark.parametrize("inline", [True, False])
def test_a_refusal_is_told_as_it_is(host: Host, inline: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """A handler's own CommandError reaches the peer with its code, and the log with its code alone."""
    host.command("REFUSE", refuse, inline=inline)
    session = host.user()
    assert host.ask(session, "REFUSE") == "ERROR: TIMEOUT Not today.\n"
    assert host.commands[-1] == (session.number, "REFUSE", "TIMEOUT")


def test_a_refusal_does_not_repeat_a_token(host: Host) -> None:
    """It may stand on a screen, in a client's log, or in a bug report: the public id is enough."""
    token = host.token("ada")
    for line in (f"KICK {token.reveal()}", f"PENALTY EXPLAIN {token.reveal()}", f"LANG {token.reveal()}"):
        said = host.ask(host.local(), line).casefold()  # a filter is told in capitals
        assert f"{token}".casefold() in said
        assert token.secret[:5].casefold() not in said


def test_a_full_worker_queue_throttles_and_the_session_goes_on(make_host: MakeHost) -> None:
    """With the one worker busy and its queue full, the next is told THROTTLED at once; others' inline commands run."""
    host = make_host(threads={"workers": 1, "queue": 1})
    running, release = threading.Event(), threading.Event()

    def slow(_context: Context) -> str:
        running.set()
        assert release.wait(PATIENCE)
        return "done"

    host.command("SLOW", slow)
    first, second, third = host.user("a"), host.user("b"), host.user("c")
    host.send(first, b"SLOW\n")
    assert running.wait(PATIENCE)
    host.send(second, b"SLOW\n")
    answer = host.send(third, b"SLOW\nPING\n").decode()
    assert answer == "ERROR: THROTTLED The server has too much to do; try again in a moment.\nPONG\n"
    assert host.commands[-2:] == [(third.number, "SLOW", "THROTTLED"), (third.number, "PING", "ok")]
    release.set()
    host.turn()
    host.turn()
    assert (taken(first), taken(second)) == (b"done\n", b"done\n")


def close(session: Session) -> None:
    """Kick it; its last words wait for a peer that does not read."""
    session.close(CloseReason.KICKED)


def become_another(session: Session) -> None:
    """Make it somebody else's, who asked for nothing."""
    session.own = Principal("c", Role.USER, None, None)


def go_elsewhere(session: Session) -> None:
    """An admin, outside `admin.networks` now."""
    session.peer = replace(session.peer, address="192.0.2.7:40000")


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (close, "CLOSED", b"ERROR: CLOSED reason=kicked Closed by an administrator.\n"),
        (become_another, "CANCELLED", b"ERROR: CANCELLED The command was cancelled.\n"),
        (go_elsewhere, "CANCELLED", b"ERROR: CANCELLED The command was cancelled.\n"),
    ],
)
def test_what_waited_for_a_worker_is_looked_at_again(
    make_host: MakeHost, change: Callable[[Session], None], code: str, said: bytes
) -> None:
    """It does not run where the session is closing, or no longer whose it was; the record names who asked."""
    host = make_host(threads={"workers": 1})
    held, release, called = threading.Event(), threading.Event(), list[None]()

    def hold(_context: Context) -> None:
        held.set()
        assert release.wait(PATIENCE)

    host.command("HOLD", hold)
    host.command("WORK", lambda _context: called.append(None))
    holder, session = host.user("a"), host.user("b", Role.ADMIN)
    host.send(holder, b"HOLD\n")
    assert held.wait(PATIENCE)
    host.send(session, b"WORK\n")
    change(session)
    release.set()
    host.turn()
    host.turn()
    assert taken(session) == said
    told = dict(zip(host.commands, host.given, strict=True))
    assert told[session.number, "WORK", code] == ([], False)
    assert host.asked[host.commands.index((session.number, "WORK", code))] == "b"
    assert called == []


def test_handlers_run_on_workers_unless_inline(host: Host) -> None:
    """What may block never runs on the thread that owns the sockets."""
    ran: dict[str, str] = {}

    def inside(_context: Context) -> None:
        ran["inside"] = threading.current_thread().name

    def outside(_context: Context) -> None:
        ran["outside"] = threading.current_thread().name

    host.command("INSIDE", inside, inline=True)
    host.command("OUTSIDE", outside)
    session = host.user()
    host.ask(session, "INSIDE")
    host.ask(session, "OUTSIDE")
    assert ran["inside"] == threading.current_thread().name
    assert ran["outside"].startswith("worker-")


def test_unknown_commands_are_logged_without_the_peers_word(host: Host) -> None:
    """A peer cannot write the log's keys; the reply is the owner's wording."""
    session = host.user()
    assert host.ask(session, "NONSENSE x") == "ERROR: Unknown command.\n"
    assert host.commands[-1] == (session.number, "?", "ERR")
    session.speak("pt_BR")
    assert host.ask(session, "NONSENSE") == "ERROR: Comando não reconhecido.\n"


def test_a_role_below_the_commands_is_refused_by_name(host: Host) -> None:
    """Who needs what, and what the caller is."""
    session = host.user(role=Role.OPERATOR)
    assert host.ask(session, "CLIENTS") == "ERROR: NOPERM CLIENTS needs the role admin; you are operator.\n"
    assert host.commands[-1] == (session.number, "CLIENTS", "NOPERM")
    assert session.activity.last_command == "CLIENTS"


def test_an_allow_list_bounds_the_role(host: Host) -> None:
    """A token for ECHO alone runs ECHO, and what concerns its own session; TIME is not on its list."""
    session = host.user(allow=["ECHO"])
    assert host.ask(session, "ECHO hi") == "ECHO: hi\n"
    said = "ERROR: NOPERM TIME is not on the list of commands that you may run.\n"
    assert host.ask(session, "TIME") == said
    assert host.ask(session, "PING") == "PONG\n"
    assert host.ask(session, "EXIT") == "Goodbye.\n"


def test_permission_comes_before_validation(host: Host) -> None:
    """Somebody who may not run a command is not taught its arguments."""
    assert "NOPERM" in host.ask(host.user(), "KICK a b c")


def test_arguments_are_validated_before_the_handler(host: Host) -> None:
    """The error is Redis' own for a wrong count."""
    session = host.user()
    assert host.ask(session, "PING a b") == (
        "ERROR: wrong number of arguments for 'ping' command: too many; write PING [message]\n"
    )
    assert host.commands[-1] == (session.number, "PING", "ERR")


def test_the_wording_around_a_reply_is_for_text_alone(host: Host) -> None:
    """ECHO answers a person `ECHO: x` and a program the bytes."""
    assert host.ask(host.user("a"), "ECHO x  y") == "ECHO: x y\n"
    assert host.call(host.program(3, "b"), "ECHO", "x") == b"$1\r\nx\r\n"


def slow(host: Host, burst: int) -> Session:
    """A session whose token may run one command a second, and `burst` at once."""
    token = host.tokens.create("slow", Role.USER, rate=Rate(1.0, burst))
    session = host.session()
    assert host.ask(session, f"AUTH {token.reveal()}") == "OK\n"
    return session


TOO_FAST = "ERROR: THROTTLED You send commands faster than you may; retry-after=1\n"


def test_a_rate_holds_for_pipelined_requests_and_closes_nothing(host: Host) -> None:
    """What is beyond it is answered in its turn and not run; once there is room again, so is the next."""
    session = slow(host, 3)
    assert host.send(session, b"PING\n" * 5).decode() == "PONG\n" * 3 + TOO_FAST * 2
    assert host.commands[-1] == (session.number, "PING", "THROTTLED")
    host.clock.now += 1
    assert host.send(session, b"PING\n" * 2).decode() == "PONG\n" + TOO_FAST
    assert session.close_reason is None


def test_all_sessions_of_a_name_share_its_rate(host: Host) -> None:
    """Another connection is no way round it, nor is coming back, nor a rotated token, nor a reload."""
    token = host.tokens.create("slow", rate=Rate(1.0, 3))
    first, second = host.session(), host.session()
    for session in (first, second):
        assert host.ask(session, f"AUTH {token.reveal()}") == "OK\n"
        assert host.ask(session, "PING") == "PONG\n"
    host.sessions.remove(first)
    host.sessions.remove(second)
    del first, second, session
    rotated, third = host.tokens.rotate("slow"), host.session()
    assert host.ask(third, f"AUTH {rotated.reveal()}") == "OK\n"
    assert host.send(third, b"PING\n" * 2).decode() == "PONG\n" + TOO_FAST


def test_one_may_always_leave_and_cancel(host: Host) -> None:
    """With nothing left of the rate; who is throttled is not held."""
    begun, release = threading.Event(), threading.Event()

    def wait(context: Context) -> str:
        begun.set()
        context.cancelled.wait(PATIENCE)
        release.set()
        return "never"

    host.command("WAIT", wait)
    session = slow(host, 1)
    host.send(session, b"WAIT\n")
    assert begun.wait(PATIENCE)
    host.send(session, b"CANCEL\nPING\nEXIT\n")
    assert release.wait(PATIENCE)
    host.turn()
    answer = taken(session).decode()
    assert "CANCELLED" in answer
    assert TOO_FAST in answer
    assert answer.endswith("Goodbye.\n")


@pytest.mark.parametrize(
    ("line", "refusal"),
    [
        ("NOPE", "Unknown command."),
        ("CLIENT NOPE", "Unknown subcommand; "),
        ("KICK 1", "NOPERM "),
        ("PING 1 2 3", "wrong number of arguments"),
        ('PING "', "Unbalanced quotes"),
    ],
)
def test_what_is_refused_counts_as_well(host: Host, line: str, refusal: str) -> None:
    """Whatever for: to word it and write it down costs the server as much. What is beyond the rate is told first."""
    session = slow(host, 2)
    asked = f"{line}\n" * 2 + "PING\n"
    first, second, third = host.send(session, asked.encode()).decode().splitlines(keepends=True)
    assert first == second
    assert first.startswith(f"ERROR: {refusal}")
    assert third == TOO_FAST
    assert host.ask(session, line) == TOO_FAST
    assert host.commands[-1][2] == "THROTTLED"
    host.clock.now += 1
    assert host.ask(session, line) == first
    assert host.ask(session, "EXIT") == "Goodbye.\n"


def test_an_urgent_request_that_is_malformed_counts_once(host: Host) -> None:
    """It is looked at when it arrives, and again in its turn."""
    begun = threading.Event()

    def wait(context: Context) -> str:
        begun.set()
        context.cancelled.wait(PATIENCE)
        return "never"

    host.command("WAIT", wait)
    stop = command("STOP", inline=True, urgent=True)(lambda _context: "stopped")
    host.registry.add(vars(stop)["__command__"][-1])
    session = slow(host, 3)
    host.send(session, b"WAIT\n")
    assert begun.wait(PATIENCE)
    host.send(session, b"STOP too many\nCANCEL\n")
    host.turn()
    assert taken(session).splitlines()[-1] == b"1", "all that waited is answered"
    assert host.ask(session, "PING") == "PONG\n"
    assert host.ask(session, "PING") == TOO_FAST


@pytest.mark.parametrize("inline", [True, False])
def test_what_is_urgent_acts_at_once_where_it_may_and_cannot_block(host: Host, inline: bool) -> None:  # noqa: FBT001 - a table
    """It is no way around a trail that cannot be written, nor around the workers; it is told in its turn then."""
    begun, threads = threading.Event(), list[str]()

    def wait(context: Context) -> str:
        begun.set()
        context.cancelled.wait(PATIENCE)
        return "never"

    def act(_context: Context) -> str:
        threads.append(threading.current_thread().name)
        return "acted"

    host.command("WAIT", wait)
    host.registry.add(vars(command("ACT", inline=inline, urgent=True)(act))["__command__"][-1])
    user = host.user()
    host.send(user, b"WAIT\n")
    assert begun.wait(PATIENCE)
    host.send(user, b"ACT\n")
    assert threads == ["MainThread"] * inline
    host.suspended = True
    host.send(user, b"ACT\nCANCEL\n")
    while user.busy:
        host.turn()
    assert taken(user).splitlines()[-2].startswith(b"ERROR: UNAVAILABLE")
    assert threads == ["MainThread"] * inline


def test_what_is_no_request_at_all_still_ends_the_connection(host: Host) -> None:
    """However much of the rate is used up."""
    session = slow(host, 1)
    assert host.ask(session, "PING") == "PONG\n"
    host.send(session, b"x" * 200_000)
    assert session.close_reason is CloseReason.PROTOCOL_ERROR


def test_the_configured_rate_is_for_tokens_without_one(make_host: MakeHost) -> None:
    """A token's own goes before it, and the admin socket has none."""
    host = make_host(limits={"commands_per_second": 1, "commands_burst": 2})
    user, own, local = host.user("ada"), slow(host, 4), host.local()
    assert host.send(user, b"PING\n" * 3).decode() == "PONG\n" * 2 + TOO_FAST
    assert host.send(own, b"PING\n" * 5).decode() == "PONG\n" * 4 + TOO_FAST
    assert host.send(local, b"PING\n" * 50).decode() == "PONG\n" * 50


def test_an_unknown_subcommand_tells_what_the_caller_may_run(host: Host) -> None:
    """And no more: an admin's are not told to a user, and a container of these alone is no command for one."""
    user, admin = host.user("a"), host.user("b", Role.ADMIN)
    answer = host.ask(user, "CLIENT NOPE")
    assert answer.startswith("ERROR: Unknown subcommand; CLIENT takes ")
    assert "INFO" in answer
    assert "KILL" not in answer
    assert host.ask(user, "PENALTY NOPE") == host.ask(user, "NOPE") == "ERROR: Unknown command.\n"
    assert "KILL" in host.ask(admin, "CLIENT NOPE")
    assert host.ask(admin, "PENALTY") == "ERROR: Unknown subcommand; PENALTY takes CLEAR, EXPLAIN, LIST.\n"


def test_noperm_names_what_is_missing(host: Host) -> None:
    """The role; or, where that is enough, the token's list."""
    host.command("DEPLOY", lambda _context: "done", role=Role.OPERATOR)
    assert host.ask(host.user("a"), "DEPLOY") == "ERROR: NOPERM DEPLOY needs the role operator; you are user.\n"
    answer = host.ask(host.user("b", Role.OPERATOR, ["TIME"]), "DEPLOY")
    assert answer == "ERROR: NOPERM DEPLOY is not on the list of commands that you may run.\n"
    assert host.ask(host.user("c", Role.ADMIN), "DEPLOY") == "done\n"
