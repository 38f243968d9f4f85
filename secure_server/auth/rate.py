"""How fast a token may run commands, as people write it: 10/s, 100/m, 10/s:50."""

from __future__ import annotations

import re

from secure_protocol.sentence import Sentence
from secure_server.auth.errors import TokenRequestError
from secure_server.limits.rate import Rate

RATE_MAX = 1_000_000
"""Commands in one unit of time, or at once: far beyond what a server does, so more is a typing error."""
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_GRAMMAR = re.compile(r"([0-9]{1,7})/([smh])(?::([0-9]{1,7}))?")


def parse_rate(text: str) -> Rate:
    """Read a rate; without a burst, as many at once as in one unit of time.

    Raises:
        TokenRequestError: it is not `N/s`, `N/m` or `N/h`, with `:BURST` or without, or a number is out of bounds.
    """
    match = _GRAMMAR.fullmatch(text)
    count = int(match[1]) if match else 0
    burst = int(match[3] or count) if match else 0
    if match is None or not 1 <= count <= RATE_MAX or not 1 <= burst <= RATE_MAX:
        raise TokenRequestError(
            Sentence(
                "a rate is commands per second, minute or hour: 10/s, 100/m, 500/h; with a burst 10/s:50; "
                "each number is 1 to {most}",
                most=RATE_MAX,
            )
        )
    return Rate(count / _SECONDS[match[2]], burst)


def format_rate(rate: Rate) -> str:
    """Write a rate so that `parse_rate` reads it: in the smallest unit in which it is a whole number."""
    for unit, seconds in _SECONDS.items():
        count = rate.per_second * seconds
        if count >= 1 and abs(count - round(count)) < 1e-6:
            return f"{round(count)}/{unit}:{rate.burst}"
    return f"{rate.per_second:g}/s:{rate.burst}"  # made by another program: shown as it is
