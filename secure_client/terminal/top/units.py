"""Numbers as a person reads them at a glance, in at most seven columns; what is not known is a dash."""

from __future__ import annotations

import math

UNKNOWN = "-"
THOUSANDS = ("", "k", "M", "G", "T", "P")
MINUTE, HOUR, DAY = 60, 3600, 86400


def count(value: float | None) -> str:
    """Return a number with three digits: `7`, `999`, `1.23k`."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    number, unit = _scaled(value)
    return f"{number}{unit}"


def bound(value: float | None) -> str:
    """Return how many there may be, which is a round number more often than not: `1k`, `10k`, `1.02k`."""
    number, dot, rest = count(value).partition(".")
    digits = rest.rstrip("".join(THOUSANDS))
    unit = rest.removeprefix(digits)
    return f"{number}{unit}" if dot and not digits.strip("0") else f"{number}{dot}{rest}"


def rate(value: float | None) -> str:
    """Return how many a second: as `count`, and below ten with a decimal."""
    if value is not None and 0 < value < 9.95:
        return f"{max(value, 0.1):.1f}"
    return count(value)


def size(value: float | None) -> str:
    """Return bytes: `512 B`, `1.23 kB`; a kB is 1,000 of them."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    number, unit = _scaled(value)
    return f"{number} {unit}B"


def time(value: float | None, micro: str = "µs") -> str:
    """Return how long something took: `240 µs`, `2.41 ms`, `1.2 s`, and as `span` from a minute on.

    Args:
        value: seconds.
        micro: how the unit of a millionth is written.
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value >= MINUTE:
        return span(value)
    if value <= 0:
        return "0 s"
    for unit, scale in ((micro, 1e6), ("ms", 1e3)):
        if value * scale < 999.5:
            return f"{_three(value * scale)} {unit}"
    return f"{_three(value)} s"


def span(value: float | None) -> str:
    """Return how long something lasts: `12s`, `4m 05s`, `3h 12m`, `3d 4h`."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    seconds = max(0, int(value))
    for unit, whole, smaller, part in (("d", DAY, "h", HOUR), ("h", HOUR, "m", MINUTE), ("m", MINUTE, "s", 1)):
        if seconds >= whole:
            rest = seconds % whole // part
            return f"{seconds // whole}{unit} {rest:02}{smaller}" if unit != "d" else f"{seconds // whole}d {rest}h"
    return f"{seconds}s"


def percent(value: float | None) -> str:
    """Return a share of 1 in percent: `0.4 %`, `12.3 %`, `180 %`."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return f"{value * 100:.0f} %" if value >= 0.9995 else f"{value * 100:.1f} %"


def _scaled(value: float) -> tuple[str, str]:
    for unit in THOUSANDS[:-1]:
        if abs(value) < 999.5:
            return (f"{value:.0f}" if not unit else _three(value)), unit
        value /= 1000
    return f"{value:.0f}", THOUSANDS[-1]


def _three(value: float) -> str:
    """Return a number below 1,000 with three digits."""
    return f"{value:.0f}" if value >= 99.95 or value == 0 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
