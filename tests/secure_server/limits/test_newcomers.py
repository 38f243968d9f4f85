"""The population before authentication."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from secure_server.config.settings import Limits
from secure_server.limits.newcomers import Newcomers, Place, Shortage
from tests.secure_server.host import never


def come(newcomers: Newcomers, source: str) -> tuple[Place, Place | None]:
    """Have somebody come from a source; its place, and whose is given up for it."""
    place = Place(source, never)
    given = newcomers.enter(place)
    return place, None if given is None else given[0]


def test_the_defaults_admit_500_from_one_address_at_once() -> None:
    """Nobody gives way."""
    limits = Limits()
    newcomers = Newcomers(limits.max_unauthenticated, limits.unauthenticated_per_source)
    assert [come(newcomers, "192.0.2.7")[1] for _ in range(500)] == [None] * 500


def test_one_source_has_its_share() -> None:
    """Beyond it its oldest gives way to its next, and those from elsewhere stay."""
    newcomers = Newcomers(10, 3)
    other = come(newcomers, "other")[0]
    places = [come(newcomers, "one")[0] for _ in range(3)]
    for oldest in list(places):
        place, given = come(newcomers, "one")
        assert given is oldest
        places.append(place)
    assert (newcomers.count, other.held, newcomers.given_way) == (4, True, {Shortage.SOURCE: 3})


def test_when_all_places_are_taken_the_oldest_of_the_heaviest_source_goes() -> None:
    """Not the oldest of all, and not the newcomer, wherever it comes from."""
    newcomers = Newcomers(6, 5)
    light, heavy = come(newcomers, "light")[0], [come(newcomers, "heavy")[0] for _ in range(4)]
    come(newcomers, "middle")
    assert come(newcomers, "new")[1] is heavy[0]
    assert come(newcomers, "heavy")[1] is heavy[1]
    assert light.held
    assert newcomers.given_way == {Shortage.ALL: 2}


def test_of_sources_alike_the_one_that_came_first_goes_first() -> None:
    """So a flood from more sources than there are places leaves each newcomer as much time as it can."""
    newcomers = Newcomers(3, 3)
    places = [come(newcomers, source)[0] for source in "abc"]
    assert [come(newcomers, source)[1] for source in "defg"][:3] == places


def test_a_place_is_given_back_once() -> None:
    """Who gave way has none to give back, though its end comes later."""
    newcomers = Newcomers(1, 1)
    first, _ = come(newcomers, "a")
    second, given = come(newcomers, "b")
    assert given is first
    newcomers.leave(first)
    assert (newcomers.count, first.held, second.held) == (1, False, True)
    newcomers.leave(second)
    newcomers.leave(second)
    assert newcomers.count == 0


def test_a_newcomer_from_elsewhere_keeps_its_place_however_fast_a_flood_comes() -> None:
    """Twenty sources open a hundred thousand connections meanwhile."""
    limits = Limits()
    newcomers = Newcomers(limits.max_unauthenticated, limits.unauthenticated_per_source)
    sources = [f"198.51.100.{number}" for number in range(20)]
    for number in range(2000):
        come(newcomers, sources[number % 20])
    honest = come(newcomers, "192.0.2.7")[0]
    for number in range(100_000):
        come(newcomers, sources[number % 20])
    assert honest.held


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-1, 5)), max_size=80))
def test_the_rule_holds_whatever_happens(steps: list[tuple[str, int]]) -> None:
    """Compared with a plain list, the oldest first; who is gone leaves nothing behind."""
    most, per_source = 6, 3
    newcomers = Newcomers(most, per_source)
    inside: list[Place] = []
    for source, leaves in steps:
        if leaves >= 0:
            if leaves < len(inside):
                newcomers.leave(inside.pop(leaves))
            continue
        weights = {place.source: sum(other.source == place.source for other in inside) for place in inside}
        place, given = come(newcomers, source)
        if weights.get(source, 0) == per_source:
            assert given is next(other for other in inside if other.source == source)
        elif len(inside) == most:
            assert given is not None
            assert weights[given.source] == max(weights.values())
            assert given is next(other for other in inside if other.source == given.source)
        else:
            assert given is None
        if given is not None:
            inside.remove(given)
        inside.append(place)
        assert newcomers.count == len(inside)
        assert all(place.held for place in inside)
    for place in inside:
        newcomers.leave(place)
    assert (newcomers.count, newcomers._sources, newcomers._weights, newcomers._heaviest) == (0, {}, {}, 0)
