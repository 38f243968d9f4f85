"""Sessions that have ended: the last of them, as lists show them."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Self

from secure_protocol.reasons import CloseReason
from secure_server.auth.principal import Principal, Role
from secure_server.session.peer import Activity, Peer
from secure_server.session.session import Session

MOST_CLOSED = 10_000
"""Sessions that are kept after their end: a busy day of people, or some minutes of programs that come and go. One takes
1.0 KB, so all take 10 MB; they are in memory alone, for the audit trail is what lasts."""


@dataclass(slots=True, eq=False)  # not frozen, which would double what it costs to make one
class Closed:
    """What is kept of a session that has ended: what it was made of, as far as a list has it. Nothing changes it.

    Attributes:
        number, peer, activity, client_name, library: the session's.
        principal: who it was at its end, without the list of its commands.
        close_reason: why it ended.
        closed: when, Unix seconds.
        seconds: how long it lasted.
    """

    number: int
    peer: Peer
    principal: Principal | None
    activity: Activity
    client_name: str
    library: tuple[str, str]
    close_reason: CloseReason | None
    closed: float
    seconds: float

    @classmethod
    def of(cls, session: Session) -> Self:
        """Return what is kept of a session that ends now."""
        principal, activity = session.principal, session.activity
        if principal is not None and principal.allow is not None:
            principal = replace(principal, allow=None)  # a list of commands may be long
        return cls(
            session.number,
            session.peer,
            principal,
            activity,
            session.client_name,
            session.library,
            session.close_reason,
            time.time(),
            max(0.0, session.terms.clock() - activity.since),
        )

    @property
    def role(self) -> Role:
        """What it might act as."""
        return Role.NOBODY if self.principal is None else self.principal.role


class ClosedSessions:
    """The last that have ended, in the order of their ends. To be used under the lock of whoever has them."""

    def __init__(self) -> None:
        self._kept: deque[Closed] = deque(maxlen=MOST_CLOSED)

    def add(self, session: Session) -> None:
        """Keep one that ends now; the oldest is forgotten for it."""
        self._kept.append(Closed.of(session))

    def newest_first(self) -> list[Closed]:
        """Return all that are kept."""
        return list(reversed(self._kept))
