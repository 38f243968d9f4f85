"""Which addresses are one."""

from __future__ import annotations

import pytest

from secure_server.limits.netblock import netblock_of


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
