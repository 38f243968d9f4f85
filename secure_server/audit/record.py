"""What a line of the audit trail holds. docs/audit.md explains the fields to those who read them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Self

import msgspec

from secure_protocol.printable import printable
from secure_protocol.token import redact

ARGUMENTS = 32
"""Arguments of a command that are written; what a person types has fewer. With the next: bounds what a queue holds."""
ARGUMENT_CHARACTERS = 200
"""Of one argument, and of any other text that a peer may have a hand in; what is cut is marked by an ellipsis."""
HELD_BYTES = 4 * ARGUMENT_CHARACTERS + 4
"""What is kept of an argument until it is formatted: no character of UTF-8 is longer, and one more shows the cut."""

Value = str | int | float | None
"""What a detail may be."""


class Withheld(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands in the place of an argument that is not shown. A secret has nothing else: a hash would tell guesses.

    Attributes:
        size: bytes, of data.
        digest: its SHA-256, in hex.
    """

    size: int | None = None
    digest: str = msgspec.field(default="", name="sha256")

    def __str__(self) -> str:
        """As people read it in the argument's place."""
        return "(secret)" if self.size is None else f"({self.size} bytes, sha256 {self.digest[:16]}…)"

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Return what is kept of data."""
        return cls(len(data), hashlib.sha256(data).hexdigest())


class Entry(NamedTuple):
    """What happened, as whoever reports it knows it: no number, no hash, nothing formatted.

    Attributes:
        moment: Unix seconds.
        event: `authentication`, `command`, `token`, `certificate`, `configuration`, `server` or `trail`.
        outcome: `ok`, `accepted`, `refused`, `created`, …, or an error's code.
        who: the principal's name; empty for a stranger.
        address: where it came from: `ip:port`, `unix`, `cli`, or a netblock where tries were counted.
        session: its number; 0 where there is none.
        command: its name; empty for other events.
        arguments: as they came, but for what is withheld; None where all are.
        more: arguments that were left out.
        detail: whatever else, by name.
    """

    moment: float
    event: str
    outcome: str
    who: str = ""
    address: str = ""
    session: int = 0
    command: str = ""
    arguments: Sequence[bytes | Withheld] | None = ()
    more: int = 0
    detail: Mapping[str, Value] | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line, its fields in this order; those that are empty are left out.

    Attributes:
        seq: 1, 2, 3, …: without a gap in all files together.
        time: UTC, ISO 8601, with microseconds.
        event, outcome, who, address, session, command: see `Entry`.
        arguments: printable, each and all of them bounded; null for a secret.
        arguments_left_out: how many there were beyond `ARGUMENTS`.
        arguments_secret: they hold secrets, so they are not here.
        detail: whatever else, by name.
        previous: SHA-256 of the line before, in hex.
    """

    seq: int
    time: str
    event: str
    outcome: str
    who: str = ""
    address: str = ""
    session: int = 0
    command: str = ""
    arguments: tuple[str | Withheld | None, ...] = ()
    arguments_left_out: int = 0
    arguments_secret: bool = False
    detail: dict[str, Value] = {}
    previous: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


def held(arguments: Sequence[bytes | Withheld]) -> tuple[Sequence[bytes | Withheld], int]:
    """Return what to keep of a request's arguments, and how many are left out. Cheap: called on the I/O thread."""
    more = max(0, len(arguments) - ARGUMENTS)
    kept = arguments[:ARGUMENTS] if more else arguments
    if sum(len(argument) for argument in kept if isinstance(argument, bytes)) > HELD_BYTES:
        kept = [argument[:HELD_BYTES] if isinstance(argument, bytes) else argument for argument in kept]
    return kept, more


def line_of(entry: Entry, seq: int, previous: str) -> bytes:
    """Return an entry as a line of the trail, without its end.

    A detail that cannot be written, such as an exit code that a handler set to something else, is told by its type:
    one record must not keep those behind it from the trail.

    Args:
        entry: what happened.
        seq: its number.
        previous: the hash of the line before.
    """
    try:
        return _line(entry, entry.detail or {}, seq, previous)
    except (TypeError, ValueError):
        detail = {key: _told(value) for key, value in (entry.detail or {}).items()}
        return _line(entry, detail, seq, previous)


def _told(value: object) -> Value:
    return value if isinstance(value, Value) else type(value).__qualname__


def _line(entry: Entry, detail: Mapping[str, Value], seq: int, previous: str) -> bytes:
    return _encode(
        Record(
            seq=seq,
            time=utc(entry.moment),
            event=entry.event,
            outcome=_cut(entry.outcome),
            who=_cut(entry.who),
            address=_cut(entry.address),
            session=entry.session,
            command=entry.command,
            arguments=tuple(map(_written, entry.arguments or ())),
            arguments_left_out=entry.more,
            arguments_secret=entry.arguments is None,
            detail={key: _cut(value) if isinstance(value, str) else value for key, value in detail.items()},
            previous=previous,
        )
    )


def parse(line: bytes) -> Record:
    """Read a line.

    Raises:
        ValueError: it is no record.
    """
    return _decode(line)


def utc(moment: float) -> str:
    """Return Unix seconds as the trail writes them: `2026-11-25T22:27:34.000123Z`."""
    second, fraction = divmod(moment, 1)
    return f"{_second(int(second))}.{int(fraction * 1_000_000):06}Z"


@functools.lru_cache(maxsize=16)
def _second(unix: int) -> str:
    """A second's date and time; cached, for records come by the thousand in one."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _written(argument: bytes | Withheld) -> str | Withheld | None:
    """An argument as it stands in the trail, where what is withheld is no text: no peer can send what looks like it."""
    if isinstance(argument, Withheld):
        return None if argument.size is None else argument
    return _cut(argument)


def _cut(text: str | bytes) -> str:
    """Fit for the trail: printable, bounded, and without the secret of a token that somebody typed in a wrong place."""
    return redact(printable(text, ARGUMENT_CHARACTERS))
