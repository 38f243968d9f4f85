"""A link that delays and loses IP packets, so that TCP and QUIC live with the same: python -m benchmarks.link.

It is for a network namespace of its own (`unshare --map-root-user --net`), where it makes a TUN device: every packet
to FAR is read here, waits, and comes back from FAR to NEAR, source and destination turned round, which leaves its
checksums right. So whoever connects to FAR reaches what listens on NEAR, and what is not written back is lost.

It says `ready`, then obeys lines on stdin: `link DELAY LOSS` is the round-trip delay in ms, half of it each way, and
how many packets of a hundred each way loses by chance; it answers `ok`. It ends with its stdin.
"""

from __future__ import annotations

import heapq
import itertools
import os
import random
import select
import struct
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.children import finished
from benchmarks.machine import NOT_HERE

NEAR, FAR = "10.9.0.1", "10.9.0.2"
DEVICE = "bench0"
TUN = Path("/dev/net/tun")
PACKET_BYTES = 65536
LINE_BYTES = 4096
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
"""linux/if_tun.h: make a device of IP packets, with nothing before them."""
_SOURCE, _DESTINATION, _HEADER_BYTES = slice(12, 16), slice(16, 20), 20
"""In an IPv4 header (RFC 791, 3.1)."""


def turned(packet: bytes) -> bytes:
    """Return a packet of IPv4 as if it came from where it went; checksums are sums, whatever the order."""
    return packet[:12] + packet[_DESTINATION] + packet[_SOURCE] + packet[_HEADER_BYTES:]


class Link:
    """Packets on their way.

    Attributes:
        delay: one way, in seconds.
        loss: the chance of a packet to be lost, 0 to 1.
    """

    def __init__(self) -> None:
        self.delay = self.loss = 0.0
        self._chance = random.Random()  # noqa: S311 - it loses packets
        self._numbers = itertools.count()
        self._flying: list[tuple[float, int, bytes]] = []

    def take(self, packet: bytes, now: float) -> None:
        """Let a packet set out, or lose it; what is not IPv4 is none of ours."""
        if len(packet) >= _HEADER_BYTES and packet[0] >> 4 == 4 and self._chance.random() >= self.loss:
            heapq.heappush(self._flying, (now + self.delay, next(self._numbers), packet))

    def arrived(self, now: float) -> list[bytes]:
        """Return the packets whose time has come, in order."""
        found = []
        while self._flying and self._flying[0][0] <= now:
            found.append(turned(heapq.heappop(self._flying)[2]))
        return found

    def wait(self, now: float) -> float | None:
        """Return the seconds until the next arrives; None where none is on its way."""
        return max(0.0, self._flying[0][0] - now) if self._flying else None


def device() -> int:
    """Make the device, with an address and a route; return its descriptor.

    Raises:
        OSError, ChildError: it cannot be made here.
    """
    if sys.platform == "win32":
        raise OSError(NOT_HERE)
    import fcntl  # noqa: PLC0415 - POSIX has it alone

    made = os.open(TUN, os.O_RDWR)
    fcntl.ioctl(made, _TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), _IFF_TUN | _IFF_NO_PI))
    for words in (
        ("link", "set", "lo", "up"),
        ("addr", "add", f"{NEAR}/24", "dev", DEVICE),
        ("link", "set", DEVICE, "up"),
    ):
        finished(["ip", *words], name="ip")
    return made


def main() -> None:
    """Carry packets, and obey."""
    link, tun = Link(), device()
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([tun, sys.stdin.fileno()], [], [], link.wait(time.monotonic()))
        if sys.stdin.fileno() in ready:
            match os.read(sys.stdin.fileno(), LINE_BYTES).decode().split():
                case ["link", delay, loss]:
                    link.delay, link.loss = float(delay) / 2000, float(loss) / 100
                    print("ok", flush=True)
                case _:
                    return
        if tun in ready:
            link.take(os.read(tun, PACKET_BYTES), time.monotonic())
        for packet in link.arrived(time.monotonic()):
            os.write(tun, packet)


if __name__ == "__main__":
    main()
