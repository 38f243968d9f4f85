"""From where an admin is one: the setting `admin.networks`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from ipaddress import ip_network

from secure_server.auth.networks import within
from secure_server.auth.principal import Principal
from secure_server.limits.netblock import parse_address

MOST_REMEMBERED = 1024
"""Addresses whose judgement is remembered, for the gate asks at each command: more than there are administrators."""


class AdminNetworks:
    """Where admins are admins; elsewhere they are operators. Any thread.

    One for all sessions of a server. Nothing that it once said is kept with a session: whoever asks goes by where the
    peer is now, and by the networks of now.

    Args:
        networks: as the configuration has them.
    """

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = networks
        self._include = _judge(networks)

    def take_up(self, networks: Sequence[str]) -> bool:
        """Go by these from here on; whether they are others."""
        if networks == self._networks:
            return False
        self._networks, self._include = networks, _judge(networks)
        return True

    def seen(self, principal: Principal, address: str) -> Principal:
        """Return who somebody is from where they are; the same object each time, as long as that stays as it is.

        Args:
            principal: who they proved to be.
            address: of the peer, `192.0.2.7:40312`. What is none, as on a Unix socket, came over no network.
        """
        if principal.elsewhere is None or self._include(address):
            return principal
        return principal.elsewhere


def _judge(networks: Sequence[str]) -> Callable[[str], bool]:
    read = tuple(map(ip_network, networks))

    @functools.lru_cache(maxsize=MOST_REMEMBERED)
    def include(address: str) -> bool:
        return parse_address(address.rpartition(":")[0].strip("[]")) is None or within(read, address)

    return include
