"""All commands, and what is said of them: worked out once for each codec and language, and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, TypeVar

from secure_server.commands.command import Command
from secure_server.i18n import LANGUAGES, Translate, translator
from secure_server.session.codecs import Codec
from secure_server.session.session import Session

MOST_TABLES = 32 * len(LANGUAGES)
"""Kept at once. For three roles in three codecs a language takes 27 at most: lines in columns are kept for each width,
and that goes by what the caller may run. Where lists of commands make for many more widths, all begins anew."""

Members = tuple[Command, ...]
"""What a caller may run of a family, the commands with the same first word, by name; most families are one command."""
Subject = TypeVar("Subject")
Said = TypeVar("Said")
Say = Callable[[Codec, Translate, Subject], Said]
"""Works out one thing to keep. A module's function, or a frozen dataclass: tables are found by what it is equal to."""


def family(item: Command) -> str:
    """Return the first word of a command's name, in lower case."""
    return item.name.partition(" ")[0].lower()


class Kept(dict[Subject, Said]):
    """What is said of each subject, worked out when it is first asked for.

    Any thread: who finds it asks nobody, and two who miss it at once both work out the same.

    Args:
        say: works it out.
    """

    __slots__ = ("_say",)

    def __init__(self, say: Callable[[Subject], Said]) -> None:
        super().__init__()
        self._say = say

    def __missing__(self, subject: Subject) -> Said:
        said = self[subject] = self._say(subject)
        return said


@dataclass(frozen=True, slots=True)
class _Edition:
    """All that goes by one set of commands, and is dropped with it."""

    commands: tuple[Command, ...]
    listed: tuple[Command, ...]
    families: Mapping[str, Members]
    tables: dict[object, Kept[Any, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, commands: tuple[Command, ...]) -> _Edition:
        listed = tuple([item for item in commands if not item.hidden])
        # By name, a family stands together: a space comes before all that a word may hold.
        return cls(commands, listed, {name: tuple(members) for name, members in groupby(commands, family)})


class Catalogue:
    """What the commands that tell of commands tell from. Any thread.

    It is bounded: at most `MOST_TABLES` tables, each with one entry for a command, or one for each way in which callers
    see a family, which depends on no more than their role and whether their list names it.

    Args:
        commands: all there are, by name; another tuple once they are others.
    """

    def __init__(self, commands: Callable[[], tuple[Command, ...]]) -> None:
        self._commands = commands
        self._edition = _Edition.of(())

    @property
    def listed(self) -> tuple[Command, ...]:
        """All that is not for programs alone, by name."""
        return self._now().listed

    @property
    def families(self) -> Mapping[str, Members]:
        """All commands, by the first word of their names, in lower case and in order."""
        return self._now().families

    def kept(self, say: Say[Subject, Said], session: Session) -> Kept[Subject, Said]:
        """Return what `say` works out in a session's codec and language, by its subject."""
        tables, codec, language = self._now().tables, session.codec, session.language
        found = tables.get((say, codec, language))
        if found is None:
            if len(tables) >= MOST_TABLES:
                tables.clear()
            found = tables.setdefault((say, codec, language), Kept(partial(say, codec, translator(language))))
        return found

    def _now(self) -> _Edition:
        commands, edition = self._commands(), self._edition
        if edition.commands is not commands:
            edition = self._edition = _Edition.of(commands)
        return edition
