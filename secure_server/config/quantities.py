"""Durations and sizes as people write them in the config file."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "b": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3}
_QUANTITY = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*([a-z]*)")


class Duration(float):
    """Seconds."""

    __slots__ = ()

    @classmethod
    def parse(cls, written: object) -> Duration:
        """Read `"90s"`, `"1.5m"`, or a number of seconds.

        Raises:
            ValueError: it is none; the message says what is.
        """
        seconds = _read(written, {**_SECONDS, "": 1.0})
        if seconds is None:
            raise ValueError(f'expected a duration such as "500ms", "10s", "5m", "2h" or "1d", found {written!r}')
        return cls(seconds)

    def __str__(self) -> str:
        for unit in ("d", "h", "m"):
            if self >= _SECONDS[unit] and self % _SECONDS[unit] == 0:
                return f"{self / _SECONDS[unit]:g}{unit}"
        return f"{float(self):g}s"


class Size(int):
    """Bytes."""

    __slots__ = ()

    @classmethod
    def parse(cls, written: object) -> Size:
        """Read `"64KB"` (1 KB is 1024 bytes), or a number of bytes.

        Raises:
            ValueError: it is none; the message says what is.
        """
        size = _read(written, _BYTES)
        if size is None or size % 1:
            raise ValueError(f'expected a size such as "4KB", "16MB" or a number of bytes, found {written!r}')
        return cls(size)

    def __str__(self) -> str:
        for unit in ("gb", "mb", "kb"):
            if self >= _BYTES[unit] and self % _BYTES[unit] == 0:
                return f"{self // _BYTES[unit]}{unit.upper()}"
        return f"{int(self)}B"


def decode(kind: type, written: object) -> object:
    """Read either, where msgspec meets it.

    Raises:
        ValueError: it is none.
    """
    if kind is Duration:
        return Duration.parse(written)
    if kind is Size:
        return Size.parse(written)
    raise NotImplementedError(kind)  # pragma: no cover - msgspec asks only for the two types above


def _read(written: object, units: dict[str, float] | dict[str, int]) -> float | None:
    if isinstance(written, bool) or not isinstance(written, str | int | float):
        return None
    match = _QUANTITY.fullmatch(str(written).strip().lower())
    unit = units.get(match[2]) if match else None
    return None if match is None or unit is None else float(match[1]) * unit
