"""Tells a waiting person what goes on: one line a step, moving on a terminal, plain elsewhere."""

import contextlib
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

REDRAW_INTERVAL = 0.2  # seconds; often enough to look alive, seldom enough to cost nothing


class Progress:
    """Writes steps with their elapsed seconds.

    Args:
        stream: where to; stderr when none is given, since stdout belongs to data.
        clock: monotonic seconds.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._moving = self._stream.isatty()
        self._detail = ""

    def say(self, text: str) -> None:
        """Write one line."""
        print(text, file=self._stream, flush=True)

    def detail(self, text: str) -> None:
        """Name what the current step is at; a terminal shows it at the next redraw."""
        self._detail = text

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce a step, show that it lives, and close it with ``done`` or ``failed`` and its seconds."""
        started = self._clock()
        self._detail = ""
        if not self._moving:
            self.say(f"{title} ...")
        outcome = "failed"
        try:
            with self._redrawing(title, started):
                yield
            outcome = "done"
        finally:
            elapsed = self._clock() - started
            line = f"{title}: {outcome} ({elapsed:.1f} s)"
            self.say(f"\r\x1b[K{line}" if self._moving else line)

    @contextlib.contextmanager
    def _redrawing(self, title: str, started: float) -> Iterator[None]:
        if not self._moving:
            yield
            return
        ended = threading.Event()

        def redraw() -> None:
            while True:
                line = f"{title} ... {self._clock() - started:.0f} s  {self._detail}"
                width = shutil.get_terminal_size().columns - 1
                self._stream.write(f"\r\x1b[K{line[:width]}")
                self._stream.flush()
                if ended.wait(REDRAW_INTERVAL):
                    return

        thread = threading.Thread(target=redraw, name="progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
