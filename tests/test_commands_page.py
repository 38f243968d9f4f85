"""docs/commands.md teaches what is so: its examples load and run, its tables list every key."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from secure_server.auth.principal import Role
from secure_server.commands import command
from secure_server.commands.loading import ENTRY_POINTS
from secure_server.commands.parameter import ARGUMENT_BYTES
from secure_server.commands.programs.declaration import INHERITED, Declaration, DeclaredArgument
from secure_server.commands.programs.process import LINE_BYTES
from secure_server.commands.programs.program import PRINCIPAL, declare
from tests.secure_server.host import Host, taken

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "commands.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The examples in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def keys(heading: str) -> list[str]:
    """The first column of a table."""
    table = re.search(rf"^\| {re.escape(heading)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table is not None, heading
    return [line.split("|")[1].strip(" `") for line in table[1].splitlines()]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host with every command of the page."""
    with Host(tmp_path) as running:
        for number, text in enumerate(blocks("python")):
            module = ModuleType(f"example{number}")
            exec(compile(text, f"docs/commands.md, example {number}", "exec", dont_inherit=True), vars(module))  # noqa: S102 - the page's own
            running.registry.load([module])
        for text in blocks("toml"):
            declared = tomllib.loads(text).get("commands", {})
            for name in declared.keys() - {"modules"}:
                running.registry.add(declare(name, declared[name]))
        yield running


def test_the_examples_load(host: Host) -> None:
    """All of them, as what they are."""
    assert all(
        host.registry.named(name) for name in ("DISK", "FOLLOW", "GREET", "DEPLOY", "COUNTDOWN", "RESTORE", "PASSWORD")
    )
    assert tomllib.loads(blocks("toml")[-2])["commands"]["modules"]
    assert ENTRY_POINTS in tomllib.loads(blocks("toml")[-1])["project"]["entry-points"]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("DISK /etc", "ERROR: Argument path: /etc is not one of /, /srv.\n"),
        ("GREET", "hello, world\n"),
        ("GREET you", "hello, you\n"),
        ("DEPLOY web Production A-1 B-22 --lines 5 --force", "web production ('A-1', 'B-22') 5 0:00:30 True\n"),
        ("DEPLOY web staging a", "ERROR: Argument tickets: a does not match [A-Z]+-[0-9]+.\n"),
        ("COUNTDOWN 4000", "ERROR: 4000 seconds are too many; at most 3600.\n"),
    ],
)
def test_the_examples_do_what_the_page_says(host: Host, line: str, answer: str) -> None:
    """As an operator, for a person."""
    assert host.ask(host.user("op", Role.OPERATOR), line) == answer


def test_the_stream_ends_when_it_is_cancelled(host: Host) -> None:
    """`context.cancelled` wakes it."""
    session = host.user()
    host.send(session, b"COUNTDOWN 3\n")
    host.turn()
    assert taken(session).decode() == "3 …\n"
    session.cancel()
    output = b""
    while session.busy:
        host.turn()
        output += taken(session)
    assert output.decode().splitlines()[-2:] == ["ERROR: CANCELLED The command was cancelled.", "."]


def test_every_key_is_explained() -> None:
    """Those of a declaration, of its arguments, and of the decorator, with the numbers that hold."""
    assert keys("key") + keys("of a job") == list(Declaration.__struct_fields__)
    assert sorted(keys("key of an argument")) == sorted(DeclaredArgument.__struct_fields__)
    taken_by_decorator = set(inspect.signature(command).parameters) - {
        "form",
        "columns",
        "empty",
        "unmatched",
        "pages",
        "minor",
        "urgent",
    }
    assert set(keys("of `@command`") + keys("of a job")) == taken_by_decorator
    assert ", ".join(f"`{name}`" for name in INHERITED) in " ".join(PAGE.split())
    assert f"`{PRINCIPAL}`" in PAGE
    assert PAGE.count(f"{ARGUMENT_BYTES} bytes") == 2
    assert ARGUMENT_BYTES == LINE_BYTES
