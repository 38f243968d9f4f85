"""The thread that tells all who watch jobs what is new, at the pace at which each of them takes it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from secure_protocol.errors import CommandError, ErrorCode
from secure_protocol.replies import ErrorReply, Push
from secure_server.i18n import N_
from secure_server.jobs.job import Job, JobState
from secure_server.jobs.keeping.reader import Reader
from secure_server.jobs.refusals import no_such_job
from secure_server.jobs.watching.seen import Seen
from secure_server.jobs.watching.telling import COLLECTED_BYTES, Collected, reply_of
from secure_server.jobs.watching.watcher import Watcher
from secure_server.session.session import Session

PIECE_BYTES = 32 * 1024
"""What is read of a job's output at once: one who reads much does not keep the others waiting."""
QUIET_SECONDS = 15.0
"""After so long without a word, who watches a running job is told of its progress: clients give up after a minute."""
TICK_SECONDS = 1.0
"""How exactly that, and what else goes by the clock, is kept."""

_log = logging.getLogger("secure_server.jobs")


class Following:
    """Feeds whoever watches. Its methods are for any thread.

    Not a thread for each: there may be as many as sessions, and most of them wait. They are bounded by the sessions,
    of which each watches one job at a time.

    Args:
        look: how a job stands; None: there is none of that number (any more), or the watcher may not see it.
        directory: of a job's output.
        clock: monotonic seconds.

    Attributes:
        clock: as given.
    """

    def __init__(
        self,
        look: Callable[[Watcher], Seen | None],
        directory: Callable[[int], Path],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look
        self._directory = directory
        self.clock = clock
        self._changed = threading.Condition()
        self._watching: dict[int, dict[Watcher, None]] = {}
        """By the number of the job; those whose job has none yet are not there."""
        self._sessions: dict[Session, Watcher] = {}
        """All of them: each session watches one job at a time."""
        self._woken: dict[Watcher, None] = {}
        self._poked: dict[int, None] = {}
        """Jobs of which all are to be woken."""
        self._stopping = self._settling = False
        self._thread = threading.Thread(target=self._run, name="jobs-following", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; whoever still watches is told by the end of its session."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def expect(self, watcher: Watcher) -> None:
        """Know one that waits for its job's number; `add` feeds it. On its session's thread."""
        with self._changed:
            self._sessions[watcher.session] = watcher

    def add(self, watcher: Watcher) -> None:
        """Feed one from now on; its number is known."""
        with self._changed:
            if not watcher.gone:
                self._sessions[watcher.session] = watcher
                self._watching.setdefault(watcher.number, {})[watcher] = None
                self._wake(watcher)

    def drop(self, watcher: Watcher) -> None:
        """Feed it no more; it is gone."""
        with self._changed:
            self._woken.pop(watcher, None)
            if self._sessions.get(watcher.session) is watcher:
                del self._sessions[watcher.session]
            if self._settling and not self._sessions:
                self._changed.notify_all()
            watchers = self._watching.get(watcher.number, {})
            watchers.pop(watcher, None)
            if not watchers:
                self._watching.pop(watcher.number, None)

    def detach(self, session: Session) -> bool:
        """Have a session watch no more, and be told where it was; whether it watched."""
        with self._changed:
            watcher = self._sessions.get(session)
        if watcher is None:
            return False
        watcher.detach()  # where its job has no number yet, it is told as soon as that is known
        return True

    def wait_until_told(self, seconds: float) -> None:
        """Wait until nobody watches a job that has ended, as far as they read what they are told."""
        with self._changed:
            self._settling = True
            self._changed.wait_for(lambda: not self._sessions, seconds)
            self._settling = False

    def watches(self, session: Session, number: int) -> bool:
        """Whether a session is told of a job's end already."""
        with self._changed:
            watcher = self._sessions.get(session)
            return watcher is not None and watcher.number == number and watcher.telling.awaits_end

    def wake(self, watcher: Watcher) -> None:
        """There is room again, or it wants to leave."""
        with self._changed:
            if watcher in self._watching.get(watcher.number, ()):
                self._wake(watcher)

    def poke(self, number: int) -> None:
        """Something is new of a job. However many watch it, whoever says so does nothing for each."""
        # Nobody watches: who comes at this very moment looks by itself. Or it is to be looked at anyway, after this.
        if number not in self._watching or number in self._poked:
            return
        with self._changed:
            self._poked[number] = None
            self._changed.notify_all()

    def _wake(self, watcher: Watcher) -> None:
        if not self._woken:
            self._changed.notify_all()
        self._woken[watcher] = None

    # The thread

    def _run(self) -> None:
        ticked = self.clock()
        while True:
            with self._changed:
                if not (self._woken or self._poked or self._stopping):
                    self._changed.wait(TICK_SECONDS if self._watching else None)
                if self._stopping:
                    return
                (woken, self._woken), (poked, self._poked) = (self._woken, {}), (self._poked, {})
                for number in poked:
                    woken.update(self._watching.get(number, {}))
                now = self.clock()
                if now - ticked >= TICK_SECONDS:
                    ticked = now
                    woken = {item: None for items in self._watching.values() for item in items}
            for watcher in woken:
                self._step(watcher, now)

    def _step(self, watcher: Watcher, now: float) -> None:
        try:
            if not watcher.gone:
                self._feed(watcher, now)
        except BaseException:  # noqa: BLE001 - one who cannot be told must not end the telling of all others
            _log.exception("unexpected error while job %d was told", watcher.number)
            watcher.refuse(watcher.session.failure(CommandError(N_("The job's output cannot be read."))))

    def _feed(self, watcher: Watcher, now: float) -> None:
        seen = self._look(watcher)
        if seen is None:
            watcher.refuse(watcher.session.failure(no_such_job(watcher.number)))
        elif watcher.leaving:
            self._let_go(watcher, seen)
        elif isinstance(watcher.telling, Collected):
            self._collect(watcher, watcher.telling, seen, now)
        else:
            self._tell(watcher, seen, now)

    def _tell(self, watcher: Watcher, seen: Seen, now: float) -> None:
        telling, call, job = watcher.telling, watcher.call, seen.job
        said = b""
        if telling.heeds_output:
            said = telling.stands(seen, watcher.position) if self._is_news(watcher, seen) else b""
            if said:
                watcher.counted = watcher.position
            if watcher.position < seen.next and (room := call.room - len(said)) > 0:
                said += self._parts(watcher, seen, room)
            if watcher.counted < watcher.position and (job.state.ended or now - watcher.gap >= TICK_SECONDS):
                said += self._resumes(watcher, seen, watcher.position)
                watcher.gap = now
        said += self._progress(watcher, seen, now, silent=not said)
        if said or not watcher.heard:
            watcher.heard = now
            call.offer(said)
        if telling.heeds_output and watcher.position < seen.next:
            if call.room > 0:
                self.wake(watcher)  # after the others; else it is woken when there is room
        elif job.state.ended or not telling.awaits_end:
            watcher.finish(telling.end(seen, self._reply(watcher, job)))

    def _progress(self, watcher: Watcher, seen: Seen, now: float, *, silent: bool) -> bytes:
        """Return how far the job is, where that is new, or nothing else was told for long."""
        telling, is_new = watcher.telling, seen.progress is not watcher.progress
        if is_new and seen.progress is not None and telling.heeds_output and watcher.call.room > 0:
            watcher.progress = seen.progress
            return telling.progress(seen.progress)
        if silent and watcher.heard and not seen.job.state.ended and now - watcher.heard >= QUIET_SECONDS:
            return telling.progress(seen.progress or Push("progress", (0.0, "")))
        return b""

    def _is_news(self, watcher: Watcher, seen: Seen) -> bool:
        stands = (seen.job.state if not seen.job.state.ended else None, seen.place)
        if stands == watcher.told or (stands[0] is None and watcher.told is not None):
            return False
        watcher.told = stands
        return True

    def _parts(self, watcher: Watcher, seen: Seen, room: int) -> bytes:
        reader = watcher.read(self._directory(seen.job.number))
        piece = reader.read(watcher.position, seen.next, min(room, PIECE_BYTES))
        watcher.position = piece.next
        if not piece.parts:  # that these are missing is told with the next that is there, or when it is time
            return b""
        said = self._resumes(watcher, seen, piece.first) if piece.first > watcher.counted else b""
        watcher.counted = piece.next
        return said + watcher.telling.parts(piece.first, piece.parts)

    @staticmethod
    def _resumes(watcher: Watcher, seen: Seen, first: int) -> bytes:
        watcher.counted = first
        return watcher.telling.resumes(seen, first)

    def _collect(self, watcher: Watcher, telling: Collected, seen: Seen, now: float) -> None:
        if not watcher.due:
            watcher.due = now + watcher.wait
        waits = not seen.job.state.ended and now < watcher.due
        if watcher.position >= seen.next and waits:
            return
        piece = watcher.read(self._directory(seen.job.number)).read(watcher.position, seen.next, COLLECTED_BYTES)
        if not piece.parts and waits:
            return
        first = piece.first if piece.parts else max(piece.next, watcher.asked)
        watcher.finish(telling.map_of(seen, watcher.asked, first, piece.parts))

    def _let_go(self, watcher: Watcher, seen: Seen) -> None:
        number, code = seen.job.number, ErrorCode.CANCELLED if watcher.unwanted else ErrorCode.DETACHED
        failure = CommandError(
            N_("Job {number} goes on; JOB ATTACH {number} {next} comes back to it."),
            code=code,
            number=number,
            next=watcher.position,
        )
        if not watcher.telling.heeds_output:
            failure = CommandError(
                N_("Job {number} goes on; JOB WAIT {number} comes back to it."), code=code, number=number
            )
        watcher.refuse(watcher.session.failure(failure))

    def _reply(self, watcher: Watcher, job: Job) -> bytes | ErrorReply:
        if job.result is not None or job.code or job.state is not JobState.DONE:
            return reply_of(job)
        kept = long_result(watcher.read(self._directory(job.number)), job)
        if kept is not None:
            return kept
        sentence = N_("Job {number} is done, but what it returned was too long to keep.")
        return watcher.session.failure(CommandError(sentence, number=job.number))


def long_result(reader: Reader, job: Job) -> bytes | None:
    """Return a result that was too long for the record: it is kept behind the output; None where it was not."""
    piece = reader.read(job.parts, job.parts + 1, 1)
    return piece.parts[0] if piece.parts else None
