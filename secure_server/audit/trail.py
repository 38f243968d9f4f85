"""The server's audit trail: a bounded queue, a thread that writes, and what is done while nothing can be written.

Whoever reports on the I/O thread only appends a tuple; formatting, hashing and the disk are the writer's. What an
administrator does is forced to disk before it is answered: its worker waits in `record_durably`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from secure_protocol.sentence import Sentence
from secure_server.audit.chain import START, Link
from secure_server.audit.flood import Flood, Kind
from secure_server.audit.gap import Gap, GapFile
from secure_server.audit.journal import Journal
from secure_server.audit.record import Entry, Value, utc
from secure_server.audit.running import Running
from secure_server.audit.tail import is_broken_off, trail_files
from secure_server.config.settings import Audit

BATCH_SECONDS = 0.05
"""How long the writer gathers records after the first: it wakes twenty times a second at most, and not while idle."""
RETRY_SECONDS = 1.0
"""Between two tries while nothing can be written; also how often a flood's counts are written."""
DURABLE_SECONDS = 10.0
"""How long an administrator's command waits for the disk; then it is answered, and the record follows when it can."""

_log = logging.getLogger("secure_server.audit")


class Status(NamedTuple):
    """How the trail is.

    Attributes:
        failing_since: Unix seconds; None while it can be written.
        why: what the system said.
        waiting: records not written yet.
        lost: records that found no place in the queue since it fails.
        end: the last record.
        broken: the files that begin with a break, oldest first.
    """

    failing_since: float | None
    why: str
    waiting: int
    lost: int
    end: Link
    broken: tuple[str, ...]


class _Ticket:
    """One record that somebody waits for."""

    __slots__ = ("decided", "written")

    def __init__(self) -> None:
        self.decided = threading.Event()
        self.written = False


