"""Where a token may come from."""

from __future__ import annotations

import pytest

from secure_server.auth.errors import TokenRequestError
from secure_server.auth.networks import NETWORKS_MAX, check_networks, within


def test_networks_and_addresses_are_read() -> None:
    """In the order given, once each; an address is a network of one."""
    found = check_networks(["10.0.0.0/8", " 192.0.2.7 ", "2001:db8::/32", "10.0.0.0/8"])
    assert [str(network) for network in found] == ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"]


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ([], "a list of networks has 1 to"),
        ([f"10.0.0.{n}" for n in range(NETWORKS_MAX + 1)], "a list of networks has 1 to"),
        ([""], "is no network"),
        (["example.org"], "example.org is no network; write it as in 10.0.0.0/8"),
        (["192.0.2.7/24"], "192.0.2.7/24 is no network; write it as in 192.0.2.0/24"),
        (["\x1b[2J"], r"is no network"),
    ],
)
def test_what_is_no_network(texts: list[str], sentence: str) -> None:
    """One with bits beyond its mask is not guessed: it may have been meant wider or narrower."""
    with pytest.raises(TokenRequestError, match=sentence) as caught:
        check_networks(texts)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.1.2.3:40000", True),
        ("11.1.2.3:40000", False),
        ("[2001:db8::5]:40000", True),
        ("[2001:db9::5]:40000", False),
        ("[::ffff:10.1.2.3]:40000", True),
        ("[fe80::1%eth0]:40000", False),
        ("unix", False),
        ("", False),
    ],
)
def test_an_address_is_within_or_not(address: str, inside: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """IPv4 inside IPv6 is IPv4; what is no address is in no network."""
    assert within(check_networks(["10.0.0.0/8", "2001:db8::/32"]), address) is inside
