"""What the server tells unasked, as the library's user has it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from secure_client.core.call import PUSHES_KEPT
from secure_protocol.replies import Push


class Pushes:
    """The pushes since it was made, one after the other, over all connections, until the client stops. Any thread.

        with client.pushes() as news:
            for push in news:
                print(push.kind, push.items)

    Args:
        forget: called with it when it is closed.

    Attributes:
        dropped: how many were not taken in time.
    """

    def __init__(self, forget: Callable[[Pushes], object]) -> None:
        self._forget = forget
        self._changed = threading.Condition()
        self._waiting: deque[Push] = deque()
        self._closed = False
        self.dropped = 0

    def put(self, push: Push) -> None:
        """Take one. On the link's thread."""
        with self._changed:
            if len(self._waiting) >= PUSHES_KEPT:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(push)
            self._changed.notify()

    def get(self, timeout: float | None = None) -> Push | None:
        """Return the next push; None if none came in time, or none will come any more.

        Args:
            timeout: seconds; None: as long as it takes.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout)
            return self._waiting.popleft() if self._waiting else None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Push:
        push = self.get()
        if push is None:
            raise StopIteration
        return push

    def close(self) -> None:
        """Take no more; whoever waits is told. Any number of times."""
        self._forget(self)
        self.end()

    def end(self) -> None:
        """No more will come; what has come can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
