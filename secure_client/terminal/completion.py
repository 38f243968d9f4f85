"""What may come next, from the server's own descriptions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from secure_client.catalogue import Catalogue
from secure_client.terminal.appearance import LocalCommand
from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.printable import printable
from secure_protocol.text_requests import quote

META_CHARACTERS = 80
NAMES_A_COMMAND = "command"
"""An argument of this name takes a command's name, as HELP's does."""


class CommandCompleter(Completer):
    """Completes names, subcommands, choices and flags, in any case.

    Args:
        catalogue: gives the commands as they are known now.
        local: the terminal's own commands.
    """

    def __init__(self, catalogue: Callable[[], Catalogue], local: Mapping[str, LocalCommand]) -> None:
        self._catalogue = catalogue
        self._local = local

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:  # noqa: ARG002
        """Yield what may stand at the cursor (prompt-toolkit's interface; the event is of no interest)."""
        text = document.text_before_cursor.lstrip()
        words = text.split()
        word = words.pop() if words and not text[-1].isspace() else ""
        if not words and word.startswith("\\"):
            found = iter([(name, command.summary) for name, command in self._local.items()])
        else:
            found = self._candidates(words, word)
        for candidate, meta in found:
            if candidate.casefold().startswith(word.casefold()) and candidate != word:
                shown = printable(candidate)
                yield Completion(shown, start_position=-len(word), display_meta=printable(meta, META_CHARACTERS))

    def _candidates(self, words: list[str], word: str) -> Iterator[tuple[str, str]]:
        catalogue = self._catalogue()
        if not words:
            yield from _first_words(catalogue)
            return
        if len(words) == 1:
            for command in catalogue.subcommands(words[0]):
                yield command.name.split(maxsplit=1)[1], command.summary
        command_here = catalogue.find(words)
        if command_here is not None:
            given = words[len(command_here.name.split()) :]
            yield from _arguments(command_here, given, word, catalogue)


def _first_words(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys(name.split()[0] for name in catalogue.names):
        command = catalogue.find([name])
        yield name, command.summary if command is not None else _listed(catalogue.subcommands(name))


def _listed(commands: Iterable[CommandDescription]) -> str:
    return ", ".join(command.name.split(maxsplit=1)[1] for command in commands)


def _arguments(
    command: CommandDescription, given: list[str], word: str, catalogue: Catalogue
) -> Iterator[tuple[str, str]]:
    """Yield what may follow the words already given to a command."""
    flags = {f"--{argument.name}": argument for argument in command.arguments if argument.flag}
    positional = [argument for argument in command.arguments if not argument.flag]
    taken = 0
    owner: ArgumentDescription | None = None  # the flag whose value comes next
    for item in given:
        if owner is not None:
            owner = None
        elif item in flags and flags[item].type != "bool":
            owner = flags[item]
        elif item not in flags:
            taken += 1
    if owner is not None:
        yield from _values(owner, catalogue)
        return
    if taken < len(positional):
        yield from _values(positional[taken], catalogue)
    elif positional and positional[-1].variadic:
        yield from _values(positional[-1], catalogue)
    if word.startswith("-") or taken >= sum(not argument.optional for argument in positional):
        for flag, argument in flags.items():
            if flag not in given or argument.variadic:
                yield flag, argument.summary


def _values(argument: ArgumentDescription, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    if argument.choices:
        for choice in argument.choices:
            yield quote(choice), argument.summary
    elif argument.name == NAMES_A_COMMAND:
        yield from _first_words(catalogue)
