"""Every setting, with its unit, its default and why; read from a TOML file and checked before anything starts.

docs/configuration.md and docs/secure-server.toml are written from `settings()`; tests/secure_server/test_config.py
holds them to it.
"""

from __future__ import annotations

import difflib
import math
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from secure_protocol.limits import AUTHENTICATED, BEFORE_AUTHENTICATION, RequestLimits
from secure_protocol.printable import printable
from secure_protocol.sentence import Sentence
from secure_server.i18n import N_
from secure_server.quantities import Duration, Size

KB, GB = 1024, 1024**3
_WEEK = Duration(7 * 86400)
"""The longest deadline: epoll takes no more than 24 days, and whoever means "never" says so."""

Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Line = Annotated[str, Meta(pattern=r"\A[^\x00-\x1f\x7f]*\Z", max_length=4096)]
Deadline = Annotated[Duration, Meta(extra={"least": Duration(0.01), "most": _WEEK})]
DeadlineOrNone = Annotated[Duration, Meta(extra={"least": Duration(0), "most": _WEEK})]
Bytes = Annotated[Size, Meta(extra={"least": Size(KB), "most": Size(GB)})]


class ConfigError(Exception):
    """The configuration cannot be used; one sentence says which key, what was found and what is allowed."""


class Listen(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the server listens."""

    host: Annotated[Line, Meta(min_length=1, description="Address or name; loopback until you decide otherwise.")] = (
        "127.0.0.1"
    )
    port: Annotated[Port, Meta(description="TCP port; 0 lets the system choose one.")] = 5000
    backlog: Annotated[
        int,
        Meta(
            ge=1, le=65535, description="Connections the kernel holds while the acceptor is busy; 500 may come at once."
        ),
    ] = 1024


class Tls(Struct, frozen=True, forbid_unknown_fields=True):
    """TLS."""

    minimum: Annotated[
        Literal["1.2", "1.3"], Meta(description="Oldest TLS version spoken; 1.2 only for peers that cannot do better.")
    ] = "1.3"
    certificate: Annotated[
        Line, Meta(description="Certificate chain (PEM); empty: `server.pem` in the certificates' directory.")
    ] = ""
    key: Annotated[Line, Meta(description="Private key (PEM); empty: `server-key.pem` beside it.")] = ""


class Timeouts(Struct, frozen=True, forbid_unknown_fields=True):
    """Deadlines. Handshake and authentication have clocks of their own (nats-server issue 432)."""

    handshake: Annotated[
        Deadline,
        Meta(description="TLS handshake, from accept; an honest one takes milliseconds, or a slow link's RTTs."),
    ] = Duration(5)
    authentication: Annotated[
        Deadline, Meta(description="From the end of the handshake to `AUTH`; a person pasting a token may need longer.")
    ] = Duration(5)
    idle: Annotated[
        DeadlineOrNone, Meta(description="Without a request; 0 never closes. Frees what was forgotten.")
    ] = Duration(1800)
    write: Annotated[
        Deadline, Meta(description="Without the peer taking any of a waiting reply: then it is a slow consumer.")
    ] = Duration(10)
    linger: Annotated[
        Deadline, Meta(description="After the server's last byte, for the peer to end its side; spares it a reset.")
    ] = Duration(2)
    drain: Annotated[
        DeadlineOrNone,
        Meta(description="For commands to finish when the server stops, before all is closed; 0 waits for none."),
    ] = Duration(10)


class Requests(Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds on one request of an authenticated peer. Before authentication they are fixed: 4 KiB, 8 arguments."""

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
        return RequestLimits(int(self.line), self.arguments, int(self.argument), int(self.request))

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
        Bytes, Meta(description="Reply bytes waiting on a connection above which its next request waits, too.")
    ] = Size(256 * 1024)


class Threads(Struct, frozen=True, forbid_unknown_fields=True):
    """Threads."""

    io: Annotated[
        int, Meta(ge=1, le=256, description="I/O loops; more than one pays only on free-threaded Python.")
    ] = 1
    workers: Annotated[int, Meta(ge=1, le=1024, description="Threads that run commands which may block.")] = 8
    queue: Annotated[
        Count, Meta(description="Commands waiting for a worker, of all clients; the next is `THROTTLED`.")
    ] = 1_000


