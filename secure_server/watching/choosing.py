"""Which events, or lines of the log, are meant by whoever watches; named as the fields of sessions, where they are."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar

from secure_server.filters.grammar import Condition, Field, parse
from secure_server.filters.kinds import Address, Count, Kind, Name, Seconds, Text, Word, host_of
from secure_server.recording.events import KINDS, Event

Item = TypeVar("Item", Event, str)

LEVELS = ("debug", "info", "warning", "error", "critical")
"""Of what the server itself logs, by Python's names."""


def _of_event(kind: Kind, read: Callable[[Event], object]) -> Field[Event]:
    return Field(kind, lambda event, _now: read(event))


def _detail(name: str) -> Callable[[Event], object]:
    return lambda event: event.detail.get(name)


EVENT_FIELDS: dict[str, Field[Event]] = {
    "event": _of_event(Word(KINDS), lambda event: event.kind),
    "id": _of_event(Count(), lambda event: event.who.session or None),
    "user": _of_event(Text(), lambda event: event.who.principal or None),
    "address": _of_event(Address(), lambda event: event.who.address or None),
    "network": _of_event(Address(), lambda event: host_of(event.who.address) or None),
    "command": _of_event(Name(), lambda event: event.command or None),
    "outcome": _of_event(Text(), lambda event: str(event.outcome) or None),
    "took": _of_event(Seconds(), lambda event: event.seconds),
    "job": _of_event(Count(), _detail("job")),
    "transport": _of_event(Text(), _detail("transport")),
    "mechanism": _of_event(Text(), _detail("mechanism")),
    "reason": _of_event(Text(), _detail("reason")),
    "token": _of_event(Text(), _detail("token")),
}
"""What can be asked about an event."""


@functools.lru_cache(maxsize=4)
def _words(line: str) -> Mapping[str, str]:
    """Return the words of a line by their names; read once for all conditions."""
    moment, _, rest = line.partition(" ")
    event, _, rest = rest.partition(" ")
    named = (word.partition("=") for word in rest.partition("\n")[0].split(" "))
    return {**{key: value for key, equals, value in named if equals}, "time": moment, "event": event}


def _of_line(kind: Kind, word: str, read: Callable[[str], object] = str) -> Field[str]:
    def value(line: str, _now: float) -> object:
        text = _words(line).get(word, "-")
        return None if text in ("-", "") else read(text)

    return Field(kind, value)


def _number(text: str) -> int | None:
    return int(text) or None if text.isascii() and text.isdigit() else None


LINE_FIELDS: dict[str, Field[str]] = {
    "event": _of_line(Text(), "event"),
    "id": _of_line(Count(), "session", _number),
    "user": _of_line(Text(), "principal"),
    "address": _of_line(Address(), "address"),
    "network": _of_line(Address(), "address", host_of),
    "command": _of_line(Name(), "name"),
    "outcome": _of_line(Text(), "outcome"),
    "transport": _of_line(Text(), "transport"),
    "reason": _of_line(Text(), "reason"),
    "level": _of_line(Word(LEVELS), "level", str.lower),
    "source": _of_line(Text(), "source"),
    "text": Field(Text(), lambda line, _now: line),
}
"""What can be asked about a line of the log: its words, by the names of an event's fields, and the whole of it."""


@dataclass(frozen=True, slots=True)
class Chosen(Generic[Item]):
    """Which ones: every condition must hold.

    Attributes:
        conditions: all of them.
        kinds: of events, that may be chosen; of others nobody has to tell. Empty for lines.
    """

    conditions: tuple[Condition[Item], ...] = ()
    kinds: frozenset[str] = frozenset()

    def __call__(self, item: Item, now: float) -> bool:
        """Say whether one is meant, at a monotonic second."""
        return all(condition(item, now) for condition in self.conditions)


def chosen_events(words: Sequence[str]) -> Chosen[Event]:
    """Read a filter of events.

    Raises:
        CommandError: it is not understood; says what, and how it is written.
    """
    kinds = frozenset(kind for kind in KINDS if _may_be(kind, parse(words, _KIND_ALONE)))
    return Chosen(tuple(parse(words, EVENT_FIELDS)), kinds)


def chosen_lines(words: Sequence[str]) -> Chosen[str]:
    """Read a filter of lines of the log; raises likewise."""
    return Chosen(tuple(parse(words, LINE_FIELDS)))


class _UnknownError(Exception):
    """A condition asks for what the kind of an event does not tell."""


def _unknown(_event: Event, _now: float) -> NoReturn:
    raise _UnknownError


_KIND_ALONE = {name: field if name == "event" else Field(field.kind, _unknown) for name, field in EVENT_FIELDS.items()}
"""The fields, of an event of which nothing but the kind is known."""


def _may_be(kind: str, conditions: Sequence[Condition[Event]]) -> bool:
    return all(_may_hold(condition, Event(0.0, kind)) for condition in conditions)


def _may_hold(condition: Condition[Event], event: Event) -> bool:
    try:
        return condition(event, 0.0)
    except _UnknownError:
        return True
