"""A rate with a burst."""

from __future__ import annotations

import threading

import pytest

from secure_server.limits.token_bucket import TokenBucket


def test_a_burst_and_then_the_rate() -> None:
    """As many at once as it holds; then one whenever it has filled up by one, and it says when that is."""
    bucket = TokenBucket(2.0, 3, 100.0)
    assert [bucket.take(100.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert bucket.take(100.25) == pytest.approx(0.25)
    assert bucket.take(100.5) == 0.0
    assert bucket.take(100.5) == pytest.approx(0.5)


def test_it_never_holds_more_than_its_burst() -> None:
    """However long it rested."""
    bucket = TokenBucket(1000.0, 2, 0.0)
    assert [bucket.take(1e6) > 0 for _ in range(3)] == [False, False, True]


def test_it_is_full_when_it_rested() -> None:
    """Then it is the same as a new one."""
    bucket = TokenBucket(2.0, 3, 0.0)
    assert bucket.full(0.0)
    bucket.take(0.0)
    assert not bucket.full(0.4)
    assert bucket.full(0.5)


def test_it_says_what_is_left() -> None:
    """And takes nothing by being asked."""
    bucket = TokenBucket(2.0, 3, 0.0)
    bucket.take(0.0)
    assert [bucket.left(moment) for moment in (0.0, 0.25, 9.0)] == [2.0, 2.5, 3.0]


def test_a_clock_read_by_two_threads_does_not_run_backwards() -> None:
    """An older reading that arrives later fills nothing, and takes nothing back."""
    bucket = TokenBucket(1.0, 1, 10.0)
    assert bucket.take(11.0) == 0.0
    assert bucket.take(10.5) == 1.0
    assert bucket.take(12.0) == 0.0


def test_threads_share_it() -> None:
    """No more get through than it holds."""
    bucket = TokenBucket(1.0, 100, 0.0)
    taken: list[float] = []
    threads = [threading.Thread(target=lambda: taken.extend(bucket.take(0.0) for _ in range(50))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken.count(0.0) == 100
