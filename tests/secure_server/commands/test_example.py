"""An example for each command that takes arguments: it is one, in each language, and is told to those who ask."""

from __future__ import annotations

import pytest

from secure_protocol.text_requests import split
from secure_server.auth.principal import Role
from secure_server.commands.builtin import BUILT_IN
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.commands.programs.declaration import DeclarationError
from secure_server.commands.programs.program import declare
from secure_server.commands.registry import Registry
from secure_server.commands.signature import SignatureError
from secure_server.i18n import LANGUAGES, translator
from tests.secure_server.host import Host


def built_in() -> Registry:
    """All commands that come with the server."""
    registry = Registry()
    registry.load(BUILT_IN)
    return registry


def test_each_built_in_command_with_arguments_has_one() -> None:
    """And none has one that takes nothing. What is listed here lacks `example=` of `@command`."""
    lacking = [item.name for item in built_in() if item.signature.parameters and not item.example]
    assert lacking == []
    assert [item.name for item in built_in() if item.example and not item.signature.parameters] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_is_one_in_each_language(language: str) -> None:
    """Translated, it is taken by the command as it is in English."""
    for item in built_in():
        example = item.describe(translator(language)).example
        if example:
            item.signature.bind(item.name, split(example.encode()))


def restart(_context: Context, unit: str, *, delay: int = 0) -> None:
    """Restart one."""


@pytest.mark.parametrize(
    ("example", "why"),
    [
        ("a b", "'RESTART': its example 'a b' is none: "),
        ("web --dealy 5", "Unknown option --dealy"),
        ("web --delay soon", "soon"),
        ('"web', "is none: "),
    ],
)
def test_what_the_command_would_refuse_is_no_example(example: str, why: str) -> None:
    """It is told to the author at the start, and not to whoever tries it."""
    with pytest.raises(SignatureError) as caught:
        command("RESTART", example=example)(restart)
    assert why.replace("'RESTART'", "RESTART") in str(caught.value)


def test_help_and_descriptions_tell_it(host: Host) -> None:
    """With the name, so that it can be typed as it stands; of a command without one nothing is said."""
    host.command("RESTART", restart, role=Role.USER, example="web --delay 5")
    host.command("HOLD", lambda _context: None)
    session, program = host.user(), host.program(3, "bob")
    assert "For example: RESTART web --delay 5" in host.ask(session, "HELP restart").splitlines()
    assert "example" not in host.ask(session, "HELP hold")
    assert b"$7\r\nexample\r\n$13\r\nweb --delay 5\r\n" in host.call(program, "COMMANDS")


def test_a_command_of_the_configuration_has_one() -> None:
    """Checked likewise."""
    table = {"run": ["systemctl", "restart", "{unit}"], "arguments": {"unit": {"choices": ["web"]}}}
    assert declare("RESTART", {**table, "example": "web"}).example == "web"
    with pytest.raises(DeclarationError, match="its example 'db' is none"):
        declare("RESTART", {**table, "example": "db"})
