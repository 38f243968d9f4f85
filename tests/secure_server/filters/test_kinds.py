"""How values of a kind are compared, shown and put in order."""

from __future__ import annotations

import pytest

from secure_protocol.errors import CommandError
from secure_server.filters.grammar import Field, parse
from secure_server.filters.kinds import Address, Bytes, Count, Kind, Moment, Seconds, Text, Word


@pytest.mark.parametrize(
    ("kind", "rising"),
    [
        (Count(), [9, 10, 200]),
        (Bytes(), [1, 1024]),
        (Seconds(), [0.5, 3.0]),
        (Text(), ["ana", "Bob", "carol"]),
        (Word(["nobody", "user", "admin"]), ["nobody", "user", "admin", "unheard-of"]),
        (Address(), ["9.0.0.1:1", "10.0.0.1:900", "10.0.0.1:1000", "192.0.2.1", "[2001:db8::1]:5", "unix"]),
    ],
)
def test_values_rise_as_people_expect(kind: Kind, rising: list[object]) -> None:
    """Numbers as numbers, addresses by their parts, roles as they go up, words in any case."""
    ranks = [kind.rank(value) for value in rising]
    assert sorted(ranks, key=lambda rank: rank) == ranks  # type: ignore[arg-type, return-value] # ranks of a kind compare


def test_moments_are_compared_and_shown() -> None:
    """Dates with a time or without; in the zone that is written, or the server's; what is none is refused."""
    fields: dict[str, Field[float]] = {"closed": Field(Moment(), lambda one, _now: one)}
    at = 1_764_081_000.0  # 2025-11-25T14:30:00Z

    def holds(*words: str) -> bool:
        (condition,) = parse(list(words), fields)
        return condition(at, 0.0)

    assert holds("closed>2025-11-25T14:29:59Z")
    assert holds("closed<2025-11-25T14:30:01+00:00")
    assert holds("closed", "=", "2025-11-25T15:30:00+01:00")
    assert not holds("closed>2025-11-27")
    for wrong in ("yesterday", "2025-13-01", "5m", "9999999-01-01"):
        with pytest.raises(CommandError, match="a date and time"):
            parse([f"closed>{wrong}"], fields)
    shown = str(Moment().shown(at))
    assert shown.startswith("2025-11-2")
    assert shown[19] in "+-"
