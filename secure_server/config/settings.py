"""Every setting, with its unit, its default and why. `file` reads them from a TOML file and checks them."""

from __future__ import annotations

import functools
import typing
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from msgspec import Meta, Struct, field
from msgspec.structs import replace

from secure_protocol.limits import AUTHENTICATED, BEFORE_AUTHENTICATION, RequestLimits
from secure_server.config.bounds import Bytes, Count, Deadline, DeadlineOrNone, Line
from secure_server.config.jobs import Jobs
from secure_server.config.listening import Listen, Tls
from secure_server.config.quantities import Duration, Size
from secure_server.config.quic import Quic
from secure_server.config.taken import AT_ONCE, CONNECTIONS, LOGINS, RESTART, Taken
from secure_server.config.web import Metrics, Web


class Authentication(Struct, frozen=True, forbid_unknown_fields=True):
    """How a token may be shown."""

    taken: ClassVar = Taken.AT_ONCE

    mechanisms: Annotated[
        Literal["all", "scram", "bearer"],
        Meta(
            description="`scram`: only SCRAM-SHA-256-PLUS, so no token crosses the wire; `bearer`: only "
            "`AUTH <token>`; `all`: both, for Redis clients know bearer alone."
        ),
    ] = "all"


class Certificate(Struct, frozen=True, forbid_unknown_fields=True):
    """A client certificate that stands in for a token: `[certificates.NAME]`, NAME being its common name."""

    role: Literal["user", "operator", "admin"]
    allow: tuple[Line, ...] | None = None
    networks: tuple[Line, ...] = ()


class Admin(Struct, frozen=True, forbid_unknown_fields=True):
    """From where the role admin is more than an operator's."""

    taken: ClassVar = Taken.AT_ONCE

    networks: Annotated[
        tuple[Line, ...],
        Meta(
            description="Where a token or certificate of role admin acts as one; elsewhere it acts as an operator's, "
            "so that one that was stolen does not rule the server. The admin socket always does; `[]`: it alone."
        ),
    ] = ("127.0.0.0/8", "::1")


class Penalties(Struct, frozen=True, forbid_unknown_fields=True):
    """What addresses earn by failing to authenticate. The same wrong secret again earns nothing more."""

    taken: ClassVar = Taken.AT_ONCE

    first: Annotated[
        Deadline, Meta(description="Earned by the first failure; each further one doubles it (1 s, 2 s, 4 s, …).")
    ] = Duration(1)
    minimum: Annotated[
        Deadline,
        Meta(description="Below it nobody is refused: with a first of 1 s, the fifth wrong secret is the first felt."),
    ] = Duration(15)
    most: Annotated[
        Deadline, Meta(description="The longest refusal, and how long failures are remembered after it.")
    ] = Duration(600)
    table: Annotated[
        Count,
        Meta(
            description="Netblocks remembered, at about 1 KB each; beyond it, the one that ends soonest is forgotten."
        ),
    ] = 65_536
    exempt: Annotated[
        tuple[Line, ...],
        Meta(
            description='Networks that earn none, such as `["10.0.0.0/8"]`: a proxy or a NAT that many share. An IPv6 '
            "address stands for its /64, by which failures are counted."
        ),
    ] = ()


class Audit(Struct, frozen=True, forbid_unknown_fields=True):
    """The audit trail, `audit-YYYY-MM.jsonl` in the data directory."""

    taken: ClassVar = Taken.AT_ONCE

    trail: Annotated[
        Literal["on", "off"],
        RESTART,
        Meta(description="Who did what, hash-chained; `off` for those who must not keep it."),
    ] = "on"
    on_failure: Annotated[
        Literal["continue", "stop"],
        Meta(
            description="While it cannot be written (a full disk): `continue` and count what is lost, or `stop` "
            "running commands. Admins are told either way."
        ),
    ] = "continue"
    failures_per_second: Annotated[
        Count,
        Meta(
            description="Refused tries written as they are; beyond it, like ones are counted, and the count is written."
        ),
    ] = 20
    sync: Annotated[
        Deadline,
        Meta(description="Between the times it is forced to disk; what an admin does is forced before the answer."),
    ] = Duration(1)
    queue: Annotated[
        Count, Meta(description="Records waiting to be written; what does not fit counts as a failure to write.")
    ] = 10_000


