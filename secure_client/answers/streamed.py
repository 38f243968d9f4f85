"""A map that is a part of a stream, such as an event, as a line for people."""

from __future__ import annotations

from collections.abc import Sequence

from secure_client.answers.moments import in_local_time
from secure_protocol import text_replies


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
    return in_local_time(text_replies.cell(value), "%H:%M:%S")
