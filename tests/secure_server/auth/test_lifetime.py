"""Lifetimes as people write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_server.auth.errors import TokenRequestError
from secure_server.auth.lifetime import LIFETIME_MAX, check_lifetime, parse_lifetime


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("15m", 900),
        ("12h", 43_200),
        ("30d", 2_592_000),
        ("4w", 2_419_200),
        ("36500d", LIFETIME_MAX),
    ],
)
def test_each_unit(text: str, seconds: int) -> None:
    """The whole grammar, and the longest that it takes."""
    assert parse_lifetime(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "30", "d", "-1d", "1.5h", " 1d", "1d\n", "1D", "1y", "1d2h", "٣d", "0s", "36501d", "9" * 12 + "w"],
)
def test_everything_else_is_refused(text: str) -> None:
    """Nothing is guessed: no unit, no fraction, no sign, no other alphabet's digits, no zero, nothing endless."""
    with pytest.raises(TokenRequestError, match="a lifetime is"):
        parse_lifetime(text)


@given(st.text())
def test_text_is_a_lifetime_or_a_request_error(text: str) -> None:
    """No text makes it fail in another way."""
    with contextlib.suppress(TokenRequestError):
        assert 0 < parse_lifetime(text) <= LIFETIME_MAX


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), LIFETIME_MAX + 1])
def test_numbers_that_are_no_lifetime(seconds: float) -> None:
    """The same bounds hold for a lifetime given in seconds."""
    with pytest.raises(TokenRequestError):
        check_lifetime(seconds)
