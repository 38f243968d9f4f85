"""The commands by name, as peers ask for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import ModuleType

from secure_protocol.errors import CommandError
from secure_protocol.sentence import Sentence
from secure_server.commands.command import ATTRIBUTE, Command
from secure_server.i18n import N_

LONGEST_WORD = 64
"""Characters of a command's word, see `command.NAME`."""


class DuplicateCommandError(ValueError):
    """Two commands have the same name; said at start, to the operator."""


class Registry:
    """Looks commands up. Filled at start, then only read, so any thread may.

    A subcommand such as `CLIENT LIST` is a command of its own; `CLIENT` alone is then a container. Internal commands
    are kept apart: whatever a peer asks, and whoever lists commands, there are none.
    """

    def __init__(self) -> None:
        self._commands: dict[bytes, Command] = {}
        self._containers: dict[bytes, dict[bytes, Command]] = {}
        self._ordered: tuple[Command, ...] | None = ()
        self._near: dict[bytes, set[bytes]] = {}
        self._internal: dict[str, Command] = {}

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
        first, *rest = command.words
        table = self._containers.get(first, {}) if rest else self._commands
        key = rest[0] if rest else first
        taken = key in table or command.name in self._internal
        if taken or (not rest and first in self._containers) or (rest and first in self._commands):
            raise DuplicateCommandError(Sentence("the command {name} is defined twice", name=command.name))
        if command.internal:
            self._internal[command.name] = command
            return
        if rest:
            self._containers[first] = table
        table[key] = command
        for slip in _slips(first):
            self._near.setdefault(slip, set()).add(first)
        self._ordered = None

    def internal(self, name: str) -> Command | None:
        """Return the internal command of that name, in any case; None where there is none."""
        return self._internal.get(name.upper())

    @property
    def internals(self) -> tuple[Command, ...]:
        """All internal commands, in the order in which they were added."""
        return tuple(self._internal.values())

    @property
    def ordered(self) -> tuple[Command, ...]:
        """All commands that there are for clients, by name; the same tuple until one is added."""
        ordered = self._ordered
        if ordered is None:
            tables = (self._commands, *self._containers.values())
            found = [item for table in tables for item in table.values()]
            ordered = self._ordered = tuple(sorted(found, key=lambda item: item.name))
        return ordered

    def __iter__(self) -> Iterator[Command]:
        """All commands that there are for clients, by name."""
        return iter(self.ordered)

    def find(self, request: list[bytes]) -> tuple[Command, list[bytes]]:
        """Return the command that a request names, and its arguments.

        Raises:
            CommandError: there is none.
        """
        name = request[0]
        found = self._commands.get(name) or self._commands.get(name.upper())
        if found is not None:
            return found, request[1:]
        if len(request) > 1 and (found := self._containers.get(name.upper(), {}).get(request[1].upper())) is not None:
            return found, request[2:]
        raise self.unknown(request, lambda _: True)

    def unknown(self, request: list[bytes], told: Callable[[Command], bool]) -> CommandError:
        """Return what there is to say of a request that names no command.

        Args:
            request: as it came.
            told: whether the peer may learn of a command.
        """
        container = self._containers.get(request[0].upper(), {})
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
        near = {first for slip in _slips(word) for first in self._near.get(slip, ())}
        return sorted(
            first.decode()
            for first in near
            if any(map(told, filter(None, [self._commands.get(first), *self._containers.get(first, {}).values()])))
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
