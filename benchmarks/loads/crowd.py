"""Clients that connect, authenticate and stay: python -m benchmarks.loads.crowd PORT CA, then lines on stdin.

    open COUNT          be that many, and say so
    pace RATE SECONDS   that many requests a second in all, by each client in turn; answers how many it were
    ping SECONDS PAUSE  the first client alone, with a pause between its requests; answers the latencies as JSON

It ends with its stdin.
"""

from __future__ import annotations

import itertools
import json
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.loads.connection import Connection
from benchmarks.peers.answering import secret
from secure_protocol.resp_requests import encode_request
from secure_server.limits.descriptors import raise_limit

OPENERS = 4
"""Connections in the making; far below what a server allows strangers, or one address of them."""
BATCH_SECONDS = 0.005
"""Requests of so much time are sent together: the clock cannot be kept for each."""
ECHO = encode_request([b"ECHO", b"hello"])


class Crowd:
    """Any number of clients.

    Args:
        port, ca: the server, and whom to trust.
        secret: for `AUTH`.
    """

    def __init__(self, port: int, ca: str, secret: str) -> None:
        self._port = port
        self._context = ssl.create_default_context(cafile=ca)
        self._secret = secret
        self._clients: list[Connection] = []

    def open(self, count: int) -> int:
        """Be that many; return how many there are."""
        raise_limit(count + 64)
        with ThreadPoolExecutor(OPENERS) as openers:
            self._clients += openers.map(self._connect, range(count - len(self._clients)))
        return len(self._clients)

    def pace(self, rate: float, seconds: float) -> int:
        """Send requests at a constant rate, by each client in turn; return how many."""
        turns, sent, began = itertools.cycle(self._clients), 0, time.perf_counter()
        while (elapsed := time.perf_counter() - began) < seconds:
            batch = list(itertools.islice(turns, min(int(elapsed * rate) - sent, len(self._clients))))
            for client in batch:
                client.send(ECHO)
            for client in batch:
                client.reply()
            sent += len(batch)
            time.sleep(BATCH_SECONDS)
        return sent

    def ping(self, seconds: float, pause: float) -> list[float]:
        """Return the latency in seconds of each PING of the first client."""
        client, latencies, end = self._clients[0], [], time.perf_counter() + seconds
        while (began := time.perf_counter()) < end:
            client.ask("PING")
            latencies.append(time.perf_counter() - began)
            time.sleep(pause)
        return latencies

    def _connect(self, _: int) -> Connection:
        connection = Connection(self._port, self._context)
        connection.authenticate(self._secret)
        return connection


def main() -> None:
    """Do as the lines say."""
    crowd = Crowd(int(sys.argv[1]), sys.argv[2], secret())
    for line in sys.stdin:
        match line.split():
            case ["open", count]:
                print(crowd.open(int(count)), flush=True)
            case ["pace", rate, seconds]:
                print(crowd.pace(float(rate), float(seconds)), flush=True)
            case ["ping", seconds, pause]:
                print(json.dumps(crowd.ping(float(seconds), float(pause))), flush=True)


if __name__ == "__main__":
    main()
