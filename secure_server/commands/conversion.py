"""From what a peer sent to a Python value, and from a default to what a peer would have sent."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from secure_server.config.quantities import Duration

Convert = Callable[[bytes], object]
"""Raises ValueError where the argument is none of its kind."""

NUMBER_CHARACTERS = 40
"""The longest number taken; converting digits takes time that grows with their square."""
EXAMPLES = {
    "bool": "yes, no",
    "datetime": "2026-01-31T12:00:00+00:00",
    "duration": "90s, 5m, 1h",
}
"""What to write, for types whose name does not tell it."""


def raw(given: bytes) -> bytes:
    """Take what came as it is."""
    return given


def text(given: bytes) -> str:
    """Read UTF-8."""
    return given.decode("utf-8")


def boolean(given: bytes) -> bool:
    """Read `yes` or `no`, and what else people write for these."""
    word = text(given).casefold()
    if word in ("yes", "true", "on", "1"):
        return True
    if word in ("no", "false", "off", "0"):
        return False
    raise ValueError(word)


def integer(given: bytes) -> int:
    """Read a whole number in decimal digits."""
    if len(given) > 20 or not given.lstrip(b"+-").isdigit():
        raise ValueError("not a number a peer may send")
    return int(given)


def number(given: bytes) -> float:
    """Read a finite number."""
    if len(given) > NUMBER_CHARACTERS or b"_" in given or given != given.strip():
        raise ValueError("not a number a peer may send")
    found = float(given)
    if not math.isfinite(found):
        raise ValueError("not a number a peer may send")
    return found


def moment(given: bytes) -> datetime:
    """Read ISO 8601; without an offset it is in the server's zone. The result always has one."""
    try:
        return datetime.fromisoformat(text(given)).astimezone()
    except OverflowError as error:  # the first or last hours of the calendar
        raise ValueError(str(error)) from None


def duration(given: bytes) -> timedelta:
    """Read a duration as the configuration has it: `90s`, `5m`, or seconds."""
    try:
        return timedelta(seconds=Duration.parse(text(given)))
    except OverflowError as error:
        raise ValueError(str(error)) from None


def one_of(choices: Mapping[str, object]) -> Convert:
    """Return what reads one of these words, in any case unless that would be ambiguous."""
    folded = {word.casefold(): value for word, value in choices.items()}
    exact = len(folded) < len(choices)

    def choose(given: bytes) -> object:
        word = text(given)
        found = choices if exact or word in choices else folded
        key = word if found is choices else word.casefold()
        if key not in found:
            raise ValueError(word)
        return found[key]

    return choose


def choices_of(kind: type[enum.Enum]) -> dict[str, object]:
    """Return an enumeration's members by what a peer writes: their values if these are words, else their names."""
    words = all(isinstance(member.value, str) for member in kind)
    return {str(member.value) if words else member.name.lower(): member for member in kind}


def written(value: object) -> str:
    """Return a default as a peer would have sent it; empty for none."""
    if value is None:
        return ""
    if isinstance(value, enum.Enum):
        return next(word for word, member in choices_of(type(value)).items() if member is value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, timedelta):
        return str(Duration(value.total_seconds()))
    if isinstance(value, datetime):
        return value.isoformat()
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
