"""The population: every live session, by number, and the places that clients and strangers take."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial

from secure_protocol.description import COMMANDS_CHANGED
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import Push
from secure_protocol.sentence import Sentence
from secure_server.auth.principal import Principal, Role
from secure_server.config.settings import Limits
from secure_server.i18n import N_
from secure_server.limits.descriptors import GOING
from secure_server.limits.netblock import source_of
from secure_server.limits.newcomers import GiveWay, Newcomers, Place, Shortage
from secure_server.session.closed import Closed, ClosedSessions, newest_first
from secure_server.session.messages import MESSAGE
from secure_server.session.peer import Activity
from secure_server.session.session import Session

CROWDED = N_("Too many connections wait to authenticate, and of those from your address this was the oldest.")
"""What a stranger is told whose place is another's now."""


class Full(Enum):
    """Where there was no place."""

    SERVER = auto()
    """All places for clients are taken."""
    TOKEN = auto()
    """The token has as many sessions as it may."""


@dataclass(slots=True)
class Totals:
    """What all sessions of this server's life did, those that have ended included.

    Attributes:
        connections: sessions.
        commands: dispatched, refused ones included.
        received, sent: protocol bytes, without TLS.
    """

    connections: int = 0
    commands: int = 0
    received: int = 0
    sent: int = 0

    def add(self, activity: Activity) -> None:
        """Count one session's in."""
        self.commands += activity.commands
        self.received += activity.received
        self.sent += activity.sent


