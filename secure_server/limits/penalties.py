"""What addresses earn by failing to authenticate.

Counted by netblock, doubled by each failure, felt only above a minimum. Only a refused credential earns something:
a slow handshake or a silent stranger does not, for the caps on strangers bound those, and on a crowded day they are
honest. A success clears nothing: whoever has one good token could go on guessing others for ever. While an address is
refused, what it shows is looked at all the same, and let in where it is good; see `Admission`.
"""

from __future__ import annotations

import hashlib
import heapq
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network

from secure_server.config.settings import Penalties as Settings
from secure_server.limits.netblock import IPV6_PREFIX, parse_address

REMEMBERED = 16
"""Refused credentials remembered of a netblock, so that repeating one costs nothing more; the oldest gives way."""
DIGEST_BYTES = 8
"""Of each: keyed anew in each process, so that the table gives nothing away."""


@dataclass(slots=True)
class Penalty:
    """What a netblock has earned.

    Attributes:
        netblock: an IPv4 address or an IPv6 /64.
        failures: distinct credentials refused.
        until: monotonic second to which it is refused, if the wait is long enough to be felt.
        wait: seconds that the latest failure earned.
        last: when that was, Unix seconds.
        address: from where that was.
        why: what was wrong with it, in the log's words; no secret.
    """

    netblock: str
    failures: int = 0
    until: float = 0.0
    wait: float = 0.0
    last: float = 0.0
    address: str = ""
    why: str = ""
    digests: dict[bytes, None] = field(default_factory=dict, repr=False)


class Penalties:
    """The table of failing netblocks. Any thread.

    Args:
        settings: how much, how long, how many, and who is exempt.
        clock: monotonic seconds.
        wall: Unix seconds, to tell people.
        told: called with what a netblock has earned by now, each time that it earned more, and for how many seconds it
            is refused, which are 0 where that is not felt. Any thread; it must not wait.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        told: Callable[[Penalty, float], None] = lambda _earned, _seconds: None,
    ) -> None:
        self._settings = settings
        self._told = told
        self._clock = clock
        self._wall = wall
        self._key = secrets.token_bytes(16)
        self._exempt = networks(settings.exempt)
        self._lock = threading.Lock()
        self._table: dict[str, Penalty] = {}
        self._ends: list[tuple[float, str]] = []
        """When entries are forgotten, soonest first; one that has changed since is put back with its new end."""

    def take_up(self, settings: Settings) -> None:
        """Have other settings from here on, for what was earned already, too; nothing earned is doubled or halved."""
        exempt = networks(settings.exempt)
        with self._lock:
            self._settings, self._exempt = settings, exempt
            self._ends = [(self._end(entry), netblock) for netblock, entry in self._table.items()]
            heapq.heapify(self._ends)
            self._evict()

    def failed(self, netblock: str, credential: bytes, address: str, why: str) -> None:
        """Count a refused credential.

        Args:
            netblock: of whoever showed it; empty (the admin socket) earns nothing.
            credential: what was shown; only a keyed digest of it is kept.
            address: with its port, to tell an administrator.
            why: in the log's words.
        """
        if not netblock or self.exempts(netblock):
            return
        digest = hashlib.blake2b(credential, key=self._key, digest_size=DIGEST_BYTES).digest()
        now = self._clock()
        with self._lock:
            self._forget(now)
            entry = self._table.get(netblock)
            if entry is None:
                entry = self._table[netblock] = Penalty(netblock)
            if digest in entry.digests:
                return
            entry.digests[digest] = None
            if len(entry.digests) > REMEMBERED:
                del entry.digests[next(iter(entry.digests))]
            known = entry.failures > 0
            entry.failures += 1
            doublings = min(entry.failures - 1, 64)  # beyond, `most` decides anyway
            entry.wait = min(float(self._settings.most), float(self._settings.first) * 2.0**doublings)
            entry.until = now + entry.wait
            entry.last, entry.address, entry.why = self._wall(), address, why
            if not known:
                heapq.heappush(self._ends, (self._end(entry), netblock))
            if len(self._table) > self._settings.table:
                self._evict()
        self._told(entry, entry.wait if entry.wait >= self._settings.minimum else 0.0)

    def __len__(self) -> int:
        """Netblocks that are remembered."""
        with self._lock:
            self._forget(self._clock())
            return len(self._table)

    def refused_for(self, netblock: str) -> float:
        """Return the seconds for which a netblock is refused; 0 where it is not."""
        entry = self._table.get(netblock)
        if entry is None or entry.wait < self._settings.minimum or self.exempts(netblock):
            return 0.0
        return max(0.0, entry.until - self._clock())

    def exempts(self, netblock: str) -> bool:
        """Whether a netblock, or an address, is in a network that earns nothing."""
        if not self._exempt:
            return False
        address = parse_address(netblock.partition("/")[0])
        return address is not None and any(address in network for network in self._exempt)

    def entry(self, netblock: str) -> Penalty | None:
        """What a netblock has earned; None where that is nothing, or forgotten."""
        with self._lock:
            self._forget(self._clock())
            return self._table.get(netblock)

    def entries(self) -> list[Penalty]:
        """All that is remembered, what is refused longest first."""
        with self._lock:
            self._forget(self._clock())
            return sorted(self._table.values(), key=lambda entry: -entry.until)

    @property
    def count(self) -> int:
        """How many netblocks are remembered, those included whose time is over and whom nobody looked at since."""
        return len(self._table)

    def clear(self, netblock: str | None) -> int:
        """Forget what a netblock has earned, or all; how many that were."""
        with self._lock:
            if netblock is None:
                cleared = len(self._table)
                self._table.clear()
                self._ends.clear()
                return cleared
            if self._table.pop(netblock, None) is None:
                return 0
            self._ends = [end for end in self._ends if end[1] != netblock]
            heapq.heapify(self._ends)
            return 1

    @property
    def needed(self) -> int:
        """Distinct failures before the first refusal that is felt."""
        settings = self._settings
        if settings.first >= settings.minimum:
            return 1
        return 1 + math.ceil(math.log2(settings.minimum / settings.first))

    def _end(self, entry: Penalty) -> float:
        """When an entry is forgotten: as long after its refusal as the longest refusal lasts."""
        return entry.until + float(self._settings.most)

    def _forget(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            self._take_soonest()

    def _evict(self) -> None:
        while len(self._table) > self._settings.table:
            self._take_soonest()

    def _take_soonest(self) -> None:
        """Drop the entry that ends soonest, unless it failed again since: then put it where it belongs now."""
        end, netblock = heapq.heappop(self._ends)
        true_end = self._end(self._table[netblock])
        if true_end > end:
            heapq.heappush(self._ends, (true_end, netblock))
        else:
            del self._table[netblock]


def networks(texts: Iterable[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Read networks as people write them: `10.0.0.0/8`, `2001:db8::/32`, or one address.

    What is smaller than an IPv6 netblock stands for all of it, for failures are counted by netblock.

    Raises:
        ValueError: one is none; says which.
    """
    return tuple(_at_least_a_netblock(ip_network(text)) for text in texts)


def _at_least_a_netblock(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    if isinstance(network, IPv6Network) and network.prefixlen > IPV6_PREFIX:
        return network.supernet(new_prefix=IPV6_PREFIX)
    return network
