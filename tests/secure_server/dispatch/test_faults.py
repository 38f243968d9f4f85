"""Whatever a handler raises, its peer is answered, it is on record, and what ran it goes on."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from secure_protocol.errors import CommandError
from secure_protocol.limits import REPLY_BYTES
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.session.call import CallEndedError, Later
from secure_server.session.session import Session
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import PATIENCE, Host

SECRET = "what only the log may tell"


class Odd(BaseException):
    """What no library knows of."""


ERRORS = [SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration, Odd, CallEndedError]
"""All that `except Exception` does not catch, and what means something to whoever calls a handler."""


def one_worker(make_host: MakeHost) -> Host:
    """A host whose one worker is missed at once."""
    return make_host(threads={"workers": 1})


def check(host: Host, session: Session, caplog: pytest.LogCaptureFixture) -> None:
    """BOOM is answered with a reference, and what comes after it, from loop and worker, as ever."""
    host.command("FINE", lambda _context: "fine")
    answer = host.ask(session, "BOOM")
    match = re.fullmatch(r"ERROR: Internal error, reference ([0-9a-f]{8})\.\n", answer)
    assert match, answer
    assert match[1] in caplog.text
    assert SECRET in caplog.text
    assert host.commands[-1] == (session.number, "BOOM", "internal-error")
    assert host.ask(session, "PING") == "PONG\n"
    assert host.ask(session, "FINE") == "fine\n"


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("error", ERRORS)
def test_whatever_a_handler_raises_is_an_internal_error(
    make_host: MakeHost,
    caplog: pytest.LogCaptureFixture,
    inline: bool,  # noqa: FBT001 - a parameter of the table
    error: type[BaseException],
) -> None:
    """On the loop and on a worker; argparse, for one, raises SystemExit."""
    host = one_worker(make_host)

    def boom(_context: Context) -> None:
        raise error(SECRET)

    host.command("BOOM", boom, inline=inline)
    check(host, host.user(), caplog)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, Odd, CallEndedError])
def test_whatever_a_generator_raises_is_an_internal_error(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    """After what it gave before, which is told."""
    host = one_worker(make_host)

    def boom(_context: Context) -> Iterator[str]:
        yield "first"
        raise error(SECRET)

    host.command("BOOM", boom)
    session = host.user()
    answer = host.ask(session, "BOOM")
    assert re.fullmatch(r"first\nERROR: Internal error, reference [0-9a-f]{8}\.\n\.\n", answer), answer
    assert host.commands[-1] == (session.number, "BOOM", "internal-error")
    assert SECRET in caplog.text
    host.command("FINE", lambda _context: "fine")
    assert host.ask(session, "FINE") == "fine\n"


def raising(error: type[BaseException]) -> Callable[..., None]:
    """Something to call that raises it."""

    def call(*_: object) -> None:
        raise error(SECRET)

    return call


@pytest.mark.parametrize("where", ["work", "then"])
@pytest.mark.parametrize("error", ERRORS)
def test_whatever_work_before_an_answer_raises_is_an_internal_error(
    make_host: MakeHost, caplog: pytest.LogCaptureFixture, where: str, error: type[BaseException]
) -> None:
    """In either half, and what was begun is undone where the first one failed."""
    host, undone = one_worker(make_host), list[str]()
    fail = raising(error)
    work, then = (fail, str) if where == "work" else (int, fail)
    later: Later[Any] = Later(work, then, lambda: undone.append("undone"))
    host.command("BOOM", lambda _context: later, inline=True)
    check(host, host.user(), caplog)
    assert undone == ["undone"] * (where == "work")


@pytest.mark.parametrize("error", ERRORS)
def test_whatever_a_cleared_command_raises_is_an_internal_error(host: Host, error: type[BaseException]) -> None:
    """The short way as well: what came before it and behind it in the same bytes is answered."""
    fails = list[None]()

    def boom(_context: Context) -> bytes:
        if fails:
            raise error(SECRET)
        return b"fine"

    host.registry.add(vars(command("BOOM", inline=True, audit=False)(boom))["__command__"][-1])
    session = host.program()
    assert host.call(session, "BOOM") == b"$4\r\nfine\r\n"
    assert b"BOOM" in session.cleared
    fails.append(None)
    boomed = b"*1\r\n$4\r\nBOOM\r\n"
    answers = host.send(session, boomed * 2 + b"*1\r\n$4\r\nPING\r\n")
    assert re.fullmatch(rb"(-ERR Internal error, reference [0-9a-f]{8}\.\r\n){2}\+PONG\r\n", answers), answers
    assert host.commands[-2:] == [(session.number, "BOOM", "internal-error"), (session.number, "PING", "ok")]


@pytest.mark.parametrize("inline", [True, False])
def test_a_refusal_that_cannot_be_worded_is_an_internal_error(
    make_host: MakeHost,
    caplog: pytest.LogCaptureFixture,
    inline: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    """Its sentence names a value that the handler did not give."""
    host = one_worker(make_host)

    def boom(_context: Context) -> None:
        raise CommandError("No {" + SECRET + "}.", other=1)

    host.command("BOOM", boom, inline=inline)
    check(host, host.user(), caplog)


class Unspeakable:
    """A value that raises when it is written.

    Args:
        error: what it raises.
    """

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error

    def __format__(self, _how: str) -> str:
        raise self._error(SECRET)


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("error", ERRORS)
def test_a_refusal_whose_value_raises_is_an_internal_error(
    make_host: MakeHost,
    caplog: pytest.LogCaptureFixture,
    inline: bool,  # noqa: FBT001 - a parameter of the table
    error: type[BaseException],
) -> None:
    """Whatever it raises: it is written when the handler has ended already."""
    host = one_worker(make_host)

    def boom(_context: Context) -> None:
        raise CommandError("No {value}.", value=Unspeakable(error))

    host.command("BOOM", boom, inline=inline)
    check(host, host.user(), caplog)


def test_an_error_that_takes_long_to_tell_holds_nobody_up(host: Host) -> None:
    """Its words are had before a log is locked, which the loop writes to as well."""
    asked, go = threading.Event(), threading.Event()

    class SlowError(Exception):
        def __str__(self) -> str:
            asked.set()
            go.wait(2 * PATIENCE)
            return SECRET

    def slow(_context: Context) -> None:
        raise SlowError

    def boom(_context: Context) -> None:
        raise ValueError

    host.command("SLOW", slow)
    host.command("BOOM", boom, inline=True)
    first, second = host.user("ada"), host.user("eve")
    assert host.send(first, b"SLOW\n") == b""
    assert asked.wait(PATIENCE)
    other = threading.Thread(target=lambda: logging.getLogger("secure_server").error("said meanwhile"), daemon=True)
    other.start()
    other.join(PATIENCE)
    assert not other.is_alive()
    answer = host.send(second, b"BOOM\n")
    assert b"Internal error" in answer
    go.set()
    host.turn()


@pytest.mark.parametrize("inline", [True, False])
def test_a_reply_has_a_bound(host: Host, inline: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """As a whole, and each part of one that streams: it is copied on the thread that serves everybody."""

    def parts(_context: Context) -> Iterator[bytes]:
        yield b"first"
        yield b"x" * REPLY_BYTES

    host.command("LONG", lambda _context: b"x" * REPLY_BYTES, inline=inline)
    host.command("PARTS", parts)
    session = host.program(3)
    refused = b"-ERR The answer is longer than %d bytes; its author may give it in parts.\r\n" % REPLY_BYTES
    assert host.call(session, "LONG") == refused
    assert host.call(session, "PARTS").endswith(b"first\r\n" + refused)
    assert host.call(session, "PING") == b"+PONG\r\n"


@pytest.mark.parametrize("streams", [False, True])
def test_an_object_that_is_no_reply_tells_nobody_what_it_is(
    host: Host,
    caplog: pytest.LogCaptureFixture,
    streams: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    """An exception that is returned, not raised, is as little for peers; in text as over RESP."""

    def parts(_context: Context) -> Iterator[object]:
        yield ValueError(SECRET)

    host.command("BOOM", parts if streams else lambda _context: [ValueError(SECRET)])
    for session, request in ((host.user("eve"), "BOOM"), (host.program(3), "")):
        said = host.ask(session, request) if request else repr(host.call(session, "BOOM"))
        assert "Internal error, reference" in said
        assert SECRET not in said
    assert "ValueError is no reply" in caplog.text
