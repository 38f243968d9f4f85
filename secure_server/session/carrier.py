"""What a session needs of whatever carries it: the owning thread, and its timers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from secure_protocol.reasons import CloseReason


class Timer(Protocol):
    """A callback to come."""

    def cancel(self) -> None:
        """Forget it."""


class Carrier(Protocol):
    """What a session is joined to; see `secure_server.net.conversation`."""

    def call_soon(self, callback: Callable[[], None], /) -> None:
        """Run `callback` on the owning thread in a round to come, and send what it answered. Any thread."""

    def call_later(self, seconds: float, callback: Callable[[], None], /) -> Timer:
        """Do so after so many seconds. Owning thread only."""
        ...

    def close(self, reason: CloseReason, /) -> None:
        """Send what the peer takes at this moment, and end. Owning thread only."""
