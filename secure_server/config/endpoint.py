"""Where to listen, as `listen.addresses` writes it: `HOST:PORT`, an IPv6 address in brackets."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple, Self

from secure_protocol.hostname import ascii_host
from secure_protocol.sentence import Sentence

ENDPOINTS_MAX = 64
"""Addresses listed: each is a socket that is open and watched for as long as the server runs, and a machine that is
given names for its tenants or networks has a handful."""
_NAME = re.compile(r"[^\s:/@*?\[\]]{1,253}")


class Endpoint(NamedTuple):
    """One address to listen on.

    Attributes:
        host: a name or an address, without brackets.
        port: TCP port; 0 lets the system choose one.
        ipv6_only: an IPv6 address that leaves IPv4 to others; otherwise `::` takes both where the system can.
    """

    host: str
    port: int
    ipv6_only: bool = False

    @classmethod
    def parse(cls, written: str) -> Self:
        """Read `127.0.0.1:5000`, `box.example:5000` or `[::1]:5000`; the last is for IPv6 alone.

        Two that mean the same address are equal.

        Raises:
            ValueError: it is none; the message is a clause that says why.
        """
        host, _, port = written.rpartition(":")
        if _ipv6(written) or _ipv6(host):
            raise ValueError(Sentence("an IPv6 address stands in brackets"))
        if not port or port == written or written.endswith("]"):
            raise ValueError(Sentence("the port is missing"))
        if not (port.isascii() and port.isdigit() and int(port) <= 65535):
            raise ValueError(Sentence("the port is no whole number from 0 to 65535"))
        if not (host.startswith("[") and host.endswith("]")):
            return cls(_name(host), int(port))
        address = _ipv6(host[1:-1])
        if address is None:
            raise ValueError(Sentence("no IPv6 address stands between the brackets"))
        if address.ipv4_mapped is not None:  # no socket for IPv6 alone can be bound to it
            raise ValueError(Sentence("that is the IPv4 address {address}", address=address.ipv4_mapped))
        return cls(str(address), int(port), ipv6_only=True)

    def covers(self, other: Endpoint) -> bool:
        """Whether this one takes all that would come to `other`, so that only one of them can be opened."""
        if self.port != other.port or self.port == 0:
            return False
        mine, theirs = _address(self.host), _address(other.host)
        everywhere = mine is not None and mine.is_unspecified and type(mine) is type(theirs)
        return everywhere or self.host == other.host

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _name(host: str) -> str:
    """Return a name, or an IPv4 address, as it is compared.

    A name whose last part is a number is none: `10.0.0.256` and `127.1` are slips, which the system would ask the DNS
    for, or make an address of that nobody meant.
    """
    if not host:
        raise ValueError(Sentence("the host is missing"))
    try:
        ascii_host(host)
        usable = bool(_NAME.fullmatch(host) and (not host.rpartition(".")[2].isdigit() or _address(host)))
    except UnicodeError:
        usable = False
    if not usable:
        raise ValueError(Sentence("no host has that name or address"))
    return host.lower()


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _ipv6(text: str) -> IPv6Address | None:
    address = _address(text)
    return address if isinstance(address, IPv6Address) else None
