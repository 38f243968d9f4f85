"""Which records are meant, by whoever looks into the trail: the fields of the grammar of filters."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from secure_server.audit.record import Record, utc
from secure_server.audit.showing import local
from secure_server.auth.errors import TokenRequestError
from secure_server.auth.lifetime import parse_lifetime
from secure_server.filters.grammar import Condition, Field, parse
from secure_server.filters.kinds import EQUAL, Address, Count, Kind, Name, Seconds, Text, host_of
from secure_server.i18n import N_

EVENTS = (
    "authentication",
    "ban",
    "certificate",
    "command",
    "configuration",
    "job",
    "moved",
    "server",
    "token",
    "trail",
)
"""What a record may be of, for who completes it."""


def moment(text: str, now: float) -> datetime:
    """Read a moment as people write it: so long ago, or an ISO 8601 date in the local zone.

    Args:
        text: `2h`, `7d`, `2026-11-25`, `2026-11-25T14:30`.
        now: Unix seconds.

    Raises:
        ValueError: it is none.
    """
    try:
        return datetime.fromtimestamp(now - parse_lifetime(text), UTC)
    except TokenRequestError:
        pass
    try:
        return datetime.fromisoformat(text).astimezone()
    except OverflowError as error:  # the first or last hours of the calendar
        raise ValueError(str(error)) from None


class _Moment(Kind):
    """From when on, or until when: a moment, which there is one way to compare with."""

    operators = (EQUAL,)
    takes = N_("Filter {field} takes a moment: {field}=2h, {field}=7d, {field}=2026-11-25 or {field}=2026-11-25T14:30.")

    def __init__(self, *, before: bool) -> None:
        self._before = before

    def read(self, text: str) -> str:
        """Read it as records have their time."""
        return utc(moment(text, time.time()).timestamp())

    def same(self, value: object, wanted: object) -> bool:
        """Say whether a record is on that side of it."""
        return (str(value) < str(wanted)) is self._before


class _Command(Name):
    """A command's name; its first word alone stands for all that begin with it."""

    def same(self, value: object, wanted: object) -> bool:
        """Compare whole words."""
        return f"{value} ".startswith(f"{wanted} ")


def _field(kind: Kind, read: Callable[[Record], object]) -> Field[Record]:
    return Field(kind, lambda record, _now: read(record))


def _age(record: Record, now: float) -> float | None:
    when = local(record.time)
    return None if when is None else max(0.0, now - when.timestamp())


FIELDS: dict[str, Field[Record]] = {
    "number": _field(Count(), lambda record: record.seq),
    "event": _field(Text(), lambda record: record.event),
    "outcome": _field(Text(), lambda record: record.outcome),
    "user": _field(Text(), lambda record: record.who or None),
    "address": _field(Address(), lambda record: record.address or None),
    "network": _field(Address(), lambda record: host_of(record.address) or None),
    "command": _field(_Command(), lambda record: record.command or None),
    "session": _field(Count(), lambda record: record.session or None),
    "detail": _field(Text(), lambda record: " ".join(f"{key}={value}" for key, value in record.detail.items()) or None),
    "age": Field(Seconds(), _age),
    "since": _field(_Moment(before=False), lambda record: record.time),
    "until": _field(_Moment(before=True), lambda record: record.time),
}
"""What can be asked about a record."""


def conditions(words: Sequence[str]) -> list[Condition[Record]]:
    """Read conditions, which must all hold.

    Raises:
        CommandError: something is not understood; says what, and how it is written.
    """
    return parse(words, FIELDS)
