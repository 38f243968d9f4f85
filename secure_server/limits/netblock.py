"""Which addresses are one: limits and penalties count netblocks, for an IPv6 host has 2**64 addresses to try."""

from __future__ import annotations

import functools
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

IPV6_PREFIX = 64
"""Bits: the smallest network that a provider gives a customer. Of IPv4 every address counts (OpenSSH's 32:128 lets
IPv6 hosts off)."""
IPV6_SITE_PREFIX = 48
"""Bits: what is given away for nothing, and holds 65,536 of those networks."""


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read what the listener says of a peer; IPv4 inside IPv6 is IPv4, and a zone (`%eth0`) is left out.

    Returns:
        None where it is no IP address, as on a Unix socket.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@functools.lru_cache(maxsize=1024)
def netblock_of(text: str) -> str:
    """Return the netblock of an address: `192.0.2.7` or `2001:db8::/64`; empty where it is no IP address.

    Remembered of the latest addresses, for most come again, and their sessions share one text.
    """
    address = parse_address(text)
    if address is None:
        return ""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((address, IPV6_PREFIX), strict=False))


@functools.lru_cache(maxsize=1024)
def source_of(netblock: str) -> str:
    """Return whose share of the places before authentication a netblock takes: an IPv4 address', or an IPv6 /48's.

    Of a flood all that counts is how many sources it has, so one who has a /48 must not be 65,536 of them.
    """
    address = parse_address(netblock.partition("/")[0])
    if isinstance(address, IPv6Address):
        return str(ip_network((address, IPV6_SITE_PREFIX), strict=False))
    return netblock
