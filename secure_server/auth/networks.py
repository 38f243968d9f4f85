"""Where a token may come from, as people write it: 10.0.0.0/8,2001:db8::/32,192.0.2.7."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

from secure_protocol.printable import printable
from secure_protocol.sentence import Sentence
from secure_server.auth.errors import TokenRequestError
from secure_server.auth.token_record import Network, TokenRecord
from secure_server.limits.netblock import parse_address

NETWORKS_MAX = 64
"""Networks of one token: each is looked at for every login of it."""
_SHOWN = 60
"""Characters of what was written that an error repeats."""


def check_networks(networks: Iterable[str]) -> tuple[Network, ...]:
    """Read a list of networks; a single address is one, too.

    Raises:
        TokenRequestError: it is empty, too long, or holds what is no network.
    """
    found = tuple(dict.fromkeys(_network(text.strip()) for text in networks))
    if not 0 < len(found) <= NETWORKS_MAX:
        raise TokenRequestError(Sentence("a list of networks has 1 to {most} of them", most=NETWORKS_MAX))
    return found


def within(networks: Iterable[Network], address: str) -> bool:
    """Whether a peer's `address:port` is in one of the networks; one that cannot be read is in none."""
    host = parse_address(address.rpartition(":")[0].strip("[]"))
    return host is not None and any(host in network for network in networks)


def fits(record: TokenRecord, address: str) -> bool:
    """Whether a token may come from a peer's `address:port`."""
    return record.networks is None or within(record.networks, address)


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:  # what was meant may be wider or narrower than what was written, so it is not guessed
        meant = str(ip_network(text, strict=False))
    except ValueError:
        meant = "10.0.0.0/8"
    raise TokenRequestError(
        Sentence("{text} is no network; write it as in {meant}", text=printable(text, _SHOWN), meant=meant)
    ) from None
