"""Draining: nobody comes in but administrators, and those who are in leave as soon as what they asked for is answered.

It is for `SERVER DRAIN`, which can be taken back, and for the end of the server, which cannot and spares nobody. The
listeners stay open meanwhile: so a newcomer is told to come back and when, an administrator still comes in, and nothing
has to be opened again. Jobs are no sessions and go on; what a stopping server does about them is its own affair.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from secure_protocol.reasons import CloseReason
from secure_server.auth.principal import Role
from secure_server.i18n import N_
from secure_server.session.endings import RETRY_AFTER
from secure_server.session.population import Sessions
from secure_server.session.session import Session

EMPTYING = N_("The server closes its connections for a while; come back later.")
"""What is told of a drain that is not the server's end."""
LOOK_SECONDS = 1.0
"""Between looks at whether the time is up, so that however many drains are begun and taken back one timer runs."""

CallLater = Callable[[float, Callable[[], None]], None]
"""Calls back after so many seconds, on a thread that may hand over to any session."""


@dataclass(frozen=True, slots=True, eq=False)
class Drain:
    """One drain; no two are equal.

    Attributes:
        since: monotonic seconds.
        until: when those who are left are closed, monotonic seconds.
        retry_after: seconds that clients are told to stay away; None for what the reason itself says.
        ending: the server ends: administrators leave as well, and it cannot be taken back.
    """

    since: float
    until: float
    retry_after: int | None
    ending: bool = False

    def spares(self, session: Session) -> bool:
        """Whether it lets somebody stay: an administrator, and a stranger, who may be one and has a deadline anyway."""
        return not self.ending and (session.principal is None or session.role is Role.ADMIN)


class Draining:
    """Whether the server takes anybody in. Any thread.

    Args:
        sessions: the population.
        clock: monotonic seconds.
        call_later: for the end of the time given.

    Attributes:
        present: the drain that is on; None where everybody may come in.
    """

    def __init__(self, sessions: Sessions, clock: Callable[[], float], call_later: CallLater) -> None:
        self._sessions = sessions
        self._clock = clock
        self._call_later = call_later
        self._lock = threading.Lock()
        self._looking = False
        self.present: Drain | None = None

    @property
    def on(self) -> bool:
        """Whether a drain is on."""
        return self.present is not None

    @property
    def left(self) -> int:
        """How many are in that have to leave."""
        drain = self.present
        return 0 if drain is None else sum(not (item.closing or drain.spares(item)) for item in self._sessions)

    def concerns(self, session: Session) -> bool:
        """Whether somebody would have to leave, were a drain to begin now."""
        return not (session.closing or Drain(0.0, 0.0, None).spares(session))

    def begin(self, within: float, retry_after: int) -> bool:
        """Have those who are no administrators leave as soon as they are answered; False where the server ends.

        A drain that is on already goes on with what is said now.

        Args:
            within: seconds after which those who are left are closed.
            retry_after: seconds that clients are told to stay away.
        """
        now = self._clock()
        with self._lock:
            if self.present is not None and self.present.ending:
                return False
            drain = self.present = Drain(now, now + within, retry_after)
            looking, self._looking = self._looking, True
        self._ask(drain)
        if not looking:
            self._look()
        return True

    def cancel(self) -> bool:
        """Take everybody in again, and let those stay who have not left; False where there is nothing to take back."""
        with self._lock:
            if self.present is None or self.present.ending:
                return False
            self.present = None
        for session in self._sessions:
            session.call_soon(partial(self._let_stay, session))
        return True

    def end(self) -> None:
        """Have everybody leave as soon as they are answered, for good: the server ends."""
        now = self._clock()
        with self._lock:
            drain = self.present = Drain(now, now, None, ending=True)
        self._ask(drain)

    def close_rest(self) -> None:
        """Close those who have to leave and have not, whatever they wait for."""
        drain = self.present
        if drain is None:
            return
        for session in self._sessions:
            if not (session.closing or drain.spares(session)):
                session.call_soon(partial(self._close, session, drain))

    def refuses(self, role: Role) -> int | None:
        """Return the seconds after which somebody may come back; None where they may come in now.

        To be asked before they are let in, and once more when they are in the population with who they are: whoever
        came in between was not seen by `begin`.
        """
        drain = self.present
        if drain is None or (role is Role.ADMIN and not drain.ending):
            return None
        return RETRY_AFTER[CloseReason.DRAINING] if drain.retry_after is None else drain.retry_after

    def leave(self, session: Session) -> None:
        """Have one leave who came in while it began. On its own thread."""
        drain = self.present
        if drain is not None and not drain.spares(session):
            session.close_later(CloseReason.DRAINING, self._words(session, drain), drain.retry_after)

    def _ask(self, drain: Drain) -> None:
        for session in self._sessions:
            if not drain.spares(session):
                session.call_soon(partial(self.leave, session))

    # The thread of `call_later`

    def _look(self) -> None:
        with self._lock:
            drain = self.present
            if drain is None or drain.ending:
                self._looking = False
                return
        left = drain.until - self._clock()
        if left <= 0:
            self.close_rest()
        self._call_later(min(LOOK_SECONDS, left) if left > 0 else LOOK_SECONDS, self._look)

    # A session's own thread

    def _close(self, session: Session, drain: Drain) -> None:
        if self.present is drain and not drain.spares(session):
            session.close(CloseReason.DRAINING, self._words(session, drain), drain.retry_after)

    def _let_stay(self, session: Session) -> None:
        if not self.on:
            session.stay()

    def _words(self, session: Session, drain: Drain) -> str:
        """What is said of it; the reason's own sentence tells of the server's end."""
        return "" if drain.ending else session.translate(EMPTYING)
