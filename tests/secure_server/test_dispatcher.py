"""The gate: look up → authorise → limit → validate → run → record."""

from __future__ import annotations

import logging
import re
import threading

import pytest

from secure_protocol.errors import CommandError, ErrorCode
from secure_server.auth.principal import Role
from secure_server.commands.context import Context
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
    assert record.exc_info is not None
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
    assert host.ask(session, "PING a b") == "ERROR: wrong number of arguments for 'ping' command\n"
    assert host.commands[-1] == (session.number, "PING", "ERR")


def test_the_wording_around_a_reply_is_for_text_alone(host: Host) -> None:
    """ECHO answers a person `ECHO: x` and a program the bytes."""
    assert host.ask(host.user("a"), "ECHO x  y") == "ECHO: x y\n"
    assert host.call(host.program(3, "b"), "ECHO", "x") == b"$1\r\nx\r\n"
