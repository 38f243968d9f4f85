"""A flood of refused tries is counted, never dropped, and bounded."""

from __future__ import annotations

from secure_server.audit.flood import KINDS, Flood, Kind

WRONG = Kind("authentication", "refused", "", "wrong-secret", "203.0.113.7")


def test_so_many_a_second_are_written_and_the_others_counted() -> None:
    """A new second allows as many again."""
    flood = Flood(3)
    assert [flood.admits(WRONG, 10.0 + tenth / 10) for tenth in range(5)] == [True] * 3 + [False] * 2
    assert flood.counting
    assert flood.take() == [(WRONG, 2)]
    assert not flood.counting
    assert flood.admits(WRONG, 11.0)


def test_unlike_ones_are_counted_apart() -> None:
    """By reason and by netblock."""
    flood = Flood(1)
    other = WRONG._replace(netblock="198.51.100.1")
    for kind in (WRONG, WRONG, other, other, other):
        flood.admits(kind, 1.0)
    assert dict(flood.take()) == {WRONG: 1, other: 3}


def test_the_table_is_bounded_and_nothing_is_lost() -> None:
    """An army of addresses is counted together from some size on."""
    flood = Flood(1)
    for number in range(3 * KINDS + 1):
        flood.admits(WRONG._replace(netblock=str(number)), 1.0)
    counted = dict(flood.take())
    assert len(counted) == KINDS + 1
    assert counted[Kind("authentication", "refused", "", "", "others")] == 2 * KINDS
    assert sum(counted.values()) == 3 * KINDS
