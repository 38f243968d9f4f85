"""What answers which request, as a table: the page, the session, and what else is served over HTTP."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from http import HTTPStatus

import h11

from secure_server.net.wire import Wire
from secure_server.session.peer import Peer
from secure_server.session.session import Session
from secure_server.web.message import Answer, Question, told


class Handover(ABC):
    """What a connection becomes when a stranger's HTTP is over: a session's.

    Attributes:
        transport: what its sessions' peers are said to come by.
        head: sent first, whole.
        takes_body: whether the request may have one, which the wire reads.
        peer: whose session it is; put here by who asked for it.
    """

    transport: str
    peer: Peer
    head = b""
    takes_body = False

    @abstractmethod
    def wire(self, inner: Wire, http: h11.Connection, session: Callable[[], Session]) -> Wire:
        """Make the wire from the connection's own, and from what was read of it.

        Args:
            inner: the connection's.
            http: behind the head of the request.
            session: returns whose bytes it is going to carry.
        """


Deliver = Callable[[Answer], None]
"""Takes an answer. Any thread."""


class Awaited:
    """An answer that is made elsewhere, for it takes its time.

    Args:
        begin: has it made and delivered, once; on the newcomers' thread, and it does not wait.
    """

    def __init__(self, begin: Callable[[Deliver], None]) -> None:
        self.begin = begin


Row = Callable[[Question], Answer | Awaited | Handover | None]
"""Answers a question, or says that it is another's. On the newcomers' thread: it does not wait for anything."""


class Routes:
    """Finds who answers.

    Args:
        rows: asked in turn.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = tuple(rows)

    def answer(self, question: Question) -> Answer | Awaited | Handover:
        """Return what the first gave that had anything to say."""
        for row in self._rows:
            found = row(question)
            if found is not None:
                return found
        return told(HTTPStatus.NOT_FOUND)
