"""Which sessions are meant, by whoever lists, counts or closes them: the fields, and what Redis writes instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, replace
from functools import partial

from secure_protocol.errors import CommandError
from secure_protocol.reasons import CloseReason
from secure_server.auth.principal import ClientCertificate, Role
from secure_server.filters.grammar import Condition, Field, is_condition, parse
from secure_server.filters.kinds import Address, Bytes, Count, Kind, Moment, Name, Seconds, Text, Word, host_of
from secure_server.i18n import N_
from secure_server.session.closed import Closed
from secure_server.session.session import Session
from secure_server.session.state import State

Listed = Session | Closed
"""What can be asked about. Any thread."""


class _Certificate(Text):
    """A client's certificate, by its name, the fingerprint, or the part of that which the log has."""

    takes = N_("Filter {field} takes a certificate's name or fingerprint, as the log has it.")

    def same(self, value: object, wanted: object) -> bool:
        """Compare with each."""
        assert isinstance(value, _Shown)  # noqa: S101 - as its field reads it
        return wanted in (value.of.name, value.of.fingerprint, value.of.label)

    def shown(self, value: object) -> object:
        """Return the name, and the part that the log has: there may be several of a name."""
        assert isinstance(value, _Shown)  # noqa: S101 - as its field reads it
        return f"{value.of.name} {value.of.label}"


@dataclass(frozen=True, slots=True)
class _Shown:
    """A certificate; of `~`, a part of its name or its fingerprint is looked for."""

    of: ClientCertificate

    def __str__(self) -> str:
        return f"{self.of.name} {self.of.fingerprint}"


def _field(kind: Kind, read: Callable[[Listed], object]) -> Field[Listed]:
    return Field(kind, lambda session, _now: read(session))


def _user(session: Listed) -> str | None:
    principal = session.principal  # read once: its own thread may change it meanwhile
    return None if principal is None else principal.name


def _token(session: Listed) -> str | None:
    principal = session.principal
    return None if principal is None else principal.token_id


def _certificate(session: Listed) -> _Shown | None:
    return None if session.peer.certificate is None else _Shown(session.peer.certificate)


def _state(session: Listed) -> str:
    return "closed" if isinstance(session, Closed) else session.state.name.lower()


def _age(session: Listed, now: float) -> float:
    return max(0.0, now - session.activity.since)


def _seconds(session: Listed, now: float) -> float:
    return session.seconds if isinstance(session, Closed) else _age(session, now)


def _last(session: Listed) -> str | None:
    return session.activity.last_command or None


FIELDS: dict[str, Field[Listed]] = {
    "id": _field(Count(), lambda session: session.number),
    "user": _field(Text(), _user),
    "client-name": _field(Text(), lambda session: session.client_name or None),
    "role": _field(Word(role.label for role in Role), lambda session: session.role.label),
    "address": _field(Address(), lambda session: session.peer.address),
    "network": _field(Address(), lambda session: host_of(session.peer.address)),
    "local": _field(Address(), lambda session: session.peer.local or None),
    "transport": _field(Text(), lambda session: session.peer.transport),
    "tls": _field(Text(), lambda session: session.peer.tls or None),
    "cipher": _field(Text(), lambda session: session.peer.cipher or None),
    "library": _field(Text(), lambda session: " ".join(filter(None, session.library)) or None),
    "connected": _field(Moment(), lambda session: session.activity.connected),
    "idle": Field(Seconds(), lambda session, now: max(0.0, now - session.activity.last_active)),
    "age": Field(Seconds(), _age),
    "commands": _field(Count(), lambda session: session.activity.commands),
    "in": _field(Bytes(), lambda session: session.activity.received),
    "out": _field(Bytes(), lambda session: session.activity.sent),
    "bytes": _field(Bytes(), lambda session: session.activity.received + session.activity.sent),
    "state": _field(Word((*(state.name.lower() for state in State), "closed")), _state),
    "certificate": _field(_Certificate(), _certificate),
    "command": _field(Name(), _last),
    "last": _field(Name(), _last),
    "token": _field(Text(), _token),
    "closed": _field(Moment(), lambda session: session.closed if isinstance(session, Closed) else None),
    "seconds": Field(Seconds(), _seconds),
    "reason": _field(Word(map(str, CloseReason)), lambda session: session.close_reason),
}
"""What can be asked about a session, shown of it, and be what a list is sorted by: one vocabulary for conditions,
columns and orders. `command`, as a column `last`, is its last one; `bytes` are those of both directions; `closed` and
`reason` are of those that have ended."""


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions: every condition must hold.

    Attributes:
        conditions: all of them.
        skip_me: whoever asks is not meant; None where that was not said.
    """

    conditions: tuple[Condition[Listed], ...] = ()
    skip_me: bool | None = None

    @classmethod
    def parse(cls, words: list[str]) -> SessionFilter:
        """Read the conditions: FIELD OPERATOR VALUE, or as Redis writes them (`ADDR ip:port MAXAGE 60 SKIPME no`).

        Raises:
            CommandError: one is not understood; says which, and what is allowed.
        """
        older = _Redis()
        found = parse(words, FIELDS, older)
        some = tuple(condition for condition in found if condition.negated or condition.holds is not _anybody)
        return cls(some, older.skip_me)

    @classmethod
    def at(cls, address: str) -> SessionFilter:
        """Return the one for whoever is at an address with its port."""
        return cls((Condition(partial(_at, address)),))

    @property
    def empty(self) -> bool:
        """Whether no condition but SKIPME was given, so that everybody is meant."""
        return not self.conditions

    def spare_me(self) -> SessionFilter:
        """Return the same filter, skipping whoever asks unless it said SKIPME no."""
        return self if self.skip_me is not None else replace(self, skip_me=True)

    def matcher(self, me: Session, now: float) -> Callable[[Session], bool]:
        """Return the question whether a session is meant; the arguments are those of `matches`."""
        return lambda session: self.matches(session, me, now)

    def matches(self, session: Listed, me: Session, now: float) -> bool:
        """Whether `session` is meant.

        Args:
            session: the one asked about.
            me: whoever asks.
            now: monotonic seconds.
        """
        if self.skip_me and session is me:
            return False
        return all(condition(session, now) for condition in self.conditions)


def is_address(word: str) -> bool:
    """Say whether the only word of `CLIENT KILL` is an address, as Redis took it at first, and no condition."""
    return not is_condition(word, FIELDS)


def values(name: str, sessions: Iterable[Listed], now: float) -> list[str]:
    """Return the values that a field has among some sessions, in order; of numbers and moments none.

    Args:
        name: of the field.
        sessions: those there are.
        now: monotonic seconds.
    """
    field = FIELDS.get(name)
    if field is None or (isinstance(field.kind, Count) and name != "id"):
        return []
    found = (field.read(session, now) for session in sessions)
    return sorted({value.of.name if isinstance(value, _Shown) else str(value) for value in found if value is not None})


# What Redis writes

_TYPES = ("normal", "master", "replica", "slave", "pubsub")
"""Redis' kinds of clients; all but the first have no members here."""


