"""What may come next, from the server's own descriptions; where they say nothing, the server is asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from typing import Protocol

from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from secure_client.catalogue import Catalogue
from secure_client.i18n import _
from secure_client.terminal.appearance import LocalCommand
from secure_client.terminal.prompt.history import is_secret
from secure_client.terminal.prompt.suggestions import Suggestions
from secure_client.typed.arguments import assigned, named_from
from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.printable import printable
from secure_protocol.text_requests import quote, split

META_CHARACTERS = 80
NAMES_A_COMMAND = "command"
"""An argument of this name takes a command's name, as HELP's does."""


class Words(Protocol):
    """What first words stand for that are none of the server's; see `secure_client.terminal.local.aliases`."""

    def meanings(self) -> Mapping[str, str]:
        """Return all of them, in lower case, with what each stands for."""
        ...

    def stands_for(self, text: str, /) -> str | None:
        """Return what the first word of a line stands for; None where that is nothing else."""
        ...


class CommandCompleter(Completer):
    """Completes names, subcommands, choices and flags, in any case, also by a part of them.

    Args:
        catalogue: gives the commands as they are known now.
        local: the terminal's own commands.
        suggestions: asks the server; None asks nobody.
        words: what first words stand for that are none of the server's; None where there are none.
    """

    def __init__(
        self,
        catalogue: Callable[[], Catalogue],
        local: Mapping[str, LocalCommand],
        suggestions: Suggestions | None = None,
        words: Words | None = None,
    ) -> None:
        self._words = words
        self._catalogue = catalogue
        self._local = local
        self._suggestions = suggestions

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:  # noqa: ARG002
        """Yield what may stand at the cursor (prompt-toolkit's interface; the event is of no interest)."""
        typed = document.current_line_before_cursor.lstrip()
        text = self._expanded(typed)
        words = text.split()
        word = words.pop() if words and not text[-1].isspace() else ""
        found: Iterable[tuple[str, str]]
        if not words and word.startswith("\\"):
            found = [
                (_followed(name, more=bool(local.syntax)), _(local.summary)) for name, local in self._local.items()
            ]
        elif (meant := self._meant(text)) is None:
            command = self._local.get(words[0].lower())
            found = [(value, "") for value in command.values(words[1:])] if command is not None else []
        else:
            given = meant.split()
            given = given[:-1] if word else given
            found = [*self._candidates(given, word)]
            if not given and self._words is not None:
                found += self._own_words(self._words.meanings())
            elif text != typed and len(typed.split()) - bool(word) == 1:  # `ban` stands for BAN ADD, and begins others
                found += self._candidates(typed.split()[:1], word)
        for candidate, meta in matching(list(found), word):
            shown = printable(candidate, len(candidate))
            told = printable(meta, META_CHARACTERS)
            yield Completion(shown, start_position=-len(word), display=_last_name(shown), display_meta=told)

    def _own_words(self, meanings: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield first words that stand for others; those of which the server has commands are among its own."""
        for word, meant in meanings.items():
            if not self._catalogue().subcommands(word):
                yield f"{word} ", meant

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        """Yield what is known here, and then what the server says (prompt-toolkit's interface)."""
        for completion in self.get_completions(document, complete_event):
            yield completion
        if self._suggestions is None or (asked := self._question(document.current_line_before_cursor)) is None:
            return
        words, argument = asked
        buffer = get_app().current_buffer
        for candidate, saying in await self._suggestions.get(words, lambda: buffer.document == document):
            shown = quote(candidate)
            if candidate != words[-1] and shown == printable(shown, len(shown)):
                meta = printable(saying or argument.summary, META_CHARACTERS)
                yield Completion(shown, start_position=-len(words[-1]), display_meta=meta)

    def is_whole(self, document: Document) -> bool:
        """Whether `get_completions` says all that there is, and no server is asked for more."""
        return self._suggestions is None or self._question(document.current_line_before_cursor) is None

    def _meant(self, text: str) -> str | None:
        """Return the command of the server that a line is, or holds, as the server knows it; None where it has none.

        Its last word is that of the line.
        """
        name, blank, rest = text.partition(" ")
        if name.startswith("\\"):
            local = self._local.get(name.lower())
            begin = local.begins(rest) if blank and local is not None else None
            if begin is None:
                return None
            rest = self._expanded(rest[begin:].lstrip())
            return None if rest.startswith("\\") else rest
        return text

    def _expanded(self, text: str) -> str:
        """Return a line with what its first word stands for, once that is whole; its last word is that of the line."""
        name, blank, rest = text.partition(" ")
        meant = self._words.stands_for(text) if blank and self._words is not None else None
        return f"{name if meant is None else meant}{blank}{rest}"

    def _question(self, text: str) -> tuple[list[str], ArgumentDescription] | None:
        """Return the words to complete, and the argument the last one is, where only the server can know its values."""
        text = self._meant(self._expanded(text.lstrip())) or ""
        word = text.split()[-1] if text and not text[-1].isspace() else ""
        if is_secret(text) or any(quoting in word for quoting in "\"'\\"):
            return None
        try:
            given = [item.decode() for item in split(text[: len(text) - len(word)].encode())]
        except ValueError:  # the word begins inside quotes, or is no text
            return None
        given = given[named_from(self._catalogue(), _encoded(given)) :]
        command = self._catalogue().find(given) if given else None
        if command is None:
            return None
        given_for = given[len(command.name.split()) :]
        argument = awaited(command, given_for)
        if argument is None or argument.choices or argument.type == "bool" or argument.name == NAMES_A_COMMAND:
            return None
        if argument.secret or any(item.argument.secret for item in assigned(command, _encoded(given_for))):
            return None  # the server is told with the command, and not at each key
        if argument.file and word.startswith("@"):
            return None
        return [*given, word], argument

    def _candidates(self, words: list[str], word: str) -> Iterator[tuple[str, str]]:
        catalogue = self._catalogue()
        start = named_from(catalogue, _encoded(words))
        if start > len(words):
            return  # the value of an option
        words = words[start:]
        if not words:
            yield from _first_words(catalogue)
            return
        if len(words) == 1:
            for command in catalogue.subcommands(words[0]):
                yield _followed(command.name.split(maxsplit=1)[1], more=bool(command.arguments)), command.summary
        command_here = catalogue.find(words)
        if command_here is not None:
            given = words[len(command_here.name.split()) :]
            yield from _arguments(command_here, given, word, catalogue)


def matching(found: list[tuple[str, str]], word: str) -> Iterator[tuple[str, str]]:
    """Yield the candidates that go with a word: that begin with it, else that hold it, else that hold its letters.

    Only where nothing goes better: so what begins with what was typed is never one among many.

    Args:
        found: candidates, and what is told of each.
        word: in any case.
    """
    typed = word.casefold()
    for goes in (str.startswith, str.__contains__, _has_letters):
        fitting = [(name, meta) for name, meta in found if goes(name.casefold(), typed)]
        if fitting:
            yield from ((name, meta) for name, meta in fitting if name.rstrip() != word)
            return


def _has_letters(candidate: str, typed: str) -> bool:
    """Whether all letters of what was typed come in a candidate, in that order."""
    rest = iter(candidate)
    return all(letter in rest for letter in typed)


def _first_words(catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys(name.split()[0] for name in catalogue.names):
        command, more = catalogue.find([name]), catalogue.subcommands(name)
        shown = _followed(name, more=bool(more or (command is not None and command.arguments)))
        yield shown, command.summary if command is not None else _listed(more)


def _followed(name: str, *, more: bool) -> str:
    """Return a name as it is completed: with a blank, where more may follow."""
    return f"{name} " if more else name


def _listed(commands: Iterable[CommandDescription]) -> str:
    return ", ".join(command.name.split(maxsplit=1)[1] for command in commands)


def _arguments(
    command: CommandDescription, given: list[str], word: str, catalogue: Catalogue
) -> Iterator[tuple[str, str]]:
    """Yield what may follow the words already given to a command."""
    flags = {f"--{argument.name}": argument for argument in command.arguments if argument.flag}
    positional = [argument for argument in command.arguments if not argument.flag]
    argument = awaited(command, given)
    if argument is not None:
        yield from _values(argument, catalogue, word)
        if argument.flag:
            return
    taken = sum(not item.argument.flag for item in assigned(command, _encoded(given)))
    if word.startswith("-") or taken >= sum(not argument.optional for argument in positional):
        for flag, argument in flags.items():
            if flag not in given or argument.variadic:
                yield _followed(flag, more=argument.type != "bool"), argument.summary


def awaited(command: CommandDescription, given: list[str]) -> ArgumentDescription | None:
    """Return the argument that the word after `given` is; None where there is no room for one more."""
    last = assigned(command, [*_encoded(given), b""])[-1:]
    return last[0].argument if last and last[0].at == len(given) else None


def _encoded(words: list[str]) -> list[bytes]:
    return [word.encode("utf-8", "surrogatepass") for word in words]


def _values(argument: ArgumentDescription, catalogue: Catalogue, word: str) -> Iterator[tuple[str, str]]:
    if argument.choices:
        for choice in argument.choices:
            yield quote(choice), argument.summary
    elif argument.name == NAMES_A_COMMAND:
        yield from ((name.rstrip(), meta) for name, meta in _first_words(catalogue))
    elif argument.file and word.startswith("@"):
        yield from _paths(word)


def _last_name(shown: str) -> str:
    """Return what a menu shows of a candidate: of a path what it adds to the directory, which may fill the screen."""
    if not shown.lstrip("'\"").startswith("@"):
        return shown
    head, slash, tail = shown.rstrip("'\"").rpartition("/")
    return tail or f"{head.rpartition('/')[2]}{slash}"


def _paths(word: str) -> Iterator[tuple[str, str]]:
    """Yield what `@path` may become; a directory ends with a slash, so that it can be gone into."""
    for found in PathCompleter(expanduser=True).get_completions(Document(word[1:]), CompleteEvent()):
        path = f"{word}{found.text}{'/' if found.display_text.endswith('/') else ''}"
        if path == printable(path):  # else it would be another file's name, or be cut
            yield quote(path), ""
