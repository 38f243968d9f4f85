"""What answers which request, as a table: the page, the session, and what else is served over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

from secure_server.net.wire import Wire
from secure_server.session.session import Session
from secure_server.web.message import Answer, Question, told

Seated = Callable[[Session], None]


class Handover:
    """What a connection becomes when HTTP is over: a session's.

    Args:
        transport: what its sessions' peers are said to come by.
        head: sent first, whole.
        wire: makes the wire from the connection's own, and from what came behind the request.
    """

    def __init__(self, transport: str, head: bytes, wire: Callable[[Wire, bytes, Callable[[], Session]], Wire]) -> None:
        self.transport = transport
        self.head = head
        self.wire = wire


Row = Callable[[Question], Answer | Handover | None]
"""Answers a question, or says that it is another's. On the newcomers' thread: it does not wait for anything."""


class Routes:
    """Finds who answers.

    Args:
        rows: asked in turn.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = tuple(rows)

    def answer(self, question: Question) -> Answer | Handover:
        """Return what the first gave that had anything to say."""
        for row in self._rows:
            found = row(question)
            if found is not None:
                return found
        return told(HTTPStatus.NOT_FOUND)
