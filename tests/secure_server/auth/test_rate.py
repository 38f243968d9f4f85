"""How fast a token may run commands, as people write it."""

from __future__ import annotations

import pytest

from secure_server.auth.errors import TokenRequestError
from secure_server.auth.rate import format_rate, parse_rate
from secure_server.limits.rate import Rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/s", Rate(10.0, 10)),
        ("10/s:50", Rate(10.0, 50)),
        ("30/m", Rate(0.5, 30)),
        ("7/h:1", Rate(7 / 3600, 1)),
        ("1000000/s", Rate(1_000_000.0, 1_000_000)),
    ],
)
def test_a_rate_is_read_and_written(text: str, rate: Rate) -> None:
    """What is written reads as the same; without a burst it is what one unit of time allows."""
    assert parse_rate(text) == rate
    again = parse_rate(format_rate(rate))
    assert (round(again.per_second, 9), again.burst) == (round(rate.per_second, 9), rate.burst)


@pytest.mark.parametrize(
    "text", ["", "10", "0/s", "10/d", "1.5/s", "10/s:0", "10/s:", "-1/s", "1000001/s", "10/s:9999999"]
)
def test_what_is_no_rate(text: str) -> None:
    """The sentence shows how to write one."""
    with pytest.raises(TokenRequestError, match="10/s, 100/m, 500/h"):
        parse_rate(text)


def test_a_rate_of_another_program_is_shown_as_it_is() -> None:
    """However odd."""
    assert format_rate(Rate(0.0001, 2)) == "0.0001/s:2"
