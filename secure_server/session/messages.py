"""Messages on their way to a peer that did not ask: posted by other threads, and held back behind a reply."""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol

from secure_protocol.replies import Push

MESSAGE = "message"
"""The kind of push: `message <from> <text>`."""
NOTICES = 16
"""Messages that wait for the end of a text reply; older ones give way."""
POSTED = 256
"""Messages that wait for the owning thread; older ones give way, so that who posts without end fills no memory."""

_posting = threading.Lock()
"""Held for a moment where a message is posted: so seldom that one will do for all sessions."""
_making = threading.Lock()
"""Held where a session is given its `Messages`; likewise."""


class Messages:
    """What waits of one session's messages. Its queues are made when needed."""

    __slots__ = ("_held", "_posted")

    def __init__(self) -> None:
        self._posted: deque[Push] | None = None
        self._held: deque[Push] | None = None

    def post(self, push: Push) -> bool:
        """Let one wait for the owning thread; whether it is the first, and that one must be told. Any thread."""
        with _posting:
            first = self._posted is None
            if self._posted is None:
                self._posted = deque(maxlen=POSTED)
            self._posted.append(push)
        return first

    def posted(self) -> deque[Push]:
        """Take those that were posted."""
        with _posting:
            posted, self._posted = self._posted, None
        return posted or deque()

    def hold(self, push: Push) -> None:
        """Let one wait for the end of a reply."""
        if self._held is None:
            self._held = deque(maxlen=NOTICES)
        self._held.append(push)

    def held(self) -> deque[Push]:
        """Take those that waited."""
        held, self._held = self._held, None
        return held or deque()


class Recipient(Protocol):
    """Whoever may have messages: a session."""

    messages: Messages | None


def messages_of(recipient: Recipient) -> Messages:
    """Return what waits of its messages, made when needed. Any thread."""
    if recipient.messages is None:
        with _making:
            if recipient.messages is None:
                recipient.messages = Messages()
    return recipient.messages
