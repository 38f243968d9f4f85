"""Which addresses are one."""

from __future__ import annotations

import pytest

from secure_server.limits.netblock import netblock_of, source_of


@pytest.mark.parametrize(
    ("address", "netblock"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1::7", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", ""),
    ],
)
def test_an_ipv4_address_and_an_ipv6_64_are_one(address: str, netblock: str) -> None:
    """IPv4 inside IPv6 is IPv4; what is no address has no netblock."""
    assert netblock_of(address) == netblock


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1::7", "2001:db8::/48"),
        ("2001:db8:0:ffff:ffff::", "2001:db8::/48"),
        ("2001:db8:1::", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("unix", ""),
    ],
)
def test_a_flood_from_an_ipv6_48_has_one_source(address: str, source: str) -> None:
    """However many networks are in it; IPv4 inside IPv6 is IPv4 here, too."""
    assert source_of(netblock_of(address)) == source
