"""Which word of a line is given for which argument, by what the server says of its command."""

from collections.abc import Sequence
from typing import NamedTuple

from secure_client.catalogue import Catalogue
from secure_protocol.description import ArgumentDescription, CommandDescription

STARTS_ANOTHER = "JOB START"
STARTS_AGAIN = "JOB RERUN"
"""The command that takes a whole other one, with options of its own before it (`JOB START --key K COMMAND …`)."""
YES = b"yes"
"""What an option without a value is, as one would write it."""


class Given(NamedTuple):
    """A word that is given for an argument.

    Attributes:
        argument: what for.
        at: the index of the word in the line.
        value: what is given; of an option `--name` without a value, `yes`.
        prefix: what stands before the value in the word, `--name=`.
    """

    argument: ArgumentDescription
    at: int
    value: bytes
    prefix: bytes = b""


class Call(NamedTuple):
    """A command that is called.

    Attributes:
        description: of the command; where it is to be started as a job, of that.
        start: the index of the first word behind its name.
        given: what is given for its arguments, in the order of the words.
    """

    description: CommandDescription
    start: int
    given: tuple[Given, ...]


def call_of(catalogue: Catalogue, words: Sequence[bytes]) -> Call | None:
    """Return what a line calls; None where the catalogue has no such command."""
    found = _find(catalogue, words, named_from(catalogue, words)) or _find(catalogue, words, 0)
    if found is None:
        return None
    description, start = found
    return Call(description, start, tuple(assigned(description, words, start)))


def named_from(catalogue: Catalogue, words: Sequence[bytes]) -> int:
    """Return the index of the word that names what is run: the first, or behind JOB START and its options.

    It may be one that is not there yet, or even the next but one, where an option lacks its value.
    """
    found = _find(catalogue, words, 0)
    if found is None or found[0].name != STARTS_ANOTHER:
        return 0
    start = found[1]
    while start < len(words) and words[start].startswith(b"--"):
        start += 1 if b"=" in words[start] else 2
    return start


def _find(catalogue: Catalogue, words: Sequence[bytes], start: int) -> tuple[CommandDescription, int] | None:
    found = catalogue.find([word.decode("utf-8", "replace") for word in words[start : start + 2]])
    return (found, start + len(found.name.split())) if found is not None else None


def assigned(command: CommandDescription, words: Sequence[bytes], start: int = 0) -> list[Given]:
    """Return what the words from `start` on are given for; a word that no argument takes is left out.

    They are read as the server reads them: options anywhere before `--`, with their values behind `=` or in the next
    word, and all other words in order.
    """
    flags = {f"--{argument.name}".encode(): argument for argument in command.arguments if argument.flag}
    in_order = [argument for argument in command.arguments if not argument.flag]
    found: list[Given] = []
    taken, owner, options = 0, None, bool(flags)
    for index in range(start, len(words)):
        word = words[index]
        if owner is not None:
            found.append(Given(owner, index, word))
            owner = None
        elif options and word == b"--":
            options = False
        elif options and word.startswith(b"--"):
            name, equals, value = word.partition(b"=")
            flag = flags.get(name)
            if flag is None:
                continue
            if equals:
                found.append(Given(flag, index, value, name + equals))
            elif flag.type == "bool":
                found.append(Given(flag, index, YES, name))
            else:
                owner = flag
        else:
            if taken < len(in_order):
                found.append(Given(in_order[taken], index, word))
            elif in_order and in_order[-1].variadic:
                found.append(Given(in_order[-1], index, word))
            taken += 1
    return found


def is_reference(given: Given) -> bool:
    """Say whether a word stands for the content of a file, or of standard input."""
    return given.argument.file and given.value.startswith(b"@") and not given.value.startswith(b"@@")
