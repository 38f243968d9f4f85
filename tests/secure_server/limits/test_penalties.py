"""What addresses earn by failing to authenticate."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secure_server.config.quantities import Duration
from secure_server.config.settings import Penalties as Settings
from secure_server.limits.netblock import netblock_of
from secure_server.limits.penalties import REMEMBERED, Penalties
from tests.secure_server.host import Clock

HERE, THERE = "192.0.2.7", "2001:db8::/64"


def settings(**changes: object) -> Settings:
    """1 s, felt from 4 s on, at most 60 s."""
    values: dict[str, object] = {"first": Duration(1), "minimum": Duration(4), "most": Duration(60), "table": 100}
    return Settings(**{**values, **changes})  # type: ignore[arg-type] # each has its setting's type


def fail(penalties: Penalties, netblock: str, *credentials: str) -> None:
    """Show wrong credentials."""
    for credential in credentials:
        penalties.failed(netblock, credential.encode(), f"{netblock}:40000", "wrong-secret")


def test_each_failure_doubles_and_a_minimum_must_be_reached() -> None:
    """1 and 2 seconds are not felt; 4, 8 … are, up to the most."""
    penalties = Penalties(settings(), Clock())
    felt = []
    for number in range(9):
        fail(penalties, HERE, str(number))
        felt.append(penalties.refused_for(HERE))
    assert felt == [0, 0, 4, 8, 16, 32, 60, 60, 60]
    assert penalties.needed == 3
    assert penalties.refused_for(THERE) == 0


def test_the_same_wrong_secret_again_does_not_escalate() -> None:
    """Nor make it last longer: a program that was left running with a revoked token locks nobody out."""
    clock = Clock()
    penalties = Penalties(settings(), clock)
    fail(penalties, HERE, *"abc")
    clock.now += 3
    fail(penalties, HERE, *"abcabc" * 10)
    assert penalties.refused_for(HERE) == 1
    entry = penalties.entry(HERE)
    assert entry is not None
    assert entry.failures == 3


def test_it_ends_and_is_forgotten_later() -> None:
    """Who fails again before that goes on where it was."""
    clock = Clock()
    penalties = Penalties(settings(), clock)
    fail(penalties, HERE, *"abc")
    clock.now += 4
    assert penalties.refused_for(HERE) == 0
    fail(penalties, HERE, "d")
    assert penalties.refused_for(HERE) == 8
    clock.now += 8 + 60
    assert penalties.entry(HERE) is None
    fail(penalties, HERE, "e")
    assert penalties.refused_for(HERE) == 0


def test_exempt_networks_and_the_admin_socket_earn_nothing() -> None:
    """IPv4 and IPv6."""
    penalties = Penalties(settings(exempt=("192.0.2.0/24", "2001:db8::/32")), Clock())
    for netblock in (HERE, THERE, ""):
        fail(penalties, netblock, *"abcdef")
        assert penalties.refused_for(netblock) == 0
    assert penalties.entries() == []
    fail(penalties, "198.51.100.1", *"abc")
    assert penalties.refused_for("198.51.100.1") == 4


@pytest.mark.parametrize("written", ["2001:db8:0:7::a:5", "2001:db8:0:7::/65", "2001:db8:0:7::/64"])
def test_an_exempt_ipv6_address_is_exempt_with_its_netblock(written: str) -> None:
    """By which failures are counted: a proxy's address would exempt nobody else."""
    penalties = Penalties(settings(exempt=(written,)), Clock())
    fail(penalties, netblock_of("2001:db8:0:7::a:5"), *"abcdef")
    assert penalties.entries() == []
    fail(penalties, netblock_of("2001:db8:0:8::a:5"), "a")
    assert len(penalties.entries()) == 1


def test_they_are_listed_and_cleared() -> None:
    """One, or all."""
    penalties = Penalties(settings(), Clock())
    fail(penalties, HERE, *"ab")
    fail(penalties, THERE, *"abcd")
    assert [entry.netblock for entry in penalties.entries()] == [THERE, HERE]
    assert penalties.clear(THERE) == 1
    assert penalties.clear(THERE) == 0
    assert penalties.refused_for(THERE) == 0
    fail(penalties, THERE, "a")
    assert penalties.clear(None) == 2
    assert penalties.entries() == []


