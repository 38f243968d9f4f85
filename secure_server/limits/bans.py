"""Who is kept out because somebody said so: users, addresses and networks, kept on disk.

Judged at each connection and each login, on the I/O threads; so a look-up takes a few steps however many there are,
and waits for nobody. A change is on disk before it holds. Times are dates, which outlive the process, so they go by the
wall clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from msgspec import Struct

from secure_protocol.sentence import Sentence
from secure_server.limits.netblock import parse_address

MOST_BANS = 10_000
"""There may be, of all kinds: the file, up to 6 MB then, is written anew at each change, and one who needs more wants a
firewall."""
NAME_CHARACTERS = 128
"""The longest name of a user; no token's and no certificate's is longer."""
_MAPPED = IPv6Network("::ffff:0:0/96")
"""IPv4 within IPv6; peers from there are taken for IPv4."""


class Kind(StrEnum):
    """What is banned."""

    USER = "user"
    ADDRESS = "address"
    NETWORK = "network"


class Ban(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One ban; times are Unix seconds.

    Attributes:
        number: by which it is removed; no two in a file have the same.
        kind: of what is banned.
        what: the name of a user, an address, or a network, as `canonical` writes it.
        since: when it was made.
        until: when it ends; None never.
        by: who made it.
        reason: told to the banned, printable; empty where none was given.
    """

    number: int
    kind: Kind
    what: str
    since: float
    until: float | None
    by: str
    reason: str = ""

    @property
    def label(self) -> str:
        """As one writes it: `user=ana`."""
        return f"{self.kind}={self.what}"

    def holds(self, now: float) -> bool:
        """Whether it has not ended yet."""
        return self.until is None or self.until > now


class Target(NamedTuple):
    """What is to be banned.

    Attributes:
        kind: of it.
        what: as `canonical` writes it.
    """

    kind: Kind
    what: str


class TooManyBansError(Exception):
    """There are `MOST_BANS`; nothing was changed."""


class BansError(Exception):
    """What is kept of bans cannot be used; one sentence says why and what to do."""


Keep = Callable[[int, Sequence[Ban]], None]
"""Has the last number that was given, and all bans, on disk; raises OSError where that cannot be."""


def target(kind: Kind, text: str) -> Target:
    """Read what is to be banned, and write it in the one way by which it is compared.

    Raises:
        ValueError: it is nothing of that kind; of a network that is nearly one, the message is what may be meant.
    """
    if kind is Kind.USER:
        if not (0 < len(text) <= NAME_CHARACTERS and text.isprintable()):
            raise ValueError
        return Target(kind, text)
    if kind is Kind.ADDRESS:
        address = parse_address(text)
        if address is None:
            raise ValueError
        return Target(kind, str(address))
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(_meant(text)) from None
    return Target(kind, str(_unmapped(network)))


def network_of(address: str) -> str:
    """Return the network that an address most likely shares with who has it: an IPv4 /24, an IPv6 /64.

    Raises:
        ValueError: it is none.
    """
    host = parse_address(address)
    if host is None:
        raise ValueError
    return str(ip_network((host, 24 if host.version == 4 else 64), strict=False))


def _meant(text: str) -> str:
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return ""


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network


class _Table:
    """All bans at a moment, arranged to be looked up; never changed."""

    __slots__ = ("all", "networks", "users")

    def __init__(self, bans: Iterable[Ban]) -> None:
        self.all = {ban.number: ban for ban in bans}
        self.users: dict[str, Ban] = {}
        self.networks: dict[tuple[int, int], dict[int, Ban]] = {}
        """By version of IP and length of prefix, by the bits of that; an address is a network of one."""
        for ban in self.all.values():
            if ban.kind is Kind.USER:
                self.users[ban.what] = ban
                continue
            network = ip_network(ban.what)
            bits = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
            found = self.networks.setdefault((network.version, network.prefixlen), {})
            known = found.get(bits)
            if known is None or _end(known) < _end(ban):  # `address=192.0.2.7` beside `network=192.0.2.7/32`
                found[bits] = ban


