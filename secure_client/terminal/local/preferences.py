"""How a user likes the terminal, for each server: kept in a file of their own.

A file that is damaged, or cannot be read or written, is no reason to serve nobody: then the terminal is as it comes,
and what is changed holds until it ends.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from secure_client.profiles import places
from secure_client.profiles.turns import turn

FILE_NAME = "terminal.json"
MOST_BYTES = 1024 * 1024
"""Of the file; a few hundred servers with all their aliases."""
MOST_ALIASES = 100
"""For each server: more are a program, and no shorthand."""
FORMS = ("table", "vertical", "json", "csv", "raw")


@dataclass(frozen=True, slots=True)
class Preferences:
    """What is remembered.

    Attributes:
        form: of answers, one of `FORMS`.
        timing: tell how long each command took.
        vi: keys as in vi.
        aliases: what a first word stands for.
    """

    form: str = "table"
    timing: bool = False
    vi: bool = False
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
            aliases={str(name): text for name, text in list(known)[:MOST_ALIASES] if isinstance(text, str)},
        )


class Kept:
    """The preferences for one server.

    Args:
        server: what the user calls it.
        directory: where the file is; None for the user's own place.

    Attributes:
        now: as they are.
    """

    def __init__(self, server: str, directory: Path | None = None) -> None:
        self._server = server
        self._directory = directory or places.state_directory()
        self.now = Preferences()
        with contextlib.suppress(OSError, ValueError, RecursionError):
            self.now = Preferences.of(self._load().get(server))

    def change(self, **changes: object) -> bool:
        """Take some others, and keep them; whether they are kept for the next time, too."""
        self.now = replace(self.now, **changes)  # type: ignore[arg-type]  # named by those who call, all in this room
        try:
            places.make_private_directory(self._directory)
            with turn(self._directory):
                tables = {}
                with contextlib.suppress(ValueError, RecursionError):  # damaged: nothing to keep of it
                    tables = self._load()
                here = tables.get(self._server)
                said = {**(here if isinstance(here, dict) else {}), **changes}  # what another terminal changed stays
                plain = asdict(Preferences())
                tables[self._server] = {name: value for name, value in said.items() if value != plain.get(name)}
                data = json.dumps(tables, indent=2).encode("ascii") + b"\n"
                if len(data) > MOST_BYTES:
                    return False
                places.write_private(self._directory / FILE_NAME, data)
        except (OSError, TimeoutError):
            return False
        return True

    def _load(self) -> dict[str, object]:
        places.check_private(self._directory)
        try:
            with (self._directory / FILE_NAME).open("rb") as file:
                tables = json.loads(file.read(MOST_BYTES))
        except FileNotFoundError:
            return {}
        return tables if isinstance(tables, dict) else {}
