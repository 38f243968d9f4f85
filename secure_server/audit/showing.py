"""A record as people read it, wherever it is shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from secure_server.audit.record import Record, Withheld
from secure_server.i18n import N_

COLUMNS = ("time", "who", "address", "event", "what", "outcome", "detail")
"""Of a table of records."""
_WITHHELD = N_("<{size} bytes, SHA-256 {digest}>")


def cells(record: Record, translate: Callable[[str], str]) -> tuple[str, ...]:
    """Return what stands in these columns, but for the time, which each shows in its own way."""
    detail = " ".join(f"{key}={value}" for key, value in record.detail.items())
    return record.who, record.address, record.event, _what(record, translate), record.outcome, detail


def local(moment: str) -> datetime | None:
    """Return a record's time in the zone of this machine; None where it is none."""
    try:
        return datetime.fromisoformat(moment).astimezone()
    except (ValueError, OverflowError):
        return None


def _what(record: Record, translate: Callable[[str], str]) -> str:
    """The command as it was given, as far as it is kept."""
    words = [record.command, *(_argument(argument, translate) for argument in record.arguments)]
    if record.arguments_secret or record.arguments_left_out:
        words.append("…")
    return " ".join(filter(None, words))


def _argument(argument: str | Withheld | None, translate: Callable[[str], str]) -> str:
    if isinstance(argument, Withheld):
        return translate(_WITHHELD).format(size=argument.size, digest=argument.digest)
    return "***" if argument is None else argument or '""'
