"""Load a server with many clients at once, check every reply, and say how fast it went.

    python benchmarks/stress.py                                       a server of its own, made for the occasion
    python benchmarks/stress.py --address HOST:PORT --ca FILE         any other; the token as secure-client takes it

One thread and a selector: the clients must not be what is measured. Latency is counted from the sending of a batch
of `--pipeline` requests to the decoding of each reply.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from secure_client import streams
from secure_protocol.replies import ErrorReply, Push
from secure_protocol.resp_replies import ReplyDecoder
from secure_protocol.resp_requests import encode_request
from secure_server.limits.descriptors import raise_limit

STALL_SECONDS = 20.0
"""Without any reply for so long, the server is taken to hang."""
PROGRESS_SECONDS = 0.1
CHILD_SECONDS = 30.0
"""How long the server of our own may take to make its certificates, to start, and to stop."""
LONG_WORD = "x" * 4000
"""An argument of more than one TCP segment."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which server.

    Attributes:
        host, port: where it listens.
        context: how to trust it.
        token: whom to be.
    """

    host: str
    port: int
    context: ssl.SSLContext
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much.

    Attributes:
        clients: at once.
        commands: of each client.
        pipeline: requests sent before the first reply is awaited.
        per_connection: commands after which a client leaves and comes again; 0: it stays.
    """

    clients: int = 200
    commands: int = 500
    pipeline: int = 1
    per_connection: int = 0


@dataclass(slots=True)
class Outcome:
    """What came of it.

    Attributes:
        replies: that were as expected.
        connections: made and authenticated.
        errors: what went wrong, and how often.
        latencies: seconds, a reply each.
        seconds: from the first connection to the last reply.
    """

    replies: int = 0
    connections: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    latencies: array[float] = field(default_factory=lambda: array("d"))
    seconds: float = 0.0

    def latency(self, share: float) -> float:
        """Return the latency in seconds that `share` of the replies did not exceed; 0 where there are none."""
        if not self.latencies:
            return 0.0
        return sorted(self.latencies)[min(len(self.latencies) - 1, int(len(self.latencies) * share))]

    def summary(self) -> dict[str, object]:
        """Return the figures as `--json` prints them."""
        return {
            "commands": self.replies,
            "connections": self.connections,
            "seconds": round(self.seconds, 3),
            "commands_per_second": round(self.replies / self.seconds) if self.seconds else 0,
            "p50_ms": round(self.latency(0.50) * 1000, 3),
            "p99_ms": round(self.latency(0.99) * 1000, 3),
            "errors": dict(self.errors),
        }


Expected = Callable[[object], bool]


def request(client: int, number: int) -> tuple[list[str], Expected]:
    """Return one command of the mix, and what tells its reply from any other: no two ECHOs are alike."""
    word = f"{client}-{number}"
    match number % 10:
        case 3:
            return ["PING"], lambda reply: reply == "PONG"
        case 5:
            return ["TIME"], _is_now
        case 7:
            return ["NOSUCH", word], lambda reply: isinstance(reply, ErrorReply) and reply.code == "ERR"
        case 8:  # for an admin: runs on a worker, and what is behind it waits
            return ["CLIENT", "LIST", "TYPE", "pubsub"], _is_nobody
        case 9:
            return ["ECHO", word, LONG_WORD], lambda reply: reply == f"{word} {LONG_WORD}"
        case _:
            return ["ECHO", word], lambda reply: reply == word


def _is_nobody(reply: object) -> bool:
    return reply == "" or (isinstance(reply, ErrorReply) and reply.code == "NOPERM")


def _is_now(reply: object) -> bool:
    return isinstance(reply, list) and len(reply) == 2 and abs(int(reply[0]) - time.time()) < STALL_SECONDS


