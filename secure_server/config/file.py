"""Reads the configuration from a TOML file and checks it before anything starts.

docs/configuration.md and docs/secure-server.toml are written from `settings()`, and
tests/secure_server/config/test_settings.py holds them to it.
"""

from __future__ import annotations

import difflib
import functools
import math
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from secure_protocol.hostname import ascii_host
from secure_protocol.printable import printable
from secure_protocol.sentence import Sentence
from secure_server.config.contradictions import contradictions
from secure_server.config.endpoint import ENDPOINTS_MAX, Endpoint
from secure_server.config.quantities import Duration, Size, decode
from secure_server.config.reading import ConfigError, read_whole
from secure_server.config.settings import Certificate, Config
from secure_server.config.taken import Taken
from secure_server.i18n import N_

_ONE_ADDRESS = ("host", "port")
"""The keys of `[listen]` that say one address; `addresses` lists several."""


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
        taken: from when on a change holds, once the configuration was reloaded.
    """

    key: str
    kind: object
    default: object
    description: str
    least: float = 0
    most: float = math.inf
    choices: tuple[str, ...] = ()
    empty: bool = True
    taken: Taken = Taken.RESTART

    @property
    def allowed(self) -> str:
        """What a value may be, in words that follow "expected"."""
        if self.choices:
            *most, last = [f'"{choice}"' for choice in self.choices]
            return Sentence("{most} or {last}", most=", ".join(most), last=last)
        if self.kind is str:
            return Sentence("a line of text") if self.empty else Sentence("a line of text that is not empty")
        if self.kind in (bool, tuple):
            return Sentence("true or false") if self.kind is bool else Sentence("a list of texts")
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


@functools.cache
def settings() -> tuple[Setting, ...]:
    """Return every setting, in the order of the file."""
    return tuple(_found())


def _found() -> Iterator[Setting]:
    tables = {"": Config} | {item.name: item.type for item in msgspec.structs.fields(Config) if _is_table(item.type)}
    for table, owner in tables.items():
        hints = typing.get_type_hints(owner, include_extras=True)
        for item in msgspec.structs.fields(owner):
            if not _is_table(item.type) and typing.get_origin(hints[item.name]) is Annotated:
                key = f"{table}.{item.name}".lstrip(".")
                yield _setting(key, hints[item.name], item.default, getattr(owner, "taken"))  # noqa: B009 - each table's


def _is_table(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _setting(key: str, hint: object, default: object, taken: Taken) -> Setting:
    kind, *metas = typing.get_args(hint)
    found: dict[str, object] = {"empty": True, "taken": taken}
    for meta in metas:
        assert isinstance(meta, Meta)  # noqa: S101 - nothing else annotates a setting
        found |= {"least": meta.ge, "most": meta.le} if meta.ge is not None else {}
        found |= {"empty": False} if meta.min_length else {}
        found |= {"description": meta.description} if meta.description else {}
        found |= meta.extra or {}
    choices = typing.get_args(kind) if typing.get_origin(kind) is Literal else ()
    kind = Literal if choices else typing.get_origin(kind) or kind
    return Setting(key, kind, default, choices=choices, **found)  # type: ignore[arg-type] # as Meta holds them


def load(
    path: Path | None,
    overrides: Mapping[str, object] | None = None,
    read: Callable[[Path], bytes] = read_whole,
) -> Config:
    """Read the configuration.

    Args:
        path: a TOML file, or None for the defaults.
        overrides: what the command line sets, in the file's shape; wins over the file.
        read: returns what is in the file, or raises an OSError or a ConfigError.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or a value is not allowed.
    """
    data = {} if path is None else _parsed(path, read)
    for key, value in (overrides or {}).items():
        table = data.get(key, {})
        if not isinstance(value, dict):
            data[key] = value
        elif isinstance(table, dict):  # what is no table is left in its place, to be refused below
            data[key] = _listening(table, value) if key == "listen" else {**table, **value}
    if isinstance(commands := data.get("commands"), dict):
        data["commands"] = _gathered(commands)
    try:
        config = msgspec.convert(data, Config, dec_hook=decode)
    except msgspec.ValidationError as error:
        raise _refusal(path, _explain(str(error), data)) from None
    if problem := next(_problems(config, data), None):
        raise _refusal(path, problem)
    return config


def with_values(config: Config, values: Mapping[str, object]) -> Config:
    """Return it with other values of some settings, by `table.key`, which are checked as those of a file are.

    Raises:
        ConfigError: one of them is not allowed, or contradicts another setting.
    """
    data: dict[str, dict[str, object]] = {}
    for key, value in values.items():
        table, _, name = key.rpartition(".")
        data.setdefault(table, {})[name] = value
    try:
        said = msgspec.convert(data, Config, dec_hook=decode)
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(str(error), data)) from None
    for table, items in data.items():
        mine = replace(getattr(config, table), **{name: getattr(getattr(said, table), name) for name in items})
        config = replace(config, **{table: mine})
    if problem := next(_problems(config, data), None):
        raise ConfigError(problem)
    return config


def _listening(table: dict[str, object], said: dict[str, object]) -> dict[str, object]:
    """Put what the command line says over the file's `[listen]`: an address said there stands in for all those listed.

    A table that has both a list and an address is left as it is, to be refused: which of them it means is not guessed.
    """
    if _beside_a_list(table):
        return table
    replaced = () if said.keys().isdisjoint(_ONE_ADDRESS) else ("addresses",)
    return {key: value for key, value in table.items() if key not in replaced} | said


def _beside_a_list(listen: Mapping[str, object]) -> str | None:
    """Return the key that says where to listen although a list does; None where there is none."""
    return next((key for key in _ONE_ADDRESS if listen.get("addresses") and key in listen), None)


def _refusal(path: Path | None, problem: Sentence) -> ConfigError:
    if path is None:
        return ConfigError(Sentence("The configuration: {problem}", problem=problem))
    return ConfigError(Sentence("The configuration {path}: {problem}", path=path, problem=problem))


def _gathered(commands: dict[str, object]) -> dict[str, object]:
    """Put the tables `[commands.NAME]` together, apart from the settings."""
    declared = {name: item for name, item in commands.items() if name != "modules" and isinstance(item, dict)}
    return {"declared": declared} | {name: item for name, item in commands.items() if name not in declared}


def _parsed(path: Path, read: Callable[[Path], bytes]) -> dict[str, object]:
    try:
        data: dict[str, object] = msgspec.toml.decode(read(path).decode("utf-8-sig"))
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
    except RecursionError:
        raise ConfigError(
            Sentence("The configuration {path} has lists within lists beyond all measure, so it is none.", path=path)
        ) from None
    return data


def _problems(config: Config, data: Mapping[str, object]) -> Iterator[Sentence]:
    """Find what single types cannot say: bounds of quantities, and settings that contradict each other."""
    for setting in settings():
        value: object = config
        for part in setting.key.split("."):
            value = getattr(value, part)
        if not setting.holds(value):
            yield _refused(setting.key, setting.allowed, data)
    yield from contradictions(config)
    try:
        ascii_host(config.listen.host)
    except UnicodeError:
        yield _refused("listen.host", Sentence("an address or the name of a host"), data)
    yield from _unusable(config.listen.addresses, data)


def _unusable(addresses: tuple[str, ...], data: Mapping[str, object]) -> Iterator[Sentence]:
    """Find what keeps the server from listening on each of the listed addresses."""
    listen = data.get("listen")
    if isinstance(listen, Mapping) and (key := _beside_a_list(listen)):
        yield Sentence(
            "listen.addresses says where to listen, and listen.{key} says it as well; keep listen.addresses alone, or "
            "listen.host and listen.port.",
            key=key,
        )
    if len(addresses) > ENDPOINTS_MAX:
        yield Sentence(
            "listen.addresses: expected at most {most} addresses, found {number}.",
            most=ENDPOINTS_MAX,
            number=len(addresses),
        )
    listed: list[tuple[str, Endpoint]] = []
    for written in addresses:
        text = printable(written, 60)
        try:
            listed.append((text, Endpoint.parse(written)))
        except ValueError as error:
            yield Sentence(
                'listen.addresses: "{text}" is no address with a port ({why}); write it as in '
                '["127.0.0.1:5000", "[::1]:5000"].',
                text=text,
                why=error,
            )
    for (text, endpoint), (other, covered) in permutations(listed, 2):
        if endpoint == covered and endpoint.port:
            yield Sentence(
                'listen.addresses: "{text}" and "{other}" are the same; leave one of them out.', text=text, other=other
            )
        if endpoint.covers(covered):
            yield Sentence(
                'listen.addresses: "{text}" takes all that would come to "{other}"; leave one of them out.',
                text=text,
                other=other,
            )


def _explain(message: str, data: Mapping[str, object]) -> Sentence:
    """Turn msgspec's ``Expected `int` <= 65535 - at `$.listen.port` `` into a sentence with key, allowed and found."""
    problem, key = re.fullmatch(r"(.*?)(?: - at `\$\.([^`]*?)(?:\[\d+\])?`)?", message, re.DOTALL).groups("")  # type: ignore[union-attr] # matches anything
    if key.startswith("certificates["):
        return _certificate_refused(data)
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", problem, re.DOTALL):
        return _unknown(key, unknown[1])
    allowed = next((setting.allowed for setting in settings() if setting.key == key), None)
    return _refused(key, allowed or Sentence("a table, [{table}]", table=key), data)


def _certificate_refused(data: Mapping[str, object]) -> Sentence:
    """Say which of the tables it was: of a table with a name of the operator's own, msgspec does not."""

    def usable(written: object) -> bool:
        try:
            msgspec.convert(written, Certificate)
        except msgspec.ValidationError:
            return False
        return True

    tables = data["certificates"]
    assert isinstance(tables, dict)  # noqa: S101 - msgspec looked into it
    name = next(name for name, written in tables.items() if not usable(written))
    return Sentence(
        '[certificates.{name}]: expected role = "user", "operator" or "admin", if you like allow and networks as lists '
        "of texts, and nothing else.",
        name=printable(name, 60),
    )


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
