"""Two starts that ask for the same have the same key, and no others have."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_server.commands import Argument, Context, command
from secure_server.commands.command import Command
from secure_server.jobs.alike import Alike

Long = Annotated[bytes, Argument(longest=65536)]


@command("DEPLOY")
def deploy(
    context: Context,
    service: Literal["web", "worker"],
    size: int = 5,
    body: Long = b"",
    *rest: Long,
    wait: timedelta = timedelta(minutes=5),
    note: str = "",
    bad: Annotated[int, Argument(minimum=1)] = 0,
) -> None:
    """Take arguments."""


@command("OTHER")
def other(context: Context, *rest: bytes) -> None:
    """Take anything."""


def made(handler: object) -> Command:
    """The command that a function is."""
    (found,) = vars(handler)["__command__"]
    assert isinstance(found, Command)
    return found


ALIKE = Alike()


def key(*arguments: bytes, of: object = deploy, alike: Alike = ALIKE) -> bytes:
    """The key of a start with these arguments."""
    item = made(of)
    return alike.key(item, *item.signature.bind(item.name, list(arguments)))


@pytest.mark.parametrize(
    "arguments",
    [
        (b"WEB",),
        (b"web", b"5"),
        (b"web", b"+05"),
        (b"--wait", b"300", b"web"),
        (b"web", b"--wait=5m"),
    ],
)
def test_another_way_to_write_the_same_is_the_same(arguments: tuple[bytes, ...]) -> None:
    """By what the command is given; what is left out is its default."""
    assert key(*arguments) == key(b"web")


@pytest.mark.parametrize(
    "arguments",
    [
        (b"worker",),
        (b"web", b"6"),
        (b"web", b"5", b"x"),
        (b"web", b"5", b"", b"x"),
        (b"web", b"5", b"x", b"y"),
        (b"web", b"5", b"xy"),
        (b"web", b"5", b"x", b"y", b""),
        (b"web", b"5", b"", b"", b"xy"),
        (b"web", b"--note", b"x"),
        (b"web", b"--wait", b"6m"),
        (b"web", b"5", b"\xff"),
        (b"web", b"5", b"\\xff"),
    ],
)
def test_what_differs_differs(arguments: tuple[bytes, ...]) -> None:
    """However the words run together."""
    every = {key(*arguments), key(b"web"), key(b"web", b"5", b"a", b"b", b"c"), key(b"web", b"5", b"abc")}
    assert len(every) == 4


@settings(deadline=None)
@given(st.lists(st.lists(st.binary(max_size=3), max_size=4), min_size=2, max_size=2, unique_by=tuple))
def test_no_two_lists_of_arguments_have_the_same_key(arguments: list[list[bytes]]) -> None:
    """The encoding of a list is that of no other list."""
    first, second = (key(*given, of=other) for given in arguments)
    assert first != second


def test_the_command_counts() -> None:
    """Another command's arguments are other ones."""

    def same(context: Context, *rest: bytes) -> None:
        """Take anything."""

    command("SAME")(same)
    assert key(b"x", of=same) != key(b"x", of=other)


def test_a_key_tells_nothing_of_what_it_is_of() -> None:
    """Another process makes others, so that nobody can try arguments; and none of them is kept."""
    arguments = (b"web", b"5", b"a secret")
    assert key(*arguments) == key(*arguments)
    assert key(*arguments) != key(*arguments, alike=Alike())
    assert len(key(*arguments)) == 32
    assert vars(ALIKE).keys() == {"_secret"}
    assert "_secret" not in repr(ALIKE)
