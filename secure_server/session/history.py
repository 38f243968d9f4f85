"""What a session did lately: moments of its life, and its last commands. Written by those who answer, read by any."""

from __future__ import annotations

from typing import NamedTuple

MOMENTS = 16
"""Moments that are remembered of a session: the first and the newest; those between are forgotten."""
FIRST = 4
"""Of these, the first: how it came in is asked the most."""
COMMANDS = 16
"""Commands that are remembered of a session, the newest."""


class Moment(NamedTuple):
    """Something happened to a session.

    Attributes:
        when: Unix seconds.
        what: a word of the server's own: `authenticated`, `reset`, `language`.
        detail: by which mechanism, to which; empty for nothing.
    """

    when: float
    what: str
    detail: str = ""


class Ran(NamedTuple):
    """A command was answered.

    Attributes:
        when: Unix seconds.
        command: its name.
        outcome: `ok`, or an error's code.
        seconds: how long it took; None where nobody measured that.
        total: commands of the session until then: where the next has more than one more, those between were answered
            the short way, which notes nothing.
    """

    when: float
    command: str
    outcome: str
    seconds: float | None
    total: int


def with_moment(moments: tuple[Moment, ...], moment: Moment) -> tuple[Moment, ...]:
    """Return these moments and one more; where there are too many, one is forgotten."""
    if len(moments) >= MOMENTS:
        moments = (*moments[:FIRST], *moments[FIRST + 1 :])
    return (*moments, moment)
