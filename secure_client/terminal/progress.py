"""How far a command is: one line on stderr, drawn anew in its place, and gone in the end.

Not rich's: its display takes over stdout and stderr, whereas the parts of an answer that are written above the bar
belong to stdout and nowhere else.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

from secure_client.answers.columns import columns_of, screen
from secure_protocol.printable import printable

BAR_COLUMNS = 30
TEXT_CHARACTERS = 200
ECHO_COLUMNS = 2
"""Kept free behind the bar for `^C`, which the terminal writes there: at its edge it would go on to the next line."""
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
        self._wanted: Callable[[int], str] | None = None
        self._line = ""

    def show(self, fraction: float, text: str) -> None:
        """Draw the bar, in place of the last one."""
        self._put(lambda columns: line(fraction, text, columns))

    def tell(self, text: str) -> None:
        """Write words in the bar's place."""
        self._put(lambda columns: _fitted(printable(text, TEXT_CHARACTERS), columns))

    def clear(self) -> None:
        """Take the bar away for good."""
        with self._lock:
            self._erase()
            self._wanted = None

    def _put(self, wanted: Callable[[int], str]) -> None:
        if self._shown:
            with self._lock:
                self._erase()
                self._wanted = wanted
                self._draw()

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
        if self._wanted is not None:
            self._line = self._wanted(max(0, _room() - ECHO_COLUMNS))  # the window may have changed
            self._stream.write(self._line)
            self._stream.flush()

    def _erase(self) -> None:
        if self._line:
            # Blanks, not an escape sequence, which a terminal may not know (TERM=dumb); wide characters take two. In a
            # window that became narrower more of them would go on to the next line.
            self._stream.write(f"\r{' ' * min(columns_of(self._line) + ECHO_COLUMNS, _room())}\r")
            self._stream.flush()
            self._line = ""


def _room() -> int:
    """Return the columns of a line that the cursor does not leave."""
    return max(0, screen().columns - 1)


def _fitted(words: str, columns: int) -> str:
    while columns_of(words) > columns:
        words = words[:-1]
    return words


def line(fraction: float, text: str, columns: int) -> str:
    """Return the bar with its percentage and text, in at most `columns`."""
    percent = f"{math.floor(fraction * 100):3} %"
    room = max(0, min(BAR_COLUMNS, columns - len(percent) - 1))
    done = math.floor(fraction * room)
    shown = f"{DONE * done}{LEFT * (room - done)} {percent}"
    words = _fitted(printable(text, TEXT_CHARACTERS), max(0, columns - columns_of(shown) - 1))
    return f"{shown} {words}" if words else shown
