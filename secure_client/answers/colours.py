"""Colours for those who see them; the words say it all without.

The sixteen of every terminal alone, so that light and dark ones show them as their owners chose. None where the
stream is no terminal, where the terminal says that it has none, and where NO_COLOR is set (https://no-color.org).
"""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TextIO


class Colour(StrEnum):
    """What is shown in which."""

    ERROR = "31"
    WAITING = "33"
    GOOD = "32"
    HEADING = "1"
    NAME = "36"


STATES = {
    "done": Colour.GOOD,
    "active": Colour.GOOD,
    "present": Colour.GOOD,
    "running": Colour.NAME,
    "queued": Colour.WAITING,
    "cancelled": Colour.WAITING,
    "failed": Colour.ERROR,
    "timed-out": Colour.ERROR,
    "lost": Colour.ERROR,
    "expired": Colour.ERROR,
    "revoked": Colour.ERROR,
}
"""Of jobs, tokens and certificates, as servers call them; any other has the terminal's own colour."""


def painted(text: str, colour: Colour | None, stream: TextIO) -> str:
    """Return a text as it is to be written to a stream, line by line in its colour.

    Args:
        text: printable.
        colour: None for the terminal's own.
        stream: that it is written to.
    """
    if colour is None or not text or not shows_colours(stream):
        return text
    return "\n".join(paint(line, colour) if line else line for line in text.split("\n"))


def paint(text: str, colour: Colour) -> str:
    """Return a line in its colour, for whom `shows_colours` is true."""
    return f"\x1b[{colour}m{text}\x1b[0m"


def shows_colours(stream: TextIO) -> bool:
    """Whether somebody looks at a stream who wants colours."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # somebody's own, or closed
        return False
