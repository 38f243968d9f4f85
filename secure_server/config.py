"""Every setting, with its unit, its default and why; read from a TOML file and checked before anything starts.

docs/configuration.md lists them for people; tests/secure_server/test_config.py holds the two together.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from secure_protocol.limits import AUTHENTICATED, BEFORE_AUTHENTICATION, RequestLimits
from secure_server.quantities import Duration, Size

Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]


class ConfigError(Exception):
    """The configuration cannot be used; one sentence says which key, what was found and what is allowed."""


class Listen(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the server listens."""

    host: Annotated[str, Meta(min_length=1, description="Address or name; loopback until you decide otherwise.")] = (
        "127.0.0.1"
    )
    port: Annotated[Port, Meta(description="TCP port; 0 lets the system choose one.")] = 5000
    backlog: Annotated[
        Count, Meta(description="Connections the kernel holds while the acceptor is busy; 500 may come at once.")
    ] = 1024


class Tls(Struct, frozen=True, forbid_unknown_fields=True):
    """TLS."""

    minimum: Annotated[
        Literal["1.2", "1.3"], Meta(description="Oldest TLS version spoken; 1.2 only for peers that cannot do better.")
    ] = "1.3"
    certificate: Annotated[
        str, Meta(description="Certificate chain (PEM); empty: `server.pem` in the certificates' directory.")
    ] = ""
    key: Annotated[str, Meta(description="Private key (PEM); empty: `server-key.pem` beside it.")] = ""


class Timeouts(Struct, frozen=True, forbid_unknown_fields=True):
    """Deadlines. Handshake and authentication have clocks of their own (nats-server issue 432)."""

    handshake: Annotated[
        Duration,
        Meta(description="TLS handshake, from accept; an honest one takes milliseconds, or a slow link's RTTs."),
    ] = Duration(5)
    authentication: Annotated[
        Duration, Meta(description="From the end of the handshake to `AUTH`; a person pasting a token may need longer.")
    ] = Duration(5)
    idle: Annotated[Duration, Meta(description="Without a request; 0 never closes. Frees what was forgotten.")] = (
        Duration(1800)
    )
    write: Annotated[
        Duration, Meta(description="Without the peer taking any of a waiting reply: then it is a slow consumer.")
    ] = Duration(10)
    linger: Annotated[
        Duration, Meta(description="After the server's last byte, for the peer to end its side; spares it a reset.")
    ] = Duration(2)
    drain: Annotated[
        Duration, Meta(description="For commands to finish when the server stops, before all is closed.")
    ] = Duration(10)


