"""What jobs cost: to start one, to attach to its output, and to start a server that keeps a thousand.

    python benchmarks/jobs.py                about ten seconds
    python benchmarks/jobs.py --rounds 20    fewer of each

Server and client are one process, so the CPU is that of both: an upper bound of the server's. CPU and not wall-clock
time: the disk's flush is not in it, and a machine that others share does not disturb it much.
"""

from __future__ import annotations

import socket
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from secure_protocol.replies import Push, ReplyKind
from secure_protocol.resp_replies import ReplyDecoder
from secure_protocol.resp_requests import encode_request
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.config.file import load
from secure_server.config.jobs import Jobs as Settings
from secure_server.jobs.job import Job, JobState
from secure_server.jobs.keeping.kept import Kept
from secure_server.pki.ensure import Request, ensure
from secure_server.server import DATABASE, Server

LINE = "x" * 1000
LINES = 1024 * 1024 // 1013
"""So many are 1 MiB, each with the few bytes that frame it."""
KEPT = 1000
PATIENCE_SECONDS = 60.0


@command("NOTHING")
def nothing(context: Context) -> None:
    """Do nothing, on a worker."""
    del context


@command("NOTHING-JOB", job=True)
def nothing_job(context: Context) -> None:
    """Do nothing, as a job."""
    del context


@command("WRITE-LINES", job=True, reply=ReplyKind.STREAM)
def write_lines(context: Context) -> Iterator[str]:
    """Write 1 MiB."""
    del context
    for _ in range(LINES):
        yield LINE


class Link:
    """A client with RESP3."""

    def __init__(self, port: int, ca: Path, token: str) -> None:
        context = ssl.create_default_context(cafile=str(ca))
        sock = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
        self._socket = context.wrap_socket(sock, server_hostname="localhost")
        self._decoder = ReplyDecoder()
        self._replies: list[object] = []
        self.ask("HELLO", "3", "AUTH", "default", token)

    def ask(self, *words: str) -> object:
        """Ask, and return the reply; pushes before it are dropped."""
        self._socket.sendall(encode_request([word.encode() for word in words]))
        while True:
            while not self._replies:
                self._decoder.feed(self._socket.recv(262144))
                self._replies = self._decoder.decode()
            if not isinstance(reply := self._replies.pop(0), Push):
                return reply

    def close(self) -> None:
        """End it."""
        self._socket.close()


def cost(work: Callable[[], object], rounds: int) -> float:
    """Return the median CPU of the process, in milliseconds."""
    taken = []
    for _ in range(rounds):
        before = time.process_time()
        work()
        taken.append((time.process_time() - before) * 1000)
    return statistics.median(taken)


def kept(directory: Path) -> Path:
    """Make a data directory with a thousand jobs that have ended, a third of them with output."""
    data = directory / "kept"
    data.mkdir(mode=0o700)
    made = Kept(data, Settings())
    now = time.time()
    for number in range(KEPT):
        job = made.add(
            Job(
                command="NOTHING-JOB",
                principal="ada",
                role=Role.USER,
                created=now,
                started=now,
                ended=now,
                state=JobState.DONE,
                result=b"+OK\r\n",
                arguments=(b"one", b"two"),
                address="127.0.0.1:40000",
            )
        )
        if number % 3 == 0:
            output = made.output(job.number)
            output.append(b"+a line\r\n")
            output.close()
    made.close()
    return data


def read(data: Path) -> None:
    """Do what a start does about them."""
    made = Kept(data, Settings())
    made.load(time.time())
    made.close()


@click.command()
@click.option("--rounds", type=click.IntRange(1, 10_000), default=200, show_default=True)
def main(rounds: int) -> None:
    """Measure what jobs cost, in CPU of server and client together."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        certs, data = directory / "certs", directory / "data"
        ensure(Request(certs))
        data.mkdir(mode=0o700)
        with SQLiteTokenStorage(data / DATABASE) as storage:
            token = Tokens(storage).create("ada", Role.ADMIN).reveal()
        server = Server(
            load(None, {"certs_dir": str(certs), "data_dir": str(data), "listen": {"port": 0}, "language": "en"})
        )
        server.registry.load([sys.modules[__name__]])
        server.start()
        try:
            link = Link(server.port, certs / "ca.pem", token)
            keeps = kept(directory)
            rows = [
                ("a command on a worker", cost(lambda: link.ask("NOTHING"), rounds)),
                ("the same as a job, to its end", cost(lambda: link.ask("NOTHING-JOB"), rounds)),
                ("a job that writes 1 MiB, followed", cost(lambda: link.ask("WRITE-LINES"), max(1, rounds // 20))),
                ("attach to 1 MiB", cost(lambda: link.ask("JOB", "ATTACH", _last(link)), max(1, rounds // 10))),
                ("JOBS of 100", cost(lambda: link.ask("JOBS"), max(1, rounds // 10))),
                (f"{KEPT} kept jobs at a start", cost(lambda: read(keeps), 5)),
            ]
            link.close()
        finally:
            server.stop()
    table = Table("what", "CPU ms", title="Jobs")
    for what, milliseconds in rows:
        table.add_row(what, f"{milliseconds:.2f}")
    Console().print(table)


def _last(link: Link) -> str:
    found = link.ask("JOBS", "--limit", "1")
    assert isinstance(found, list)  # noqa: S101 - a benchmark's own answer
    return str(found[0]["job"])


if __name__ == "__main__":
    main()
