"""docs/administration.md teaches what is so: its lines are taken by the server, its short words are the shell's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from secure_client.terminal.local.aliases import OURS
from secure_protocol.errors import CommandError
from secure_protocol.text_requests import split
from secure_server.admin.shell import SHORT_WORDS
from secure_server.commands.builtin import BUILT_IN
from secure_server.commands.registry import Registry

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "administration.md").read_text(encoding="utf-8")
TYPED = re.findall(r"^admin> (.+)$", PAGE, re.MULTILINE)


def registry() -> Registry:
    """The built-in commands."""
    found = Registry()
    found.load(BUILT_IN)
    return found


def meant(line: str) -> str:
    """Return a line with what its first word stands for, where it is none of a family's own."""
    word, blank, rest = line.partition(" ")
    short = SHORT_WORDS.get(word) or dict(OURS).get(word, ("",))[0]
    if not short or registry().named(" ".join(line.split()[:2])) is not None:
        return line
    return f"{short}{blank}{rest}"


@pytest.mark.parametrize("line", TYPED)
def test_each_line_is_one_that_the_server_takes(line: str) -> None:
    """Its command is there, and takes these arguments."""
    words = split(meant(line).encode())
    if words[0].startswith(b"\\"):
        return
    try:
        command, given = registry().find(words)
        command.signature.bind(command.name, given)
    except CommandError as error:
        pytest.fail(f"{line}: {error.sentence()}")


def test_each_short_word_of_a_task_is_the_shells() -> None:
    """And those that an administrator needs are taught."""
    taught = {line.partition(" ")[0] for line in TYPED}
    assert {"top", "slow", "stats", "limits", "drain", "shutdown", "ban", "bans", "why", "log", "doctor"} <= taught
    assert {"backup", "client", "closed", "token", "penalties"} <= taught & SHORT_WORDS.keys()
    assert "`watch`" in PAGE


@pytest.mark.parametrize(
    "task",
    [
        *("Who is this?", "Get them off", "Why can't she log in?", "What happened last night?"),
        *("The server is slow", "Going into maintenance", "From another machine"),
    ],
)
def test_each_task_is_there(task: str) -> None:
    """As a heading that is looked for."""
    assert f"\n## {task}\n" in PAGE
