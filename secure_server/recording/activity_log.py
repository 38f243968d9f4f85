"""The activity log: connections, authentications, commands and ends, a line each.

Whoever reports only queues a tuple; a thread of its own formats and writes, in batches, so a line costs the I/O
thread less than a microsecond. Bounded: beyond the lines a second that the configuration allows, like lines are
counted and written once a second as one line with the count, so a flood is neither lost nor a denial of service.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import logging.handlers
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path

from secure_protocol.printable import printable
from secure_protocol.reasons import CloseReason
from secure_server.audit.who import Who
from secure_server.config.settings import Log
from secure_server.files.opening import open_own

FILE = "server_log.txt"
BATCH_SECONDS = 0.1
"""How long the writer gathers lines after the first: at most ten wakeups a second, and none while idle."""
_DETAIL_CHARACTERS = 300

_log = logging.getLogger("secure_server.activity")


Line = tuple[str, int, str, str, str, str]
"""What happened: event, session, principal, address, and two words of detail. A plain tuple, for one is made of every
request. Every part is the server's own word, but for addresses and names, which are printable."""


class ActivityLog:
    """Writes `server_log.txt`. Reports may come from any thread.

    Args:
        directory: the data directory.
        settings: bounds.
        clock: Unix seconds.
    """

    def __init__(self, directory: Path, settings: Log, clock: Callable[[], float] = time.time) -> None:
        self._most_lines = settings.max_lines_per_second
        self._most_queued = settings.queue
        self._clock = clock
        self._file = _PrivateRotatingFile(directory / FILE, settings.max_size, settings.keep)
        self._lock = threading.Lock()
        self._queue: deque[tuple[float, Line, int]] = deque()
        self._counted: dict[Line, int] = {}
        self._uncounted = 0
        self._next_second = 0  # when the one of the latest report is over, and its lines so far
        self._lines = 0
        self._told = 0  # the second in which counts were last written
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="activity-log", daemon=True)

    def start(self) -> None:
        """Start the writer."""
        self._thread.start()

    def stop(self) -> None:
        """Write what was reported, and close the file."""
        self._stopping.set()
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join()
        self.write()
        self._file.close()

    def connected(self, who: Who, transport: str, detail: str) -> None:
        """A connection is established.

        Args:
            who: is at the other end.
            transport: what carries it.
            detail: what that agreed on, such as `tls=TLSv1.3 cipher=…`; empty for nothing.
        """
        self.put(_entry("connected", who, f"transport={transport}", detail))

    def refused(self, address: str, reason: CloseReason, detail: str) -> None:
        """A connection ended before there was a session."""
        self.put(("refused", 0, "-", address, f"reason={reason}", detail))

    def authentication(self, who: Who, outcome: str, detail: str) -> None:
        """Somebody tried to authenticate."""
        self.put(_entry("authentication", who, f"outcome={outcome}", detail))

    def command(self, who: Who, name: str, outcome: str) -> None:
        """A command was answered."""
        self.put(_entry("command", who, name, outcome))

    def again(self, who: Who, name: str, outcome: str) -> Line:
        """Return what `put` takes of further commands answered alike."""
        return _entry("command", who, name, outcome)

    def put(self, entry: Line, count: int = 1) -> None:
        """That happened, so many times."""
        now = self._clock()
        with self._lock:
            if now >= self._next_second:
                self._next_second = int(now) + 1
                self._lines = 0
            counted = self._counted
            if self._lines < self._most_lines and len(self._queue) < self._most_queued:
                self._lines += 1
                self._queue.append((now, entry, count))
            elif (so_far := counted.get(entry)) is not None:
                counted[entry] = so_far + count
            elif len(counted) < self._most_queued:
                counted[entry] = count
            else:
                self._uncounted += count
        if not self._awake.is_set():
            self._awake.set()

    def disconnected(self, who: Who, reason: CloseReason | None, commands: int) -> None:
        """A connection ended, after so many commands."""
        self.put(_entry("disconnected", who, f"reason={reason} commands={commands}", ""))

    def write(self) -> None:
        """Write what was reported so far. The writer's step; tests call it."""
        with self._lock:
            lines, self._queue = self._queue, deque()
            counted: dict[Line, int] = {}
            uncounted = 0
            second = int(self._clock())
            if second != self._told or self._stopping.is_set():
                self._told = second
                counted, self._counted = self._counted, counted
                uncounted, self._uncounted = self._uncounted, 0
        now = self._clock()
        batch = [_format(moment, entry, count) for moment, entry, count in lines]
        batch += [_format(now, entry, count, always=True) for entry, count in counted.items()]
        if uncounted:
            batch.append(_format(now, ("others", 0, "-", "-", "", ""), uncounted, always=True))
        if batch:
            self._file.write(batch)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._awake.wait()
            self._stopping.wait(BATCH_SECONDS)
            self._awake.clear()  # before writing: a report from here on wakes the next round
            try:
                self.write()
            except BaseException:  # noqa: BLE001 - whatever it is, later lines may go well, and nobody else writes
                _log.exception("lines of the activity log could not be written; going on")
            if self._counted or self._uncounted:  # until they are written, in the next second
                self._awake.set()


