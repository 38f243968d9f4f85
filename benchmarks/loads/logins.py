"""Clients that connect, authenticate and leave, again and again.

python -m benchmarks.loads.logins PORT CA bearer|scram THREADS, then lines `go SECONDS` on stdin: do so for that long;
answers how many times it was done, and in how many seconds, as JSON. It ends with its stdin.
"""

from __future__ import annotations

import json
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.loads.connection import Connection
from benchmarks.peers.answering import secret


class Logins:
    """Threads of clients.

    Args:
        port, ca: the server, and whom to trust.
        secret: the password or token.
        scram: prove it by the mutual handshake.
        threads: at once.
    """

    def __init__(self, port: int, ca: str, secret: str, *, scram: bool, threads: int) -> None:
        self._port = port
        self._context = ssl.create_default_context(cafile=ca)
        self._secret = secret
        self._show = Connection.prove if scram else Connection.authenticate
        self._threads = threads

    def go(self, seconds: float) -> tuple[int, float]:
        """Do it for that long, each thread once at least; return how many times, and the seconds."""
        began = time.perf_counter()
        with ThreadPoolExecutor(self._threads) as pool:
            done = sum(pool.map(self._until, [began + seconds] * self._threads))
        return done, time.perf_counter() - began

    def _until(self, end: float) -> int:
        done = 0
        while not done or time.perf_counter() < end:
            with Connection(self._port, self._context) as connection:
                self._show(connection, self._secret)
            done += 1
        return done


def main() -> None:
    """Do as the lines say."""
    port, ca, kind, threads = sys.argv[1:]
    logins = Logins(int(port), ca, secret(), scram=kind == "scram", threads=int(threads))
    for line in sys.stdin:
        print(json.dumps(logins.go(float(line.removeprefix("go ")))), flush=True)


if __name__ == "__main__":
    main()
