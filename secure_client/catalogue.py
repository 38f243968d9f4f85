"""The server's commands, as `COMMANDS` tells them, to be looked up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

from secure_protocol.description import CommandDescription

PLAIN = frozenset(
    "ECHO PING WHOAMI HELP COMMANDS INFO LANG EXIT QUIT CLIENTS TOKENS".split()  # noqa: SIM905 - a list of names
)
"""Built into every server, which lets nobody else have these names: nothing is asked before them, and none of their
arguments is a file or a secret. So a program that has no other use for the descriptions need not ask for them first.
TIME is not among them: that its answer is a moment is said there."""


def is_plain(words: Sequence[str]) -> bool:
    """Say whether a line can be sent without a look at what the server says of its command."""
    return bool(words) and words[0].upper() in PLAIN


class Catalogue:
    """Descriptions by name, in alphabetical order.

    Args:
        descriptions: one per command; of two with one name the last counts.
    """

    def __init__(self, descriptions: Iterable[CommandDescription] = ()) -> None:
        by_name = {description.name.upper(): description for description in descriptions}
        self._by_name = dict(sorted(by_name.items()))

    @classmethod
    def from_wire(cls, reply: object) -> Self:
        """Read a `COMMANDS` reply; what is no description in it is passed over."""
        found = []
        for item in reply if isinstance(reply, list) else []:
            try:
                description = CommandDescription.from_wire(item)
            except ValueError:
                continue
            if words := description.name.split():  # as many as one blank parts: so they are looked up and completed
                found.append(description._replace(name=" ".join(words)))
        return cls(found)

    @property
    def names(self) -> list[str]:
        """All names, upper case."""
        return list(self._by_name)

    @property
    def commands(self) -> list[CommandDescription]:
        """All descriptions, in the server's order."""
        return list(self._by_name.values())

    def __bool__(self) -> bool:
        return bool(self._by_name)

    def find(self, words: Sequence[str]) -> CommandDescription | None:
        """Return the command that a line of `words` calls: a subcommand of two words before its first word alone."""
        two, one = " ".join(words[:2]).upper(), " ".join(words[:1]).upper()
        return self._by_name.get(two) or self._by_name.get(one)

    def subcommands(self, word: str) -> list[CommandDescription]:
        """Return the commands of two words that begin with `word`."""
        return [found for name, found in self._by_name.items() if name.startswith(f"{word.upper()} ")]
