"""Moments as answers tell them."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(unix: float) -> str:
    """Return a date and time in the server's zone, to the second, as ISO 8601.

    Args:
        unix: Unix seconds.
    """
    return datetime.fromtimestamp(unix, UTC).astimezone().isoformat(timespec="seconds")


def moment_if(unix: float | None) -> str | None:
    """Return the same; None where there is no such moment."""
    return None if unix is None else moment(unix)
