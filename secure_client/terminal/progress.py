"""How far a command is: one line on stderr, drawn anew in its place, and gone in the end.

Not rich's: its display takes over stdout and stderr, whereas the parts of an answer that are written above the bar
belong to stdout and nowhere else.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator
from typing import TextIO

from secure_client.answers.columns import columns_of, screen
from secure_protocol.printable import printable

BAR_COLUMNS = 30
TEXT_CHARACTERS = 200
DONE, LEFT = "█", "░"


class ProgressBar:
    """One line that others write above; any thread.

    Args:
        stream: stderr.
        shown: whether it is a terminal; where it is none nothing is drawn.
    """

    def __init__(self, stream: TextIO, *, shown: bool) -> None:
        self._stream = stream
        self._shown = shown
        self._lock = threading.RLock()
        self._line = ""

    def show(self, fraction: float, text: str) -> None:
        """Draw the bar, in place of the last one."""
        if not self._shown:
            return
        with self._lock:
            self._erase()
            self._line = line(fraction, text, screen().columns - 1)
            self._draw()

    def tell(self, text: str) -> None:
        """Write words in the bar's place."""
        if not self._shown:
            return
        with self._lock:
            self._erase()
            columns = screen().columns - 1
            words = printable(text, TEXT_CHARACTERS)
            while columns_of(words) > columns:
                words = words[:-1]
            self._line = words
            self._draw()

    def clear(self) -> None:
        """Take the bar away for good."""
        with self._lock:
            self._erase()
            self._line = ""

    @contextlib.contextmanager
    def above(self) -> Iterator[None]:
        """Write whole lines in this block; the bar stands below them afterwards."""
        with self._lock:
            self._erase()
            try:
                yield
            finally:
                self._draw()

    def _draw(self) -> None:
        if self._line:
            self._stream.write(self._line)
            self._stream.flush()

    def _erase(self) -> None:
        if self._line:
            # Blanks, not an escape sequence, which a terminal may not know (TERM=dumb); wide characters take two.
            self._stream.write(f"\r{' ' * columns_of(self._line)}\r")
            self._stream.flush()


def line(fraction: float, text: str, columns: int) -> str:
    """Return the bar with its percentage and text, in at most `columns`."""
    percent = f"{math.floor(fraction * 100):3} %"
    room = max(0, min(BAR_COLUMNS, columns - len(percent) - 1))
    done = math.floor(fraction * room)
    shown = f"{DONE * done}{LEFT * (room - done)} {percent}"
    words = printable(text, TEXT_CHARACTERS)
    while words and columns_of(shown) + 1 + columns_of(words) > columns:
        words = words[:-1]
    return f"{shown} {words}" if words else shown
