"""Long work on a worker, in pieces: between them the interpreter is everybody else's.

A worker that computes keeps the interpreter for 5 ms whenever another thread asks for it, and an I/O thread asks
several times for one request. So who goes through 10,000 sessions lets go of it by itself, and that often.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from secure_server.commands.context import Context
from secure_server.session.call import CallEndedError

T = TypeVar("T")

PIECE_SECONDS = 0.0005
"""Worked at a stretch; another client's request waits for a few of these at most."""
PAUSE_SECONDS = 0.0002
"""Slept after a piece: whoever waits for the interpreter has it by then. Merely to let go of it would not do, for the
one that lets go is back before the other has woken up."""


class Pieces:
    """Called again and again by work that takes long; sleeps in time. On a worker.

    Args:
        context: of the command; when that is to end, so is the work. None where no command asked for it.
    """

    def __init__(self, context: Context | None) -> None:
        self._call = None if context is None else context.call
        self._until = time.perf_counter() + PIECE_SECONDS

    def __call__(self) -> None:
        """Let others have their turn, where there was a piece of work since the last.

        Raises:
            CallEndedError: nobody waits for the command any more.
        """
        if time.perf_counter() < self._until:
            return
        if self._call is not None and self._call.ended_by is not None:
            raise CallEndedError
        time.sleep(PAUSE_SECONDS)
        self._until = time.perf_counter() + PIECE_SECONDS

    def of(self, items: Iterable[T]) -> Iterator[T]:
        """Give items one by one, with pauses between them."""
        for item in items:
            yield item
            self()
