"""The activity log: connections, authentications, commands and ends, a line each.

Whoever reports only queues a tuple; a thread of its own formats and writes, in batches, so a line costs the I/O
thread less than a microsecond. Bounded: beyond the lines a second that the configuration allows, like lines are
counted and written once a second as one line with the count, so a flood is neither lost nor a denial of service.

What the server itself warns of stands there as well, with its tracebacks: `server_lines`.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from secure_protocol.printable import printable
from secure_protocol.reasons import CloseReason
from secure_server.audit.who import Who
from secure_server.config.settings import Log
from secure_server.recording.log_file import LogFile
from secure_server.recording.server_lines import OWN, ServerLines, speak_again

FILE = "server_log.txt"
BATCH_SECONDS = 0.1
"""How long the writer gathers lines after the first: at most ten wakeups a second, and none while idle."""
_DETAIL_CHARACTERS = 300
WARNINGS_PER_SECOND = 50
"""Of what the server warns of, with its text; further ones are counted by their source. As many wait at most."""
_TEXT_CHARACTERS = 1_000
"""Of one line of a text."""
_LOST = "lines could not be written"
_WARNING = "log"
"""The event of those lines."""

_log = logging.getLogger(OWN)

Read = TypeVar("Read")

Line = tuple[str, int, str, str, str, str]
"""What happened: event, session, principal, address, and two words of detail. A plain tuple, for one is made of every
request. Every part is the server's own word, but for addresses and names, which are printable."""


class Again:
    """A line that comes again and again, for whoever reports it to keep.

    Args:
        line: what it says.

    Attributes:
        line: this.
        count: how often it came that is not written yet, but for those that found a place of their own.
    """

    __slots__ = ("count", "line")

    def __init__(self, line: Line) -> None:
        self.line = line
        self.count = 0


