"""What all sessions share for what waits: given out in portions, in the order in which they came."""

from __future__ import annotations

from secure_server.session.reserve import PORTION_BYTES, Reserve, Share


def share(reserve: Reserve, woken: list[str], name: str) -> Share:
    """One that notes when it is woken."""
    return Share(reserve, lambda: woken.append(name))


def test_what_there_is_is_given_out_and_no_more() -> None:
    """Neither to one, nor to all."""
    woken: list[str] = []
    reserve = Reserve(4 * PORTION_BYTES, 3 * PORTION_BYTES)
    a, b = share(reserve, woken, "a"), share(reserve, woken, "b")
    assert [a.grow() for _ in range(4)] == [True, True, True, False]
    assert (reserve.waiting, a.bytes) == (0, 3 * PORTION_BYTES)
    assert [b.grow() for _ in range(3)] == [True, False, False]
    assert (reserve.waiting, b.bytes, reserve.free, woken) == (1, PORTION_BYTES, 0, [])


def test_those_who_wait_are_served_in_order_and_nobody_overtakes() -> None:
    """One portion each; whoever comes meanwhile waits behind them."""
    woken: list[str] = []
    reserve = Reserve(2 * PORTION_BYTES, 2 * PORTION_BYTES)
    a, b, c, d = (share(reserve, woken, name) for name in "abcd")
    assert a.grow()
    assert a.grow()
    assert not b.grow()
    assert not c.grow()
    a.fit(0)
    assert (woken, b.portions, c.portions, a.portions) == (["b"], 1, 0, 1)
    assert not b.grow()
    assert not d.grow()
    a.fit(-1)
    assert woken == ["b", "c"]
    c.fit(-1)
    d.fit(-1)
    assert (woken, b.portions, d.portions) == (["b", "c", "b"], 2, 0)


def test_who_leaves_loses_its_place_and_gives_all_back() -> None:
    """Whether it has something or only waits."""
    woken: list[str] = []
    reserve = Reserve(PORTION_BYTES, PORTION_BYTES)
    a, b, c = (share(reserve, woken, name) for name in "abc")
    assert a.grow()
    assert not b.grow()
    assert not c.grow()
    b.fit(-1)
    a.fit(-1)
    assert (woken, reserve.waiting) == (["c"], 0)
    c.fit(-1)
    assert (reserve.free, a.portions, b.portions, c.portions) == (PORTION_BYTES, 0, 0, 0)


def test_what_is_needed_is_kept_with_room_for_more() -> None:
    """At a portion's end there is another one, or the session could not go on."""
    reserve = Reserve(8 * PORTION_BYTES, 8 * PORTION_BYTES)
    a = share(reserve, [], "a")
    while a.grow():
        pass
    for need, portions in ((8 * PORTION_BYTES, 8), (3 * PORTION_BYTES, 4), (3 * PORTION_BYTES - 1, 3), (0, 1), (-1, 0)):
        a.fit(need)
        assert a.portions == portions


def test_a_small_reserve_has_small_portions() -> None:
    """What is configured holds, also below the usual size of one."""
    reserve = Reserve(1024, 1024)
    a, b = share(reserve, [], "a"), share(reserve, [], "b")
    assert (a.grow(), a.bytes, b.grow()) == (True, 1024, False)


def test_other_bounds_hold_from_then_on() -> None:
    """More is given to those who wait; less is taken back only as it comes back, and never given out again."""
    woken: list[str] = []
    reserve = Reserve(2 * PORTION_BYTES, 2 * PORTION_BYTES)
    a, b, c = (share(reserve, woken, name) for name in "abc")
    assert [a.grow(), a.grow(), b.grow(), c.grow()] == [True, True, False, False]
    reserve.take_up(3 * PORTION_BYTES, 2 * PORTION_BYTES)
    assert (woken, b.portions, c.portions, reserve.free) == (["b"], 1, 0, 0)
    reserve.take_up(PORTION_BYTES, PORTION_BYTES)
    a.fit(-1)
    assert (woken, reserve.free) == (["b"], 0)
    b.fit(-1)
    assert (woken, c.portions, reserve.free) == (["b", "c"], 1, 0)
    assert not c.grow()
    reserve.take_up(4 * PORTION_BYTES, 3 * PORTION_BYTES)
    assert [c.grow() for _ in range(3)] == [True, True, False]
    c.fit(-1)
    assert reserve.free == 4 * PORTION_BYTES


def test_what_is_used_is_told_also_where_there_is_less_now() -> None:
    """More than there is, until it comes back."""
    reserve = Reserve(4 * PORTION_BYTES, 4 * PORTION_BYTES)
    a = share(reserve, [], "a")
    assert [a.grow() for _ in range(3)] == [True, True, True]
    assert (reserve.used, reserve.total) == (3 * PORTION_BYTES, 4 * PORTION_BYTES)
    reserve.take_up(2 * PORTION_BYTES, 2 * PORTION_BYTES)
    assert (reserve.used, reserve.total, reserve.free) == (3 * PORTION_BYTES, 2 * PORTION_BYTES, 0)
    a.fit(-1)
    assert (reserve.used, reserve.free) == (0, 2 * PORTION_BYTES)