class Load:
    """All clients on one selector.

    Args:
        target: which server.
        plan: how much.
        on_progress: called now and then with the number of replies so far.
    """

    def __init__(self, target: Target, plan: Plan, on_progress: Callable[[int], None] = lambda _: None) -> None:
        self.target = target
        self.plan = plan
        self.outcome = Outcome()
        self.selector = selectors.DefaultSelector()
        self._on_progress = on_progress

    def run(self) -> Outcome:
        """Do it, and return what came of it."""
        began = last = shown = time.perf_counter()
        for number in range(self.plan.clients):
            _Client(self, number).connect()
        while self.selector.get_map():
            for key, _ in self.selector.select(PROGRESS_SECONDS):
                key.data.advance()
                last = time.perf_counter()
            now = time.perf_counter()
            if now - last > STALL_SECONDS:
                for key in list(self.selector.get_map().values()):
                    key.data.fail("no reply")
            if now - shown > PROGRESS_SECONDS:
                shown = now
                self._on_progress(self.outcome.replies)
        self.outcome.seconds = time.perf_counter() - began
        self._on_progress(self.outcome.replies)
        self.selector.close()
        return self.outcome


class _Client:
    """One client: connects, authenticates, sends batches, checks replies, and may leave and come again."""

    def __init__(self, load: Load, number: int) -> None:
        self._load = load
        self._number = number
        self._sent = 0  # commands so far
        self._awaited: deque[Expected] = deque()

    def connect(self) -> None:
        """Begin a connection, without waiting for it."""
        target, self._left = self._load.target, self._load.plan.per_connection or self._load.plan.commands
        try:
            raw = socket.create_connection((target.host, target.port), STALL_SECONDS)
        except OSError as error:
            self._load.outcome.errors[f"connect: {error.strerror or error}"] += 1
            return
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.settimeout(0)
        self._socket = target.context.wrap_socket(
            raw, server_hostname=target.host, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        self._established = False
        self._decoder = ReplyDecoder()
        self._output = bytearray()
        self._ask(["HELLO", "3", "AUTH", "default", target.token], lambda reply: isinstance(reply, dict))
        self._interest = selectors.EVENT_WRITE
        self._load.selector.register(self._socket, self._interest, self)

    def advance(self) -> None:
        """Go as far as the socket lets us."""
        try:
            self._exchange()
        except ssl.SSLWantReadError:
            self._want(selectors.EVENT_READ)
        except ssl.SSLWantWriteError:
            self._want(selectors.EVENT_READ | selectors.EVENT_WRITE)
        except OSError as error:
            self.fail(f"connection lost: {type(error).__name__}")

    def fail(self, why: str) -> None:
        """Count an error, and end."""
        self._load.outcome.errors[why] += 1
        self._end()

    def _exchange(self) -> None:
        if not self._established:
            self._socket.do_handshake()
            self._established = True
        while True:
            while self._output:
                del self._output[: self._socket.send(self._output)]
            data = self._socket.recv(65536)
            if not data:
                return self.fail("closed by the server")
            self._decoder.feed(data)
            if not all(map(self._check, self._decoder.decode())):
                return None
            if not self._awaited and not self._send_batch():
                return None

    def _check(self, reply: object) -> bool:
        """Compare one reply; whether to go on."""
        if isinstance(reply, Push) or not self._awaited or not self._awaited.popleft()(reply):
            what = reply if isinstance(reply, Push | ErrorReply) else type(reply).__name__
            self.fail(f"unexpected reply: {str(what)[:80]}")
            return False
        outcome = self._load.outcome
        if isinstance(reply, dict):
            outcome.connections += 1
        else:
            outcome.replies += 1
            outcome.latencies.append(time.perf_counter() - self._began)
        return True

    def _send_batch(self) -> bool:
        """Queue the next batch; whether there is one on this connection."""
        plan = self._load.plan
        count = min(plan.pipeline, self._left, plan.commands - self._sent)
        if not count:
            self._end()
            if self._sent < plan.commands:
                self.connect()
            return False
        for _ in range(count):
            self._ask(*request(self._number, self._sent))
            self._sent += 1
        self._left -= count
        self._began = time.perf_counter()
        return True

    def _ask(self, words: list[str], expected: Expected) -> None:
        self._output += encode_request([word.encode() for word in words])
        self._awaited.append(expected)

    def _want(self, interest: int) -> None:
        if interest != self._interest:
            self._interest = interest
            self._load.selector.modify(self._socket, interest, self)

    def _end(self) -> None:
        self._awaited.clear()
        self._load.selector.unregister(self._socket)
        try:
            self._socket.unwrap()
        except OSError:  # it has not answered our close_notify yet, and we need not wait for that
            pass
        finally:
            self._socket.close()


def _ours(*arguments: str) -> str:
    """Run the server's program to its end and return what it printed."""
    argv = [sys.executable, "-m", "secure_server", *arguments]
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, timeout=CHILD_SECONDS).stdout


