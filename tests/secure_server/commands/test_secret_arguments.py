"""An argument that is a secret, or data: what of it anybody gets to read but the handler."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Literal

import pytest

from secure_server.audit.record import Withheld
from secure_server.commands.command import Command, command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.commands.signature import SignatureError
from tests.secure_server.host import Host

Secret = Annotated[str, Argument(secret=True, pattern="[a-z0-9]+", longest=20)]
Body = Annotated[bytes, Argument(file=True, body=True)]
HIDDEN = Withheld()
HUNTER = "hunter2"


def made(handler: Callable[..., object]) -> Command:
    """A function as a command."""
    found: Command = vars(command("LOGIN")(handler))["__command__"][-1]
    return found


def login(
    _context: Context, user: str, password: Secret = "", *rest: int, pin: Secret = "", force: bool = False
) -> str:
    """Log in somewhere."""
    raise RuntimeError(f"{user} {password} {rest} {pin} {force}")


def put(_context: Context, name: str, body: Body, key: Secret) -> str:
    """Take a file."""
    return f"{name} {len(body)} {len(key)}"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("ada hunter2", ["ada", HIDDEN]),
        ("ada hunter2 1 2", ["ada", HIDDEN, "1", "2"]),
        ("ada", ["ada"]),
        ("--force ada hunter2", ["--force", "ada", HIDDEN]),
        ("ada --pin 1234 hunter2", ["ada", "--pin", HIDDEN, HIDDEN]),
        ("ada --pin=1234", ["ada", HIDDEN]),
        ("--force=no ada", ["--force=no", "ada"]),
        ("-- ada hunter2", ["--", "ada", HIDDEN]),
        ("--pin x -- ada hunter2 1", ["--pin", HIDDEN, "--", "ada", HIDDEN, "1"]),
        ("", None),  # who forgets one argument gives the next in its place
        ("ada hunter2 hunter3", None),
        ("--hunter2 ada", None),
        ("ada --pin", None),
        ("ada HUNTER2", None),
    ],
)
def test_what_may_be_shown_of_a_request(given: str, shown: list[str | Withheld] | None) -> None:
    """Whoever records, logs or keeps it asks here; what the gate refuses is not shown at all."""
    expected = shown if shown is None else [item.encode() if isinstance(item, str) else item for item in shown]
    assert made(login).shown(given.encode().split()) == expected


def test_of_data_there_are_size_and_hash() -> None:
    """So that who has the file can prove what it was; a secret has neither, for a hash would tell guesses."""
    body = bytes(range(256)) * 9
    shown = made(put).shown([b"x", body, b"secret"])
    assert shown == [b"x", Withheld(len(body), hashlib.sha256(body).hexdigest()), Withheld()]


def test_what_holds_no_secret_is_shown_as_it_came() -> None:
    """Not even copied."""

    def plain(_context: Context, name: str) -> None:
        """Nothing."""

    given = [b"a", b"b", b"c"]
    assert made(plain).shown(given) is given


def wrong(
    _context: Context,
    number: Annotated[int, Argument(secret=True, minimum=5, maximum=9)],
    word: Secret = "x",
    choice: Annotated[Literal["red"], Argument(secret=True)] = "red",
    wait: Annotated[timedelta, Argument(secret=True)] = timedelta(0),
) -> None:
    """Take secrets of all kinds."""


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("777", "Argument number: *** is not between 5 and 9."),
        ("777x", "Argument number: *** is not a valid int."),
        ("7 HUNTER777", "Argument word: *** does not match [a-z0-9]+."),
        (f"7 {'h777' * 9}", "Argument word: *** is longer than 20 bytes."),
        ("7 x blue777", "Argument choice: *** is not one of red."),
        ("7 x red 777y", "Argument wait: *** is not a valid duration; write 90s, 5m, 1h."),
    ],
)
def test_no_error_quotes_a_secret(host: Host, line: str, sentence: str) -> None:
    """It goes to the peer, who knows it, but also to whoever keeps the answer."""
    host.command("WRONG", wrong)
    assert host.ask(host.user(), f"WRONG {line}").strip() == f"ERROR: {sentence}"


def test_what_may_be_a_secret_in_a_wrong_place_is_not_quoted(host: Host) -> None:
    """One that begins with two dashes looks like an option."""
    host.command("LOGIN", login)
    answer = host.ask(host.user(), "LOGIN ada --hunter2").strip()
    assert answer == "ERROR: Unknown option ***; allowed are --force, --pin."


def test_no_traceback_quotes_a_secret(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """Handlers raise what quotes what they were given; where it failed is logged all the same."""
    host.command("LOGIN", login)
    with caplog.at_level(logging.DEBUG):
        assert "Internal error" in host.ask(host.user(), f"LOGIN ada {HUNTER}")
    assert HUNTER not in caplog.text
    assert "RuntimeError" in caplog.text
    assert "in login" in caplog.text


def test_the_catalogue_tells_what_is_secret_and_what_a_file(host: Host) -> None:
    """And no secret default."""

    def leaky(_context: Context, password: Secret = HUNTER, body: Body = b"") -> None:
        """Have a default."""

    host.command("LEAKY", leaky)
    first, second = made(leaky).describe(str).arguments
    assert (first.secret, first.file, first.default) == (True, False, "")
    assert (second.secret, second.file) == (False, True)
    session = host.user()
    for asked in ("HELP LEAKY", "COMMANDS LEAKY", "COMMAND DOCS LEAKY"):
        assert HUNTER not in host.ask(session, asked)


def test_nobody_completes_a_secret() -> None:
    """What was typed of it would be sent about, and what it may be told."""
    with pytest.raises(SignatureError, match="complete names password, which is secret; take it out"):
        command("LOGIN", complete={"password": lambda _context, _typed: ()})(login)
