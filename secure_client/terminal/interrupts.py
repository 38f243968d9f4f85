"""When a Ctrl-C is raised: where this thread waits, and not between any two instructions."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self


class Interrupts:
    """Keeps a Ctrl-C until this thread waits.

    Raised anywhere, it may come right behind the taking of a lock: nobody opens that again, and who shares it, such as
    the link's thread, stands still for ever. A second one that finds the first still kept is raised at once, so that
    somebody can leave where something other than our waiting takes too long, such as a terminal that takes no more.

    Use it as a context; elsewhere than on the main thread, and where Ctrl-C does something else, it changes nothing.
    """

    def __init__(self) -> None:
        self._kept = False
        self._open = False
        self._ours = False

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()  # no other thread is interrupted
        self._ours = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._ours:
            signal.signal(signal.SIGINT, self._came)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if error is None:
            self._raise_kept()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Raise it here: for a wait that takes no lock which others want, too.

        Raises:
            KeyboardInterrupt: it came, now or since the last wait.
        """
        self._open = True
        try:
            self._raise_kept()
            yield
        finally:
            self._open = False

    def _came(self, _number: int, _frame: FrameType | None) -> None:
        at_once = self._open or self._kept
        self._kept = True
        if at_once:
            self._raise_kept()

    def _raise_kept(self) -> None:
        if self._kept:
            self._kept = False
            raise KeyboardInterrupt
