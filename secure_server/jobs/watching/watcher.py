"""Who watches a job: a session whose call others feed, so that watching holds no thread."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from secure_protocol.errors import ErrorCode
from secure_protocol.replies import ErrorReply
from secure_server.jobs.keeping.reader import Reader
from secure_server.jobs.watching.telling import Telling
from secure_server.session.call import Feed
from secure_server.session.session import Session


class Feeding(Protocol):
    """The thread that feeds all who watch; see `secure_server.jobs.watching.following`. Any thread."""

    clock: Callable[[], float]
    """Monotonic seconds."""

    def expect(self, watcher: Watcher) -> None:
        """Know it before its job has a number."""

    def add(self, watcher: Watcher) -> None:
        """Feed it from now on."""

    def drop(self, watcher: Watcher) -> None:
        """Feed it no more."""

    def wake(self, watcher: Watcher) -> None:
        """There is room, or something else has changed."""


class Watcher:
    """One session that watches one job, and the `Errand` that it knows.

    Args:
        session: whose.
        telling: how it is told.
        feeding: by whom.
        position: the part from which on it is told.
        cancel: called where the peer cancels, and started the job by this very request; None: that ends the watching
            alone.
        wait: seconds to wait for output, of a telling that is `Collected`.

    Attributes:
        number: the job's; 0 until that has one.
        position: the next part that it is told. The feeding thread's alone, as is all below.
        counted: the number that the peer gives the next part; less than `position` where parts are missing untold.
        gap: when it was told last that some are, on the clock.
        told: how the job stood when it was told last: state and place.
        heard: when it was told something, on the clock.
        progress: what it was told of that last.
        due: when it is answered with what there is.
        leaving: it wants to watch no more, and to be told where it was.
    """

    def __init__(
        self,
        session: Session,
        telling: Telling,
        feeding: Feeding,
        *,
        number: int = 0,
        position: int = 0,
        cancel: Callable[[], None] | None = None,
        wait: float = 0.0,
    ) -> None:
        self.session = session
        self.telling = telling
        self.number = number
        self.position = self.counted = self.asked = position
        self.gap = -math.inf
        self.cancel = cancel
        self.wait = wait
        self.told: tuple[object, int] | None = None
        self.heard = 0.0
        self.due = 0.0
        self.progress: object = None
        self.leaving = False
        self.reader: Reader | None = None
        self._feeding = feeding
        self._call: Feed | None = None
        self._gone = False

    def begin(self) -> None:
        """Have the session wait for what the job answers. Its own thread."""
        session = self.session
        process = partial(session.call_soon, session.process)
        self._call = Feed(process, partial(self._feeding.wake, self))
        self._feeding.expect(self)
        session.begin(None, self, self._call)

    @property
    def call(self) -> Feed:
        """What is fed."""
        assert self._call is not None  # noqa: S101 - it has begun
        return self._call

    @property
    def unwanted(self) -> bool:
        """Whether its peer cancelled what has not begun. Who has only lost its connection wants it still."""
        return self.call.ended_by is ErrorCode.CANCELLED

    @property
    def gone(self) -> bool:
        """Whether nobody is told any more."""
        return self._gone

    def read(self, directory: Path) -> Reader:
        """Return what reads the job's output, from where it was."""
        if self.reader is None:
            self.reader = Reader(directory)
        return self.reader

    def finish(self, reply: bytes) -> None:
        """Answer, and watch no more. Any thread."""
        self._leave()
        session, call = self.session, self.call
        session.call_soon(lambda: session.finish(call, reply, self._feeding.clock()))

    def end_unwanted(self) -> None:
        """Answer that it was cancelled, and watch no more. Any thread."""
        self.finish(self.session.ended_reply(self.call))

    def refuse(self, failure: ErrorReply) -> None:
        """Answer that, and watch no more. Any thread."""
        self.finish(self.session.codec.failure(failure, streamed=self.call.streamed))

    def detach(self) -> None:
        """Watch no more; the peer is told where it was. Any thread."""
        self.leaving = True
        self._feeding.wake(self)

    def _leave(self) -> None:
        self._gone = True
        self._feeding.drop(self)

    # The session's thread: it is the session's errand

    def withdraw(self) -> bool:
        """The peer cancelled, or has gone; False where the job is told to stop, and its end is still awaited."""
        if self.unwanted and self.cancel is not None:
            self.cancel()
            return False
        if self.unwanted and not self.number:  # it is about to be started: whoever does that looks
            return False
        if self.unwanted:  # the watching: the peer is told that the job goes on
            self.detach()
            return False
        self._leave()
        return True

    def overtake(self) -> bool:
        """The job did not end within the grace: the peer is answered without that."""
        return True

    def leave(self) -> None:
        """Nobody waits for it any more."""
        self._leave()
