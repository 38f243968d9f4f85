"""Commands that go out without waiting for each other's answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

from secure_client.connection.request import Request
from secure_client.core.call import PIPELINED
from secure_client.core.known import Word
from secure_client.errors import ClientError


class Sender(Protocol):
    """What a pipeline needs of its client."""

    def submit(self, arguments: Sequence[Word]) -> Request:
        """Send a command."""

    def result(self, request: Request, timeout: float) -> object:
        """Wait for its answer."""


def pipelined(client: Sender, commands: Iterable[Sequence[Word]], timeout: float) -> list[object]:
    """Run commands, and return their answers in order; see `Client.pipeline`."""
    outcomes: list[object] = []
    waiting: deque[Request | ClientError] = deque()

    def take_oldest() -> None:
        oldest = waiting.popleft()
        try:
            outcomes.append(oldest if isinstance(oldest, ClientError) else client.result(oldest, timeout))
        except ClientError as error:
            outcomes.append(error)

    try:
        for words in commands:
            if len(waiting) >= PIPELINED:
                take_oldest()
            try:
                waiting.append(client.submit(words))
            except ClientError as error:
                waiting.append(error)
        while waiting:
            take_oldest()
    finally:
        for left in waiting:  # none, unless something else was raised
            if isinstance(left, Request):
                left.abandon()
    return outcomes
