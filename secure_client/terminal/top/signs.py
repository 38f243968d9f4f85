"""Which signs a terminal can show."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

POOR = frozenset({"dumb", "linux", "vt100", "vt220"})
"""Terminals whose letters have no eighths of a block, whatever the locale says; `linux` is the console."""


class Signs(NamedTuple):
    """What is drawn with.

    Attributes:
        levels: of a sparkline, the lowest first, which stands for nothing at all.
        rule: of a line from side to side.
        falling: beside the column that is sorted by, the largest first.
        rising: likewise, the smallest first.
        micro: the unit of a millionth of a second.
    """

    levels: str
    rule: str
    falling: str
    rising: str
    micro: str


UNICODE = Signs("▁▂▃▄▅▆▇█", "─", "▼", "▲", "µs")
ASCII = Signs("_.-=+*#@", "-", ">", "<", "us")


def signs(encoding: str | None, environment: Mapping[str, str] = os.environ, platform: str = "posix") -> Signs:
    """Return what a terminal can show.

    Python writes UTF-8 in the C locale, too (PEP 540), where the terminal need not know it. So the locale is asked.

    Args:
        encoding: of the stream that is written to; None where it has none.
        environment: names the terminal and the locale.
        platform: `os.name`.
    """
    try:
        "".join(UNICODE).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    locale = next(filter(None, map(environment.get, ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    knows = platform == "nt" or "utf" in locale.casefold()
    return UNICODE if knows and environment.get("TERM") not in POOR else ASCII


def sparkline(values: Sequence[float], columns: int, levels: str = UNICODE.levels) -> str:
    """Return values as a line, the newest at the right; where it would be too long, each sign is for several of them.

    The highest level is the largest of them, the lowest nothing at all: a single one is seen.

    Args:
        values: none below 0, the oldest first.
        columns: that there are at most.
        levels: its signs.
    """
    if columns < 1 or not values:
        return ""
    together = -(-len(values) // columns)
    first = len(values) % together  # the newest sign is for as many as any other
    starts = [0] * (first > 0) + [*range(first, len(values), together)]
    ends = [*starts[1:], len(values)]
    shown = [max(values[start:end]) for start, end in zip(starts, ends, strict=True)]
    most = max(shown)
    return "".join(levels[_level(value, most, len(levels) - 1)] for value in shown)


def _level(value: float, most: float, highest: int) -> int:
    return max(1, min(highest, round(value / most * highest))) if value > 0 else 0
