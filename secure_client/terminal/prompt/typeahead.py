"""What is typed while a job is followed: Ctrl-D leaves the job; lines are kept for the prompt that comes next.

The terminal itself is left as it is, in its line mode: it echoes and edits, and hands over whole lines, or on Ctrl-D
what there is of one. So nothing has to be put back if the program is stopped or killed meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator

READ_BYTES = 4096
"""At once: the longest line that a terminal hands over."""
MOST_BYTES = 64 * 1024
"""Kept; what is typed beyond that stays with the terminal, which keeps little."""


class Typeahead:
    """Reads standard input while somebody else waits, and keeps what it read."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._rest = ""
        self._size = 0
        self._watch = contextlib.ExitStack()

    def take_line(self) -> str | None:
        """Return the first line that was typed, if there is a whole one."""
        if not self._lines:
            return None
        line = self._lines.popleft()
        self._size -= len(line)
        return line

    def take_rest(self) -> str:
        """Return what was typed of a line that has no end yet."""
        rest, self._rest = self._rest, ""
        self._size -= len(rest)
        return rest

    def clear(self) -> None:
        """Forget all that was typed, as the terminal does at Ctrl-C."""
        self._lines.clear()
        self._rest, self._size = "", 0

    @contextlib.contextmanager
    def watching(self, leave: Callable[[], None] | None) -> Iterator[None]:
        """Read in this block, until Ctrl-D.

        Args:
            leave: called at Ctrl-D, on another thread; None: nothing is read.
        """
        if leave is None or sys.platform == "win32" or not sys.stdin.isatty():  # `select` takes no console there
            yield
            return
        ours, theirs = socket.socketpair()
        thread = threading.Thread(target=self._read, args=(theirs, leave), name="type-ahead", daemon=True)
        thread.start()
        with contextlib.ExitStack() as self._watch:
            self._watch.callback(theirs.close)
            self._watch.callback(thread.join)
            self._watch.callback(ours.close)
            yield

    def stop(self) -> None:
        """Read no more in the block that there is: from now on the keys are another program's."""
        self._watch.close()

    def _read(self, end: socket.socket, leave: Callable[[], None]) -> None:
        # epoll takes no regular file, kqueue no terminal.
        with _opened_anew(sys.stdin.fileno()) as keys, selectors.SelectSelector() as selector:
            selector.register(end, selectors.EVENT_READ)
            selector.register(keys, selectors.EVENT_READ)
            while self._size < MOST_BYTES:
                ready = [key.fileobj for key, _events in selector.select()]
                if end in ready:
                    return
                try:
                    data = os.read(keys, READ_BYTES)
                except BlockingIOError:  # a Ctrl-C had the terminal drop it meanwhile
                    continue
                except OSError:  # the terminal is gone
                    data = b""
                text = self._rest + data.decode("utf-8", "surrogateescape")
                self._size += len(data)
                if not data.endswith(b"\n"):
                    self._rest = text
                    leave()
                    return
                self._rest = ""
                self._lines.append(text.removesuffix("\n"))


@contextlib.contextmanager
def _opened_anew(shared: int) -> Iterator[int]:
    """Open the terminal a second time, so that reading it does not block, for us alone.

    A Ctrl-C has the terminal drop what was typed, also when we were told of it and have not read it yet: we would wait
    for the next line, and whoever waits for us with us. Whoever started us is to find standard input itself as it was.
    """
    if sys.platform == "win32":  # nothing is read there, see `watching`
        return
    try:
        try:
            os.tcgetpgrp(shared)
            name = "/dev/tty"  # the one that sends us Ctrl-C; by its own name it may be another user's, as behind `su`
        except OSError:
            name = os.ttyname(shared)
        keys = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        keys = os.dup(shared)
    try:
        yield keys
    finally:
        os.close(keys)
