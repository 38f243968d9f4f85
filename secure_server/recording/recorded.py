"""What is to know of a command that is recorded, and in which words its outcome is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from secure_protocol.text_requests import Request
from secure_server.audit.record import Entry, Value, Withheld, held
from secure_server.audit.who import Who

OK = "ok"
"""The outcome of a command that was answered."""
INTERNAL_ERROR = "internal-error"
"""The outcome of a command whose handler failed by its own fault."""
DONE = "done"
"""The outcome of a job that ended well."""
UNKNOWN = "?"
"""What a command is called that there is not: the peer's own word may be a mistyped secret."""


class Recorded(Protocol):
    """What is to know of a command; see `secure_server.commands.command`."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def audit(self) -> bool:
        """It is written to the trail."""
        ...

    @property
    def durable(self) -> bool:
        """It is on disk before it is answered."""
        ...

    @property
    def inline(self) -> bool:
        """Its handler runs on the loop, unless it is durable."""
        ...

    def shown(self, given: Request) -> Sequence[bytes | Withheld] | None:
        """What of a request's arguments may be recorded; None for nothing."""
        ...


def entry_of(moment: float, who: Who, command: Recorded | None, given: Request, outcome: str) -> Entry:
    """Return a request as the trail has it.

    Args:
        moment: of the trail's clock.
        who: asked.
        command: which; None for one that there is not.
        given: its arguments as they came.
        outcome: of it.
    """
    name, more = UNKNOWN, 0
    arguments: Sequence[bytes | Withheld] | None = ()
    if command is not None:
        name, arguments = command.name, command.shown(given)
        if arguments is not None:
            arguments, more = held(arguments)
    return Entry(moment, "command", outcome, who.principal, who.address, who.session, name, arguments, more)


def took(seconds: float | None) -> dict[str, Value]:
    """Return how long something took, as a detail; none where nobody knows."""
    return {} if seconds is None else {"ms": round(seconds * 1000)}


def exited(code: int | None) -> dict[str, Value]:
    """Return the exit code of a program, likewise."""
    return {} if code is None else {"exit_code": code}
