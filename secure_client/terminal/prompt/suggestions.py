"""What the server offers for the word being typed: `COMPLETE --told <command> <argument> … <word>`.

Asked while the user types on, one question at a time, each answer waited for only so long and kept for a moment. A
server that knows no COMPLETE is not asked again; one that does not say in HELLO that it knows `--told` is asked without
it.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from secure_client.client import Client
from secure_client.connection.request import Request
from secure_client.core.status import State
from secure_client.errors import ClientError, CommandFailed
from secure_protocol.errors import ErrorCode

PATIENCE = 1.0
"""Seconds an answer is waited for; the server itself gives a completion half of that."""
STEP = 0.05
"""Seconds between looks whether the user has typed on meanwhile."""
LIFETIME = 5.0
"""Seconds an answer is good for: what can be completed changes while the server runs."""
MOST_KEPT = 128
"""Answers kept; the oldest go first."""
MOST_WORDS = 200
"""Candidates taken of one answer; the server's own bound is lower."""

Question = tuple[str, ...]
Suggestion = tuple[str, str]
"""A word, and what the server says of it; mostly nothing."""


class Suggestions:
    """Asks, and remembers the answers.

    Args:
        client: whom to ask.
        clock: monotonic seconds.
    """

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._known: OrderedDict[Question, tuple[float, list[Suggestion]]] = OrderedDict()
        self._known_of = client.catalogue  # where the commands are others, so may be what they take
        self._asked: Request | None = None
        self._unknown_to: object = None  # the session whose server has no COMPLETE

    async def get(self, words: Sequence[str], wanted: Callable[[], bool]) -> list[Suggestion]:
        """Return what the last of `words` may become; nothing where nobody says so in time.

        Args:
            words: the command, its arguments, and the word being typed, which may be empty.
            wanted: whether the user still waits for it; looked at now and then.
        """
        question = tuple(words)
        deadline = self._clock() + PATIENCE
        while (known := self.known(question)) is None:
            if (self._asked is None or self._asked.done()) and not self._ask(question):
                return []
            if self._clock() >= deadline or not wanted():
                return []
            await asyncio.sleep(STEP)
        return known

    def known(self, question: Question) -> list[Suggestion] | None:
        """Return an answer that is still good. A word that can become nothing does not by getting longer."""
        if self._client.catalogue is not self._known_of:
            self._known.clear()
            self._known_of = self._client.catalogue
        *before, typed = question
        for length in range(len(typed), -1, -1):
            told, found = self._known.get((*before, typed[:length]), (0.0, None))
            if found is not None and self._clock() - told < LIFETIME and (length == len(typed) or not found):
                return found
        return None

    def _ask(self, question: Question) -> bool:
        status = self._client.status
        if status.state is not State.CONNECTED or status.session is self._unknown_to:
            return False
        told = status.session is not None and status.session.tells
        words = ["COMPLETE", *(["--told"] if told else []), *question]
        try:
            request = self._client.submit(words, idempotent=True)
        except ClientError:
            return False

        catalogue = self._client.catalogue

        def remember(done: Request) -> None:
            error = done.exception()
            if isinstance(error, CommandFailed) and error.code == ErrorCode.ERR:
                self._unknown_to = status.session
            answer = done.result() if error is None else None
            found = _read(answer if isinstance(answer, list) else [], told=told)
            if catalogue is self._client.catalogue:
                self._known[question] = self._clock(), found[:MOST_WORDS]
            if len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)

        self._asked = request
        request.add_done_callback(remember)
        return True


def _read(answer: list[object], *, told: bool) -> list[Suggestion]:
    """Return what an answer has; what is no text in it is passed over."""
    words, sayings = (answer[::2], answer[1::2]) if told else (answer, [""] * len(answer))
    pairs = zip(words, sayings, strict=False)
    return [(word, saying if isinstance(saying, str) else "") for word, saying in pairs if isinstance(word, str)]