class Timeouts(Struct, frozen=True, forbid_unknown_fields=True):
    """Deadlines. Handshake and authentication have clocks of their own (nats-server issue 432)."""

    taken: ClassVar = Taken.CONNECTIONS

    handshake: Annotated[
        Deadline,
        Meta(description="TLS handshake, from accept; an honest one takes milliseconds, or a slow link's RTTs."),
    ] = Duration(5)
    authentication: Annotated[
        Deadline, Meta(description="From the end of the handshake to `AUTH`; a person pasting a token may need longer.")
    ] = Duration(5)
    request: Annotated[
        Deadline,
        Meta(
            description="From a request's first byte to its last: what is half sent is held. 1 MB in that is 17 KB/s."
        ),
    ] = Duration(60)
    idle: Annotated[
        DeadlineOrNone,
        Meta(description="Without a request, or a message that it took; 0 never closes. Frees what was forgotten."),
    ] = Duration(1800)
    write: Annotated[
        Deadline, Meta(description="Without the peer taking any of a waiting reply: then it is a slow consumer.")
    ] = Duration(10)
    linger: Annotated[
        Deadline, Meta(description="After the server's last byte, for the peer to end its side; spares it a reset.")
    ] = Duration(2)
    drain: Annotated[
        DeadlineOrNone,
        AT_ONCE,
        Meta(description="For commands to finish when the server stops, before all is closed; 0 waits for none."),
    ] = Duration(10)


_request_limits = functools.lru_cache(maxsize=16)(RequestLimits)
"""One for all sessions of a server."""


