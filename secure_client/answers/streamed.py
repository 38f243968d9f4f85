"""A map that is a part of a stream, such as an event, as a line for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from secure_protocol import text_replies

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


def line_of(part: dict[object, object], columns: Sequence[str]) -> str:
    """Return it in one line: `12:00:01 command 17 ana 10.0.0.7:40312 DISK /srv ok took=0.012`.

    Args:
        part: what came.
        columns: keys whose values speak for themselves, in this order; the others stand behind, with their keys.
    """
    told = [_told(part[name]) for name in columns if part.get(name) not in (None, "", [])]
    rest = {key: value for key, value in part.items() if key not in columns}
    return " ".join([*told, text_replies.cell(rest)] if rest else told)


def _told(value: object) -> str:
    """Return a value; a moment as the time of day here: what is streamed is of now."""
    if isinstance(value, list):
        return " ".join(map(text_replies.cell, value))
    text = text_replies.cell(value)
    if _MOMENT.fullmatch(text):
        try:
            return datetime.fromisoformat(text).astimezone().strftime("%H:%M:%S")
        except (ValueError, OverflowError):  # no such day: shown as it came
            return text
    return text
