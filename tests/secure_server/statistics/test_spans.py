"""Times in a histogram: any number in the same memory, and told within five percent."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_server.statistics.spans import BOUNDS, Spans, nothing, quantiles, since, together

TIMES = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=200)


@given(times=TIMES, share=st.sampled_from([0.5, 0.9, 0.99, 1]))
def test_a_share_is_told_within_five_percent(times: list[float], share: float) -> None:
    """From a microsecond to eleven days, whatever their distribution."""
    spans = Spans()
    for seconds in times:
        spans.take(seconds)
    true = sorted(times)[min(math.floor(share * len(times)), len(times) - 1)]
    assert quantiles(spans.counts, [share]) == [pytest.approx(true, rel=0.05)]


@given(times=TIMES)
def test_the_sum_and_the_longest_are_exact(times: list[float]) -> None:
    """Those take no memory to keep."""
    spans = Spans()
    for seconds in times:
        spans.take(seconds)
    assert spans.seconds == pytest.approx(sum(times))
    assert spans.longest == max(times)


def test_runs_that_are_told_together_count_as_many() -> None:
    """Each of them took its part."""
    spans = Spans()
    spans.take(1.0, 10)
    assert (sum(spans.counts), spans.seconds, spans.longest) == (10, 1.0, 0.1)
    assert quantiles(spans.counts, [0.5, 1]) == [pytest.approx(0.1, rel=0.05)] * 2


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e9])
def test_what_is_beyond_all_steps_is_counted_in_the_last(seconds: float) -> None:
    """A clock that stands still, and a handler that hangs for ever, are no errors."""
    spans = Spans()
    spans.take(seconds)
    assert len(spans.counts) == len(BOUNDS) + 1
    assert spans.counts[0 if seconds < 1 else -1] == 1


def test_nothing_has_no_shares() -> None:
    """Not even the longest."""
    assert quantiles(nothing(), [0.5, 1]) == [None, None]
    assert together([]) == nothing()


def test_parts_are_added_and_taken_away() -> None:
    """Threads count apart, and a minute is what is now without what was then."""
    one, other = Spans(), Spans()
    one.take(0.5)
    before = list(one.counts)
    other.take(0.5)
    both = together([one.counts, other.counts])
    assert sum(both) == 2
    assert since(both, before) == other.counts
    assert since(both, None) == both
