"""A command, as far as log, trail and watchers need to know it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from secure_protocol.text_requests import Request
from secure_server.audit.record import Withheld


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

    def shown(self, given: Request) -> Sequence[bytes | Withheld] | None:
        """What of a request's arguments may be recorded; None for nothing."""
        ...
