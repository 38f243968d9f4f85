"""How events, and lines of the log, are told to who watches: as maps to programs, as lines to people."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Generic

from secure_protocol.printable import printable
from secure_protocol.token import redact
from secure_server.audit.record import Withheld, utc
from secure_server.filters.kinds import host_of
from secure_server.i18n import N_, Translate
from secure_server.recording.events import Event
from secure_server.session.codecs import Codec
from secure_server.watching.choosing import Item

ARGUMENT_CHARACTERS = 200
"""Of one argument, in a map."""
LINE_ARGUMENT_CHARACTERS = 40
"""Likewise in a line."""
DETAIL_CHARACTERS = 200
"""Of any other text."""
DROPPED = "dropped"
"""The kind of what stands in the place of events that were dropped."""


class Telling(ABC, Generic[Item]):
    """What who watches is told, encoded.

    Args:
        codec: theirs.
        translate: into their language.

    Attributes:
        of: the type of what is told.
    """

    of: type[Item]

    def __init__(self, codec: Codec, translate: Translate) -> None:
        self.codec = codec
        self._translate = translate

    @abstractmethod
    def tell(self, item: Item) -> bytes:
        """Return one."""

    @abstractmethod
    def missed(self, count: int) -> bytes:
        """Return that so many were dropped."""


class EventTelling(Telling[Event]):
    """Events: each a map, or a line for people."""

    of = Event

    def tell(self, item: Event) -> bytes:
        """Return one."""
        return self.codec.part(_line(item) if self.codec.for_people else _map(item))

    def missed(self, count: int) -> bytes:
        """Return that so many were dropped."""
        if self.codec.for_people:
            return self.codec.part(self._translate(N_("… {count} events were dropped.")).format(count=count))
        return self.codec.part({"time": utc(time.time()), "event": DROPPED, "count": count})


class LineTelling(Telling[str]):
    """Lines of the log, as they stand there."""

    of = str

    def tell(self, item: str) -> bytes:
        """Return one, which a traceback may have made several."""
        return self.codec.part(item)

    def missed(self, count: int) -> bytes:
        """Return that so many were dropped."""
        return self.codec.part(self._translate(N_("… {count} lines were dropped.")).format(count=count))


def _map(event: Event) -> dict[str, object]:
    """Return an event as programs read it; what is empty is left out."""
    who = event.who
    told: dict[str, object] = {
        "time": utc(event.moment),
        "event": event.kind,
        "id": who.session or None,
        "user": who.principal,
        "address": who.address,
        "command": event.command,
        "arguments": _arguments(event, ARGUMENT_CHARACTERS),
        "outcome": str(event.outcome),
        "took": None if event.seconds is None else round(event.seconds, 4),
        "count": event.times if event.times > 1 else None,
        **{key: _shown(value) for key, value in event.detail.items()},
    }
    return {key: value for key, value in told.items() if value not in (None, "", [])}


def _line(event: Event) -> str:
    """Return an event as people read it: `12:00:01 command 17 ana 10.0.0.7 DISK /srv ok 12 ms`."""
    who = event.who
    words = [
        time.strftime("%H:%M:%S", time.localtime(event.moment)),
        event.kind,
        str(who.session or "-"),
        who.principal or "-",
        host_of(who.address) or "-",
        event.command,
        *(_quoted(argument) for argument in _arguments(event, LINE_ARGUMENT_CHARACTERS)),
        str(event.outcome),
        "" if event.seconds is None else f"{event.seconds * 1000:.0f} ms",
        f"×{event.times}" if event.times > 1 else "",
        *(f"{key}={_shown(value)}" for key, value in event.detail.items() if value not in (None, "")),
    ]
    return " ".join(word for word in words if word)


def _arguments(event: Event, most: int) -> list[str]:
    """Return the arguments, printable and without the secret of a token that somebody typed in a wrong place."""
    if event.arguments is None:
        return [str(Withheld())]
    shown = [str(item) if isinstance(item, Withheld) else redact(printable(item, most)) for item in event.arguments]
    return [*shown, "…"] if event.more else shown


def _quoted(word: str) -> str:
    return f'"{word}"' if not word or " " in word else word


def _shown(value: object) -> object:
    return redact(printable(value, DETAIL_CHARACTERS)) if isinstance(value, str) else value