def _entry(event: str, who: Who, first: str, second: str) -> Line:
    return event, who.session, who.principal or "-", who.address, first, second


def _format(moment: float, entry: Line, count: int, *, always: bool = False) -> str:
    event, session, principal, address, first, more = entry
    detail = f"name={first} outcome={more}" if event == "command" else f"{first} {more}"
    second = int(moment)
    when = f"{_shown(second)}.{int((moment - second) * 1000):03}+00:00"
    line = f"{when} {event} session={session} principal={principal} address={address}"
    line = f"{line} {printable(detail, _DETAIL_CHARACTERS)}".rstrip()
    return f"{line} count={count}" if always or count > 1 else line


@functools.lru_cache(maxsize=2)
def _shown(second: int) -> str:
    """Return a second as a date and a time of day in UTC: half of what a line costs, and the same for many lines."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class _PrivateRotatingFile:
    """A rotating file that only its owner reads; a full disk is told once, not once a line."""

    def __init__(self, path: Path, most_bytes: int, keep: int) -> None:
        self._handler = _Handler(path, maxBytes=most_bytes, backupCount=keep, encoding="utf-8")
        self._handler.setFormatter(logging.Formatter("%(message)s"))

    def write(self, lines: list[str]) -> None:
        """Write a batch as one record: the handler looks at the file's size, and flushes, for each record."""
        self._handler.handle(logging.makeLogRecord({"msg": "\n".join(lines)}))

    def close(self) -> None:
        with contextlib.suppress(OSError):  # a full disk, told already
            self._handler.close()


def _private(path: str, flags: int) -> int:
    descriptor = open_own(path, flags)
    if os.chmod in os.supports_fd:  # not on Windows, where a mode says little
        os.chmod(descriptor, 0o600)  # noqa: PTH101 - of what was opened: the file may be an older one
    return descriptor


class _Handler(logging.handlers.RotatingFileHandler):
    _failing = False
    """Whether the last record could not be written."""
    _failed = False
    """Whether the present one could not."""

    def _open(self) -> TextIOWrapper:
        # the handler closes it
        stream = open(self.baseFilename, self.mode, encoding=self.encoding, opener=_private)  # noqa: SIM115 - see above
        assert isinstance(stream, TextIOWrapper)  # noqa: S101 - text mode, of which mypy cannot be sure
        return stream

    def emit(self, record: logging.LogRecord) -> None:
        failed_before, self._failed = self._failing, False
        super().emit(record)
        if failed_before and not self._failed:
            _log.warning("the activity log can be written again")
        self._failing = self._failed

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - the standard library's
        if not self._failing:
            error = sys.exception()  # a person who reads of a full disk is not helped by where it was noticed
            why = error.strerror if isinstance(error, OSError) else error
            _log.error("the activity log cannot be written (%s); lines are lost until it can", why)
        self._failing = self._failed = True