def test_the_table_is_bounded_and_the_one_that_ends_soonest_gives_way() -> None:
    """A flood of addresses does not push out one that fails again and again."""
    clock = Clock()
    penalties = Penalties(settings(table=10), clock)
    fail(penalties, HERE, *"abcde")
    for number in range(1000):
        clock.now += 0.001
        fail(penalties, str(ip_address(0x0A000000 + number)), "x")
    assert len(penalties.entries()) == 10
    assert len(penalties._ends) == 10
    assert penalties.refused_for(HERE) > 14


def test_it_keeps_no_credential() -> None:
    """Only keyed digests, of the latest ones."""
    penalties = Penalties(settings(), Clock())
    fail(penalties, HERE, *(f"secret-{number}" for number in range(REMEMBERED + 5)))
    entry = penalties.entry(HERE)
    assert entry is not None
    assert len(entry.digests) == REMEMBERED
    assert "secret" not in repr(entry).replace("wrong-secret", "")
    other = Penalties(settings(), Clock())
    fail(other, HERE, f"secret-{REMEMBERED + 4}")
    assert not entry.digests.keys() & other._table[HERE].digests.keys()


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 5), st.integers(0, 90)), max_size=40))
def test_the_table_and_its_order_agree_whatever_happens(steps: list[tuple[str, int, int]]) -> None:
    """Every entry has one place in the order, and nothing that ended stays."""
    clock = Clock()
    penalties = Penalties(settings(table=3), clock)
    for netblock, credential, seconds in steps:
        clock.now += seconds
        if credential == 5:
            penalties.clear(netblock)
        else:
            fail(penalties, netblock, str(credential))
        assert sorted(netblock for _, netblock in penalties._ends) == sorted(penalties._table)
        assert len(penalties.entries()) <= 3
        assert all(entry.until + 60 > clock.now for entry in penalties.entries())


@pytest.mark.parametrize(("first", "minimum", "needed"), [(1, 15, 5), (20, 15, 1), (15, 15, 1), (1, 16, 5)])
def test_it_says_how_many_failures_are_needed(first: int, minimum: int, needed: int) -> None:
    """As the doubling has it."""
    penalties = Penalties(settings(first=Duration(first), minimum=Duration(minimum), most=Duration(600)), Clock())
    assert penalties.needed == needed
    fail(penalties, HERE, *map(str, range(needed - 1)))
    assert not penalties.refused_for(HERE)
    fail(penalties, HERE, "last")
    assert penalties.refused_for(HERE)


def test_other_settings_hold_for_what_was_earned_already() -> None:
    """What is felt, who is exempt, for how long it is remembered, and how many are."""
    clock = Clock()
    penalties = Penalties(settings(), clock)
    fail(penalties, HERE, *"abcd")
    fail(penalties, THERE, *"abc")
    assert (penalties.refused_for(HERE), penalties.refused_for(THERE)) == (8, 4)
    penalties.take_up(settings(minimum=Duration(8)))
    assert (penalties.refused_for(HERE), penalties.refused_for(THERE)) == (8, 0)
    penalties.take_up(settings(exempt=("192.0.2.0/24",)))
    assert (penalties.refused_for(HERE), penalties.refused_for(THERE)) == (0, 4)
    penalties.take_up(settings(table=1))
    assert [entry.netblock for entry in penalties.entries()] == [HERE]
    penalties.take_up(settings(most=Duration(5)))
    clock.now += 8 + 5
    assert penalties.entries() == []


def test_whoever_wants_to_know_is_told_what_was_earned() -> None:
    """Each time that it is more, with the seconds for which that is felt; nothing of the same secret again."""
    told: list[tuple[int, float]] = []
    penalties = Penalties(settings(), Clock(), told=lambda entry, seconds: told.append((entry.failures, seconds)))
    fail(penalties, HERE, "a", "b", "b", "c", "d")
    assert told == [(1, 0.0), (2, 0.0), (3, 4.0), (4, 8.0)]
