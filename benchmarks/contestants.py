"""The servers that are measured, and how each is started: a process of its own, on loopback, in a temporary place."""

from __future__ import annotations

import importlib.util
import secrets
import shutil
import socket
import sqlite3
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benchmarks.children import ROOT, Child, child, environment, finished, python
from benchmarks.installed import Installed, install
from benchmarks.loads.connection import Connection
from benchmarks.peers.answering import SECRET_VARIABLE
from secure_protocol.token import Token
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_record import digest_of
from secure_server.auth.tokens import Tokens
from secure_server.server import DATABASE

START_SECONDS = 30.0
POLL_SECONDS = 0.001
"""Between looks whether redis-server, which does not say so, listens."""
REDIS_CLIENTS = 12_000
"""More than are opened; its default counts its own descriptors in."""


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs.

    Attributes:
        pid: of its process.
        port: on 127.0.0.1.
        ca: whom to trust.
        secret: for `AUTH`.
        start: seconds from its start to its answer to a first PING.
        data: the data directory of ours.
    """

    pid: int
    port: int
    ca: Path
    secret: str = field(repr=False)
    start: float
    data: Path


class Place:
    """A temporary directory: certificates and a password that all share, and a directory for each start.

    Args:
        directory: gone afterwards; that is the caller's part.
    """

    def __init__(self, directory: Path) -> None:
        self.password = secrets.token_urlsafe(32)
        self._directory = directory
        self._made = 0

    @cached_property
    def certificates(self) -> Path:
        """A directory with a CA, and a certificate for localhost; made when it is first asked for."""
        made = self.new() / "certs"
        finished(python("-m", "secure_server", "certs", "ensure", "--dir", str(made)), name="certs ensure")
        return made

    @cached_property
    def installed(self) -> Installed:
        """The programs from their wheel; installed when they are first asked for.

        Raises:
            LackingError: they cannot be, here.
        """
        return install(self.new())

    @property
    def errors(self) -> Path:
        """A file of its own for each child's stderr."""
        return self.new() / "stderr.txt"

    def new(self) -> Path:
        """Make another directory."""
        self._made += 1
        made = self._directory / str(self._made)
        made.mkdir(mode=0o700)
        return made


Start = Callable[[Place], AbstractContextManager[Server]]


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server, or a variant of one.

    Attributes:
        name: in tables.
        start: runs it.
        lacking: says what to do where it cannot run on this machine; empty where it can.
    """

    name: str
    start: Start
    lacking: Callable[[], str] = lambda: ""


class Arena:
    """Where servers run during a measure: each is started once, and all are ended with it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._running: dict[str, Server] = {}
        self._stack = ExitStack()

    def running(self, contestant: Contestant) -> Server:
        """Return the contestant's server, started at the first call."""
        if contestant.name not in self._running:
            self._running[contestant.name] = self._stack.enter_context(contestant.start(self.place))
        return self._running[contestant.name]

    def end(self) -> None:
        """End all."""
        self._running.clear()
        self._stack.close()


def _answering(process: Child, port: int, place: Place, secret: str, began: float, data: Path) -> Server:
    """Wait until it answers PING; make sure that it answers ECHO: redis-benchmark would count errors, too."""
    context = ssl.create_default_context(cafile=str(place.certificates / "ca.pem"))
    with Connection(port, context) as connection:
        connection.authenticate(secret)
        connection.ask("PING")
        seconds = time.perf_counter() - began
        if connection.ask("ECHO", "hello") != "hello":
            raise process.failure("does not answer ECHO")
    return Server(process.pid, port, place.certificates / "ca.pem", secret, seconds, data)


def _port_in(line: str) -> int:
    return int(line.rpartition(":")[2])


