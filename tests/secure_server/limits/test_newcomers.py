"""The population before authentication."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_server.config.settings import Limits
from secure_server.limits.newcomers import Newcomers, Turned

ALWAYS, NEVER = 0.0, 1.0
"""What chance says to an early drop."""


def test_the_defaults_admit_500_from_one_address_at_once() -> None:
    """However chance falls."""
    limits = Limits()
    newcomers = Newcomers(
        limits.max_unauthenticated, limits.early_drop, limits.unauthenticated_per_source, lambda: ALWAYS
    )
    assert [newcomers.enter("192.0.2.7") for _ in range(500)] == [None] * 500


def test_one_source_cannot_take_all_places() -> None:
    """Nor make others be dropped early."""
    newcomers = Newcomers(10, 70, 6, lambda: ALWAYS)
    assert [newcomers.enter("192.0.2.7") for _ in range(8)] == [None] * 6 + [Turned.SOURCE] * 2
    assert newcomers.enter("192.0.2.8") is None
    newcomers.leave("192.0.2.7")
    assert newcomers.enter("192.0.2.7") is None


@pytest.mark.parametrize(("taken", "dropped"), [(70, 0.0), (85, 0.5), (99, 29 / 30), (100, 1.0)])
def test_dropping_early_becomes_certain_at_the_limit(taken: int, dropped: float) -> None:
    """From nothing at 70 percent, in a straight line."""
    for chance, turned in ((dropped - 0.001, True), (dropped + 0.001, dropped == 1.0)):
        says = [NEVER]
        newcomers = Newcomers(100, 70, 100, partial(max, says))
        for number in range(taken):
            assert newcomers.enter(str(number)) is None
        says[0] = chance
        assert (newcomers.enter("last") is not None) is turned


def test_they_are_counted_by_why() -> None:
    """For INFO."""
    newcomers = Newcomers(2, 100, 1)
    for source in ("a", "a", "b", "c"):
        newcomers.enter(source)
    assert newcomers.turned_away == {Turned.SOURCE: 1, Turned.FULL: 1}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_the_count_is_right_whatever_happens(steps: list[tuple[str, bool]]) -> None:
    """In all and by source; who is gone leaves nothing behind."""
    newcomers, inside = Newcomers(5, 100, 3), Counter[str]()
    for source, comes in steps:
        if comes:
            expected = Turned.FULL if inside.total() >= 5 else Turned.SOURCE if inside[source] >= 3 else None
            assert newcomers.enter(source) is expected
            inside[source] += expected is None
        elif inside[source]:
            newcomers.leave(source)
            inside[source] -= 1
        assert newcomers.count == inside.total()
    assert newcomers._sources == +inside
    assert set(newcomers._sources) == set(+inside)
