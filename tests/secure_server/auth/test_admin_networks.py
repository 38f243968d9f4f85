"""From where an admin is one."""

from __future__ import annotations

import pytest

from secure_server.auth.admin_networks import MOST_REMEMBERED, AdminNetworks
from secure_server.auth.principal import Principal, Role
from secure_server.config.settings import Config

CHIEF = Principal("ada", Role.ADMIN, "x", frozenset({"KICK"}), max_sessions=2)


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("127.0.0.1:40312", True),
        ("127.200.0.9:1", True),
        ("[::1]:40312", True),
        ("[::ffff:127.0.0.1]:40312", True),
        ("unix", True),
        ("memory", True),
        ("192.0.2.7:40312", False),
        ("[2001:db8::7]:40312", False),
        ("[fe80::1%eth0]:40312", False),
    ],
)
def test_by_default_this_machine_is_inside(address: str, *, inside: bool) -> None:
    """And what came over no network; all the rest is outside."""
    seen = AdminNetworks(Config().admin.networks).seen(CHIEF, address)
    assert (seen is CHIEF) is inside
    assert (seen.role, seen.outside) == ((Role.ADMIN, False) if inside else (Role.OPERATOR, True))


def test_outside_all_else_stays() -> None:
    """Name, token, list of commands and sessions; and it is the same object each time, by which callers compare."""
    networks = AdminNetworks([])
    seen = networks.seen(CHIEF, "127.0.0.1:1")
    assert (seen.name, seen.token_id, seen.allow, seen.max_sessions) == ("ada", "x", frozenset({"KICK"}), 2)
    assert networks.seen(CHIEF, "127.0.0.1:2") is seen


@pytest.mark.parametrize("role", [Role.USER, Role.OPERATOR])
def test_others_are_not_concerned(role: Role) -> None:
    """Wherever they are."""
    principal = Principal("bob", role, "y", None)
    assert AdminNetworks([]).seen(principal, "192.0.2.7:1") is principal


def test_other_networks_hold_from_then_on() -> None:
    """Also for an address that was judged before; and it is said whether they are others."""
    networks = AdminNetworks(["10.0.0.0/8"])
    assert networks.seen(CHIEF, "192.0.2.7:1").outside
    assert networks.take_up(["192.0.2.7"])
    assert networks.seen(CHIEF, "192.0.2.7:1") is CHIEF
    assert networks.seen(CHIEF, "10.0.0.1:1").outside
    assert not networks.take_up(["192.0.2.7"])


def test_few_addresses_are_remembered() -> None:
    """However many administrators come and go."""
    networks = AdminNetworks(["10.0.0.0/8"])
    for port in range(MOST_REMEMBERED + 10):
        networks.seen(CHIEF, f"192.0.2.7:{port}")
    assert networks._include.cache_info().currsize == MOST_REMEMBERED  # type: ignore[attr-defined] # of the cache