def _number(text: str) -> int:
    """Return a whole number from 1 on; 0 and below would mean everybody, or nobody, unnoticed."""
    if not (text.isascii() and text.isdigit() and (number := int(text))):
        raise ValueError(text)
    return number


def _word(text: str) -> str:
    """Return what is not empty: an empty word would mean all those that have no such thing."""
    if not text:
        raise ValueError(text)
    return text


def _anybody(_session: Listed, _now: float) -> bool:
    return True


def _idle(seconds: int, session: Listed, now: float) -> bool:
    return now - session.activity.last_active >= seconds


def _at(address: str, session: Listed, _now: float) -> bool:
    return session.peer.address == address


_KEYS: dict[str, Callable[[str], Callable[[Listed, float], bool]]] = {
    "ADDR": lambda text: partial(_at, _word(text)),
    "IDLE": lambda text: partial(_idle, _number(text)),
    "IP": lambda text: partial(lambda host, session, _now: host_of(session.peer.address) == host, _word(text)),
    "LADDR": lambda text: partial(lambda local, session, _now: session.peer.local == local, _word(text)),
    "LIB-NAME": lambda text: partial(lambda name, session, _now: session.library[0] == name, _word(text)),
    "LIB-VER": lambda text: partial(lambda name, session, _now: session.library[1] == name, _word(text)),
    "MAXAGE": lambda text: partial(lambda least, session, now: now - session.activity.since >= least, _number(text)),
    "NAME": lambda text: partial(lambda name, session, _now: session.client_name == name, _word(text)),
    "ROLE": lambda text: partial(lambda role, session, _now: session.role is role, Role.parse(text.lower())),
    "TYPE": lambda text: (lambda _session, _now: False) if _TYPES.index(text.lower()) else _anybody,
    "USER": lambda text: partial(lambda name, session, _now: _user(session) == name, _word(text)),
}

_TAKES = {
    "ADDR": N_("Filter ADDR takes an address and a port, as CLIENTS shows them."),
    "ID": N_("Filter ID takes the numbers of connections, from 1 on, as CLIENTS shows them."),
    "IDLE": N_("Filter IDLE takes a whole number of seconds, from 1 on."),
    "IP": N_("Filter IP takes an address without a port."),
    "LADDR": N_("Filter LADDR takes an address and a port of the server."),
    "LIB-NAME": N_("Filter LIB-NAME takes the name of a client's library."),
    "LIB-VER": N_("Filter LIB-VER takes the version of a client's library."),
    "MAXAGE": N_("Filter MAXAGE takes a whole number of seconds, from 1 on."),
    "NAME": N_("Filter NAME takes the name that a client gave itself."),
    "ROLE": N_("Filter ROLE takes nobody, user, operator or admin."),
    "SKIPME": N_("Filter SKIPME takes yes or no."),
    "TYPE": N_("Filter TYPE takes normal, master, replica, slave or pubsub."),
    "USER": N_("Filter USER takes the name that a client authenticated as."),
}
"""What is said to a value that a filter does not take. Whom it chooses may be closed, so nothing is guessed."""


class _Redis:
    """Reads `KEY value`.

    Attributes:
        skip_me: as `SKIPME` said.
    """

    def __init__(self) -> None:
        self.skip_me: bool | None = None

    def __call__(self, key: str, rest: list[str]) -> Callable[[Listed, float], bool] | None:
        """Read one condition; None where the key is none of these."""
        if key not in _TAKES:
            return None
        if not rest:
            raise CommandError(N_("Filter {key} needs a value."), key=key)
        try:
            if key == "SKIPME":
                self.skip_me = ("no", "yes").index(rest.pop(0).lower()) == 1
                return _anybody
            if key == "ID":
                return partial(lambda ids, session, _now: session.number in ids, _ids(rest))
            return _KEYS[key](rest.pop(0))
        except ValueError:
            raise CommandError(_TAKES[key]) from None


def _ids(rest: list[str]) -> frozenset[int]:
    ids = {_number(rest.pop(0))}
    while rest and rest[0].isdigit():
        ids.add(_number(rest.pop(0)))
    return frozenset(ids)


def uses_one_of(tokens: Set[str]) -> Callable[[Session], bool]:
    """Return what tells whether a session came in by one of some tokens, by their public ids. For any thread."""

    def uses_one(session: Session) -> bool:
        principal = session.principal  # read once: another thread may change it
        return principal is not None and principal.token_id in tokens

    return uses_one
