"""Who holds more than is left takes no more."""

from __future__ import annotations

from secure_server.limits.share import may_take


def taken(free: int, lines: int) -> list[int]:
    """What so many lines have that take in turn for as long as one may."""
    held, before = [0] * lines, -1
    while before != free:
        before = free
        for line in range(lines):
            if may_take(held[line], free):
                held[line] += 1
                free -= 1
    return held


def test_one_alone_takes_half_two_a_third_each() -> None:
    """And there is always one left for who has nothing, while there is more than one for each."""
    assert taken(8, 1) == [5]
    assert taken(100, 1) == [51]
    assert taken(99, 2) == [34, 33]
    assert taken(1, 2) == [1, 0]
    assert taken(0, 2) == [0, 0]
