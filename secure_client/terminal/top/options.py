"""What stands behind `top`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Self

from secure_client.errors import SetupError
from secure_client.i18n import _
from secure_protocol.printable import printable

INTERVALS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds between two looks, as `+` and `-` go through them. The shortest costs a server what one busy client does; the
longest is as long as the history that a look comes with."""
USUAL = 2.0
SYNTAX = "[--once] [--json] [--interval 2s]"
_SECONDS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0}
_WRITTEN = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|)")


class Options(NamedTuple):
    """What was wanted.

    Attributes:
        once: one frame, as plain text.
        json: what the server answered, in place of a frame.
        interval: seconds between two looks.
    """

    once: bool = False
    json: bool = False
    interval: float = USUAL

    @classmethod
    def parse(cls, words: Sequence[str]) -> Self:
        """Read them.

        Raises:
            SetupError: there are others.
        """
        once = json = False
        interval = USUAL
        rest = iter(words)
        for word in rest:
            name, equals, value = word.partition("=")
            if name == "--interval":
                interval = seconds(value if equals else next(rest, ""))
            elif word == "--once":
                once = True
            elif word == "--json":
                json = True
            else:
                sentence = _("top does not know {word}: type top {syntax}.")
                raise SetupError(sentence.format(word=printable(word), syntax=SYNTAX))
        if json and not once:
            raise SetupError(_("--json goes with --once: top --once --json."))
        return cls(once, json, interval)


def seconds(written: str) -> float:
    """Read how long is between two looks: `2s`, `500ms`, `1m`, or a number of seconds.

    Raises:
        SetupError: it is none, or too short, or too long.
    """
    found = _WRITTEN.fullmatch(written.strip().lower())
    value = float(found[1]) * _SECONDS[found[2]] if found is not None else 0.0
    if not INTERVALS[0] <= value <= INTERVALS[-1]:
        sentence = _("--interval takes a duration from 0.5s to 60s, such as 2s; not {written}.")
        raise SetupError(sentence.format(written=printable(written) or '""'))
    return value


def other(interval: float, *, longer: bool) -> float:
    """Return the next interval that is longer, or shorter; the same where there is none."""
    if longer:
        return next((each for each in INTERVALS if each > interval), interval)
    return next((each for each in reversed(INTERVALS) if each < interval), interval)
