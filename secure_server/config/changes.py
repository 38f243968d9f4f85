"""What differs between the configuration that runs and the one in the file, and what a reload makes of that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from msgspec import structs

from secure_server.config.file import settings
from secure_server.config.settings import Config
from secure_server.config.taken import Taken
from secure_server.config.writing import Key, dotted, entries, masked, value


class ReloadRefusedError(Exception):
    """The configuration is kept as it is; one sentence says why."""


@dataclass(frozen=True, slots=True)
class Change:
    """A key that the file says something else of than what runs.

    Attributes:
        key: with its tables.
        running: the value that holds, as TOML; None where there is none.
        file: the file's; None where there is none.
        restart: it takes a restart.
    """

    key: Key
    running: str | None
    file: str | None
    restart: bool

    @property
    def subject(self) -> str:
        """The setting, or the command or certificate that it is of: `limits.max_clients`, `commands.DISK`."""
        return dotted(self.key[:2])


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload came to, or would come to.

    Attributes:
        changed: settings, commands and certificates that are others now, by their keys.
        restart: settings of the file that take a restart.
        stays: settings that stay as somebody set them, whatever the file says.
    """

    changed: tuple[str, ...]
    restart: tuple[str, ...]
    stays: tuple[str, ...] = ()

    @classmethod
    def of(cls, changes: Iterable[Change]) -> Reloaded:
        """Name each subject once, in the order of the file."""
        found: tuple[dict[str, None], dict[str, None]] = ({}, {})
        for change in changes:
            found[change.restart][change.subject] = None
        return cls(tuple(found[False]), tuple(found[True]))


def differences(running: Config, file: Config) -> list[Change]:
    """Return all that differs, in the order of the file; what is there no more comes last."""
    takes = {tuple(setting.key.split(".")): setting.taken for setting in settings()}
    before, after = _comparable(running), _comparable(file)
    found = []
    for key in {**after, **before}:
        old, new = before.get(key), after.get(key)
        if (None if old is None else value(old)) != (None if new is None else value(new)):
            found.append(Change(key, _shown(key, old), _shown(key, new), takes.get(key) is Taken.RESTART))
    return found


def _shown(key: Key, held: object) -> str | None:
    return None if held is None else value(masked(key, held))


def _comparable(config: Config) -> dict[Key, object]:
    """All that it says; the order of a command's arguments, which counts, is said as well."""
    found = dict(entries(config))
    for name, table in config.commands.declared.items():
        if isinstance(arguments := table.get("arguments"), Mapping) and arguments:
            found["commands", name, "arguments"] = list(arguments)
    return found


def with_what_takes_a_restart(running: Config, file: Config) -> Config:
    """Return the file's configuration with what takes a restart as it runs: what holds once the rest is taken up."""
    for setting in settings():
        if setting.taken is not Taken.RESTART:
            continue
        table, _, key = setting.key.rpartition(".")
        if table:
            mine = structs.replace(getattr(file, table), **{key: getattr(getattr(running, table), key)})
            file = structs.replace(file, **{table: mine})
        else:
            file = structs.replace(file, **{key: getattr(running, key)})
    return file
