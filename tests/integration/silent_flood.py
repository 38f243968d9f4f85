"""Attackers that open connections as fast as they can and say nothing, or half of a greeting, or nothing behind TLS.

    python -m tests.integration.silent_flood --port 5000 --sources 20 --kind silent

Each source is an address of this machine of its own, 127.0.1.1 and up, which Linux has without being asked. Two
threads share them. They keep what the server lets them keep. It says so on stdout when the server has begun to end
some, and goes on until the end of stdin. The last line on stdout is a JSON object: connections `opened`, those that the
server `ended`, and tries that `failed`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import socket
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import click

THREADS = 2
LOOK = 64
"""Connections opened between two looks at which the server has ended."""
PATIENCE_SECONDS = 2.0
NICENESS = 10
"""A real attacker has a machine of its own: this one should not slow the server down by taking its processor."""
KINDS = ("silent", "half", "tls")


def greeting() -> bytes:
    """Return the first half of a ClientHello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    hello = outgoing.read()
    return hello[: len(hello) // 2]


def attack(port: int, sources: Sequence[str], kind: str, full: threading.Event, over: threading.Event) -> Counter[str]:
    """Flood from some sources until it is over, and count."""
    if sys.platform == "win32":
        raise NotImplementedError("POSIX only")
    counts: Counter[str] = Counter()
    half, context = greeting(), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    held: dict[int, socket.socket] = {}
    poller = select.poll()
    for number, source in enumerate(itertools.cycle(sources)):
        if over.is_set():
            break
        try:
            sock = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS, source_address=(source, 0))
            if kind == "half":
                sock.sendall(half)
            elif kind == "tls":
                sock = context.wrap_socket(sock)
        except OSError:
            counts["failed"] += 1
            continue
        counts["opened"] += 1
        held[sock.fileno()] = sock
        poller.register(sock, select.POLLIN)
        for fd, _ in poller.poll(0) if number % LOOK == 0 else []:
            poller.unregister(fd)
            held.pop(fd).close()
            counts["ended"] += 1
            full.set()
    for sock in held.values():
        sock.close()
    return counts


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--sources", default=20, show_default=True, help="Addresses.")
@click.option("--kind", type=click.Choice(KINDS), default="silent", show_default=True)
@click.option("--niceness", default=NICENESS, show_default=True)
def main(port: int, sources: int, kind: str, niceness: int) -> None:
    """Attack."""
    if sys.platform == "win32":
        raise NotImplementedError("POSIX only")
    os.nice(niceness)
    addresses = [f"127.0.1.{number}" for number in range(1, sources + 1)]
    shares = [addresses[number::THREADS] for number in range(min(THREADS, sources))]
    full, over = threading.Event(), threading.Event()
    with ThreadPoolExecutor(THREADS) as pool:
        attacks = pool.map(partial(attack, port, kind=kind, full=full, over=over), shares)
        full.wait()
        click.echo("all places are taken")
        sys.stdin.read()
        over.set()
        click.echo(json.dumps(sum(attacks, Counter())))


if __name__ == "__main__":
    main()