class Bans:
    """The table of bans. Any thread, but for `add` and `remove`, which wait for the disk.

    Args:
        bans: those that there are.
        last: the last number that was given.
        keep: has them on disk.
        wall: Unix seconds.
    """

    def __init__(
        self,
        bans: Iterable[Ban] = (),
        last: int = 0,
        keep: Keep = lambda _last, _bans: None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._changing = threading.Lock()
        self._table = _Table(bans)
        self._last = last
        self._keep = keep
        self.wall = wall

    def of_user(self, name: str) -> Ban | None:
        """Return the ban of a user; None where there is none."""
        ban = self._table.users.get(name)
        return ban if ban is not None and ban.holds(self.wall()) else None

    def of_address(self, address: str) -> list[Ban]:
        """Return the bans that an address is in, the one that ends last first.

        Args:
            address: without a port; what is none, such as that of a Unix socket, is in none.
        """
        networks = self._table.networks
        host = parse_address(address) if networks else None
        if host is None:
            return []
        number, now, bits = int(host), self.wall(), host.max_prefixlen
        found = [
            ban
            for (version, prefix), bans in networks.items()
            if version == host.version and (ban := bans.get(number >> (bits - prefix))) is not None and ban.holds(now)
        ]
        return sorted(found, key=_end, reverse=True)

    def entries(self) -> list[Ban]:
        """Return those that hold, in the order of their numbers."""
        now = self.wall()
        return [ban for ban in self._table.all.values() if ban.holds(now)]

    def add(self, targets: Iterable[Target], *, until: float | None, by: str, reason: str = "") -> list[Ban]:
        """Ban some, all of them or none. What is banned already is banned as this says, by the number that it has.

        Args:
            targets: whom or what.
            until: Unix seconds; None for good.
            by: who says so.
            reason: printable.

        Raises:
            TooManyBansError: there is no room for so many.
            OSError: they could not be had on disk, and hold no more than before.
        """
        with self._changing:
            kept = {Target(ban.kind, ban.what): ban for ban in self.entries()}
            last, now, added = self._last, self.wall(), []
            for wanted in dict.fromkeys(targets):
                before = kept.get(wanted)
                last += before is None
                ban = Ban(
                    number=last if before is None else before.number,
                    kind=wanted.kind, what=wanted.what, since=now, until=until, by=by, reason=reason,
                )  # fmt: skip
                kept[wanted] = ban
                added.append(ban)
            if len(kept) > MOST_BANS:
                raise TooManyBansError
            self._put(last, list(kept.values()))
            return added

    def remove(self, numbers: Iterable[int]) -> list[Ban]:
        """Take bans back, by their numbers; return those that there were.

        Raises:
            OSError: that could not be had on disk, and they hold as before.
        """
        with self._changing:
            gone, entries = set(numbers), self.entries()
            removed = [ban for ban in entries if ban.number in gone]
            if removed:
                self._put(self._last, [ban for ban in entries if ban.number not in gone])
            return removed

    def _put(self, last: int, bans: Sequence[Ban]) -> None:
        self._keep(last, bans)
        self._last = last
        self._table = _Table(bans)  # one assignment: who looks up meanwhile finds the old ones or the new ones


def check(bans: Sequence[Ban], last: int) -> None:
    """Refuse what `add` would not have made.

    Raises:
        BansError: says what is wrong, as a clause.
    """
    if len(bans) > MOST_BANS:
        raise BansError(Sentence("it has more than {most} bans", most=MOST_BANS))
    if len({ban.number for ban in bans}) < len(bans) or any(not 0 < ban.number <= last for ban in bans):
        raise BansError(Sentence("two bans in it have the same number, or one a number that was never given"))
    for ban in bans:
        try:
            good = target(ban.kind, ban.what).what == ban.what
        except ValueError:
            good = False
        if not good:
            raise BansError(Sentence("its ban {number} is of nothing that can be banned", number=ban.number))


def _end(ban: Ban) -> float:
    return float("inf") if ban.until is None else ban.until