class AuditTrail:
    """Writes the trail. Reports may come from any thread.

    Args:
        directory: the data directory.
        settings: bounds, and what to do while it cannot be written.
        tell: told when it was found broken, when it cannot be written, and when it can again; for administrators.
        clock: Unix seconds.
        monotonic: monotonic seconds, by which it is known what runs for long.
    """

    def __init__(
        self,
        directory: Path,
        settings: Audit,
        tell: Callable[[Sentence], None] = lambda _sentence: None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._directory = directory
        self._journal = Journal(directory, clock, self._tell_of_break)
        self._flood = Flood(settings.failures_per_second)
        self.take_up(settings)
        self._running = Running(monotonic)
        self._gap_file = GapFile(directory)
        self._earlier = self._gap_file.read().up_to(clock())  # lost by the server before this one, and not told yet
        self._queue: deque[Entry] = deque()
        self._pending: deque[Entry] = deque()  # taken from the queue by the writer
        self._lock = threading.Lock()  # of the next three
        self._tickets: list[_Ticket] = []
        self._lost = 0
        self._since: float | None = None
        self._why = ""
        self._lost_before = 0  # at the previous write: while more are lost, it is not over
        self._told = 0  # the second in which counts were last written
        self._synced = time.monotonic()
        self._unsynced = False
        self._writing = threading.Lock()
        self._awake = threading.Event()
        self._urgent = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="audit-trail", daemon=True)

    def take_up(self, settings: Audit) -> None:
        """Have other bounds from here on."""
        self._settings = settings
        self._stops = settings.on_failure == "stop"
        self._flood.per_second = settings.failures_per_second

    def start(self) -> None:
        """Start the writer."""
        self._thread.start()

    def stop(self) -> None:
        """Write what was reported, and force it to disk."""
        self._stopping = True
        self._urgent.set()
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join()
        self.write()
        if self._pending:
            _log.error("%d records of the audit trail could not be written (%s)", len(self._pending), self._why)

    @property
    def directory(self) -> Path:
        """Where its files are."""
        return self._directory

    def now(self) -> float:
        """Return the time, Unix seconds, on the trail's clock."""
        return self._clock()

    def record(
        self, event: str, outcome: str, *, who: str = "", address: str = "", detail: Mapping[str, Value] | None = None
    ) -> None:
        """Report what happened; see `Entry`."""
        self.put(Entry(self._clock(), event, outcome, who, address, detail=detail))

    def record_durably(
        self, event: str, outcome: str, *, who: str = "", address: str = "", detail: Mapping[str, Value] | None = None
    ) -> bool:
        """Report what happened, and wait until it is on disk; whether it is. Any thread but an I/O thread."""
        return self.put_durably(Entry(self._clock(), event, outcome, who, address, detail=detail))

    def put(self, entry: Entry) -> bool:
        """Report; whether there was room. Never waits."""
        if len(self._queue) + len(self._pending) >= self._settings.queue:
            with self._lock:
                self._lost += 1
            self._awake.set()
            return False
        self._queue.append(entry)
        if not self._awake.is_set():
            self._awake.set()
        return True

    def put_durably(self, entry: Entry) -> bool:
        """Report, and wait until it is on disk; whether it is. Any thread but an I/O thread."""
        if not self.put(entry) or self._since is not None:
            return False
        ticket = _Ticket()
        with self._lock:
            self._tickets.append(ticket)
        self._urgent.set()
        self._awake.set()
        if not self._thread.is_alive():
            self.write()
        ticket.decided.wait(DURABLE_SECONDS)
        return ticket.written

    def put_refused(self, entry: Entry, reason: str, netblock: str) -> None:
        """Report a refused try, or what else may come in floods: those beyond what is allowed a second are counted."""
        kind = Kind(entry.event, entry.outcome, entry.command, reason, netblock)
        if self._flood.admits(kind, entry.moment):
            self.put(entry)
        elif not self._awake.is_set():
            self._awake.set()

    def running(self, entry: Entry) -> contextlib.AbstractContextManager[None]:
        """Record, should the `with` last for long, that it lasts. Any thread but an I/O thread.

        Args:
            entry: the record of that, with the moment when it began.
        """
        return self._running.holding(entry, self._awake.set)

    def suspends(self) -> bool:
        """Whether no commands should run now, because they would go unrecorded."""
        return self._stops and (self._since is not None or self._lost > 0)

    def status(self) -> Status:
        """Return how the trail is. Looks into the directory."""
        broken = tuple(path.name for path in trail_files(self._directory) if is_broken_off(path))
        with self._lock:
            return Status(self._since, self._why, self.waiting, self._lost, self._journal.link or START, broken)

    @property
    def waiting(self) -> int:
        """Records that are not written yet."""
        return len(self._queue) + len(self._pending)

    def write(self) -> None:
        """Write what was reported so far. The writer's step; tests call it."""
        with self._writing:
            with self._lock:
                tickets, self._tickets = self._tickets, []  # before the records: each one's is in the queue already
                lost = self._lost
            for _ in range(len(self._queue)):
                self._pending.append(self._queue.popleft())
            self._pending.extend(self._counts())
            self._pending.extend(self._running.due())
            try:
                self._write(lost, durably=bool(tickets))
            except OSError as error:
                self._fail(error.strerror or str(error))
            except BaseException as error:  # noqa: BLE001 - whatever it is: what is not written may not pass as written
                _log.exception("unexpected error while the audit trail was written; trying again")
                self._fail(f"unexpected {type(error).__qualname__}")
            else:
                for ticket in tickets:
                    ticket.written = True
            finally:
                for ticket in tickets:
                    ticket.decided.set()
            self._keep_gap()

    def _keep_gap(self) -> None:
        """Note down what is lost if the server ends before it can write again; nothing, while it can."""
        gap = self._earlier
        if self._since is not None:
            gap = gap.and_(Gap(self._lost + len(self._queue) + len(self._pending), self._since, self._clock()))
        try:
            self._gap_file.keep(gap)
        except OSError as error:
            _log.debug("what is lost of the audit trail cannot be noted down: %s", error)

    def _write(self, lost: int, *, durably: bool) -> None:
        steady, self._lost_before = lost == self._lost_before, lost
        if lost and self._since is None:
            self._fail("more was reported than could be written")
        if self._earlier.records:
            self._unsynced = durably = True
            self._journal.append(deque([Entry(self._clock(), "trail", "lost", detail=self._earlier.detail)]))
            _log.warning("%s", _told(self._earlier))
            self._earlier = Gap()
        if self._pending:
            self._unsynced = True
            self._journal.append(self._pending)
        over = self._since is not None and steady
        if over:
            detail: dict[str, Value] = {"lost": lost, "since": utc(self._since or 0), "why": self._why}
            self._unsynced = True
            self._journal.append(deque([Entry(self._clock(), "trail", "resumed", detail=detail)]))
        if self._unsynced and (durably or over or self._stopping or self._sync_due <= 0):
            self._journal.sync()
            self._unsynced, self._synced = False, time.monotonic()
        if over:
            self._resume(lost)

    def _counts(self) -> list[Entry]:
        """What of a flood was only counted, once a second."""
        now = self._clock()
        if int(now) == self._told and not self._stopping:
            return []
        self._told = int(now)
        return [_counted(now, kind, count) for kind, count in self._flood.take()]

    @property
    def _sync_due(self) -> float:
        return self._synced + self._settings.sync - time.monotonic()

    def _fail(self, why: str) -> None:
        with self._lock:
            first, self._why = self._since is None, why
            if first:
                self._since = self._clock()
        if first:
            sentence = (
                Sentence("The audit trail cannot be written ({why}); commands are refused until it can.", why=why)
                if self._stops
                else Sentence("The audit trail cannot be written ({why}); records may be lost until it can.", why=why)
            )
            _log.error("%s", sentence)
            self._announce(sentence)

    def _resume(self, lost: int) -> None:
        with self._lock:
            self._since, self._why = None, ""
            self._lost -= lost
            self._lost_before = self._lost
        sentence = Sentence("The audit trail can be written again; records lost: {count}.", count=lost)
        _log.warning("%s", sentence)
        self._announce(sentence)

    def _tell_of_break(self, sentence: Sentence) -> None:
        _log.error("%s", sentence)
        self._announce(sentence)

    def _announce(self, sentence: Sentence) -> None:
        try:
            self._tell(sentence)
        except BaseException:  # noqa: BLE001 - whoever was to be told failed; the trail is written all the same
            _log.exception("administrators could not be told how the audit trail fares")

    def _run(self) -> None:
        while not self._stopping:
            self._awake.wait(self._patience())
            self._urgent.wait(BATCH_SECONDS)
            self._urgent.clear()
            self._awake.clear()  # before writing: a report from here on wakes the next round
            try:
                self.write()
            except BaseException:  # noqa: BLE001 - whatever it is, the next time may go well, and nobody else writes
                _log.exception("unexpected error on the audit trail's thread; going on")
            if self._since is not None:
                self._urgent.wait(RETRY_SECONDS)

    def _patience(self) -> float | None:
        """How long the writer may sleep: until the next sync is due, or a command has run for long."""
        if self._since is not None or self._flood.counting:
            return RETRY_SECONDS
        waits = [max(0.0, self._sync_due) if self._unsynced else None, self._running.wait]
        return min((wait for wait in waits if wait is not None), default=None)


def _told(gap: Gap) -> Sentence:
    return Sentence(
        "Records of the audit trail were lost when the server ended while it could not be written: {count}, "
        "from {since} to {until}.",
        count=gap.records,
        since=utc(gap.since),
        until=utc(gap.until),
    )


def _counted(now: float, kind: Kind, count: int) -> Entry:
    detail: dict[str, str | int] = {"reason": kind.reason} if kind.reason else {}
    return Entry(
        now, kind.event, kind.outcome, address=kind.netblock, command=kind.command, detail=detail | {"count": count}
    )
