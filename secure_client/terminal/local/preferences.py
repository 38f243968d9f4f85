"""How a user likes the terminal, for each server: kept in a file of their own.

A file that is damaged, or cannot be read or written, is no reason to serve nobody: then the terminal is as it comes,
which is said once, and what is changed holds until it ends.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from secure_client.i18n import _
from secure_client.profiles import places
from secure_client.profiles.turns import turn

FILE_NAME = "terminal.json"
MOST_BYTES = 1024 * 1024
"""Of the file; a few hundred servers with all their aliases."""
MOST_ALIASES = 100
"""For each server: more are a program, and no shorthand."""
ALIAS_CHARACTERS = 4096
"""Of an alias, with what it stands for: what a terminal takes as one line."""
FORMS = ("table", "vertical", "json", "csv", "raw")


@dataclass(frozen=True, slots=True)
class Preferences:
    """What is remembered.

    Attributes:
        form: of answers, one of `FORMS`.
        timing: tell how long each command took.
        vi: keys as in vi.
        pager: answers that are taller than the screen go to the pager.
        aliases: what a first word stands for.
    """

    form: str = "table"
    timing: bool = False
    vi: bool = False
    pager: bool = True
    aliases: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, table: object) -> Preferences:
        """Read them as they are kept; what is none is as it comes."""
        given: dict[str, Any] = table if isinstance(table, dict) else {}
        form, aliases = given.get("form"), given.get("aliases")
        known = aliases.items() if isinstance(aliases, dict) else ()
        return cls(
            form=form if form in FORMS else "table",
            timing=given.get("timing") is True,
            vi=given.get("vi") is True,
            pager=given.get("pager") is not False,
            aliases={str(name): text for name, text in list(known)[:MOST_ALIASES] if isinstance(text, str)},
        )


class Kept:
    """The preferences for one server.

    Args:
        server: what the user calls it.
        directory: where the file is; None for the user's own place.

    Attributes:
        now: as they are.
        fault: why they are as they come, in a sentence; empty where they are as they were kept.
    """

    def __init__(self, server: str, directory: Path | None = None) -> None:
        self._server = server
        self._directory = directory or places.state_directory()
        self.now = Preferences()
        self.fault = ""
        try:
            self.now = Preferences.of(self._load().get(server))
        except OSError as error:
            sentence = _("Cannot read {path}: {why}. The terminal is as it comes.")
            self.fault = sentence.format(path=self._path, why=error.strerror)
        except (ValueError, RecursionError):
            sentence = _("{path} is damaged: the terminal is as it comes. What is changed is kept in its place.")
            self.fault = sentence.format(path=self._path)

    def change(self, **changes: object) -> bool:
        """Take some others, and keep them; whether they are kept for the next time, too."""
        self.now = replace(self.now, **changes)  # type: ignore[arg-type]  # named by those who call, all in this room
        return self._keep(lambda said: said.update(changes))

    def change_alias(self, word: str, meant: str | None) -> bool:
        """Have a word stand for something; None: for nothing any more. Whether that is kept, as of `change`."""
        self.now = replace(self.now, aliases=_with(self.now.aliases, word, meant))
        return self._keep(lambda said: said.update(aliases=_with(said.get("aliases"), word, meant)))

    def _keep(self, change: Callable[[dict[str, object]], None]) -> bool:
        """Write a change; what another terminal changed meanwhile stays."""
        try:
            places.make_private_directory(self._directory)
            with turn(self._directory):
                tables = {}
                with contextlib.suppress(ValueError, RecursionError):  # damaged: nothing to keep of it
                    tables = self._load()
                here = tables.get(self._server)
                said: dict[str, object] = dict(here) if isinstance(here, dict) else {}
                change(said)
                plain = asdict(Preferences())
                tables[self._server] = {name: value for name, value in said.items() if value != plain.get(name)}
                data = json.dumps(tables, indent=2).encode("ascii") + b"\n"
                if len(data) > MOST_BYTES:
                    return False
                places.write_private(self._path, data)
        except (OSError, TimeoutError):
            return False
        return True

    @property
    def _path(self) -> Path:
        return self._directory / FILE_NAME

    def _load(self) -> dict[str, object]:
        places.check_private(self._directory)
        try:
            with self._path.open("rb") as file:
                tables = json.loads(file.read(MOST_BYTES))
        except FileNotFoundError:
            return {}
        if not isinstance(tables, dict):
            raise ValueError(FILE_NAME)  # noqa: TRY004 - as of json's own
        return tables


def told_of(*, kept: bool) -> str:
    """Return what is told where a change holds for now alone."""
    return "" if kept else _("It holds until this program ends: it cannot be kept.")


def _with(aliases: object, word: str, meant: str | None) -> dict[str, str]:
    others = {name: text for name, text in aliases.items() if name != word} if isinstance(aliases, dict) else {}
    return others if meant is None else {**others, word: meant}
