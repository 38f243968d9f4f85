"""Moments of an answer, shown to people in local time."""

from __future__ import annotations

import re
from datetime import datetime

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


def in_local_time(text: str, form: str) -> str:
    """Return a text that is a moment (ISO 8601, with an offset) as people here read it; any other as it came.

    Args:
        text: a cell.
        form: as of `strftime`.
    """
    if _MOMENT.fullmatch(text):
        try:
            return datetime.fromisoformat(text).astimezone().strftime(form)
        except (ValueError, OverflowError):  # no such day
            return text
    return text
