"""The jobs of a server: what others ask of them, and the one thread that decides about them all."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Set
from functools import partial
from pathlib import Path

from secure_server.config.jobs import Jobs as Settings
from secure_server.jobs.decisions import Decisions
from secure_server.jobs.job import Job, JobState
from secure_server.jobs.keeping.kept import Kept
from secure_server.jobs.order import Order
from secure_server.jobs.surroundings import Surroundings
from secure_server.jobs.visibility import may_see
from secure_server.jobs.watching.following import Following
from secure_server.jobs.watching.seen import Seen
from secure_server.jobs.watching.telling import Telling, number_told, parts_told
from secure_server.jobs.watching.watcher import Watcher
from secure_server.session.call import Awaited
from secure_server.session.codecs import RESP2
from secure_server.session.session import Session

TICK_SECONDS = 1.0
"""How exactly a job's timeout is kept."""
REST_SECONDS = 60.0
"""Where none runs: how often it is looked what has been kept for long enough."""

_log = logging.getLogger("secure_server.jobs")


class Jobs:
    """All jobs of a server. Its methods are for any thread.

    One thread starts, ends and forgets them, so that no two of these happen at once; what others read (a job, its
    place) is replaced as a whole.

    Args:
        directory: the data directory.
        settings: bounds of what is kept.
        threads: jobs that run at once.
        around: what of the server they need.
        clock: monotonic seconds.
        wall: Unix seconds.

    Attributes:
        following: tells those who watch.
    """

    def __init__(
        self,
        directory: Path,
        settings: Settings,
        threads: int,
        around: Surroundings,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._threads = threads
        self._around = around
        self._clock = clock
        self._wall = wall
        self.following = Following(self._look, self._output_of, clock)
        self._kept: Kept | None = None
        self._decisions: Decisions | None = None
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        """From each session one start at most, from each run its end: bounded as these are."""
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Read what is kept, and start the threads.

        No other server may run in the data directory: its jobs would be taken for what a dead one left behind.

        Raises:
            RecordsError: what is kept of earlier jobs cannot be used; nothing was started.
        """
        kept = Kept(self._directory, self._settings, lambda: self._inbox.put(self._started.keep_time))
        try:
            self._decisions = Decisions(
                kept, self._settings, self._threads, self._around, self.following, self._inbox.put,
                clock=self._clock, wall=self._wall,
            )  # fmt: skip
        except BaseException:
            kept.close()
            raise
        self._kept = kept
        self.following.start()
        self._thread.start()

    def tell_interrupted(self) -> None:
        """Have all be told of the jobs that ended with the server before, as of any end. When there is who hears it."""
        kept = self._kept
        for job in kept.interrupted if kept is not None else ():
            self._inbox.put(partial(self._around.changed, job, self.following.watches))

    @property
    def all(self) -> list[Job]:
        """All jobs that are kept, by number."""
        return list(self._started.jobs.values())  # they come in that order, and keep their places

    @property
    def running(self) -> int:
        """How many run."""
        return len(self._started.runs)

    @property
    def waiting(self) -> int:
        """How many wait for others."""
        return len(self._started.places)

    def seen(self, number: int) -> Seen | None:
        """Return how a job stands; None where there is none of that number, or none any more."""
        decisions = self._started
        run = decisions.runs.get(number)  # before its record: a run goes after that says how it ended
        job = decisions.jobs.get(number)
        if job is None:
            return None
        if job.state is JobState.QUEUED:  # a place is taken away only after it has begun
            return Seen(job, 0, None, decisions.places.get(number, 0))
        if run is None or job.state.ended:
            return Seen(job, job.parts)
        return Seen(job, run.output.next, run.call.progress)

    def start_for(self, session: Session, order: Order) -> Awaited:
        """Start a job; the session is told how it goes, or why there is none, when it has begun to wait."""
        codec = session.codec
        watcher = Watcher(session, number_told(codec) if codec is RESP2 else parts_told(codec), self.following)

        def begin() -> None:
            watcher.begin()
            self._inbox.put(partial(self._started.order, order, watcher))

        return Awaited(begin)

    def watch(self, session: Session, number: int, telling: Telling, first: int = 0, wait: float = 0.0) -> Awaited:
        """Have a session told of a job from a part on, when it has begun to wait.

        Args:
            session: whose.
            number: of a job that it may see.
            telling: how.
            first: the part.
            wait: seconds, see `Watcher`.
        """
        watcher = Watcher(session, telling, self.following, number=number, position=first, wait=wait)

        def begin() -> None:
            watcher.begin()
            self.following.add(watcher)

        return Awaited(begin)

    def detach(self, session: Session) -> bool:
        """Have a session watch no more; whether it did. Its own thread."""
        return self.following.detach(session)

    def cancel(self, number: int, by: str) -> None:
        """Tell a job to stop, on somebody's behalf."""
        self._inbox.put(partial(self._started.cancel, number, by))

    def release(self, number: int) -> None:
        """Let others have what a lost job holds: somebody knows that nothing runs of it."""
        self._inbox.put(partial(self._started.release, number))

    def revoke(self, tokens: Set[str] = frozenset()) -> None:
        """Tell those to stop whose token or certificate is revoked, unless their command goes on.

        Args:
            tokens: the public ids of such that ended just now; of one that is gone altogether nobody knows it later.
        """
        if self._decisions is not None:  # what was revoked before the start nothing was started with
            self._inbox.put(partial(self._decisions.revoke, tokens))

    def take_up(self, settings: Settings) -> None:
        """Go by other bounds: those that run keep what they began with, but for the disk."""
        self._settings = settings
        if self._decisions is not None:
            self._decisions.take_up(settings)

    def drain(self) -> None:
        """Begin no more; what waits never will."""
        if self._decisions is not None:
            self._inbox.put(self._decisions.drain)

    def end(self, seconds: float, grace: float) -> None:
        """After `drain`: wait for those that run, then tell them to stop, for the server does.

        Args:
            seconds: how long they may go on.
            grace: seconds that they may take to end after that.
        """
        if self._decisions is not None and not self._decisions.idle.wait(seconds):
            self._inbox.put(self._decisions.end_all)
            self._decisions.idle.wait(grace)

    def stop(self) -> None:
        """End the threads and close the files. What still runs the next start finds lost."""
        self._inbox.put(None)
        if self._thread.ident is not None:
            self._thread.join()
        self.following.stop()
        if self._kept is not None:
            self._kept.close()

    @property
    def _started(self) -> Decisions:
        assert self._decisions is not None, "jobs are asked for before `start`"  # noqa: S101 - as it says
        return self._decisions

    def _output_of(self, number: int) -> Path:
        assert self._kept is not None  # noqa: S101 - nobody follows before `start`
        return self._kept.output_of(number)

    def _look(self, watcher: Watcher) -> Seen | None:
        seen = self.seen(watcher.number)
        if seen is None or not may_see(watcher.session.principal, seen.job, self._around.command_named):
            return None
        return seen

    # The thread

    def _run(self) -> None:
        ticked = self._clock()
        while True:
            try:
                step = self._inbox.get(timeout=TICK_SECONDS if self._started.runs else REST_SECONDS)
            except queue.Empty:
                step = _nothing
            if step is None:
                return
            self._guarded(step)
            if self._clock() - ticked >= TICK_SECONDS:
                ticked = self._clock()
                self._guarded(self._started.keep_time)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except BaseException:  # noqa: BLE001 - one job's trouble must not end the thread of all
            _log.exception("unexpected error in what decides about jobs")


def _nothing() -> None:
    """Stand for a step where none came in time."""
