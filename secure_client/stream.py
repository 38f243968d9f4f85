"""A streamed answer as the library's user has it: its parts, one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from secure_client.connection.request import Request
from secure_client.core.progress import Progress
from secure_client.errors import ClientError, no_longer_waiting


class Stream:
    """The parts of an answer, as they come; for one thread. Leaving it early has the server end the command.

        with client.stream("TAIL", "web") as lines:
            for line in lines:
                print(line)

    Args:
        request: streaming, and sent.
        timeout: seconds without any sign of the command.
        too_late: gives the request up, and returns what to raise.

    Attributes:
        progress: what was told last; None: nothing yet.
    """

    def __init__(self, request: Request, timeout: float, too_late: Callable[[Request, float], ClientError]) -> None:
        self._request = request
        self._timeout = timeout
        self._too_late = too_late
        self._waiting: deque[object] = deque()
        self._over = False
        self.progress: Progress | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> object:
        """Return the next part.

        Raises:
            StopIteration: that was all; `result` is the answer behind it.
            ClientError: the command failed, or gave no sign for too long.
        """
        while not self._waiting:
            if self._over:
                if self._request.done():
                    self._request.answer()
                raise StopIteration
            if not self._request.parts.wait(self._timeout):
                self._over = True
                raise self._too_late(self._request, self._timeout)
            parts, progress, self._over = self._request.parts.take()
            self._waiting += parts
            self.progress = progress or self.progress
        return self._waiting.popleft()

    def result(self) -> object:
        """Pass over what is left, and return the answer behind the parts: `OK`, where the command says no more.

        Raises:
            GivenUpError: it was left before there was one.
            ClientError: as iterating.
        """
        for _part in self:
            pass
        if not self._request.done():
            raise no_longer_waiting()
        return self._request.answer()

    def close(self) -> None:
        """Have the server end the command, unless it has ended. Any number of times."""
        self._waiting.clear()
        self._over = True
        if not self._request.done():
            self._request.abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:  # a `for` that was left: nobody reads on, so the connection would stand still
        self.close()
