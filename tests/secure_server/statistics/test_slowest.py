"""The slowest commands: so many and no more."""

from __future__ import annotations

from secure_server.audit.who import Who
from secure_server.statistics.slowest import KEPT, SLOW_SECONDS, Slowest


def note(slowest: Slowest, seconds: float) -> None:
    """One that took so long."""
    slowest.note(0.0, seconds, Who(1, "ada", "192.0.2.7:1"), "RESTART", ([b"web"], 0))


def test_the_quickest_gives_way() -> None:
    """In whatever order they come; who is not slower than all of them need not be told."""
    slowest = Slowest()
    assert slowest.least == SLOW_SECONDS
    for number in range(KEPT + 50):
        note(slowest, float((number * 37) % (KEPT + 50) + 1))
    kept = slowest.all()
    assert [slow.seconds for slow in kept] == [float(KEPT + 50 - number) for number in range(KEPT)]
    assert slowest.least == 51.0


def test_those_that_took_alike_are_all_kept() -> None:
    """What is compared next is never what they hold."""
    slowest = Slowest()
    note(slowest, 1.0)
    note(slowest, 1.0)
    assert len(slowest.all()) == 2


def test_forgetting_begins_anew() -> None:
    """The bar is where it was, too."""
    slowest = Slowest()
    for _ in range(KEPT):
        note(slowest, 9.0)
    assert slowest.forget() == KEPT
    assert (slowest.all(), slowest.least) == ([], SLOW_SECONDS)
