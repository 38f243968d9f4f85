"""Medians, spreads, ratios and quantiles."""

from __future__ import annotations

import pytest

from benchmarks.figures import Figures, Quantity, quantile, shown

COST = Quantity("cost", "cost", "µs")


def test_median_and_spread_are_of_one_contestant() -> None:
    """Each contestant's values are its own, in order, and an outlier moves the spread but not the median."""
    figures = Figures()
    for value in (3.0, 1.0, 100.0):
        figures.add(COST, "one", value)
        figures.add(COST, "other", 6.0)
    one, other = figures.of("cost")
    assert (one.values, one.median, one.spread) == ([3.0, 1.0, 100.0], 3.0, (1.0, 100.0))
    assert other.spread == (6.0, 6.0)


def test_ratio_is_of_medians_and_none_where_there_is_nothing_to_compare() -> None:
    """What was not measured, or is zero, has no ratio."""
    figures = Figures()
    figures.add(COST, "one", 3.0)
    figures.add(COST, "other", 6.0)
    figures.add(COST, "nothing", 0.0)
    assert figures.ratio("cost", "one", "other") == 0.5
    assert figures.ratio("cost", "one", "nothing") is None
    assert figures.ratio("cost", "one", "unknown") is None
    assert figures.ratio("unknown", "one", "other") is None


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 51), (0.99, 100), (1.0, 100)])
def test_quantile_of_a_hundred(share: float, value: int) -> None:
    """The ends are inside, whatever the order of the values."""
    assert quantile(range(100, 0, -1), share) == value


@pytest.mark.parametrize(
    ("value", "text"), [(12345.6, "12,346"), (99.96, "100.0"), (12.34, "12.3"), (1.234, "1.23"), (0.0123, "0.012")]
)
def test_values_are_shown_with_three_digits(value: float, text: str) -> None:
    """More would only pretend to be exact."""
    assert shown(value) == text
