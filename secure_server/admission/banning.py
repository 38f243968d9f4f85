"""Bans as they meet sessions: whom one keeps out, what they are told, and the end of those who are in.

The admin socket is touched by none: whoever banned everybody can still take that back there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial

from secure_protocol.reasons import CloseReason
from secure_server.auth.principal import Principal
from secure_server.filters.kinds import host_of
from secure_server.i18n import N_, Translate
from secure_server.limits.bans import Ban, Bans, Kind, Target, network_of
from secure_server.limits.netblock import parse_address
from secure_server.moments import moment
from secure_server.session.endings import Ending
from secure_server.session.peer import Peer
from secure_server.session.population import Sessions
from secure_server.session.session import Session

LONGEST_RETRY = 7 * 86400
"""Seconds after which the banned are told to come again at most: who is to stay away longer is told no moment, and
does not wait for it."""


class Banning:
    """Says who is kept out. Any thread, unless a method says otherwise.

    Args:
        bans: the table.
        sessions: the population.

    Attributes:
        bans: as given.
    """

    def __init__(self, bans: Bans, sessions: Sessions) -> None:
        self.bans = bans
        self._sessions = sessions

    def of_peer(self, peer: Peer) -> Ban | None:
        """Return the ban of where somebody comes from; None where there is none."""
        if peer.admin:
            return None
        return next(iter(self.bans.of_address(host_of(peer.address))), None)

    def of(self, session: Session, principal: Principal | None = None) -> Ban | None:
        """Return the ban that keeps a session out, by its address or by who it is; None where there is none.

        Args:
            session: anybody's.
            principal: who it is about to be.
        """
        if session.peer.admin:
            return None
        names = {known.name for known in (principal, session.principal, session.proved) if known is not None}
        users = (self.bans.of_user(name) for name in names)
        return self.of_peer(session.peer) or next(filter(None, users), None)

    def ending(self, ban: Ban, translate: Translate) -> Ending:
        """Return how a session of the banned ends, and what it is told."""
        return CloseReason.BANNED, told(ban, translate), self.retry_after(ban)

    def retry_after(self, ban: Ban) -> int | None:
        """Return the seconds after which the banned may come again; None where that is never, or too far away."""
        seconds = math.inf if ban.until is None else max(0.0, ban.until - self.bans.wall())
        return None if seconds > LONGEST_RETRY else math.ceil(seconds)

    def add(
        self, targets: Iterable[Target], *, seconds: float | None, by: str, reason: str = "", me: Session
    ) -> tuple[list[Ban], int]:
        """Ban some, and end their sessions; return the bans, and how many sessions those were. Worker only.

        Args:
            targets: whom or what.
            seconds: for how long; None for good.
            by: who says so.
            reason: told to the banned, printable.
            me: whose session is answered first, where it ends too.

        Raises:
            TooManyBansError, OSError: as of `Bans.add`; nobody was banned.
        """
        until = None if seconds is None else self.bans.wall() + seconds
        added = self.bans.add(targets, until=until, by=by, reason=reason)
        ended = 0
        for session in self._sessions:
            ban = None if session.closing else self.of(session)
            if ban is None:
                continue
            end = session.close_later if session is me else session.close
            session.call_soon(partial(end, *self.ending(ban, session.translate)))
            ended += 1
        return added, ended

    def covers(self, targets: Iterable[Target], session: Session) -> bool:
        """Whether bans of these would keep a session out that is in."""
        if session.peer.admin:
            return False
        bans = (
            Ban(number=number, kind=kind, what=what, since=0, until=None, by="")
            for number, (kind, what) in enumerate(targets, 1)
        )
        return Banning(Bans(bans), self._sessions).of(session) is not None


def target_of(session: Session, kind: Kind) -> Target | None:
    """Return what of a session is banned; None where it has nothing of that kind, or is of the admin socket."""
    principal = session.principal  # read once: its own thread may change it meanwhile
    host = parse_address(host_of(session.peer.address))
    if session.peer.admin or (principal is None if kind is Kind.USER else host is None):
        return None
    if kind is Kind.USER:
        assert principal is not None  # noqa: S101 - see above
        return Target(kind, principal.name)
    return Target(kind, str(host) if kind is Kind.ADDRESS else network_of(str(host)))


def told(ban: Ban, translate: Translate) -> str:
    """Return what the banned are told."""
    if ban.until is None:
        sentence = N_("You are banned: {reason}") if ban.reason else N_("You are banned.")
    else:
        sentence = N_("You are banned until {until}: {reason}") if ban.reason else N_("You are banned until {until}.")
    until = "" if ban.until is None else moment(ban.until)
    return translate(sentence).format(until=until, reason=ban.reason)
