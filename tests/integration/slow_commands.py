"""Commands that take their time, for tests to load into a server and to steer."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator

from secure_protocol.errors import CommandError
from secure_protocol.replies import ReplyKind
from secure_server.commands.command import command
from secure_server.commands.context import Context
from tests.integration.peers import PATIENCE_SECONDS

LINE = "x" * 1000


class Seen:
    """What the handlers did, and what they wait for."""

    produced = 0
    cancelled = threading.Event()
    closed = threading.Event()
    started = threading.Event()
    released = threading.Event()

    @classmethod
    def forget(cls) -> None:
        """Begin anew."""
        cls.produced = 0
        for event in (cls.cancelled, cls.closed, cls.started, cls.released):
            event.clear()


@command("COUNT", reply=ReplyKind.STREAM)
def count(context: Context, most: int, end: str = "") -> Generator[str, None, str | None]:
    """Count, with progress, and end as told."""
    for number in range(most):
        context.progress((number + 1) / most, f"step {number + 1}")
        yield f".line {number + 1}"
    if end == "value":
        return "the end"
    if end == "fail":
        raise CommandError("It broke.")
    if end == "bug":
        raise ZeroDivisionError("secret")
    return None


@command("FLOOD", reply=ReplyKind.STREAM)
def flood(context: Context) -> Iterator[str]:
    """Produce as fast as it is read, for ever."""
    Seen.started.set()
    try:
        while True:
            Seen.produced += 1
            yield LINE
    finally:
        if context.cancelled.is_set():
            Seen.cancelled.set()
        Seen.closed.set()


@command("WAIT", timeout=0.2)
def wait(context: Context, *, stubborn: bool = False) -> str:
    """Wait to be told to stop, or not even then."""
    Seen.started.set()
    if stubborn:
        assert Seen.released.wait(PATIENCE_SECONDS)
    else:
        assert context.cancelled.wait(PATIENCE_SECONDS)
        Seen.cancelled.set()
    return "too late"


@command("FOREVER", timeout=None)
def forever(context: Context) -> str:
    """Wait to be told to stop, without a deadline."""
    Seen.started.set()
    assert context.cancelled.wait(PATIENCE_SECONDS)
    Seen.cancelled.set()
    return "too late"


@command("HOLD", timeout=None)
def hold(_context: Context) -> str:
    """Keep a worker until the test lets it go, whatever the peer does."""
    Seen.started.set()
    Seen.released.wait(PATIENCE_SECONDS)
    return "released"