class ActivityLog:
    """Writes `server_log.txt`. Reports may come from any thread.

    Args:
        directory: the data directory.
        settings: bounds.
        clock: Unix seconds, for the lines.
        monotonic: monotonic seconds, by which lines are limited: a clock that is set back merges none.
    """

    def __init__(
        self,
        directory: Path,
        settings: Log,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._file = LogFile(directory / FILE, settings.max_size, settings.keep)
        self.take_up(settings)
        self._lock = threading.Lock()
        self._queue: deque[tuple[float, Line, int]] = deque()
        self._counted: dict[Line, int] = {}
        self._repeated: list[Again] = []  # those with a count
        self._uncounted = 0
        self._next_second = 0.0  # when the one of the latest report is over, and its lines so far
        self._lines = 0
        self._warnings = 0  # in this second
        self._next_told = 0.0  # when counts are written next
        self._missed = 0  # lines that could not be written
        self._reopen = False
        self._follow: Callable[[Sequence[str]], None] | None = None
        self._writing = threading.Lock()
        """Held while lines are written and handed on, so that who reads the file meanwhile misses and doubles none."""
        self._server_lines = ServerLines(self.warning, self.write)
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="activity-log", daemon=True)

    def take_up(self, settings: Log) -> None:
        """Have other bounds from here on."""
        self._most_lines = settings.max_lines_per_second
        self._most_queued = settings.queue
        self._file.take_up(settings.max_size, settings.keep)

    def start(self) -> None:
        """Start the writer."""
        self._thread.start()

    def stop(self) -> None:
        """Write what was reported, and close the file."""
        self._stopping.set()
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._server_lines.stop()
        self.write()
        self._file.close()

    @property
    def missed(self) -> int:
        """Lines that could not be written, since it fails."""
        return self._missed

    def reopen(self) -> None:
        """Have the file closed, and what is there now opened: whoever moved it may want that."""
        self._reopen = True
        self._awake.set()

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

    def again(self, who: Who, name: str, outcome: str) -> Again:
        """Return what `repeat` takes of further commands answered alike."""
        return Again(_entry("command", who, name, outcome))

    def repeat(self, again: Again, count: int) -> None:
        """That happened so many times: `put`, for less, as nothing is looked up to count it."""
        with self._lock:
            if again.count:  # the writer is awake until it has written that
                again.count += count
                return
            if self._has_place(self._monotonic()):
                self._queue.append((self._clock(), again.line, count))
            elif len(self._repeated) < self._most_queued:
                again.count = count
                self._repeated.append(again)
            else:
                self._uncounted += count
        if not self._awake.is_set():
            self._awake.set()

    def put(self, entry: Line, count: int = 1) -> None:
        """That happened, so many times."""
        now, ticks = self._clock(), self._monotonic()
        with self._lock:
            if self._has_place(ticks):
                self._queue.append((now, entry, count))
            else:
                self._count(entry, count)
        if not self._awake.is_set():
            self._awake.set()

    def moved(self, who: Who, before: str) -> None:
        """The peer of a session has another address; that before was `before`."""
        self.put(_entry("moved", who, f"from={before}", ""))

    def disconnected(self, who: Who, reason: CloseReason | None, commands: int) -> None:
        """A connection ended, after so many commands."""
        self.put(_entry("disconnected", who, f"reason={reason} commands={commands}", ""))

    def warning(self, level: str, source: str, text: str) -> None:
        """The server warned of something.

        Args:
            level: `WARNING`, `ERROR`, `CRITICAL`.
            source: the part that did.
            text: what it said, in one line or more.
        """
        where = f"level={level} source={source}"
        with self._lock:
            self._warnings += 1
            if self._warnings > WARNINGS_PER_SECOND:
                self._count((_WARNING, 0, "-", "-", where, ""), 1)
                return
        self.put((_WARNING, 0, "-", "-", where, text))

    @property
    def waiting(self) -> int:
        """Lines that wait to be written."""
        return len(self._queue)

    @property
    def most_waiting(self) -> int:
        """Of those there may be so many; further ones are counted."""
        return self._most_queued

    def _has_place(self, ticks: float) -> bool:
        """Take a place for a line of its own, if there is one. Under the lock."""
        if ticks >= self._next_second:
            self._next_second = ticks + 1
            self._lines = 0
        if self._lines >= self._most_lines or len(self._queue) >= self._most_queued:
            return False
        self._lines += 1
        return True

    def _count(self, entry: Line, count: int) -> None:
        """Count what finds no place as a line of its own. Under the lock."""
        so_far = self._counted.get(entry)
        if so_far is not None:
            self._counted[entry] = so_far + count
        elif len(self._counted) < self._most_queued:
            self._counted[entry] = count
        else:
            self._uncounted += count

    def follow(self, take: Callable[[Sequence[str]], None] | None) -> None:
        """Hand lines to `take` when they are written, which must not wait; None: to nobody. Any thread."""
        self._follow = take

    def read(self, reader: Callable[[Sequence[Path]], Read]) -> Read:
        """Return what `reader` makes of the files, oldest first, with what was reported so far; for workers.

        Nothing is written meanwhile: what it does not see is handed to whoever follows from within `reader` on.
        """
        with self._writing:
            self._write()
            return reader(self._file.paths())

    @property
    def level(self) -> int:
        """From which level on what the server itself logs stands here, as a number of Python's logging."""
        return self._server_lines.level

    @level.setter
    def level(self, level: int) -> None:
        self._server_lines.take_up(level)

    def write(self) -> None:
        """Write what was reported so far. The writer's step; tests call it."""
        with self._writing:
            self._write()

    def _write(self) -> None:
        if self._reopen:
            self._reopen = False
            self._file.reopen()
        with self._lock:
            lines, self._queue = self._queue, deque()
            counted: dict[Line, int] = {}
            uncounted = 0
            ticks = self._monotonic()
            if ticks >= self._next_told or self._stopping.is_set():
                self._next_told = ticks + 1
                self._warnings = 0
                counted, self._counted = self._counted, counted
                for again in self._repeated:
                    counted[again.line] = counted.get(again.line, 0) + again.count
                    again.count = 0
                self._repeated.clear()
                uncounted, self._uncounted = self._uncounted, 0
        now = self._clock()
        batch = [_format(moment, entry, count) for moment, entry, count in lines]
        batch += [_format(now, entry, count, always=True) for entry, count in counted.items()]
        if uncounted:
            batch.append(_format(now, ("others", 0, "-", "-", "", ""), uncounted, always=True))
        if not batch:
            return
        missed = self._missed + len(batch)
        if self._missed:
            batch.append(_format(now, (_WARNING, 0, "-", "-", f"level=WARNING source={OWN}", _LOST), self._missed))
        self._missed = 0 if self._file.write(batch) else missed
        follow = self._follow
        if follow is not None:
            follow(batch)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._awake.wait()
            self._stopping.wait(BATCH_SECONDS)
            self._awake.clear()  # before writing: a report from here on wakes the next round
            speak_again()  # a command that was just reported may have configured logging
            try:
                self.write()
            except BaseException:  # noqa: BLE001 - whatever it is, later lines may go well, and nobody else writes
                _log.exception("lines of the activity log could not be written; going on")
            if self._counted or self._repeated or self._uncounted:  # until they are written, in the next second
                self._awake.set()


def _entry(event: str, who: Who, first: str, second: str) -> Line:
    return event, who.session, who.principal or "-", who.address, first, second


def _format(moment: float, entry: Line, count: int, *, always: bool = False) -> str:
    event, session, principal, address, first, more = entry
    if event == _WARNING and more:
        return _several(f"{_when(moment)} {event} {first}", more, count)
    detail = f"name={first} outcome={more}" if event == "command" else f"{first} {more}"
    line = f"{_when(moment)} {event} session={session} principal={principal} address={address}"
    line = f"{line} {printable(detail, _DETAIL_CHARACTERS)}".rstrip()
    return f"{line} count={count}" if always or count > 1 else line


def _several(start: str, text: str, count: int) -> str:
    """Return a text as lines of which each but the first is indented: nothing in it passes for another event."""
    first, *more = [printable(line, _TEXT_CHARACTERS, keep="\t") for line in text.splitlines()] or [""]
    times = f" count={count}" if count > 1 else ""
    return "\n  ".join([f"{start} {first}{times}", *more])


def _when(moment: float) -> str:
    second = int(moment)
    return f"{_shown(second)}.{int((moment - second) * 1000):03}+00:00"


@functools.lru_cache(maxsize=2)
def _shown(second: int) -> str:
    """Return a second as a date and a time of day in UTC: half of what a line costs, and the same for many lines."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
