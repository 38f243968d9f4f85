"""The thread that tells all who watch what happens, at the pace at which each of them takes it, or not at all."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from secure_protocol.errors import CommandError, ErrorCode
from secure_protocol.reasons import CloseReason
from secure_server.i18n import N_
from secure_server.recording.events import COMMAND, Event
from secure_server.session.call import Awaited
from secure_server.session.endings import CLOSE_SENTENCES
from secure_server.watching.watcher import Watcher

MOST_WATCHERS = 32
"""Sessions that watch at once: administrators, each in a window or two. Each may have 1 MB waiting."""
INBOX = 1_000
"""Items that wait for the thread; what comes when there are as many is dropped, and counted by its kind. It takes them
fifty times a second, so it looks at 50,000 a second at most, however many happen."""
RESERVED = 250
"""Of these, for what is neither a command nor a line of the log: a flood of those leaves room for a login."""
GATHER_SECONDS = 0.02
"""How long the thread gathers after the first: at most fifty wakeups a second, and none while nothing happens."""
PIECE = 100
"""Items that are looked at without a pause: so long others may have to wait for the interpreter."""
PAUSE_SECONDS = 0.001
"""The pause."""
TOLD = 100
"""Items that are told in a round, to all who watch together: 5,000 a second, more than anybody reads, in an eighth of a
core."""
TICK_SECONDS = 1.0
"""While somebody watches: how often it is looked who may still, and who has heard nothing for long."""
LINE = "line"
"""The kind of a line of the log, among those of events."""

_log = logging.getLogger("secure_server.watching")


class EventSource(Protocol):
    """Has events; see `secure_server.recording.recording`."""

    def watch(self, kinds: frozenset[str], take: Callable[[Event], None]) -> None:
        """Hand events of these kinds to `take`, and no others."""


class LineSource(Protocol):
    """Has lines; see `secure_server.recording.activity_log`."""

    def follow(self, take: Callable[[Sequence[str]], None] | None) -> None:
        """Hand lines to `take` when they are written; None: to nobody."""


class Watching:
    """Feeds whoever watches. Its methods are for any thread.

    Not a thread for each: most of them wait most of the time.

    Args:
        events: where events come from.
        lines: where lines of the log do.
        clock: monotonic seconds.

    Attributes:
        clock: as given.
    """

    def __init__(self, events: EventSource, lines: LineSource, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._events = events
        self._lines = lines
        self._lock = threading.Lock()
        self._watchers: dict[Watcher[Any], None] = {}
        self._inbox: deque[Event | str] = deque()
        self._missed: Counter[str] = Counter()
        self._ending = False
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watching", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def end(self) -> None:
        """Have all who watch end, and nobody begin: the server ends, and waits for what runs."""
        self._ending = True
        for watcher in self._present():
            watcher.refuse(_draining())

    def stop(self) -> None:
        """End the thread; whoever still watches is told by the end of its session."""
        self._stopping.set()
        self._awake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def check(self) -> None:
        """Raise a CommandError unless one more may watch."""
        if self._ending:
            raise _draining()
        if len(self._watchers) >= MOST_WATCHERS:
            raise CommandError(
                N_("{count} sessions watch already; end one of them, or try again later."),
                code=ErrorCode.BUSY,
                count=MOST_WATCHERS,
            )

    def watch(self, watcher: Watcher[Any]) -> Awaited:
        """Have a session told from when it has begun to wait; raises as `check`."""
        self.check()
        return Awaited(partial(watcher.begin, self))

    def add(self, watcher: Watcher[Any]) -> None:
        """Feed one from now on."""
        with self._lock:
            self._watchers[watcher] = None
            self._want()
        if self._ending:  # it began in the moment before
            watcher.refuse(_draining())
        self.wake()

    def drop(self, watcher: Watcher[Any]) -> None:
        """Feed it no more."""
        with self._lock:
            if watcher in self._watchers:
                del self._watchers[watcher]
                self._want()

    def wake(self) -> None:
        """Somebody has room again, or something happened."""
        if not self._awake.is_set():
            self._awake.set()

    def _want(self) -> None:
        """Have those things handed here that somebody wants, and nothing else made. Under the lock."""
        self._events.watch(frozenset().union(*(watcher.kinds for watcher in self._watchers)), self._take_event)
        reads = any(watcher.telling.of is str for watcher in self._watchers)
        self._lines.follow(self._take_lines if reads else None)

    def _present(self) -> list[Watcher[Any]]:
        with self._lock:
            return list(self._watchers)

    # Whoever reports: it never waits

    def _take_event(self, event: Event) -> None:
        room = INBOX - RESERVED if event.kind == COMMAND else INBOX
        with self._lock:
            if len(self._inbox) < room:
                self._inbox.append(event)
            else:
                self._missed[event.kind] += 1
        self.wake()

    def _take_lines(self, lines: Sequence[str]) -> None:
        with self._lock:
            room = max(0, INBOX - RESERVED - len(self._inbox))
            self._inbox.extend(lines[:room])
            if len(lines) > room:
                self._missed[LINE] += len(lines) - room
        self.wake()

    # The thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._awake.wait(TICK_SECONDS if self._watchers else None)
            self._stopping.wait(GATHER_SECONDS)
            self._awake.clear()  # before looking: what happens from here on wakes the next round
            try:
                self.step()
            except BaseException:  # noqa: BLE001 - one who cannot be told must not end the telling of all others
                _log.exception("unexpected error in what tells those who watch")

    def step(self) -> None:
        """Hand on what happened, and tell what waits. The thread's step; tests call it."""
        with self._lock:
            items, self._inbox = list(self._inbox), deque()
            missed, self._missed = self._missed, Counter()
            watchers = list(self._watchers)
        now = self.clock()
        for first in range(0, len(items), PIECE):
            for watcher in watchers:
                self._guarded(watcher, partial(watcher.take, items[first : first + PIECE], now))
            self._stopping.wait(PAUSE_SECONDS)
        told = max(1, TOLD // max(1, len(watchers)))
        goes_on = False
        for watcher in watchers:
            count = sum(missed[kind] for kind in ((LINE,) if watcher.telling.of is str else watcher.kinds))
            if count:
                watcher.miss(count)
            goes_on |= bool(self._guarded(watcher, partial(watcher.feed, told, now)))
        if goes_on:
            self.wake()

    @staticmethod
    def _guarded(watcher: Watcher[Any], step: Callable[[], object]) -> object:
        """Return what a step returns; nothing for one who has gone, or whom it ends because it fails."""
        if watcher.gone:
            return None
        try:
            return step()
        except BaseException:  # noqa: BLE001 - one who cannot be told must not end the telling of all others
            _log.exception("unexpected error while session %d was told what happens", watcher.session.number)
            watcher.refuse(CommandError(N_("An internal error ended the watching; the log has more of it.")))
            return None


def _draining() -> CommandError:
    return CommandError(CLOSE_SENTENCES[CloseReason.DRAINING], code=ErrorCode.DRAINING)
