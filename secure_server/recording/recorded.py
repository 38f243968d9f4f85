"""What is to know of a command that is recorded, and in which words its outcome is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from secure_protocol.text_requests import Request
from secure_server.audit.record import Withheld

OK = "ok"
"""The outcome of a command that was answered."""
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
