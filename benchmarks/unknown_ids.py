"""Can a stranger tell by the time it takes whether a token's id exists? A statistical test over real TLS.

    python benchmarks/unknown_ids.py                     a server of its own, made for the occasion
    python benchmarks/unknown_ids.py --rounds 10000      sees smaller differences

In each round one connection shows two wrong secrets, one for an id that exists and one for an id that does not, in an
order that is drawn; what is measured is the wait for each answer of the server, not the client's own work. The two
samples are compared by rank (Mann-Whitney U), which outliers of a busy machine do not disturb.
"""

from __future__ import annotations

import random
import secrets
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scramp import ScramClient

from secure_client import streams
from secure_protocol.resp_replies import ReplyDecoder
from secure_protocol.resp_requests import encode_request
from secure_protocol.scram import BINDING, MECHANISM
from secure_protocol.token import Token
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens

IDS = 200
"""Of each kind, so that neither is always the one that was looked up last."""
ALPHA = 0.001
"""How unlikely a difference must be by chance to be called one. Three are tested, so 3 in 1000 runs cry wolf."""
WARM_UP = 50
"""Rounds before those that count."""
PATIENCE_SECONDS = 20.0
"""How long the server may take to start, to answer, and to stop."""
CONFIG = """
[penalties]
exempt = ["127.0.0.0/8"]
[log]
max_lines_per_second = 1
"""
"""This machine may guess on; and a disk should not be what is measured."""


@dataclass(slots=True)
class Sample:
    """Seconds that one kind of answer took, for ids that exist and for ids that do not."""

    known: list[float] = field(default_factory=list)
    unknown: list[float] = field(default_factory=list)

    def add(self, seconds: float, *, known: bool) -> None:
        """Take one measurement."""
        (self.known if known else self.unknown).append(seconds)


@dataclass(frozen=True, slots=True)
class Target:
    """The server, and ids of both kinds."""

    port: int
    context: ssl.SSLContext
    known: Sequence[str]
    unknown: Sequence[str]