class Requests(Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds on one request of an authenticated peer. Before authentication they are fixed: 4 KiB, 8 arguments."""

    line: Annotated[Size, Meta(description="A text line.")] = Size(AUTHENTICATED.line_bytes)
    arguments: Annotated[Count, Meta(description="Command name and arguments, counted together.")] = (
        AUTHENTICATED.arguments
    )
    argument: Annotated[Size, Meta(description="One argument.")] = Size(AUTHENTICATED.argument_bytes)
    request: Annotated[Size, Meta(description="All arguments of a request together.")] = Size(
        AUTHENTICATED.request_bytes
    )

    @property
    def authenticated(self) -> RequestLimits:
        """The bounds as the codecs take them."""
        return RequestLimits(self.line, self.arguments, self.argument, self.request)

    @property
    def unauthenticated(self) -> RequestLimits:
        """The bounds before authentication."""
        return BEFORE_AUTHENTICATION


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """How many, and how much, at once."""

    max_clients: Annotated[
        Count, Meta(description="Authenticated clients; the next is told `THROTTLED`. The admin socket is not counted.")
    ] = 10_000
    max_unauthenticated: Annotated[
        Count, Meta(description="Connections in handshake or before `AUTH`; 500 newcomers at once are well inside.")
    ] = 1_000
    max_admin_clients: Annotated[
        Count, Meta(description="Connections on the admin socket, which only the server's own user can open.")
    ] = 32
    pending_requests: Annotated[
        Count, Meta(description="Requests a connection may have waiting behind a running one; then reading pauses.")
    ] = 128
    output_high_water: Annotated[
        Size, Meta(description="Reply bytes waiting on a connection above which its next request waits, too.")
    ] = Size(256 * 1024)


class Threads(Struct, frozen=True, forbid_unknown_fields=True):
    """Threads."""

    io: Annotated[Count, Meta(description="I/O loops; more than one pays only on free-threaded Python.")] = 1
    workers: Annotated[Count, Meta(description="Threads that run commands which may block.")] = 8
    queue: Annotated[
        Count, Meta(description="Commands waiting for a worker, of all clients; the next is `THROTTLED`.")
    ] = 1_000


class Log(Struct, frozen=True, forbid_unknown_fields=True):
    """The activity log, `server_log.txt` in the data directory."""

    max_lines_per_second: Annotated[
        Count, Meta(description="Beyond this, lines are counted and written once a second as one line with the count.")
    ] = 1_000
    max_size: Annotated[Size, Meta(description="Size at which the log is rotated.")] = Size(10 * 1024 * 1024)
    keep: Annotated[int, Meta(ge=0, le=1000, description="Rotated files kept, so all logs together stay bounded.")] = 5
    queue: Annotated[
        Count, Meta(description="Lines waiting to be written; what does not fit is counted and the count is logged.")
    ] = 10_000


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration."""

    language: Annotated[
        Literal["", "en", "pt_BR"], Meta(description="Language of people's text; empty: LC_ALL, LC_MESSAGES, LANG.")
    ] = ""
    certs_dir: Annotated[str, Meta(min_length=1, description="Where `certs ensure` writes.")] = "certs"
    data_dir: Annotated[str, Meta(min_length=1, description="Tokens, logs and the admin socket.")] = "data"
    listen: Listen = field(default_factory=Listen)
    tls: Tls = field(default_factory=Tls)
    timeouts: Timeouts = field(default_factory=Timeouts)
    requests: Requests = field(default_factory=Requests)
    limits: Limits = field(default_factory=Limits)
    threads: Threads = field(default_factory=Threads)
    log: Log = field(default_factory=Log)


def load(path: Path | None, overrides: dict[str, dict[str, object] | object] | None = None) -> Config:
    """Read the configuration.

    Args:
        path: a TOML file, or None for the defaults.
        overrides: what the command line sets, in the file's shape; wins over the file.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or a value is not allowed.
    """
    data: dict[str, object] = {}
    if path is not None:
        try:
            data = msgspec.toml.decode(path.read_bytes())
        except OSError as error:
            raise ConfigError(f"The configuration {path} cannot be read: {error.strerror}.") from None
        except msgspec.DecodeError as error:
            raise ConfigError(f"The configuration {path} is not valid TOML: {error}.") from None
    for key, value in (overrides or {}).items():
        table = data.get(key)
        data[key] = {**table, **value} if isinstance(value, dict) and isinstance(table, dict) else value
    try:
        return msgspec.convert(data, Config, dec_hook=_decode)
    except msgspec.ValidationError as error:
        where = f"The configuration {path}" if path is not None else "The configuration"
        raise ConfigError(f"{where}: {_explain(str(error), data)}.") from None


def _decode(kind: type, written: object) -> object:
    if kind is Duration:
        return Duration.parse(written)
    if kind is Size:
        return Size.parse(written)
    raise NotImplementedError(kind)  # pragma: no cover - msgspec asks only for the two types above


def _explain(message: str, data: dict[str, object]) -> str:
    """Turn msgspec's `Expected `int` <= 65535 - at `$.listen.port`` into a sentence with key and value."""
    problem, _, place = message.partition(" - at `$")
    key = place.rstrip("`").lstrip(".")
    problem = problem[:1].lower() + problem[1:]
    if unknown := re.search(r"unknown field `(.*)`", problem):
        full = f"{key}.{unknown[1]}" if key else unknown[1]
        return f"unknown key {full}; allowed are {', '.join(_keys(key))}"
    found: object = data
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    shown = "" if "found" in problem else f", found {found!r}"
    return f"{key}: {problem.replace('`', '')}{shown}"


def _keys(table: str) -> list[str]:
    owner: type[Struct] = Config
    for part in filter(None, table.split(".")):
        owner = next(item.type for item in msgspec.structs.fields(owner) if item.name == part)
    return sorted(owner.__struct_fields__)
