"""The commands by name."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from dataclasses import replace

import pytest

from secure_protocol.errors import CommandError
from secure_server.auth.principal import Principal, Role
from secure_server.commands.authorizer import may_run
from secure_server.commands.builtin import BUILT_IN, basic
from secure_server.commands.command import Command, command
from secure_server.commands.context import Context
from secure_server.commands.registry import DuplicateCommandError, Registry
from secure_server.commands.signature import Signature


def handler(_context: Context) -> None:
    """Do nothing."""


def made(name: str, role: Role = Role.USER) -> Command:
    """A command of that name."""
    return Command(name, handler, Signature(handler), role=role)


@pytest.fixture
def registry() -> Registry:
    """Two commands and a container with two."""
    filled = Registry()
    for name in ("ECHO", "TIME", "CLIENT LIST", "CLIENT ID"):
        filled.add(made(name))
    return filled


@pytest.mark.parametrize(
    ("request_", "name", "rest"),
    [
        ([b"ECHO"], "ECHO", []),
        ([b"eChO", b"x"], "ECHO", [b"x"]),
        ([b"client", b"list", b"ID", b"1"], "CLIENT LIST", [b"ID", b"1"]),
    ],
)
def test_commands_are_found_in_any_case(
    registry: Registry, request_: list[bytes], name: str, rest: list[bytes]
) -> None:
    """And the rest are its arguments, untouched."""
    found, arguments = registry.find(request_)
    assert (found.name, arguments) == (name, rest)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ([b"NOPE"], "Unknown command."),
        ([b""], "Unknown command."),
        ([b"\xff\0"], "Unknown command."),
        ([b"ECOH"], "Unknown command. Did you mean ECHO?"),
        ([b"echoo", b"x"], "Unknown command. Did you mean ECHO?"),
        ([b"EHO"], "Unknown command. Did you mean ECHO?"),
        ([b"ecko"], "Unknown command. Did you mean ECHO?"),
        ([b"clint", b"list"], "Unknown command. Did you mean CLIENT?"),
        ([b"EH"], "Unknown command."),
        ([b"E" * 100_000], "Unknown command."),
        ([b"CLIENT"], "Unknown subcommand; CLIENT takes ID, LIST."),
        ([b"client", b"nope"], "Unknown subcommand; CLIENT takes ID, LIST."),
    ],
)
def test_what_is_unknown_is_said_to_be(registry: Registry, request_: list[bytes], said: str) -> None:
    """A container names what it holds."""
    with pytest.raises(CommandError) as caught:
        registry.find(request_)
    assert caught.value.sentence() == said


def test_what_may_not_be_known_is_not_meant(registry: Registry) -> None:
    """Nobody learns by a slip of the fingers what they may not run."""
    said = registry.unknown([b"ECOH"], lambda command: command.name != "ECHO").sentence()
    assert said == "Unknown command."


@pytest.mark.parametrize("name", ["ECHO", "CLIENT LIST", "CLIENT", "TIME NOW"])
def test_no_name_is_taken_twice(registry: Registry, name: str) -> None:
    """Nor is a container's name a command's."""
    with pytest.raises(DuplicateCommandError, match=name):
        registry.add(made(name))


@pytest.mark.parametrize(
    ("name", "found"),
    [("echo", "ECHO"), ("client list", "CLIENT LIST"), ("client", None), ("echo x", None), ("", None), ("é", None)],
)
def test_named_finds_exactly_one(registry: Registry, name: str, found: str | None) -> None:
    """A whole name, and nothing behind it."""
    command_ = registry.named(name)
    assert (None if command_ is None else command_.name) == found


@pytest.fixture
def internal(registry: Registry) -> Registry:
    """Two that are internal, one of them in a container."""
    registry.add(replace(made("ECHE"), internal=True))
    registry.add(replace(made("CLIENT TELL"), internal=True))
    registry.add(replace(made("TEAM TELL"), internal=True))
    return registry


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ([b"ECHE"], "Unknown command. Did you mean ECHO?"),
        ([b"ECHA"], "Unknown command. Did you mean ECHO?"),
        ([b"client", b"tell"], "Unknown subcommand; CLIENT takes ID, LIST."),
        ([b"team", b"tell"], "Unknown command."),
        ([b"TEAN"], "Unknown command."),
    ],
)
def test_an_internal_command_is_not_there(internal: Registry, request_: list[bytes], said: str) -> None:
    """Whoever asks for it, or for what is like it, learns what they would learn without it."""
    with pytest.raises(CommandError) as caught:
        internal.find(request_)
    assert caught.value.sentence() == said


def test_an_internal_command_is_there_for_the_server_alone(internal: Registry) -> None:
    """By its name, in any case; nobody who lists commands sees it, and its name is taken."""
    assert [item.name for item in internal.internals] == ["ECHE", "CLIENT TELL", "TEAM TELL"]
    assert [item.name for item in internal] == ["CLIENT ID", "CLIENT LIST", "ECHO", "TIME"]
    assert internal.named("ECHE") is None
    assert internal.internal("client Tell") is internal.internals[1]
    assert internal.internal("ECHO") is None
    for name in ("ECHE", "TEAM TELL"):
        for again in (made(name), replace(made(name), internal=True)):
            with pytest.raises(DuplicateCommandError, match=name):
                internal.add(again)
    with pytest.raises(DuplicateCommandError, match="ECHO"):
        internal.add(replace(made("ECHO"), internal=True))


def test_the_order_is_made_once(registry: Registry) -> None:
    """By name, and the same tuple until a command is added: whoever keeps something by it sees that."""
    ordered = registry.ordered
    assert (
        [item.name for item in ordered]
        == [item.name for item in registry]
        == ["CLIENT ID", "CLIENT LIST", "ECHO", "TIME"]
    )
    assert registry.ordered is ordered
    registry.add(made("CLIENT INFO"))
    assert [item.name for item in registry.ordered] == ["CLIENT ID", "CLIENT INFO", "CLIENT LIST", "ECHO", "TIME"]
    assert [item.name for item in ordered] == ["CLIENT ID", "CLIENT LIST", "ECHO", "TIME"]
    assert Registry().ordered == ()


def test_a_modules_own_commands_are_loaded_aliases_too() -> None:
    """Not those it imported from elsewhere."""
    module = types.ModuleType("operator_commands")

    def restart(context: Context) -> None:
        """Do something."""

    restart.__module__ = "operator_commands"
    command("restart")(command("again")(restart))
    vars(module).update(restart=restart, imported=basic.echo)
    registry = Registry()
    registry.load([module])
    assert [item.name for item in registry] == ["AGAIN", "RESTART"]


def test_the_built_in_commands_are_what_the_design_names() -> None:
    """A command more or less is a decision, and is made here."""
    registry = Registry()
    registry.load(BUILT_IN)
    assert {item.name for item in registry if item.role is Role.NOBODY} == {"AUTH", "CA", "EXIT", "HELLO", "QUIT"}
    assert {item.name for item in registry if item.role is Role.ADMIN} == {
        "CLIENT KILL",
        "CLIENT LIST",
        "CLIENT SHOW",
        "CLIENTS",
        "AUDIT",
        "BAN ADD",
        "BAN LIST",
        "BAN REMOVE",
        "BROADCAST",
        "CERT RESTORE",
        "CERT REVOKE",
        "CERT REVOKED",
        "CERT RELOAD",
        "CERT SHOW",
        "CONFIG CHECK",
        "CONFIG DIFF",
        "CONFIG RELOAD",
        "CONFIG SET",
        "CONFIG SHOW",
        "CONFIG UNSET",
        "JOB RELEASE",
        "KICK",
        "SERVER LOG-LEVEL",
        "SERVER LOG",
        "SERVER WATCH",
        "PENALTY CLEAR",
        "PENALTY EXPLAIN",
        "PENALTY LIST",
        "PREVIEW DRAIN",
        "PREVIEW KICK",
        "SERVER AUDIT",
        "SERVER BACKUP",
        "SERVER DOCTOR",
        "SERVER DRAIN",
        "SERVER SHUTDOWN",
        "SERVER WHY",
        "TOKEN CREATE",
        "TOKEN PURGE",
        "TOKEN REFRESH",
        "TOKEN REVOKE",
        "TOKEN ROTATE",
        "TOKEN SHOW",
        "SERVER LIMITS",
        "SERVER METRICS",
        "SERVER SLOW",
        "SERVER TOP",
        "SERVER STATS",
        "TOKENS",
    }
    assert {"ECHO", "TIME", "PING", "HELP", "COMMANDS", "WHOAMI", "LANG"} <= {item.name for item in registry}
    assert all(item.summary for item in registry)
    assert {item.name for item in registry if item.secret} == {
        "AUTH",
        "COMPLETE",
        "ENROLL",
        "HELLO",
        "TOKEN CREATE",
        "TOKEN ROTATE",
    }
    assert {item.name for item in registry if item.unlimited} == {
        "CANCEL",
        "DETACH",
        "EXIT",
        "JOB CANCEL",
        "QUIT",
    }


def test_a_list_does_not_forbid_what_concerns_the_session() -> None:
    """A token for one command still gets help, a language, completion and an end; no other work, and no higher role."""
    registry = Registry()
    registry.load(BUILT_IN)
    principal = Principal("ci", Role.USER, "t", frozenset({"DISK"}))
    allowed = {item.name for item in registry if may_run(principal, item)}
    assert {"HELP", "COMMANDS", "COMPLETE", "LANG", "CANCEL", "PING", "QUIT", "CLIENT SETINFO", "INFO"} <= allowed
    assert not {"ECHO", "TIME", "CLIENTS", "CLIENT LIST", "BROADCAST"} & allowed


@pytest.mark.parametrize(
    ("role", "allow", "needs", "may"),
    [
        (None, None, Role.NOBODY, True),
        (None, None, Role.USER, False),
        (Role.USER, None, Role.USER, True),
        (Role.USER, None, Role.OPERATOR, False),
        (Role.ADMIN, None, Role.OPERATOR, True),
        (Role.ADMIN, frozenset({"X"}), Role.USER, True),
        (Role.ADMIN, frozenset({"Y"}), Role.USER, False),
        (Role.ADMIN, frozenset({"Y"}), Role.NOBODY, True),
        (Role.USER, frozenset({"X"}), Role.ADMIN, False),
    ],
)
def test_the_authorizer_asks_for_role_and_list(
    role: Role | None,
    allow: frozenset[str] | None,
    needs: Role,
    may: bool,  # noqa: FBT001 - a table
) -> None:
    """Both must hold; what strangers may do, everybody may. A list names a container by its first word."""
    principal = None if role is None else Principal("ada", role, "t", allow)
    assert may_run(principal, made("X", needs)) is may
    assert may_run(principal, made("X SUB", needs)) is may


@pytest.mark.parametrize(
    ("module", "given", "group"),
    [
        ('GROUP = "Mine"', "", "Mine"),
        ('GROUP = "Mine"', 'group="Other"', "Other"),
        ("", "", ""),
        ("import os; GROUP = os.getpid()", "", ""),
    ],
)
def test_the_subject_is_the_modules_where_none_is_given(module: str, given: str, group: str) -> None:
    """Also behind a decorator of another module; a constant of that name that is no text means something else."""
    source = f"""
{module}

from tests.secure_server.commands.test_registry import decorated
from secure_server.commands import Context, command
@command("X", {given})
@decorated
def x(context: Context) -> str:
    return "x"
"""
    made_here = types.ModuleType("plug_in")
    exec(source, made_here.__dict__)  # noqa: S102 - a module of this test
    registry = Registry()
    registry.load([made_here])
    (found,) = registry
    assert found.group == group
    assert found.describe(str).group == group


GROUP = "Of the decorator's module"


def decorated(handler: Callable[..., object]) -> Callable[..., object]:
    """Wrap it."""

    @functools.wraps(handler)
    def wrapping(*arguments: object) -> object:
        return handler(*arguments)

    return wrapping


def test_every_listed_command_of_ours_has_a_subject() -> None:
    """So that those without are the operator's own."""
    registry = Registry()
    registry.load(BUILT_IN)
    assert not [item.name for item in registry if not (item.group or item.hidden or item.internal)]
