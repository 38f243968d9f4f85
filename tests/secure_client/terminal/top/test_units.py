"""Numbers at a glance: three digits, a unit, never wider than a column has room for."""

from __future__ import annotations

import math

import pytest

from secure_client.terminal.top import units


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (math.nan, "-"),
        (0, "0"),
        (7, "7"),
        (999, "999"),
        (999.6, "1.00k"),
        (1234, "1.23k"),
        (99_960, "100k"),
        (12_345_678, "12.3M"),
        (9.9e20, "990000P"),
    ],
)
def test_counts(value: float | None, shown: str) -> None:
    """Rounded where it becomes a thousand by that, too."""
    assert units.count(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.0, "0"), (0.02, "0.1"), (2.5, "2.5"), (9.96, "10"), (12.5, "12")])
def test_rates(value: float, shown: str) -> None:
    """What is little has a decimal, and what is not nothing is never shown as nothing."""
    assert units.rate(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(None, "-"), (0, "0 B"), (512, "512 B"), (84_123_456, "84.1 MB")])
def test_sizes(value: float | None, shown: str) -> None:
    """Of bytes."""
    assert units.size(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0.0, "0 s"),
        (0.00024, "240 µs"),
        (0.0121, "12.1 ms"),
        (0.9996, "1.00 s"),
        (59.0, "59.0 s"),
        (60.0, "1m 00s"),
        (3725.0, "1h 02m"),
        (273_720.0, "3d 4h"),
    ],
)
def test_times(value: float | None, shown: str) -> None:
    """From millionths of a second to days."""
    assert units.time(value) == shown


def test_a_terminal_without_a_micro_sign() -> None:
    """Has letters in its place."""
    assert units.time(0.00024, "us") == "240 us"


@pytest.mark.parametrize(("value", "shown"), [(None, "-"), (0.004, "0.4 %"), (0.123, "12.3 %"), (1.8, "180 %")])
def test_shares(value: float | None, shown: str) -> None:
    """Of a processor, of which there may be several."""
    assert units.percent(value) == shown