@contextmanager
def own_server() -> Iterator[Target]:
    """Run a server as a process of its own, in a directory that is gone afterwards.

    Raises:
        click.ClickException: it did not start, or did not end well.
    """
    with tempfile.TemporaryDirectory(prefix="stress-") as place:
        certs, data = f"{place}/certs", f"{place}/data"
        _ours("certs", "ensure", "--dir", certs)
        token = _ours("token", "create", "stress", "--role", "admin", "--quiet", "--data-dir", data).strip()
        argv = [sys.executable, "-m", "secure_server", "run", "--port", "0", "--certs-dir", certs, "--data-dir", data]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            line = process.stdout.readline() if process.stdout else ""
            if not line.startswith("listening on "):
                raise click.ClickException("the server did not start; it says why above")
            try:
                context = ssl.create_default_context(cafile=f"{certs}/ca.pem")
                yield Target("127.0.0.1", int(line.rpartition(":")[2]), context, token)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(CHILD_SECONDS)
        if process.returncode:
            raise click.ClickException(f"the server ended with exit code {process.returncode}")


@contextmanager
def running_server(address: str, ca: Path | None, token_file: Path | None) -> Iterator[Target]:
    """Take a server that runs already.

    Raises:
        click.UsageError: the address or the token is missing.
    """
    host, _, port = address.rpartition(":")
    token = token_file.read_text(encoding="ascii") if token_file else os.environ.get("SECURE_CLIENT_TOKEN", "")
    if not host or not port.isdigit():
        raise click.UsageError(f"{address} is not HOST:PORT.")
    if not token:
        raise click.UsageError("A token is needed: --token-file FILE, or SECURE_CLIENT_TOKEN in the environment.")
    yield Target(host.strip("[]"), int(port), ssl.create_default_context(cafile=ca), token.strip())


def _print_table(plan: Plan, outcome: Outcome) -> None:
    table = Table(title=f"{plan.clients} clients with {plan.commands} commands each, pipeline {plan.pipeline}")
    for heading in ("commands", "connections", "seconds", "commands/s", "p50 ms", "p99 ms", "errors"):
        table.add_column(heading, justify="right")
    *figures, _ = outcome.summary().values()
    table.add_row(*map(str, figures), str(outcome.errors.total()))
    console = Console()
    console.print(table)
    for error, count in outcome.errors.items():
        console.print(f"{count} times: {error}", markup=False)


@click.command(context_settings={"show_default": True})
@click.option("--clients", type=click.IntRange(1, 50_000), default=200, help="At once.")
@click.option("--commands", type=click.IntRange(1), default=500, help="Of each client.")
@click.option("--pipeline", type=click.IntRange(1, 1000), default=1, help="Requests sent before a reply is awaited.")
@click.option("--per-connection", type=click.IntRange(0), default=0, help="Commands, then reconnect; 0: never.")
@click.option("--address", metavar="HOST:PORT", help="A running server.  [default: one of our own]")
@click.option("--ca", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Whom to trust (PEM).")
@click.option("--token-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Holds the token.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def main(
    *,
    clients: int,
    commands: int,
    pipeline: int,
    per_connection: int,
    address: str | None,
    ca: Path | None,
    token_file: Path | None,
    as_json: bool,
) -> None:
    """Load a server, check every reply, and say how fast it went. Exits with 1 if anything went wrong."""
    plan = Plan(clients, commands, pipeline, per_connection)
    raise_limit(clients + 64)
    server = own_server() if address is None else running_server(address, ca, token_file)
    with server as target, Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("commands", total=clients * commands)
        outcome = Load(target, plan, lambda done: progress.update(bar, completed=done)).run()
    if as_json:
        click.echo(json.dumps(outcome.summary()))
    else:
        _print_table(plan, outcome)
    sys.exit(1 if outcome.errors or outcome.replies != clients * commands else 0)


if __name__ == "__main__":
    streams.run(main)
