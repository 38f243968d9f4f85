"""The configuration as TOML, for people: what holds, with what only the server and its programs may know masked.

No library writes it: one value a line with a remark behind it is all there is, and a test reads it back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import structs

from secure_server.config.file import settings
from secure_server.config.quantities import Duration, Size
from secure_server.config.settings import Config

MASK = "***"
"""What stands in the place of what a program alone finds, in one of these."""
_FOUND = ("environment", "stdin")
DEFAULT = "  # default"
"""Behind a setting that nobody changed."""

Key = tuple[str, ...]
"""A key with the tables that it is in."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def value(held: object) -> str:
    """Return a value as TOML, on one line."""
    if isinstance(held, bool):
        return str(held).lower()
    if isinstance(held, str | Duration | Size):
        return json.dumps(str(held), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(held, Mapping):
        items = ", ".join(f"{dotted((str(key),))} = {value(item)}" for key, item in held.items())
        return f"{{ {items} }}" if items else "{}"
    if isinstance(held, Sequence):
        return "[" + ", ".join(map(value, held)) + "]"
    return str(held)


def dotted(key: Key) -> str:
    """Return a key as TOML: `commands.DISK.run`, `certificates."a.b".role`."""
    return ".".join(part if _BARE.fullmatch(part) else value(part) for part in key)


def entries(config: Config) -> Iterator[tuple[Key, object]]:
    """Yield every setting, and what is said of certificates and commands, in the order of the file."""
    for setting in settings():
        held: object = config
        for part in setting.key.split("."):
            held = getattr(held, part)
        yield tuple(setting.key.split(".")), held
    for name, certificate in config.certificates.items():
        for item in structs.fields(certificate):
            held = getattr(certificate, item.name)
            if held != item.default:
                yield ("certificates", name, item.name), held
    for name, table in config.commands.declared.items():
        for key, item in table.items():
            if not isinstance(item, Mapping) or not item:
                yield ("commands", name, key), item
                continue
            for inner, found in item.items():
                yield ("commands", name, key, str(inner)), found


def masked(key: Key, held: object) -> object:
    """Return a value as it may be shown: of a program's environment and input nothing but the names."""
    return MASK if key[:1] == ("commands",) and len(key) > 2 and key[2] in _FOUND else held


def document(config: Config) -> str:
    """Return the whole configuration as a file that says the same, but for what is masked."""
    defaults = dict(entries(Config()))
    lines: list[str] = []
    table: Key = ()
    for key, held in entries(config):
        here = key[:2] if key[0] == "certificates" or (key[0] == "commands" and len(key) > 2) else key[:-1]
        if here != table:
            lines += ["", f"[{dotted(here)}]"]
            table = here
        remark = DEFAULT if key in defaults and value(defaults[key]) == value(held) else ""
        lines.append(f"{dotted(key[len(here) :])} = {value(masked(key, held))}{remark}")
    return "\n".join(lines) + "\n"
