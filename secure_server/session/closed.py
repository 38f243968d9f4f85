"""Sessions that have ended: the last of them, as lists show them."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Self

from secure_protocol.reasons import CloseReason
from secure_server.auth.principal import Principal, Role
from secure_server.session.peer import Activity, Peer
from secure_server.session.session import Session

MOST_CLOSED = 10_000
"""Sessions that are kept after their end: a busy day of people, or some minutes of programs that come and go. One takes
1.0 KB, so all take 10 MB; they are in memory alone, for the audit trail is what lasts."""
MOST_STRANGERS = 1_000
"""Of those that never proved who they were, besides: however many come, they push nobody else out."""


@dataclass(slots=True, eq=False)  # not frozen, which would double what it costs to make one
class Closed:
    """What is kept of a session that has ended: what it was made of, as far as a list has it. Nothing changes it.

    Attributes:
        number, peer, activity, client_name, library: the session's.
        principal: who it was at its end, without the list of its commands.
        close_reason: why it ended.
        closed: when, Unix seconds.
        ended: the same moment, monotonic seconds.
    """

    number: int
    peer: Peer
    principal: Principal | None
    activity: Activity
    client_name: str
    library: tuple[str, str]
    close_reason: CloseReason | None
    closed: float
    ended: float

    @classmethod
    def of(cls, session: Session) -> Self:
        """Return what is kept of a session that ends now."""
        principal = session.principal
        if principal is not None and principal.allow is not None:
            principal = replace(principal, allow=None)  # a list of commands may be long
        return cls(
            session.number,
            session.peer,
            principal,
            session.activity,
            session.client_name,
            session.library,
            session.close_reason,
            time.time(),
            session.terms.clock(),
        )

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return max(0.0, self.ended - self.activity.since)

    @property
    def role(self) -> Role:
        """What it might act as."""
        return Role.NOBODY if self.principal is None else self.principal.role


class ClosedSessions:
    """The last that have ended, in the order of their ends. To be used under the lock of whoever has them."""

    def __init__(self) -> None:
        self._kept: deque[Closed] = deque(maxlen=MOST_CLOSED)
        self._strangers: deque[Closed] = deque(maxlen=MOST_STRANGERS)

    def add(self, session: Session) -> None:
        """Keep one that ends now; the oldest of its kind is forgotten for it."""
        known = session.principal is not None or session.logins
        (self._kept if known else self._strangers).append(Closed.of(session))

    def all(self) -> list[Closed]:
        """Return all that are kept, in two parts of each its order; see `newest_first`."""
        return [*self._kept, *self._strangers]


def newest_first(closed: list[Closed]) -> list[Closed]:
    """Return what `ClosedSessions.all` gave in the order of their ends, the last one first."""
    return sorted(closed, key=attrgetter("ended"))[::-1]
