"""What is surely wrong with a line that is being typed, by what the server says of its command.

Advice: the line can be sent all the same, for the server knows better. What may still become right is not told yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from secure_client.catalogue import Catalogue
from secure_client.i18n import _
from secure_client.typed.arguments import Given, call_of, is_reference, named_from
from secure_client.typed.line import HIDDEN, typed_words
from secure_protocol.description import ArgumentDescription
from secure_protocol.printable import printable
from secure_protocol.token import redact

CHARACTERS = 40
"""Of a word that is wrong, in the sentence."""
LINE_CHARACTERS = 4096
"""Of a line that is looked at: a longer one was not typed, and each key would cost its length."""

_OPEN = re.compile(r"""[^"']*(?:"(?:[^"\\]|\\.)*+\\?|'(?:[^'\\]|\\'|\\(?!'))*+)""", re.DOTALL)
_CLOSED = re.compile(r"""[^"']*(?:"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\'|\\(?!'))*+')""", re.DOTALL)
"""A word as far as its first quotes go: behind them it must end."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong.

    Attributes:
        start: the index of the first character that is wrong, mostly of a word.
        end: behind the last one.
        sentence: what is wrong with it, printable.
        unfinished: it is right as far as it goes; only sent it must not be so.
    """

    start: int
    end: int
    sentence: str
    unfinished: bool = False


def first_fault(catalogue: Catalogue, line: str, cursor: int) -> Fault | None:
    """Return the first of `faults`."""
    return next(faults(catalogue, line, cursor), None)


def faults(catalogue: Catalogue, line: str, cursor: int) -> Iterator[Fault]:
    """Yield what is wrong with a line, from left to right.

    Args:
        catalogue: the server's commands; while it is empty nothing is known, and nothing told.
        line: one line; of the terminal's own commands nothing is told.
        cursor: how many characters are before it; the word there is not finished.
    """
    if not catalogue or line.lstrip().startswith(("\\", "#")) or len(line) > LINE_CHARACTERS:
        return
    words = list(typed_words(line))
    found = {fault.start: fault for fault in _faults_of_words(catalogue, words, cursor)}
    for start, fault in _quoting(line, words, cursor):
        if not (fault.unfinished and start in found):  # one for each word
            found[start] = fault
    yield from (found[start] for start in sorted(found))


def _quoting(line: str, words: list[tuple[int, int, bytes]], cursor: int) -> Iterator[tuple[int, Fault]]:
    """Yield where a word begins that is not quoted as it must be, and what is wrong."""
    for start, end, _value in words:
        word = line[start:end]
        opening = min((at for at in (word.find('"'), word.find("'")) if at >= 0), default=None)
        if opening is None:
            continue
        if _OPEN.fullmatch(word):  # the last one, then
            at = start + opening
            yield start, Fault(at, at + 1, _("a quote is not closed"), unfinished=start <= cursor <= end)
        elif (closed := _CLOSED.match(word)) is not None and closed.end() < len(word):
            yield start, Fault(start, end, _("behind a closing quote comes a blank"))


def _faults_of_words(catalogue: Catalogue, words: list[tuple[int, int, bytes]], cursor: int) -> Iterator[Fault]:
    values = [value for _start, _end, value in words]
    call = call_of(catalogue, values)
    if call is None:
        yield from _unknown(catalogue, words, values, cursor)
        return
    given = {item.at: item for item in call.given}
    flags = [f"--{argument.name}" for argument in call.description.arguments if argument.flag]
    options = bool(flags)
    secret = any(argument.secret for argument in call.description.arguments)
    for index, (start, end, value) in enumerate(words):
        if index < call.start:
            continue
        finished = not start <= cursor <= end
        if options and value == b"--":
            options = False
            continue
        item = given.get(index)
        if item is None:
            shown = HIDDEN if secret else _shown(value)  # what stands behind a secret may be the rest of it
            sentence = _stray(value, shown, flags if options else [], finished=finished)
        else:
            sentence = "" if is_reference(item) else _wrong(item, finished=finished)
        if sentence:
            yield Fault(start, end, sentence)


def _unknown(
    catalogue: Catalogue, words: list[tuple[int, int, bytes]], values: list[bytes], cursor: int
) -> Iterator[Fault]:
    start = named_from(catalogue, values)
    if start >= len(words):
        return
    first, last = words[start], words[-1]
    name = _shown(first[2])
    more = catalogue.subcommands(name)
    if more and len(words) > start + 1:
        second = words[start + 1]
        if not second[0] <= cursor <= second[1]:
            sentence = _("{name} has no {word}: it has {words}")
            known = ", ".join(item.name.split(maxsplit=1)[1] for item in more)
            yield Fault(
                second[0], second[1], sentence.format(name=name.upper(), word=_shown(second[2]), words=printable(known))
            )
    elif not more and not (first is last and first[0] <= cursor <= first[1]):
        yield Fault(first[0], first[1], _("there is no command {name}").format(name=name))


def _stray(value: bytes, shown: str, flags: list[str], *, finished: bool) -> str:
    """Return what is wrong with a word that no argument takes; empty where that is not sure."""
    word = value.decode("utf-8", "replace")
    if flags and word.startswith("-"):
        name = word.partition("=")[0]
        if name in flags or (not finished and any(flag.startswith(name) for flag in flags)):
            return ""
        return _("there is no {word}: there is {words}").format(word=shown, words=", ".join(flags))
    return _("{word} is one argument too many").format(word=shown) if word else ""


def _wrong(item: Given, *, finished: bool) -> str:
    """Return what is wrong with a word that is given for an argument; empty where nothing is, or not surely."""
    argument, value = item.argument, item.value.decode("utf-8", "replace")
    if argument.secret or not value:
        return ""
    if argument.choices:
        folded = [choice.casefold() for choice in argument.choices]
        right = value.casefold() in folded or (
            not finished and any(choice.startswith(value.casefold()) for choice in folded)
        )
        known = printable(", ".join(argument.choices))
        return "" if right else _("{name} is one of {words}").format(name=argument.name, words=known)
    if argument.type in ("int", "float"):
        return _wrong_number(argument, value, finished=finished)
    return ""


def _wrong_number(argument: ArgumentDescription, value: str, *, finished: bool) -> str:
    try:
        number = int(value) if argument.type == "int" else float(value)
    except ValueError:
        if not finished and value in ("-", "+", ".", "-."):
            return ""
        if argument.type == "float" and not finished:  # `1e` may become one
            return ""
        return _("{name} is a number, and {word} is none").format(name=argument.name, word=printable(value, CHARACTERS))
    if finished and argument.minimum is not None and number < argument.minimum:
        return _("{name} is {bound} at least").format(name=argument.name, bound=f"{argument.minimum:g}")
    if argument.maximum is not None and number > argument.maximum and number > 0:
        return _("{name} is {bound} at most").format(name=argument.name, bound=f"{argument.maximum:g}")
    return ""


def _shown(value: bytes) -> str:
    return redact(printable(value.decode("utf-8", "replace"), CHARACTERS))
