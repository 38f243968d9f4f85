"""A proxy for datagrams that does to them what networks do: between clients and a server, steered by the test."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import random
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

JOIN_SECONDS = 10.0
LARGEST_BYTES = 65_536
TURN_DATAGRAMS = 64
"""Taken from one socket before the others get their turn."""
LATE_SECONDS = 0.005
"""The most by which a datagram comes late that others are to overtake; they follow each other within microseconds."""
BUFFER_BYTES = 4 * 1024 * 1024
"""What the system is asked to hold, so that nothing is lost but what is meant to be."""

Address = tuple[str, int]


@dataclass
class Weather:
    """What befalls each datagram, in either direction: chances of 0 to 1, and the seconds each way takes."""

    lose: float = 0.0
    double: float = 0.0
    reorder: float = 0.0
    truncate: float = 0.0
    corrupt: float = 0.0
    delay: float = 0.0


@dataclass
class Tally:
    """What was forwarded in one direction, and what was done to it."""

    datagrams: int = 0
    octets: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    truncated: int = 0
    corrupted: int = 0
    swallowed: int = 0
    swallowed_octets: int = 0


@dataclass
class _Link:
    """One client: where it is, and the socket by which the server knows it."""

    client: Address
    socket: socket.socket

    def to_server(self, server: Address) -> Callable[[bytes], None]:
        """Return what sends from where the client is seen then: it may be rebound before a late datagram goes."""
        return lambda data: _send(self.socket, data, server)


@dataclass(order=True)
class _Late:
    at: float
    number: int
    send: Callable[[], None] = field(compare=False)


class DatagramProxy:
    """Forwards datagrams between `port` and a server, one thread for all; ends on leaving the `with`.

    Args:
        target: the server's port, on 127.0.0.1.
        seed: of the chances, so that a run can be had again as far as the machine's own timing allows.

    Attributes:
        port: where clients send to.
        up: of what went to the server.
        down: of what went to clients.
    """

    def __init__(self, target: int, seed: int = 1) -> None:
        self._target = ("127.0.0.1", target)
        self._chance = random.Random(seed)  # noqa: S311 - no secret, and the same fates each time
        self._weather = Weather()
        self._swallows: set[str] = set()
        self._links: dict[Address, _Link] = {}
        self._late: list[_Late] = []
        self._numbers = itertools.count()
        self._asked: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._over = False
        self._selector = selectors.DefaultSelector()
        self._front = _bound("127.0.0.1")
        self._selector.register(self._front, selectors.EVENT_READ, self._from_clients)
        self._waker, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ, lambda: self._woken.recv(LARGEST_BYTES))
        self._thread = threading.Thread(target=self._run, name="datagram proxy", daemon=True)
        self.port = int(self._front.getsockname()[1])
        self.up, self.down = Tally(), Tally()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ask(self._end)
        self._thread.join(JOIN_SECONDS)
        assert not self._thread.is_alive()
        for one in (self._front, self._waker, self._woken, *(link.socket for link in self._links.values())):
            one.close()
        self._selector.close()

    def lose(self, chance: float) -> None:
        """Lose each datagram with a chance of 0 to 1, from here on."""
        self._weather.lose = chance

    def double(self, chance: float) -> None:
        """Deliver it twice."""
        self._weather.double = chance

    def reorder(self, chance: float) -> None:
        """Have others overtake it."""
        self._weather.reorder = chance

    def truncate(self, chance: float) -> None:
        """Cut its end off, somewhere."""
        self._weather.truncate = chance

    def corrupt(self, chance: float) -> None:
        """Change one of its bits."""
        self._weather.corrupt = chance

    def delay(self, seconds: float) -> None:
        """Have each take so long, each way."""
        self._weather.delay = seconds

    def swallow(self, *, up: bool = True, down: bool = True) -> None:
        """Be a black hole from here on, towards the server, towards the clients, or both."""
        self._swallows = {name for name, on in (("up", up), ("down", down)) if on}

    def rain(self, weather: Weather) -> None:
        """Have all of this befall them."""
        self._weather = weather

    def clear(self) -> None:
        """Be a good network again; what is under way comes as late as it was to."""
        self._swallows = set()
        self._weather = Weather()

    def rebind(self, address: str = "127.0.0.1") -> list[Address]:
        """Give each client another port towards the server, as a NAT that forgot them does, or another address.

        What comes to the old ports is lost. Clients notice nothing.

        Args:
            address: of this machine; Linux has all of 127.0.0.0/8 without asking.

        Returns:
            The new ones.

        Raises:
            OSError: this machine has no such address.
        """
        bound: list[Address] = []
        failed: list[OSError] = []

        def anew() -> None:
            try:
                for link in self._links.values():
                    old, link.socket = link.socket, _bound(address)  # new before old goes: it is another port for sure
                    self._selector.unregister(old)
                    old.close()
                    self._attend(link)
                    bound.append(link.socket.getsockname())
            except OSError as error:
                failed.append(error)

        self._ask(anew)
        if failed:
            raise failed[0]
        return bound

    def addresses(self) -> list[Address]:
        """Return where the server sees the clients."""
        found: list[Address] = []
        self._ask(lambda: found.extend(link.socket.getsockname() for link in self._links.values()))
        return found

    def inject(self, data: bytes, *, up: bool = True) -> None:
        """Send a datagram of the test's own as each client would, or as the server would; nothing befalls it."""

        def send() -> None:
            for link in self._links.values():
                if up:
                    _send(link.socket, data, self._target)
                else:
                    _send(self._front, data, link.client)

        self._ask(send)

    def _ask(self, what: Callable[[], None]) -> None:
        """Have the proxy's thread do it, which owns the sockets, and wait until it is done."""
        done = threading.Event()

        def do() -> None:
            what()
            done.set()

        with self._lock:
            self._asked.append(do)
        self._waker.send(b"!")
        assert done.wait(JOIN_SECONDS), "the proxy is not running"

    def _end(self) -> None:
        self._over = True

    def _run(self) -> None:
        while not self._over:
            now = time.monotonic()
            while self._late and self._late[0].at <= now:
                heapq.heappop(self._late).send()
            wait = max(0.0, self._late[0].at - now) if self._late else None
            for key, _ in self._selector.select(wait):
                key.data()
            with self._lock:
                asked, self._asked = self._asked, []
            for do in asked:
                do()

    def _from_clients(self) -> None:
        for _ in range(TURN_DATAGRAMS):
            try:
                data, client = self._front.recvfrom(LARGEST_BYTES)
            except OSError:  # no more, or a client that has gone
                return
            link = self._links.get(client)
            if link is None:
                link = self._links[client] = _Link(client, _bound("127.0.0.1"))
                self._attend(link)
            self._forward("up", data, link.to_server(self._target))

    def _attend(self, link: _Link) -> None:
        own = link.socket

        def come() -> None:
            for _ in range(TURN_DATAGRAMS):
                try:
                    data, source = own.recvfrom(LARGEST_BYTES)
                except OSError:  # no more, or closed by a rebinding, or the server has gone
                    return
                if source == self._target:
                    self._forward("down", data, lambda piece: _send(self._front, piece, link.client))

        self._selector.register(own, selectors.EVENT_READ, come)

    def _forward(self, way: str, data: bytes, send: Callable[[bytes], None]) -> None:
        weather, tally = self._weather, self.up if way == "up" else self.down
        if way in self._swallows:
            tally.swallowed += 1
            tally.swallowed_octets += len(data)
            return
        if self._falls(weather.lose):
            tally.lost += 1
            return
        if self._falls(weather.truncate):
            tally.truncated += 1
            data = data[: self._chance.randrange(max(1, len(data)))]
        if data and self._falls(weather.corrupt):
            tally.corrupted += 1
            changed = bytearray(data)
            changed[self._chance.randrange(len(data))] ^= 1 << self._chance.randrange(8)
            data = bytes(changed)
        times = 1
        if self._falls(weather.double):
            tally.doubled += 1
            times = 2
        late = weather.delay
        if self._falls(weather.reorder):
            tally.reordered += 1
            late += self._chance.uniform(0, LATE_SECONDS)
        tally.datagrams += times
        tally.octets += times * len(data)
        for _ in range(times):
            if late:
                at = time.monotonic() + late
                heapq.heappush(self._late, _Late(at, next(self._numbers), lambda: send(data)))
            else:
                send(data)

    def _falls(self, chance: float) -> bool:
        return chance > 0 and self._chance.random() < chance


def storm(chance: float) -> Weather:
    """Return all of it at once: a datagram comes to nothing with this chance, by one fault or another."""
    third = chance / 3
    return Weather(lose=third, truncate=third, corrupt=third, double=chance, reorder=chance)


def _bound(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)  # what the system does not give is no error
    try:
        sock.bind((address, 0))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)  # noqa: FBT003 - the standard library's
    return sock


def _send(sock: socket.socket, data: bytes, where: Address) -> None:
    with contextlib.suppress(
        OSError
    ):  # as networks lose it: a full buffer, nobody there, a socket that a rebinding closed
        sock.sendto(data, where)
