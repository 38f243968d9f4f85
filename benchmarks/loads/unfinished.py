"""Strangers that begin handshakes and go no further: python -m benchmarks.loads.unfinished PORT CA, then lines.

    tls COUNT, quic COUNT   begin so many, one after the other, each when the last one was answered; answers as JSON how
                            many were, and how many of those by a Retry
    flood RATE SECONDS      send first datagrams of QUIC at that rate, whatever comes; answers how many it were
    leave                   let go of all

It ends with its stdin. What is sent to the server by UDP is made before, so that this takes little of the machine.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import ssl
import sys
import time

from aioquic.quic.connection import QuicConnection

from benchmarks.loads.connection import READ_BYTES
from benchmarks.loads.quic_stream import configuration
from secure_server.limits.descriptors import raise_limit

ANSWER_SECONDS = 0.1
"""After which a stranger that heard nothing is taken for one that was dropped."""
POOL = 500
"""First datagrams that a flood sends again and again, each of a connection of its own."""
BATCH_SECONDS = 0.005
"""Of a flood: so much is sent together, for the clock cannot be kept for each."""
_LONG_TYPE, _RETRY = 0xB0, 0xB0
"""Of a packet's first byte: a long header of version 1, and which kind it is (RFC 9000, 17.2.5)."""

Answered = dict[str, int]


class Strangers:
    """Those who began.

    Args:
        port: on 127.0.0.1, of both transports.
        ca: whom they would trust.
    """

    def __init__(self, port: int, ca: str) -> None:
        self._address = ("127.0.0.1", port)
        self._trusted = configuration(ca)
        self._context = ssl.create_default_context(cafile=ca)
        self._sockets: list[socket.socket] = []

    def tls(self, count: int) -> Answered:
        """Send so many a ClientHello, and read the first of what comes."""
        answered = 0
        for _ in range(count):
            outgoing = ssl.MemoryBIO()
            handshake = self._context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
            with contextlib.suppress(ssl.SSLWantReadError):
                handshake.do_handshake()
            opened = socket.create_connection(self._address, 1)
            self._sockets.append(opened)
            opened.sendall(outgoing.read())
            answered += bool(self._answer(opened))
        return {"answered": answered, "retries": 0}

    def quic(self, count: int) -> Answered:
        """Send so many a first datagram, and read the first of what comes."""
        told = {"answered": 0, "retries": 0}
        for first in [self._first() for _ in range(count)]:
            opened = self._udp()
            opened.send(first)
            if answer := self._answer(opened):
                told["answered"] += 1
                told["retries"] += answer[0] & _LONG_TYPE == _RETRY
        return told

    def flood(self, rate: float, seconds: float) -> int:
        """Send first datagrams for that long; return how many."""
        pool, opened, sent = itertools.cycle([self._first() for _ in range(POOL)]), self._udp(), 0
        began = time.perf_counter()
        while (elapsed := time.perf_counter() - began) < seconds:
            for first in itertools.islice(pool, int(elapsed * rate) - sent):
                opened.send(first)
                sent += 1
            time.sleep(BATCH_SECONDS)
        return sent

    def leave(self) -> int:
        """Close all; return how many they were."""
        count = len(self._sockets)
        while self._sockets:
            self._sockets.pop().close()
        return count

    def _first(self) -> bytes:
        connection = QuicConnection(configuration=self._trusted)
        connection.connect(self._address, now=time.monotonic())
        return connection.datagrams_to_send(time.monotonic())[0][0]

    def _udp(self) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.connect(self._address)
        self._sockets.append(opened)
        return opened

    def _answer(self, opened: socket.socket) -> bytes:
        opened.settimeout(ANSWER_SECONDS)
        try:
            return opened.recv(READ_BYTES)
        except OSError:
            return b""


def main() -> None:
    """Do as the lines say."""
    raise_limit(4096)
    strangers = Strangers(int(sys.argv[1]), sys.argv[2])
    for line in sys.stdin:
        match line.split():
            case ["tls", count]:
                print(json.dumps(strangers.tls(int(count))), flush=True)
            case ["quic", count]:
                print(json.dumps(strangers.quic(int(count))), flush=True)
            case ["flood", rate, seconds]:
                print(strangers.flood(float(rate), float(seconds)), flush=True)
            case ["leave"]:
                print(strangers.leave(), flush=True)


if __name__ == "__main__":
    main()
