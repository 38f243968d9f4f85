"""One grammar for whoever lists, counts or closes sessions."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass, replace

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_server.auth.principal import Role
from secure_server.i18n import N_
from secure_server.session.session import Session


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions: every condition given must hold.

    Written as Redis does for `CLIENT KILL` and `CLIENT LIST`: `ID 7 8`, `ADDR ip:port`, `LADDR ip:port`, `USER name`,
    `NAME client-name`, `ROLE role`, `TYPE normal`, `MAXAGE seconds`, `SKIPME yes|no`.
    """

    ids: frozenset[int] | None = None
    address: str | None = None
    local: str | None = None
    user: str | None = None
    name: str | None = None
    role: Role | None = None
    max_age: int | None = None
    skip_me: bool | None = None
    nobody: bool = False

    @classmethod
    def parse(cls, words: list[str]) -> SessionFilter:
        """Read the conditions.

        Raises:
            CommandError: one is not understood; says which.
        """
        values: dict[str, object] = {}
        rest = list(words)
        while rest:
            key = rest.pop(0).upper()
            if not rest:
                raise CommandError(N_("Filter {key} needs a value."), key=printable(key, 20))
            try:
                if key == "ID":
                    ids = {_number(rest.pop(0))}
                    while rest and rest[0].isdigit():
                        ids.add(_number(rest.pop(0)))
                    values["ids"] = frozenset(ids)
                else:
                    values |= _condition(key, rest.pop(0))
            except ValueError:
                raise CommandError(_TAKES[key]) from None
        return cls(**values)  # type: ignore[arg-type] # each value has its field's type, see _condition

    @property
    def empty(self) -> bool:
        """Whether no condition but SKIPME was given, so that everybody is meant."""
        return replace(self, skip_me=None) == SessionFilter()

    def spare_me(self) -> SessionFilter:
        """Return the same filter, skipping whoever asks unless it said SKIPME no."""
        return self if self.skip_me is not None else replace(self, skip_me=True)

    def matcher(self, me: Session, now: float) -> Callable[[Session], bool]:
        """Return the question whether a session is meant; the arguments are those of `matches`."""
        return lambda session: self.matches(session, me, now)

    def matches(self, session: Session, me: Session, now: float) -> bool:
        """Whether `session` is meant.

        Args:
            session: the one asked about.
            me: whoever asks.
            now: monotonic seconds.
        """
        if self.nobody or (self.skip_me and session is me):
            return False
        principal = session.principal  # read once: its own thread may change it meanwhile
        return (
            (self.ids is None or session.number in self.ids)
            and (self.address is None or session.peer.address == self.address)
            and (self.local is None or session.peer.local == self.local)
            and (self.user is None or (principal is not None and principal.name == self.user))
            and (self.name is None or session.client_name == self.name)
            and (self.role is None or session.role is self.role)
            and (self.max_age is None or now - session.activity.since >= self.max_age)
        )


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


_FIELDS: dict[str, tuple[str, Callable[[str], object]]] = {
    "ADDR": ("address", _word),
    "LADDR": ("local", _word),
    "USER": ("user", _word),
    "NAME": ("name", _word),
    "ROLE": ("role", lambda text: Role.parse(text.lower())),
    "MAXAGE": ("max_age", _number),
}

_TAKES = {
    "ADDR": N_("Filter ADDR takes an address and a port, as CLIENTS shows them."),
    "ID": N_("Filter ID takes the numbers of connections, from 1 on, as CLIENTS shows them."),
    "LADDR": N_("Filter LADDR takes an address and a port of the server."),
    "MAXAGE": N_("Filter MAXAGE takes a whole number of seconds, from 1 on."),
    "NAME": N_("Filter NAME takes the name that a client gave itself."),
    "ROLE": N_("Filter ROLE takes nobody, user, operator or admin."),
    "SKIPME": N_("Filter SKIPME takes yes or no."),
    "TYPE": N_("Filter TYPE takes normal, master, replica, slave or pubsub."),
    "USER": N_("Filter USER takes the name that a client authenticated as."),
}
"""What is said to a value that a filter does not take. Whom it chooses may be closed, so nothing is guessed."""


def _condition(key: str, value: str) -> dict[str, object]:
    if key == "SKIPME":
        return {"skip_me": ("no", "yes").index(value.lower()) == 1}
    if key == "TYPE":
        return {"nobody": True} if _TYPES.index(value.lower()) else {}
    if key not in _FIELDS:
        known = ", ".join(sorted(["ID", "TYPE", "SKIPME", *_FIELDS]))
        raise CommandError(N_("Unknown filter {key}; allowed are {choices}."), key=printable(key, 20), choices=known)
    name, convert = _FIELDS[key]
    return {name: convert(value)}


def uses_one_of(tokens: Set[str]) -> Callable[[Session], bool]:
    """Return what tells whether a session came in by one of some tokens, by their public ids. For any thread."""

    def uses_one(session: Session) -> bool:
        principal = session.principal  # read once: another thread may change it
        return principal is not None and principal.token_id in tokens

    return uses_one
