"""From words to conditions: `idle>5m`, `user in ana,bob`, `not role = admin`; and what is written otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_server.filters.kinds import AMONG, EQUAL, HOLDS, Kind, Word
from secure_server.i18n import N_

T = TypeVar("T")

WORD_CHARACTERS = 20
"""Of what is not understood, shown in an error."""
MOST_CONDITIONS = 200
"""Of one filter, and values of one condition: each is looked at for each session, of which there may be 10,000."""

_CONDITION = re.compile(r"([A-Za-z][A-Za-z-]*)(!=|[=<>~])(.*)", re.DOTALL)
_OPERATOR = re.compile(r"(!=|[=<>~])(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Field(Generic[T]):
    """What can be asked about.

    Attributes:
        kind: of its values.
        read: returns the value of one, at a monotonic second; None where it has none.
    """

    kind: Kind
    read: Callable[[T, float], object]


@dataclass(frozen=True, slots=True)
class Condition(Generic[T]):
    """One condition.

    Attributes:
        holds: whether it does of one, at a monotonic second.
        negated: it must not.
    """

    holds: Callable[[T, float], bool]
    negated: bool = False

    def __call__(self, one: T, now: float) -> bool:
        """Say whether one is meant."""
        return self.holds(one, now) is not self.negated


Older = Callable[[str, list[str]], Callable[[T, float], bool] | None]
"""Reads a condition in another way of writing, by its key in upper case and the words behind it, of which it takes its
own; None where the key is none of its own."""


def parse(words: Sequence[str], fields: Mapping[str, Field[T]], older: Older[T] | None = None) -> list[Condition[T]]:
    """Read conditions, which must all hold.

    Args:
        words: as a person parted them: `idle>5m` and `idle > 5m` are the same.
        fields: by name, lower case.
        older: for those that are written otherwise.

    Raises:
        CommandError: something is not understood; says what, and how it is written.
    """
    rest = list(words)
    found: list[Condition[T]] = []
    while rest:
        if len(found) == MOST_CONDITIONS:
            raise CommandError(N_("A filter has at most {limit} conditions."), limit=MOST_CONDITIONS)
        found.append(_next(rest, fields, older))
        if rest and rest[0].lower() == "and":
            rest.pop(0)
            if not rest:
                raise _needs("and")
    return found


def is_condition(word: str, fields: Mapping[str, Field[T]]) -> bool:
    """Say whether a word is a whole condition in itself."""
    found = _CONDITION.fullmatch(word)
    return found is not None and found[1].lower() in fields and bool(found[3])


def _next(rest: list[str], fields: Mapping[str, Field[T]], older: Older[T] | None) -> Condition[T]:
    word, negated = rest.pop(0), False
    while word.lower() == "not":
        negated = not negated
        if not rest:
            raise _needs(word)
        word = rest.pop(0)
    if (found := _CONDITION.fullmatch(word)) and found[1].lower() in fields:
        return Condition(_compared(found[1].lower(), found[2], found[3], rest, fields), negated)
    if word.lower() in fields and rest:
        if rest[0].lower() == AMONG:
            rest.pop(0)
            return Condition(_compared(word.lower(), AMONG, "", rest, fields), negated)
        if found := _OPERATOR.fullmatch(rest[0]):
            rest.pop(0)
            return Condition(_compared(word.lower(), found[1], found[2], rest, fields), negated)
    key = word.upper()
    if older is not None:
        if key.startswith("NOT-"):
            key, negated = key.removeprefix("NOT-"), not negated
        if (holds := older(key, rest)) is not None:
            return Condition(holds, negated)
    if word.lower() in fields:
        raise _needs(word)
    sentence = N_(
        "Unknown filter {key}. A filter is FIELD OPERATOR VALUE, such as idle>5m, user=ana or address in 10.0.0.0/8; "
        "fields are {choices}, operators = != < > ~ in, and not before one turns it round."
    )
    raise CommandError(sentence, key=printable(key, WORD_CHARACTERS), choices=", ".join(fields))


def _compared(
    name: str, operator: str, text: str, rest: list[str], fields: Mapping[str, Field[T]]
) -> Callable[[T, float], bool]:
    """Return what compares a field with the value that is `text`, or the next of the words."""
    kind, read = fields[name].kind, fields[name].read
    if operator not in kind.operators:
        known = " ".join(kind.operators)
        sentence = N_("Filter {field} takes {operators}, not {operator}.")
        raise CommandError(sentence, field=name, operators=known, operator=operator)
    if not text:
        if not rest:
            raise _needs(name)
        text = rest.pop(0)
    texts = _among(text, rest, name) if operator == AMONG else [text]
    try:
        wanted = (text,) if operator == HOLDS else tuple(map(kind.read, texts))  # a part of a value is none itself
    except ValueError:
        choices = ", ".join(kind.choices) if isinstance(kind, Word) else ""
        raise CommandError(kind.takes, field=name, choices=choices) from None
    return lambda one, now: kind.holds(operator, read(one, now), wanted)


def _among(text: str, rest: list[str], name: str) -> list[str]:
    """Return the values of `ana,bob`, also with blanks between them, and with brackets around them."""
    while text.endswith(",") or (text.startswith("(") and not text.endswith(")")) or (rest and rest[0].startswith(",")):
        if not rest:
            raise _needs(name)
        text += rest.pop(0)
    bare = text[1:-1] if text.startswith("(") else text
    found = [one.strip() for one in bare.split(",", MOST_CONDITIONS)]
    if len(found) > MOST_CONDITIONS:
        raise CommandError(N_("A condition has at most {limit} values."), limit=MOST_CONDITIONS)
    return found


def _needs(word: str) -> CommandError:
    return CommandError(N_("Filter {key} needs a value."), key=printable(word, WORD_CHARACTERS))


def candidates(
    typed: str, fields: Mapping[str, Field[T]], values: Callable[[str], Iterable[str]]
) -> list[str | tuple[str, str]]:
    """Return what may stand where a word of a filter is typed: a field with an operator, or with one and a value.

    With a field there is, behind it, which operators it takes.

    Args:
        typed: the word so far.
        fields: by name.
        values: those that a field of that name has now.
    """
    if (found := _CONDITION.fullmatch(typed)) is None:
        begun = typed.lower()
        words = [(f"{name}{EQUAL}", " ".join(field.kind.operators)) for name, field in fields.items()]
        return [(word, told) for word, told in (*words, ("not", "")) if word.startswith(begun)]
    name, operator, begun = found.groups()
    field = fields.get(name.lower())
    if field is None or operator not in field.kind.operators:
        return []
    known = field.kind.choices if isinstance(field.kind, Word) else values(name.lower())
    return [f"{name}{operator}{value}" for value in known if value.lower().startswith(begun.lower())]
