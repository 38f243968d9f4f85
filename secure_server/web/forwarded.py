"""Whose request it is that came by a proxy: the address that the proxy tells, or at least that nobody here asks.

What the settings call a proxy (`web.proxies`) is believed, of what it says only the last address: the others came from
whoever stands before it. Anybody else may write what he likes into such a header, so from those it is no address; but
it tells that the peer may be elsewhere, and so it is not on this machine, whatever its connection says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_network

from secure_server.auth.networks import within
from secure_server.auth.token_record import Network
from secure_server.filters.kinds import host_of
from secure_server.limits.netblock import netblock_of, parse_address
from secure_server.session.peer import Peer
from secure_server.web.message import Question

CHAIN = "x-forwarded-for"
SIGNS = (CHAIN, "forwarded", "x-real-ip", "via")
"""Headers that proxies add, in lower case."""
ANYWHERE = "0.0.0.0"  # noqa: S104 - nothing listens there
"""Stands for who is somewhere, and nobody knows where: an address of no network but the whole Internet."""


class Proxies:
    """Finds whose requests are.

    Args:
        networks: of the proxies that are believed, as the settings have them.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(map(ip_network, networks))

    def include(self, address: str) -> bool:
        """Whether one is believed."""
        return within(self._networks, address)

    def seen(self, question: Question) -> Question:
        """Return a question with the peer that it is of, as far as anybody knows."""
        if not any(name in SIGNS for name, _ in question.headers):
            return question
        address = seen_from(question.peer.address, question.header(CHAIN), self._networks)
        return replace(question, peer=_behind(question.peer, address), forwarded=True)


def seen_from(address: str, chain: str | None, proxies: Iterable[Network]) -> str:
    """Return the address of whoever sent a request with a header of `SIGNS`, with the port of the connection.

    Args:
        address: of the connection, `192.0.2.7:40312`.
        chain: `X-Forwarded-For`, all of them in one; None where there is none.
        proxies: those that are believed.
    """
    port = address.rpartition(":")[2]
    if within(proxies, address):
        last = _last(chain or "")
        if last is None or last.is_loopback or last.is_unspecified:  # of the proxy's own machine: another one before it
            return f"{ANYWHERE}:{port}"
        return f"[{last}]:{port}" if isinstance(last, IPv6Address) else f"{last}:{port}"
    return f"{ANYWHERE}:{port}" if is_near(address) else address


def is_near(address: str) -> bool:
    """Whether a peer is on this machine."""
    host = parse_address(host_of(address))
    return host is not None and host.is_loopback


def _last(chain: str) -> IPv4Address | IPv6Address | None:
    """Return the last address, as proxies write them: with a port, or without; None where it is none."""
    text = chain.rpartition(",")[2].strip().strip('"')
    if text.startswith("["):
        return parse_address(text[1:].partition("]")[0])
    return parse_address(text.partition(":")[0] if text.count(":") == 1 else text)


def _behind(peer: Peer, address: str) -> Peer:
    """Return who stands behind a proxy; the certificate is the proxy's, and says nothing of anybody else."""
    return replace(peer, address=address, netblock=netblock_of(host_of(address)), certificate=None)