class Log(Struct, frozen=True, forbid_unknown_fields=True):
    """The activity log, `server_log.txt` in the data directory."""

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

    modules: Annotated[
        tuple[Line, ...],
        Meta(description="Python modules that define commands: names to import, or paths that end in `.py`."),
    ] = ()
    declared: dict[str, dict[str, typing.Any]] = field(default_factory=dict)
    """The tables, by name; read by `secure_server.commands.declaration`."""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration."""

    language: Annotated[
        Literal["", "en", "pt_BR"], Meta(description="Language of people's text; empty: LC_ALL, LC_MESSAGES, LANG.")
    ] = ""
    certs_dir: Annotated[Line, Meta(min_length=1, description="Where `certs ensure` writes.")] = "certs"
    data_dir: Annotated[Line, Meta(min_length=1, description="Tokens, logs and the admin socket.")] = "data"
    listen: Listen = field(default_factory=Listen)
    tls: Tls = field(default_factory=Tls)
    timeouts: Timeouts = field(default_factory=Timeouts)
    requests: Requests = field(default_factory=Requests)
    limits: Limits = field(default_factory=Limits)
    threads: Threads = field(default_factory=Threads)
    log: Log = field(default_factory=Log)
    commands: Commands = field(default_factory=Commands)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, as the documentation and the errors speak of it.

    Attributes:
        key: with its table, such as `listen.port`.
        kind: `int`, `str`, `Duration`, `Size`, `tuple` (of texts), or `Literal`.
        default: where the file does not say.
        description: what it is, and why.
        least: the lowest value allowed of a number, a duration or a size.
        most: the highest.
        choices: the only values allowed, or empty.
        empty: whether a text may be empty.
    """

    key: str
    kind: object
    default: object
    description: str
    least: float = 0
    most: float = math.inf
    choices: tuple[str, ...] = ()
    empty: bool = True

    @property
    def allowed(self) -> str:
        """What a value may be, in words that follow "expected"."""
        if self.choices:
            *most, last = [f'"{choice}"' for choice in self.choices]
            return Sentence("{most} or {last}", most=", ".join(most), last=last)
        if self.kind is str:
            return Sentence("a line of text") if self.empty else Sentence("a line of text that is not empty")
        if self.kind is tuple:
            return Sentence("a list of texts")
        if self.kind is Duration:
            template = N_('a duration such as "10s" or "5m", from {least} to {most}')
        elif self.kind is Size:
            template = N_('a size such as "64KB", from {least} to {most}')
        else:
            template = N_("a whole number from {least} to {most}")
        return Sentence(template, least=self.least, most=self.most)

    def holds(self, value: object) -> bool:
        """Whether a duration or size is within its bounds; msgspec sees to the others."""
        return not isinstance(value, Duration | Size) or self.least <= value <= self.most


def settings() -> Iterator[Setting]:
    """Return every setting, in the order of the file."""
    tables = {"": Config} | {item.name: item.type for item in msgspec.structs.fields(Config) if _is_table(item.type)}
    for table, owner in tables.items():
        hints = typing.get_type_hints(owner, include_extras=True)
        for item in msgspec.structs.fields(owner):
            if not _is_table(item.type) and typing.get_origin(hints[item.name]) is Annotated:
                yield _setting(f"{table}.{item.name}".lstrip("."), hints[item.name], item.default)


