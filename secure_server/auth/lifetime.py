"""How long a token is good for, as people write it: 30s, 15m, 12h, 30d, 4w."""

from __future__ import annotations

import re

from secure_protocol.sentence import Sentence
from secure_server.auth.errors import TokenRequestError

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_GRAMMAR = re.compile(r"([0-9]{1,12})([smhdw])")
LIFETIME_MAX = 36_500 * 86_400
"""Seconds, 100 years: what lies beyond is a typing error, and would leave the range of dates."""


def parse_lifetime(text: str) -> int:
    """Read a lifetime; returns seconds.

    Raises:
        TokenRequestError: it is not a whole number with a unit, is zero, or is over 100 years.
    """
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise TokenRequestError(Sentence("a lifetime is a whole number and a unit: 30s, 15m, 12h, 30d or 4w"))
    seconds = int(match[1]) * _SECONDS[match[2]]
    check_lifetime(seconds)
    return seconds


def check_lifetime(seconds: float) -> None:
    """Refuse what is no lifetime.

    Args:
        seconds: from now to the expiry.

    Raises:
        TokenRequestError: it is not above zero, or is over 100 years.
    """
    if not 0 < seconds <= LIFETIME_MAX:
        raise TokenRequestError(Sentence("a lifetime is longer than nothing and at most 36500d (100 years)"))