def ours(
    name: str, config: str = "", tokens: int = 1, prepare: Callable[[Path], str] = lambda _: "", root: Path = ROOT
) -> Contestant:
    """Return this server, real: as it comes, or with something changed.

    Args:
        name: in tables.
        config: what is changed, in TOML.
        tokens: in its database.
        prepare: writes what the configuration names into the data directory; returns more configuration.
        root: the checkout whose server it is.
    """

    @contextmanager
    def start(place: Place) -> Iterator[Server]:
        data, certificates = place.new(), str(place.certificates)
        token = write_tokens(data / DATABASE, tokens)
        file = data / "config.toml"
        file.write_text(config + prepare(data), encoding="utf-8")
        # -P: else what is imported is that of the working directory, before that of the environment
        argv = python("-P", "-m", "secure_server", "run", "--port", "0", "--config", str(file))
        argv += ["--certs-dir", certificates, "--data-dir", str(data)]
        began = time.perf_counter()
        with child(argv, name=name, errors=place.errors, env=environment(PYTHONPATH=str(root))) as process:
            port = _port_in(process.line(START_SECONDS))
            yield _answering(process, port, place, token.reveal(), began, data)

    return Contestant(name, start)


def write_tokens(database: Path, count: int) -> Token:
    """Fill a database with tokens, and return one that works; the others' keys are random.

    One transaction of SQLite's own: `Tokens.create` makes each durable, and its SCRAM keys, which takes 3 ms a token.
    """
    with SQLiteTokenStorage(database) as storage:
        token = Tokens(storage).create("bench", Role.ADMIN)
    if count > 1:
        others = (Token.generate() for _ in range(count - 1))
        rows = (
            (other.id, f"t{number}", "user", digest_of(other.secret), time.time(), *map(secrets.token_bytes, (32, 32)))
            for number, other in enumerate(others)
        )
        with sqlite3.connect(database) as db:
            db.executemany(
                "INSERT INTO tokens (id, name, role, digest, created, stored_key, server_key) VALUES (?,?,?,?,?,?,?)",
                rows,
            )
        db.close()
    return token


def peer(name: str, module: str, library: str = "") -> Contestant:
    """Return one of `benchmarks/peers`."""

    @contextmanager
    def start(place: Place) -> Iterator[Server]:
        argv = python("-m", f"benchmarks.peers.{module}", str(place.certificates))
        env, began = environment(**{SECRET_VARIABLE: place.password}), time.perf_counter()
        with child(argv, name=name, errors=place.errors, env=env) as process:
            port = _port_in(process.line(START_SECONDS))
            yield _answering(process, port, place, place.password, began, place.new())

    def lacking() -> str:
        here = not library or importlib.util.find_spec(library) is not None
        return "" if here else f"{library} is not installed; for this row: pip install -e '.[bench]'"

    return Contestant(name, start, lacking)


@contextmanager
def _redis(place: Place) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as chosen:  # it cannot choose a port itself
        port = int(chosen.getsockname()[1])
    config = [
        "port 0",
        f"tls-port {port}",
        "bind 127.0.0.1",
        f"tls-cert-file {place.certificates}/server.pem",
        f"tls-key-file {place.certificates}/server-key.pem",
        f"tls-ca-cert-file {place.certificates}/ca.pem",
        "tls-auth-clients no",
        "tls-protocols TLSv1.3",
        'save ""',
        "appendonly no",
        f"maxclients {REDIS_CLIENTS}",
        f"requirepass {place.password}",
        f"dir {place.new()}",
    ]
    began = time.perf_counter()
    with child(["redis-server", "-"], name="redis-server", errors=place.errors, env=environment()) as process:
        assert process.process.stdin is not None  # noqa: S101 - narrows the type
        process.process.stdin.write("\n".join(config).encode())
        process.process.stdin.close()
        while not _listens(port):
            if process.process.poll() is not None or time.perf_counter() - began > START_SECONDS:
                raise process.failure("did not start")
            time.sleep(POLL_SECONDS)
        yield _answering(process, port, place, place.password, began, place.new())


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _lacking_redis() -> str:
    return "" if shutil.which("redis-server") else "redis-server is not installed; for this row: apt install redis"


OURS = ours("secure-server")
REDIS = Contestant("redis-server", _redis, _lacking_redis)
UVLOOP = peer("uvloop", "uvloop_server", "uvloop")
ASYNCIO = peer("asyncio", "asyncio_server")
THREADS = peer("thread per connection", "thread_server")
EVERYBODY = (OURS, REDIS, UVLOOP, ASYNCIO, THREADS)