class _Peer:
    """One connection."""

    def __init__(self, target: Target) -> None:
        raw = socket.create_connection(("127.0.0.1", target.port), PATIENCE_SECONDS)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = target.context.wrap_socket(raw, server_hostname="localhost")

    def ask(self, *words: str) -> tuple[object, float]:
        """Send one request; return the reply and the seconds until it was there."""
        payload, decoder = encode_request([word.encode() for word in words]), ReplyDecoder()
        began = time.perf_counter()
        self.socket.sendall(payload)
        data = self.socket.recv(65536)
        seconds = time.perf_counter() - began
        decoder.feed(data)
        return decoder.decode()[0], seconds


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the two-sided p-value that both come from one distribution (normal approximation, ties corrected)."""
    merged = sorted([(value, 0) for value in first] + [(value, 1) for value in second])
    ranks, ties, start = 0.0, 0.0, 0
    while start < len(merged):
        end = start
        while end < len(merged) and merged[end][0] == merged[start][0]:
            end += 1
        share = (start + 1 + end) / 2  # the mean of the ranks start + 1 … end
        ranks += share * sum(1 for _, sample in merged[start:end] if sample == 0)
        ties += (end - start) ** 3 - (end - start)
        start = end
    n, m = len(first), len(second)
    total = n + m
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    z = (ranks - n * (n + 1) / 2 - n * m / 2) / variance**0.5
    return 2 * statistics.NormalDist().cdf(-abs(z))


def measure(target: Target, rounds: int) -> dict[str, Sample]:
    """Show wrong secrets, and time the answers.

    Raises:
        click.ClickException: an answer gives the difference away in words.
    """
    samples = {"SCRAM, first answer": Sample(), "SCRAM, second answer": Sample(), "bearer": Sample()}
    for number in track(range(WARM_UP + rounds), console=Console(stderr=True), description="rounds"):
        kept = samples if number >= WARM_UP else {name: Sample() for name in samples}
        answers = {(known, str(reply)) for known, reply in _round(target, kept)}
        if len({reply for _, reply in answers}) != 1 or "WRONGPASS" not in str(answers):
            raise click.ClickException(f"the answers are not all the same refusal: {sorted(answers)}")
    return samples


def _round(target: Target, samples: dict[str, Sample]) -> Iterator[tuple[bool, object]]:
    for bearer in (False, True):
        peer = _Peer(target)
        with peer.socket:
            order = [True, False]
            random.shuffle(order)
            for known in order:
                token = Token(secrets.choice(target.known if known else target.unknown), Token.generate().secret)
                reply = (_bearer if bearer else _scram)(peer, token, samples, known=known)
                yield known, reply


def _bearer(peer: _Peer, token: Token, samples: dict[str, Sample], *, known: bool) -> object:
    reply, seconds = peer.ask("AUTH", token.reveal())
    samples["bearer"].add(seconds, known=known)
    return reply


def _scram(peer: _Peer, token: Token, samples: dict[str, Sample], *, known: bool) -> object:
    client = ScramClient([MECHANISM], token.id, token.secret, (BINDING, peer.socket))
    first, seconds = peer.ask("AUTH", MECHANISM, client.get_client_first())
    samples["SCRAM, first answer"].add(seconds, known=known)
    client.set_server_first(first)
    reply, seconds = peer.ask("AUTH", MECHANISM, client.get_client_final())
    samples["SCRAM, second answer"].add(seconds, known=known)
    return reply


@contextmanager
def own_server() -> Iterator[Target]:
    """Run a server as a process of its own, in a directory that is gone afterwards.

    Raises:
        click.ClickException: it did not start.
    """
    with tempfile.TemporaryDirectory(prefix="unknown-ids-") as name:
        place = Path(name)
        certs, data, config = place / "certs", place / "data", place / "config.toml"
        config.write_text(CONFIG, encoding="utf-8")
        program = [sys.executable, "-m", "secure_server"]
        subprocess.run([*program, "certs", "ensure", "--dir", str(certs)], check=True, stdout=subprocess.DEVNULL)
        with SQLiteTokenStorage(data / "tokens.db") as storage:
            known = [Tokens(storage).create(f"client-{number}").id for number in range(IDS)]
        argv = [*program, "run", "--port", "0", "--config", str(config)]
        argv += ["--certs-dir", str(certs), "--data-dir", str(data)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            line = process.stdout.readline() if process.stdout else ""
            if not line.startswith("listening on "):
                raise click.ClickException("the server did not start; it says why above")
            try:
                context = ssl.create_default_context(cafile=str(certs / "ca.pem"))
                unknown = [Token.generate().id for _ in range(IDS)]
                yield Target(int(line.rpartition(":")[2]), context, known, unknown)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE_SECONDS)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--rounds", default=2000, show_default=True, type=click.IntRange(100, 1_000_000), help="Tries of each kind."
)
def main(rounds: int) -> None:
    """Compare how long answers take for ids that exist and for ids that do not; exit with 1 where they differ."""
    with own_server() as target:
        samples = measure(target, rounds)
    table = Table("answer", "known, median", "unknown, median", "difference", "p", "verdict")
    differ = False
    for name, sample in samples.items():
        known, unknown = statistics.median(sample.known), statistics.median(sample.unknown)
        p = mann_whitney(sample.known, sample.unknown)
        differ |= p < ALPHA
        verdict = "they differ" if p < ALPHA else "no difference seen"
        table.add_row(name, _us(known), _us(unknown), f"{(unknown - known) * 1e6:+.1f} µs", f"{p:.3f}", verdict)
    Console(width=120).print(table)
    sys.exit(1 if differ else 0)


def _us(seconds: float) -> str:
    return f"{seconds * 1e6:.1f} µs"


if __name__ == "__main__":
    streams.run(main)
