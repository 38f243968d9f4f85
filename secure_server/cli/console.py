"""What `secure-server run` writes to stderr, which nobody may be reading."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TextIO

from secure_protocol.printable import printable
from secure_protocol.token import redact
from secure_server.recording.activity_log import WARNINGS_PER_SECOND
from secure_server.recording.server_lines import LOGGER

QUEUE = 1000
"""Lines that wait for somebody who reads; those that come when there are as many are lost, and counted."""
FLUSH_SECONDS = 1.0
"""How long the end of the process waits until what was said is written."""


class Console(logging.Handler):
    """Writes log lines to a stream on a thread of its own, so that whoever logs never waits for who reads.

    A pipe that is full holds up whoever writes to it, for good where its reader sleeps; serving and stopping go on all
    the same. Nor is the descriptor set non-blocking: it is shared with other programs.

    What the server warns of is bounded as it is in its log, for a user may have it warn with each request: what stderr
    leads to has a disk, too. What comes beyond that is counted by who said it, and told with the next warning.

    Args:
        stream: usually stderr.
        monotonic: monotonic seconds, by which warnings are limited.
    """

    def __init__(self, stream: TextIO, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._stream = stream
        self._monotonic = monotonic
        self._lines: queue.Queue[str | None] = queue.Queue(QUEUE)
        self._lost = 0
        self._left_out: Counter[tuple[str, str]] = Counter()  # by level and source
        self._next_second = 0.0
        self._warnings = 0  # in this second
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._write, name="console", daemon=True)
        self._thread.start()

    def format(self, record: logging.LogRecord) -> str:
        """Cut tokens out of whatever is logged: an exception of somebody's command may quote what it was given.

        For the same reason the terminal, or who reads the journal in one, has nothing to obey in it.
        """
        lines = redact(super().format(record)).split("\n")
        return "\n".join(printable(line, len(line), keep="\t") for line in lines)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record (logging's interface)."""
        if not self._admits(record):
            return
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - logging's way: a record that cannot be shown is told, not raised
            self.handleError(record)
        else:
            self.say(line)

    def _admits(self, record: logging.LogRecord) -> bool:
        """Whether it is written; else it was counted. What is not the server's own is for its authors to bound.

        Under the handler's lock, as all of `emit`.
        """
        if record.levelno < logging.WARNING or not f"{record.name}.".startswith(f"{LOGGER}."):
            return True
        now = self._monotonic()
        if now >= self._next_second:
            self._next_second, self._warnings = now + 1, 0
            self._tell_left_out()
        self._warnings += 1
        if self._warnings <= WARNINGS_PER_SECOND:
            return True
        self._left_out[record.levelname, record.name] += 1
        return False

    def _tell_left_out(self) -> None:
        for (level, source), count in self._left_out.items():
            self.say(f"{level} {source}: {count} more are left out")
        self._left_out.clear()

    def say(self, line: str) -> None:
        """Write a line as it is. Any thread."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            with self._counting:
                self._lost += 1

    def flush(self) -> None:
        """Wait, but not for long, until all is written; `logging.shutdown` asks for it at the end of the process."""
        with self.lock or contextlib.nullcontext():
            self._tell_left_out()
        deadline = time.monotonic() + FLUSH_SECONDS
        with self._lines.all_tasks_done:
            while self._lines.unfinished_tasks and (left := deadline - time.monotonic()) > 0:
                self._lines.all_tasks_done.wait(left)

    def close(self) -> None:
        """End the thread, as far as it can be: one that is busy yet when the interpreter ends could abort the process.

        See python/cpython#87135.
        """
        self.flush()
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(None)
            self._thread.join(FLUSH_SECONDS)
        super().close()

    # The thread "console"

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            with self._counting:
                lost, self._lost = self._lost, 0
            with contextlib.suppress(OSError, ValueError):  # the reader is gone, the stream closed: nobody is told
                if lost:
                    self._put(f"{lost} lines are lost: nobody read them in time")
                self._put(line)
            self._lines.task_done()
        self._lines.task_done()  # of what ends it

    def _put(self, line: str) -> None:
        try:
            descriptor = self._stream.fileno()
        except OSError:  # a stream in memory
            self._stream.write(f"{line}\n")
            return
        # Past the stream: a thread that is stuck in its buffer would abort the interpreter at its end.
        rest = f"{line}\n".encode(errors="backslashreplace")
        while rest:
            rest = rest[os.write(descriptor, rest) :]