def _is_table(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _setting(key: str, hint: object, default: object) -> Setting:
    kind, *metas = typing.get_args(hint)
    found: dict[str, object] = {"empty": True}
    for meta in metas:
        assert isinstance(meta, Meta)  # noqa: S101 - nothing else annotates a setting
        found |= {"least": meta.ge, "most": meta.le} if meta.ge is not None else {}
        found |= {"empty": False} if meta.min_length else {}
        found |= {"description": meta.description} if meta.description else {}
        found |= meta.extra or {}
    choices = typing.get_args(kind) if typing.get_origin(kind) is Literal else ()
    kind = Literal if choices else typing.get_origin(kind) or kind
    return Setting(key, kind, default, choices=choices, **found)  # type: ignore[arg-type] # as Meta holds them


def load(path: Path | None, overrides: Mapping[str, object] | None = None) -> Config:
    """Read the configuration.

    Args:
        path: a TOML file, or None for the defaults.
        overrides: what the command line sets, in the file's shape; wins over the file.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or a value is not allowed.
    """
    data = {} if path is None else _read(path)
    for key, value in (overrides or {}).items():
        table = data.get(key, {})
        if not isinstance(value, dict):
            data[key] = value
        elif isinstance(table, dict):  # what is no table is left in its place, to be refused below
            data[key] = {**table, **value}
    if isinstance(commands := data.get("commands"), dict):
        data["commands"] = _gathered(commands)
    try:
        config = msgspec.convert(data, Config, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise _refusal(path, _explain(str(error), data)) from None
    if problem := next(_problems(config, data), None):
        raise _refusal(path, problem)
    return config


def _refusal(path: Path | None, problem: Sentence) -> ConfigError:
    if path is None:
        return ConfigError(Sentence("The configuration: {problem}", problem=problem))
    return ConfigError(Sentence("The configuration {path}: {problem}", path=path, problem=problem))


def _gathered(commands: dict[str, object]) -> dict[str, object]:
    """Put the tables `[commands.NAME]` together, apart from the settings."""
    declared = {name: item for name, item in commands.items() if name != "modules" and isinstance(item, dict)}
    return {name: item for name, item in commands.items() if name not in declared} | {"declared": declared}


def _read(path: Path) -> dict[str, object]:
    try:
        data: dict[str, object] = msgspec.toml.decode(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            Sentence("The configuration {path} cannot be read: {why}.", path=path, why=error.strerror)
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            Sentence(
                "The configuration {path} is not UTF-8 text (byte {number}); save it as UTF-8.",
                path=path,
                number=error.start + 1,
            )
        ) from None
    except msgspec.DecodeError as error:
        raise ConfigError(
            Sentence("The configuration {path} is not valid TOML: {why}.", path=path, why=error)
        ) from None
    return data


def _decode(kind: type, written: object) -> object:
    if kind is Duration:
        return Duration.parse(written)
    if kind is Size:
        return Size.parse(written)
    raise NotImplementedError(kind)  # pragma: no cover - msgspec asks only for the two types above


def _problems(config: Config, data: Mapping[str, object]) -> Iterator[Sentence]:
    """Find what single types cannot say: bounds of quantities, and settings that contradict each other."""
    for setting in settings():
        value: object = config
        for part in setting.key.split("."):
            value = getattr(value, part)
        if not setting.holds(value):
            yield _refused(setting.key, setting.allowed, data)
    requests, threads = config.requests, config.threads
    if requests.argument > requests.request:
        yield Sentence(
            "requests.argument ({argument}) is more than requests.request ({request}), which all "
            "arguments share; raise that, or lower this.",
            argument=requests.argument,
            request=requests.request,
        )
    if threads.queue < threads.workers:
        yield Sentence(
            "threads.queue ({queue}) is less than threads.workers ({workers}), so that a burst would "
            "be refused while workers are idle; raise this, or lower that.",
            queue=threads.queue,
            workers=threads.workers,
        )
    try:
        config.listen.host.encode("idna")
    except UnicodeError:
        yield _refused("listen.host", Sentence("an address or the name of a host"), data)


def _explain(message: str, data: Mapping[str, object]) -> Sentence:
    """Turn msgspec's ``Expected `int` <= 65535 - at `$.listen.port` `` into a sentence with key, allowed and found."""
    problem, key = re.fullmatch(r"(.*?)(?: - at `\$\.([^`]*?)(?:\[\d+\])?`)?", message, re.DOTALL).groups("")  # type: ignore[union-attr] # matches anything
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", problem, re.DOTALL):
        return _unknown(key, unknown[1])
    allowed = next((setting.allowed for setting in settings() if setting.key == key), None)
    return _refused(key, allowed or Sentence("a table, [{table}]", table=key), data)


def _refused(key: str, allowed: str, data: Mapping[str, object]) -> Sentence:
    found: object = data
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return Sentence("{key}: expected {allowed}, found {found}.", key=key, allowed=allowed, found=_shown(found))


def _shown(found: object) -> str:
    """A value as the file has it, short."""
    if isinstance(found, bool):
        return str(found).lower()
    if isinstance(found, Mapping | list):
        return Sentence("a table") if isinstance(found, Mapping) else Sentence("a list")
    text = printable(str(found), 60)
    return f'"{text}"' if isinstance(found, str) else text


def _unknown(table: str, name: str) -> Sentence:
    """Say that there is no such key, and which was meant: one of its own table or, by the same name, of another."""
    everywhere = [setting.key for setting in settings()]
    prefix = f"{table}." if table else ""
    here = (
        [key.removeprefix(prefix) for key in everywhere if key.startswith(prefix)]
        if table
        else Config.__struct_fields__
    )
    meant = [prefix + near for near in difflib.get_close_matches(name, here, 1)]
    meant = meant or [key for key in everywhere if key.rpartition(".")[2] == name]
    key = printable(prefix + name, 60)
    if meant:
        return Sentence("unknown key {key}; did you mean {meant}?", key=key, meant=meant[0])
    return Sentence("unknown key {key}; allowed are {names}.", key=key, names=", ".join(sorted(here)))