class Requests(Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds on one request of an authenticated peer. Before authentication they are fixed: 4 KiB, 8 arguments."""

    taken: ClassVar = Taken.CONNECTIONS

    line: Annotated[Bytes, Meta(description="A text line; people type them, and programs have arrays.")] = Size(
        AUTHENTICATED.line_bytes
    )
    arguments: Annotated[
        int,
        Meta(
            ge=8,
            le=1_000_000,
            description="Command name and arguments, counted together; each costs memory of its own.",
        ),
    ] = AUTHENTICATED.arguments
    argument: Annotated[Bytes, Meta(description="One argument; room for a small file.")] = Size(
        AUTHENTICATED.argument_bytes
    )
    request: Annotated[
        Bytes, Meta(description="All arguments of a request together: what a client may make the server hold.")
    ] = Size(AUTHENTICATED.request_bytes)

    @property
    def authenticated(self) -> RequestLimits:
        """The bounds as the codecs take them."""
        return _request_limits(int(self.line), self.arguments, int(self.argument), int(self.request))

    @property
    def unauthenticated(self) -> RequestLimits:
        """The bounds before authentication."""
        return BEFORE_AUTHENTICATION


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """How many, and how much, at once."""

    taken: ClassVar = Taken.AT_ONCE

    max_clients: Annotated[
        Count, Meta(description="Authenticated clients; the next is told `THROTTLED`. The admin socket is not counted.")
    ] = 10_000
    max_unauthenticated: Annotated[
        Count,
        Meta(
            description="Connections in handshake or before `AUTH`; 500 newcomers at once are well inside. Beyond it, "
            "of the source that has most the oldest gives way to the next: a flood loses its own."
        ),
    ] = 1_000
    unauthenticated_per_source: Annotated[
        Count,
        Meta(
            description="Of those, from one source: an IPv4 address, or an IPv6 /48. Beyond it, its oldest gives way "
            "to its next; so one source alone makes places short for nobody else."
        ),
    ] = 600
    commands_per_second: Annotated[
        int,
        LOGINS,
        Meta(ge=0, le=1_000_000, description="Of a token that has no rate of its own, in all its sessions; 0: any."),
    ] = 0
    commands_burst: Annotated[
        Count, LOGINS, Meta(description="Commands that such a token may send at once before its rate is felt.")
    ] = 100
    max_admin_clients: Annotated[
        Count,
        Meta(
            description="Connections on the admin socket, which only the server's own user can open; where all are "
            "taken, the longest idle gives way to the next."
        ),
    ] = 32
    pending_requests: Annotated[
        Count,
        CONNECTIONS,
        Meta(description="Requests a connection may have waiting behind a running one; then reading pauses."),
    ] = 128
    pending_bytes: Annotated[
        Bytes,
        Meta(
            description="Memory that they may take, beyond one (`requests.request`) that may always wait; then reading "
            "pauses as well."
        ),
    ] = Size(1024 * 1024)
    pending_total: Annotated[
        Bytes,
        Meta(
            description="Likewise, of all connections together, beyond one request each; whose reading pauses for it "
            "goes on in turn."
        ),
    ] = Size(64 * 1024 * 1024)
    output_high_water: Annotated[
        Bytes,
        CONNECTIONS,
        Meta(description="Reply bytes waiting on a connection above which its next request waits, too."),
    ] = Size(256 * 1024)


class Threads(Struct, frozen=True, forbid_unknown_fields=True):
    """Threads."""

    taken: ClassVar = Taken.RESTART

    io: Annotated[
        int, Meta(ge=1, le=256, description="I/O loops; more than one pays only on free-threaded Python.")
    ] = 1
    workers: Annotated[int, Meta(ge=1, le=1024, description="Threads that run commands which may block.")] = 8
    spare: Annotated[
        int,
        Meta(
            ge=0,
            le=1024,
            description="Threads that stand in for workers whose command runs longer than 5 s, or does not end when "
            "told to. Of these, of workers and of queue one token gets about half, and so leaves some to others.",
        ),
    ] = 64
    queue: Annotated[
        Count, Meta(description="Commands waiting for a worker, of all clients; the next is `THROTTLED`.")
    ] = 1_000
    jobs: Annotated[
        int, Meta(ge=1, le=1024, description="Threads that run jobs, which may take hours: so many run at once.")
    ] = 8


class Log(Struct, frozen=True, forbid_unknown_fields=True):
    """The activity log, `server_log.txt` in the data directory."""

    taken: ClassVar = Taken.AT_ONCE

    max_lines_per_second: Annotated[
        Count, Meta(description="Beyond this, lines are counted and written once a second as one line with the count.")
    ] = 1_000
    max_size: Annotated[Bytes, Meta(description="Size at which the log is rotated, so that a disk is not filled.")] = (
        Size(10 * 1024 * 1024)
    )
    keep: Annotated[int, Meta(ge=0, le=1000, description="Rotated files kept, so all logs together stay bounded.")] = 5
    queue: Annotated[
        Count, Meta(description="Lines waiting to be written; what does not fit is counted and the count is logged.")
    ] = 10_000


class Commands(Struct, frozen=True, forbid_unknown_fields=True):
    """Commands of your own; each table `[commands.NAME]` is one as well, see docs/commands.md."""

    taken: ClassVar = Taken.RESTART

    modules: Annotated[
        tuple[Line, ...],
        Meta(description="Python modules that define commands: names to import, or paths that end in `.py`."),
    ] = ()
    declared: dict[str, dict[str, typing.Any]] = field(default_factory=dict)
    """The tables, by name; read by `secure_server.commands.programs.declaration`."""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration."""

    taken: ClassVar = Taken.RESTART

    language: Annotated[
        Literal["", "en", "pt_BR"],
        CONNECTIONS,
        Meta(description="Language of people's text; empty: LC_ALL, LC_MESSAGES, LANG."),
    ] = ""
    certs_dir: Annotated[Line, Meta(min_length=1, description="Where `certs ensure` writes.")] = "certs"
    data_dir: Annotated[Line, Meta(min_length=1, description="Tokens, jobs, logs and the admin socket.")] = "data"
    listen: Listen = field(default_factory=Listen)
    tls: Tls = field(default_factory=Tls)
    authentication: Authentication = field(default_factory=Authentication)
    admin: Admin = field(default_factory=Admin)
    timeouts: Timeouts = field(default_factory=Timeouts)
    requests: Requests = field(default_factory=Requests)
    limits: Limits = field(default_factory=Limits)
    threads: Threads = field(default_factory=Threads)
    jobs: Jobs = field(default_factory=Jobs)
    web: Web = field(default_factory=Web)
    quic: Quic = field(default_factory=Quic)
    metrics: Metrics = field(default_factory=Metrics)
    log: Log = field(default_factory=Log)
    audit: Audit = field(default_factory=Audit)
    penalties: Penalties = field(default_factory=Penalties)
    certificates: dict[str, Certificate] = field(default_factory=dict)
    """The tables `[certificates.NAME]`, by name."""
    commands: Commands = field(default_factory=Commands)

    def located(self, here: Path | None = None) -> Self:
        """Return it with whole paths: a command may change the directory that relative ones begin in.

        Args:
            here: that directory; None for the present one.
        """
        base, tls = here or Path.cwd(), self.tls
        named = {key: _whole(getattr(tls, key), base) for key in ("certificate", "key", "client_ca")}
        certs, data = _whole(self.certs_dir, base), _whole(self.data_dir, base)
        declared = {name: _placed(table, base) for name, table in self.commands.declared.items()}
        commands = replace(self.commands, declared=declared)
        return replace(self, certs_dir=certs, data_dir=data, tls=replace(tls, **named), commands=commands)


def _placed(table: dict[str, typing.Any], base: Path) -> dict[str, typing.Any]:
    """Return a command's table with the whole path of its directory; what is no path is for others to refuse."""
    directory = table.get("directory")
    return {**table, "directory": _whole(directory, base)} if isinstance(directory, str) else table


def _whole(path: str, base: Path) -> str:
    return str(base / path) if path else path
