"""Commands that go wrong, or say what is hard to write, and some that are called in other ways."""

from __future__ import annotations

from secure_protocol.errors import CommandError
from secure_server.commands.command import command
from secure_server.commands.context import Context


@command("FAIL")
def fail(_context: Context, why: str = "It did not work.") -> str:
    """Fail as a command does."""
    raise CommandError(why)


@command("BREAK")
def break_(_context: Context) -> str:
    """Fail by a fault of its own."""
    raise RuntimeError("secret")


@command("INFINITE")
def infinite(_context: Context) -> list[float]:
    """Say what JSON has no word for."""
    return [float("inf"), 1.5]


@command("CACHE CLEAR")
def cache_clear(_context: Context) -> str:
    """Be two words."""
    return "cleared"


@command("COPY")
def copy(_context: Context, text: str, *, force: bool = False) -> str:
    """Have a flag."""
    return f"{text} {force}"


@command("MANY")
def many(_context: Context) -> list[int]:
    """Say many numbers."""
    return [7] * 300_000
