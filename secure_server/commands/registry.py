"""The commands by name, as peers ask for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import ModuleType

from secure_protocol.errors import CommandError
from secure_protocol.sentence import Sentence
from secure_server.commands.command import ATTRIBUTE, Command
from secure_server.i18n import N_

LONGEST_WORD = 64
"""Characters of a command's word, see `command.NAME`."""


class DuplicateCommandError(ValueError):
    """Two commands have the same name; said at start, to the operator."""


@dataclass(slots=True, eq=False)
class Edition:
    """A set of commands, by all that they are looked up by.

    Attributes:
        commands: those of one word.
        containers: by their first word, those of two, by their second.
        near: the first words that are a slip of the fingers away.
        ordered: all commands that there are for clients, by name; None until that is asked for.
        internal: by their names, those that there are for no client.
    """

    commands: dict[bytes, Command] = field(default_factory=dict)
    containers: dict[bytes, dict[bytes, Command]] = field(default_factory=dict)
    near: dict[bytes, set[bytes]] = field(default_factory=dict)
    ordered: tuple[Command, ...] | None = ()
    internal: dict[str, Command] = field(default_factory=dict)


class Registry:
    """Looks commands up. Filled at start, then only read, or made another one's equal as a whole, so any thread may.

    A subcommand such as `CLIENT LIST` is a command of its own; `CLIENT` alone is then a container. Internal commands
    are kept apart: whatever a peer asks, and whoever lists commands, there are none.

    Attributes:
        edition: what holds now; another object once it is another set. Whoever keeps what it once found goes by that.
    """

    def __init__(self) -> None:
        self.edition = Edition()

    def copy(self) -> Registry:
        """Return another with the same commands, to which more can be added."""
        copied, edition = Registry(), self.edition
        copied.edition = Edition(
            dict(edition.commands),
            {word: dict(container) for word, container in edition.containers.items()},
            {slip: set(words) for slip, words in edition.near.items()},
            edition.ordered,
            dict(edition.internal),
        )
        return copied

    def take_up(self, other: Registry) -> None:
        """Hold the commands of another registry, which is not changed any more, instead of those so far. Any thread."""
        self.edition = other.edition

    def load(self, modules: Iterable[ModuleType]) -> int:
        """Add all commands defined in `modules`; of a package, also those that it takes from modules of its own.

        Returns how many.

        Raises:
            DuplicateCommandError: a name is taken.
        """
        added = 0
        for module in modules:
            for value in vars(module).values():
                if f"{getattr(value, '__module__', None)}.".startswith(f"{module.__name__}."):
                    for found in getattr(value, ATTRIBUTE, ()):
                        self.add(found)
                        added += 1
        return added

    def add(self, command: Command) -> None:
        """Add one command.

        Raises:
            DuplicateCommandError: its name is taken.
        """
        edition = self.edition
        first, *rest = command.words
        table = edition.containers.get(first, {}) if rest else edition.commands
        key = rest[0] if rest else first
        taken = key in table or command.name in edition.internal
        if taken or (not rest and first in edition.containers) or (rest and first in edition.commands):
            raise DuplicateCommandError(Sentence("the command {name} is defined twice", name=command.name))
        if command.internal:
            edition.internal[command.name] = command
            return
        table[key] = command
        if rest:
            edition.containers[first] = table
        for slip in _slips(first):
            edition.near.setdefault(slip, set()).add(first)
        edition.ordered = None

    def internal(self, name: str) -> Command | None:
        """Return the internal command of that name, in any case; None where there is none."""
        return self.edition.internal.get(name.upper())

    @property
    def internals(self) -> tuple[Command, ...]:
        """All internal commands, in the order in which they were added."""
        return tuple(self.edition.internal.values())

    @property
    def ordered(self) -> tuple[Command, ...]:
        """All commands that there are for clients, by name; the same tuple until one is added."""
        edition = self.edition
        ordered = edition.ordered
        if ordered is None:
            tables = (edition.commands, *edition.containers.values())
            found = [item for table in tables for item in table.values()]
            ordered = edition.ordered = tuple(sorted(found, key=lambda item: item.name))
        return ordered

    def __iter__(self) -> Iterator[Command]:
        """All commands that there are for clients, by name."""
        return iter(self.ordered)

    def find(self, request: list[bytes]) -> tuple[Command, list[bytes]]:
        """Return the command that a request names, and its arguments.

        Raises:
            CommandError: there is none.
        """
        name, edition = request[0], self.edition
        found = edition.commands.get(name) or edition.commands.get(name.upper())
        if found is not None:
            return found, request[1:]
        if len(request) > 1 and (found := edition.containers.get(name.upper(), {}).get(request[1].upper())) is not None:
            return found, request[2:]
        raise self.unknown(request, lambda _: True)

    def unknown(self, request: list[bytes], told: Callable[[Command], bool]) -> CommandError:
        """Return what there is to say of a request that names no command.

        Args:
            request: as it came.
            told: whether the peer may learn of a command.
        """
        container = self.edition.containers.get(request[0].upper(), {})
        subcommands = sorted(word.decode() for word, command in container.items() if told(command))
        if not subcommands:
            meant = self._meant(request[0].upper(), told)
            if not meant:
                return CommandError(N_("Unknown command."))
            return CommandError(N_("Unknown command. Did you mean {commands}?"), commands=", ".join(meant))
        return CommandError(
            N_("Unknown subcommand; {container} takes {subcommands}."),
            container=request[0].upper().decode(),
            subcommands=", ".join(subcommands),
        )

    def _meant(self, word: bytes, told: Callable[[Command], bool]) -> list[str]:
        """Return the words of commands that are one slip of the fingers away.

        Found by what both are with a letter left out (as SymSpell does), in the time of so many look-ups, however many
        commands there are: this runs on the I/O thread, for whatever a peer sends.
        """
        edition = self.edition
        near = {first for slip in _slips(word) for first in edition.near.get(slip, ())}
        return sorted(
            first.decode()
            for first in near
            if any(map(told, filter(None, [edition.commands.get(first), *edition.containers.get(first, {}).values()])))
        )

    def named(self, name: str) -> Command | None:
        """Return the command of that name, in any case; None where there is none."""
        try:
            found, rest = self.find(name.encode().split() or [b""])
        except CommandError:
            return None
        return None if rest else found


def _slips(word: bytes) -> Iterator[bytes]:
    """Yield a word, and what it is with one letter left out; two words a slip apart have one of these in common."""
    if len(word) <= LONGEST_WORD + 1:
        yield word
        yield from (word[:index] + word[index + 1 :] for index in range(len(word)))