class Sessions:
    """All live sessions. Any thread.

    Args:
        limits: how many clients, and how many strangers: connections in handshake and sessions before
            authentication. Those of the admin socket are neither.
    """

    def __init__(self, limits: Limits) -> None:
        self._max_clients = limits.max_clients
        self._newcomers = Newcomers(limits.max_unauthenticated, limits.unauthenticated_per_source)
        self._lock = threading.Lock()
        self._empty = threading.Condition(self._lock)
        self._last_number = 0
        self._ended = Totals()
        self._closed = ClosedSessions()
        self._sessions: dict[int, Session] = {}
        self._strangers: dict[int, Place] = {}
        """The unauthenticated ones, with the place of each, which may be another's by now."""
        self._yielding: set[int] = set()
        """Of those, whose place is another's, and who have not ended yet."""
        self._administrators: dict[int, Session] = {}
        """Those of the admin socket."""
        self._clients: dict[int, str | None] = {}
        """The authenticated ones, with the token of each."""
        self._of_token: Counter[str | None] = Counter()

    def take_up(self, limits: Limits) -> None:
        """Have other bounds for those who come from here on; nobody who is in goes for it."""
        with self._lock:
            self._max_clients = limits.max_clients
            self._newcomers.take_up(limits.max_unauthenticated, limits.unauthenticated_per_source)

    def next_number(self) -> int:
        """Return a number that no session had before."""
        with self._lock:
            self._last_number += 1
            return self._last_number

    def add(self, session: Session, place: Place | None = None) -> None:
        """Begin to count one in.

        Args:
            session: joined to its carrier.
            place: as it `enter`ed; None for the admin socket.
        """
        with self._lock:
            self._sessions[session.number] = session
            if session.peer.admin:
                self._administrators[session.number] = session
            if place is None:
                return
            self._strangers[session.number] = place
            place.give_way = partial(self._give_way, session)
        if not place.held:
            self._give_way(session)  # it was given up in the moment before

    def remove(self, session: Session) -> None:
        """One has ended."""
        with self._lock:
            if self._sessions.pop(session.number, None) is not None:
                self._ended.add(session.activity)
                self._closed.add(session)
            self._administrators.pop(session.number, None)
            self._release(session)
            if not self._sessions:
                self._empty.notify_all()

    def enter(self, netblock: str, give_way: GiveWay) -> Place:
        """Take a stranger's place, before its handshake. If one is short, another stranger gives way.

        Args:
            netblock: from where.
            give_way: ends this one when it is its turn to give way.
        """
        place = Place(source_of(netblock), give_way)
        with self._lock:
            given = self._newcomers.enter(place)
        _tell(given)
        return place

    def leave(self, place: Place) -> None:
        """Give a stranger's place back: its handshake failed, and it never became a session."""
        with self._lock:
            self._newcomers.leave(place)

    def wait_until_empty(self, seconds: float) -> bool:
        """Wait until no session is left, at most `seconds`; whether that is so."""
        with self._empty:
            return self._empty.wait_for(lambda: not self._sessions, seconds)

    def admit(self, session: Session, principal: Principal) -> Full | None:
        """Take a place among the authenticated clients, in one step for all threads; None, or why there is none.

        A session that has one, by its certificate, keeps it, and is counted with its new principal.
        """
        token, most = principal.token_id, principal.max_sessions
        with self._lock:
            placed = session.number in self._clients
            if not placed and len(self._clients) >= self._max_clients:
                return Full.SERVER
            if most is not None and self._of_token[token] >= most:
                return Full.TOKEN
            self._release(session)
            self._clients[session.number] = token
            self._of_token[token] += 1
            return None

    def dismiss(self, session: Session) -> None:
        """Give the place back: the session is a stranger's again, and takes a place as any newcomer does."""
        place = Place(source_of(session.peer.netblock), partial(self._give_way, session))
        with self._lock:
            self._release(session)
            self._strangers[session.number] = place
            given = self._newcomers.enter(place)
        _tell(given)

    def of_tokens(self) -> dict[str | None, int]:
        """How many live sessions each token has; those of certificates are under None."""
        with self._lock:
            return dict(self._of_token)

    def _release(self, session: Session) -> None:
        """Free the place that it has, of whichever kind. Under the lock."""
        place = self._strangers.pop(session.number, None)
        self._yielding.discard(session.number)
        if place is not None:
            self._newcomers.leave(place)
        if session.number not in self._clients:
            return
        token = self._clients.pop(session.number)
        self._of_token[token] -= 1
        if not self._of_token[token]:
            del self._of_token[token]

    def _give_way(self, session: Session, _shortage: Shortage | None = None) -> None:
        with self._lock:
            place = self._strangers.get(session.number)
            if place is not None and not place.held:
                self._yielding.add(session.number)
        session.call_soon(partial(self._end_without_place, session))

    def _end_without_place(self, session: Session) -> None:
        """End a stranger, unless it came in meanwhile. On its own thread.

        At once: were it let stay until it took what it is told, a flood could be as large as it liked.
        """
        with self._lock:
            place = self._strangers.get(session.number)
        if place is not None and not place.held:
            session.break_off(CloseReason.TOO_MANY, session.translate(CROWDED))

    def __iter__(self) -> Iterator[Session]:
        """Those live at this moment, by number."""
        with self._lock:
            return iter(list(self._sessions.values()))

    def numbered(self, number: int) -> Session | None:
        """Return the live one of that number; None where there is none."""
        return self._sessions.get(number)

    def by_number(self) -> dict[int, Session]:
        """Return those live at this moment, each under its number."""
        with self._lock:
            return self._sessions.copy()

    def __len__(self) -> int:
        return len(self._sessions)

    def closed(self) -> list[Closed]:
        """Return the last that have ended, the newest first."""
        with self._lock:
            closed = self._closed.all()
        return newest_first(closed)  # without the lock, which each newcomer waits for

    def totals(self) -> Totals:
        """Return what all sessions did so far."""
        with self._lock:
            totals = replace(self._ended, connections=self._last_number)
            for session in self._sessions.values():
                totals.add(session.activity)
            return totals

    def traffic(self) -> tuple[int, int]:
        """Return the protocol bytes that all sessions received and sent so far: `totals`, of these alone."""
        received = sent = 0
        with self._lock:
            for session in self._sessions.values():
                activity = session.activity
                received += activity.received
                sent += activity.sent
            return self._ended.received + received, self._ended.sent + sent

    @property
    def most(self) -> int:
        """Authenticated clients that there may be at once."""
        return self._max_clients

    @property
    def clients(self) -> int:
        """Authenticated clients, without those of the admin socket."""
        return len(self._clients)

    @property
    def strangers(self) -> int:
        """Connections in handshake and sessions that have not authenticated."""
        return self._newcomers.count

    @property
    def most_strangers(self) -> int:
        """Of those there may be so many at once."""
        return self._newcomers.most

    @property
    def heaviest_source(self) -> tuple[int, int]:
        """Strangers of the source that has most of them, and how many one source may have."""
        return self._newcomers.heaviest, self._newcomers.per_source

    @property
    def last_number(self) -> int:
        """Sessions so far, those that have ended included."""
        return self._last_number

    @property
    def has_room(self) -> bool:
        """Whether one more stranger may come now: no more than `GOING` may have given their place up and not ended yet.

        Each of them still has its descriptor until its own thread has ended it.
        """
        return len(self._yielding) < GOING

    @property
    def crowded(self) -> bool:
        """Whether strangers have a quarter of their places: who may come in another's name is to prove its address."""
        return 4 * self._newcomers.count >= self._newcomers.most

    @property
    def given_way(self) -> dict[Shortage, int]:
        """How many strangers gave way to others, by why."""
        with self._lock:
            return dict(self._newcomers.given_way)

    @property
    def on_admin_socket(self) -> int:
        """Sessions on the admin socket."""
        return len(self._administrators)

    def has_room_on_admin_socket(self, most: int) -> bool:
        """Whether one more may come by the admin socket now.

        Those on their way out have no place any more, but no more than `GOING` of them may be there: each still has its
        descriptor until its thread has ended it, and who takes no bytes takes its time to go.

        Args:
            most: sessions that there may be.
        """
        return len(self._administrators) < most + GOING

    def make_room_on_admin_socket(self, most: int) -> None:
        """Have the longest idle on the admin socket give way to one more, where all places are taken.

        One whose command is running does so only where nobody is idle. Those on their way out are not counted.

        Args:
            most: sessions that there may be.
        """
        with self._lock:
            staying = [session for session in self._administrators.values() if not session.closing]
        staying.sort(key=lambda session: (session.busy, session.activity.last_active))
        for session in staying[: max(0, len(staying) - most + 1)]:
            session.call_soon(partial(_make_room, session, busy=session.busy))

    def tell_administrators(self, sender: str, sentence: Sentence) -> None:
        """Tell each connected administrator something, in its language. Any thread.

        Args:
            sender: who is shown to be telling.
            sentence: in English.
        """
        for session in self:
            if session.role is Role.ADMIN and session.takes_messages:
                session.post(Push(MESSAGE, (sender, sentence.into(session.translate))))

    def tell_of_commands(self, concerned: Callable[[Principal], bool]) -> None:
        """Tell those who can tell a push from a reply that the commands which they may run are others. Any thread.

        Args:
            concerned: whether what a principal may run has changed.
        """
        for session in self:
            principal = session.principal
            if principal is not None and session.codec.pushes and concerned(principal):
                session.post(Push(COMMANDS_CHANGED))

    def close(
        self, chosen: Callable[[Session], bool], reason: CloseReason, detail: str = "", retry_after: int | None = None
    ) -> int:
        """Have those chosen closed by their owning threads; how many. All but the first are those of `Ending`."""
        closed = [session for session in self if not session.closing and chosen(session)]
        for session in closed:
            session.call_soon(partial(session.close, reason, detail, retry_after))
        return len(closed)


def _make_room(session: Session, *, busy: bool) -> None:
    """Close one for another's sake, unless it has begun to run a command meanwhile. Its owning thread only.

    Its client comes back when somebody next asks for something, and not at once, to push out yet another.
    """
    if session.busy <= busy:
        session.close(CloseReason.IDLE, session.translate(N_("Gave way to a newer connection to the admin socket.")))


def _tell(given: tuple[Place, Shortage] | None) -> None:
    """Have the stranger end whose place was given up. Without the lock, for that may lead back here."""
    if given is not None:
        place, shortage = given
        place.give_way(shortage)
