"""What is asked before a command is sent: refused at the start where it cannot be, told to clients where it can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest

from secure_server.commands.command import Command, command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.commands.programs.program import declare
from secure_server.commands.signature import SignatureError

Key = Annotated[str, Argument(secret=True)]


def made(handler: Callable[..., object], **options: Any) -> Command:  # noqa: ANN401 - options of any kind
    """The command that it becomes."""
    *_, found = command("DEPLOY", **options)(handler).__command__  # type: ignore[attr-defined] # the decorator's mark
    assert isinstance(found, Command)
    return found


def deploy(_context: Context, service: str, dry_run: str = "no") -> None:
    """Deploy."""


def unlock(_context: Context, service: str, key: Key) -> None:
    """Unlock."""


def ask(_context: Context, server: str) -> None:
    """Ask."""


@pytest.mark.parametrize(
    ("handler", "options", "problem"),
    [
        (deploy, {"confirm": "Deploy {host}?"}, "confirm has {host}, which is no argument; allowed are {service}, "),
        (deploy, {"confirm": "{dry-run}?"}, "confirm has {dry-run}, which is no argument; "),
        (unlock, {"confirm": "With {key}?"}, "confirm would show key, which is a secret; leave it out"),
        (deploy, {"confirm": "{service}?", "secret": True}, "confirm would show service, which is a secret"),
        (ask, {"confirm": "Sure?"}, "in confirm {server} is the server, so no argument can be called that"),
    ],
)
def test_a_question_that_cannot_be_asked_stops_the_start(
    handler: Callable[..., object], options: dict[str, object], problem: str
) -> None:
    """One that names no argument, or a secret; and an argument that takes the server's place in it."""
    with pytest.raises(SignatureError) as caught:
        made(handler, **options)
    assert f"DEPLOY: {problem}" in str(caught.value)


def test_an_argument_is_called_server_where_nothing_is_asked() -> None:
    """The name is reserved in questions alone."""
    assert made(ask, danger=True).describe(str).arguments[0].name == "server"


def test_clients_are_told_the_question_in_their_words() -> None:
    """Translated as its neighbours are, and with the names of arguments that they know."""
    found = made(deploy, confirm="Deploy {service} ({dry_run}) on {server}, {{dry_run}}, {?", danger=True)
    told = found.describe(lambda sentence: sentence.replace("Deploy", "Implantar"))
    assert told.confirm == "Implantar {service} ({dry-run}) on {server}, {{dry-run}}, {?"
    assert told.danger
    assert told.question({"service": "web", "dry-run": "{service}", "server": "work"}) == (
        "Implantar web ({service}) on work, {dry-run}, {?"
    )
    assert not made(deploy).describe(str).danger


def test_a_declared_command_asks_likewise() -> None:
    """Two keys of its table."""
    table = {"run": ["sh", "{unit}"], "arguments": {"unit": {}}, "confirm": "Restart {unit}?", "danger": True}
    told = declare("RESTART", table).describe(str)
    assert (told.confirm, told.danger) == ("Restart {unit}?", True)


def test_an_argument_is_told_to_be_a_secret_or_a_file() -> None:
    """So that clients keep the one nowhere, and read the other where they are asked to."""

    def send(_context: Context, key: Key, body: Annotated[bytes, Argument(file=True)]) -> None:
        """Send."""

    key, body = made(send).describe(str).arguments
    assert (key.secret, key.file, body.secret, body.file) == (True, False, False, True)
