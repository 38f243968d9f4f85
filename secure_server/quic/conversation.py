"""A session joined to the stream of a QUIC connection; see `secure_server.net.conversation`."""

from __future__ import annotations

from typing import Protocol

from secure_protocol.reasons import CloseReason
from secure_server.net.conversation import Conversation, Outlet


class Stream(Outlet, Protocol):
    """The one stream of a connection."""

    @property
    def waiting(self) -> bool:
        """Whether something came that was not taken, be it the end."""
        ...

    def take(self) -> bytes | None:
        """Return a piece of what came: None for nothing now, nothing at all at the end, once."""
        ...

    def finish(self, reason: CloseReason | None, /) -> None:
        """The session is over, and has said so: end behind that."""


class QuicConversation(Conversation):
    """A session on the stream of a connection."""

    _wire: Stream

    def settle(self) -> None:
        """Take what came when the session wants it; in another round, so that the others have their turns."""
        if self._wire.waiting:
            self._loop.call_soon(self.read)

    def read(self) -> None:
        """Hand the session a piece of what came, once in a round."""
        if not self._open or self._received or not self._session.wants_input:
            return
        if (data := self._wire.take()) is not None:
            self.receive(data)
            if data and self._open and self._wire.waiting:
                self._loop.call_soon(self.read)

    def taken_down(self) -> None:
        """End the stream behind what was sent, and then the connection."""
        self._wire.finish(self._session.close_reason)
