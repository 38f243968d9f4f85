"""What a handler's Python signature says: arguments, types, choices, and how to call it with what a peer sent."""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Union

from secure_protocol.description import ArgumentDescription
from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_server.i18n import N_, Translate

Convert = Callable[[bytes], object]

SHOWN_CHARACTERS = 60
"""How much of a wrong argument an error repeats."""


class SignatureError(TypeError):
    """A handler's signature cannot be a command's; said at start, to the operator."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument.

    Attributes:
        name: as in the Python signature.
        type: as told to clients.
        convert: from what the peer sent; raises ValueError.
        choices: the only values allowed, or empty.
        required: must be given.
        variadic: takes all that follow.
        flag: `--name value`, or `--name` for a bool.
        summary: a sentence, or empty.
    """

    name: str
    type: str
    convert: Convert
    choices: tuple[str, ...] = ()
    required: bool = True
    variadic: bool = False
    flag: bool = False
    summary: str = ""

    def describe(self, translate: Translate) -> ArgumentDescription:
        """Return it as clients read it."""
        return ArgumentDescription(
            name=self.name.replace("_", "-"),
            type=self.type,
            choices=self.choices,
            optional=not self.required,
            variadic=self.variadic,
            flag=self.flag,
            summary=translate(self.summary) if self.summary else "",
        )

    def read(self, argument: bytes) -> object:
        """Convert one argument.

        Raises:
            CommandError: it cannot be; names the argument, what was given and what is allowed.
        """
        try:
            return self.convert(argument)
        except ValueError:
            given = printable(argument, SHOWN_CHARACTERS)
            if self.choices:
                template = N_("Argument {name}: {given} is not one of {choices}.")
                raise CommandError(template, name=self.name, given=given, choices=", ".join(self.choices)) from None
            template = N_("Argument {name}: {given} is not a valid {type}.")
            raise CommandError(template, name=self.name, given=given, type=self.type) from None


class Signature:
    """How to call a handler.

    The handler's first parameter is the context. Positional parameters are arguments in order, `*rest` takes all
    that follow, keyword-only ones are flags.

    Args:
        handler: the function.
        summaries: a sentence for a parameter, by its name.

    Raises:
        SignatureError: a parameter has no type, or one that no argument can have.
    """

    def __init__(self, handler: Callable[..., object], summaries: dict[str, str] | None = None) -> None:
        hints = typing.get_type_hints(handler)
        parameters = list(inspect.signature(handler).parameters.values())[1:]
        said = summaries or {}
        self.parameters = tuple(_parameter(item, hints, handler, said.get(item.name, "")) for item in parameters)
        self._positional = [item for item in self.parameters if not item.flag and not item.variadic]
        self._variadic = next((item for item in self.parameters if item.variadic), None)
        self._flags = {f"--{item.name.replace('_', '-')}".encode(): item for item in self.parameters if item.flag}
        self._least = sum(item.required for item in self._positional)
        self._raw = all(item.type == "bytes" for item in self.parameters) and not self._flags

    def bind(self, name: str, arguments: list[bytes]) -> tuple[list[object], dict[str, object]]:
        """Return what to call the handler with, after the context.

        Args:
            name: the command, for the error.
            arguments: as the peer sent them, without the command's name.

        Raises:
            CommandError: too many or too few, an unknown flag, or one that does not convert.
        """
        flags: dict[str, object] = {}
        if self._flags:
            arguments, flags = self._take_flags(arguments)
        if len(arguments) < self._least or (self._variadic is None and len(arguments) > len(self._positional)):
            raise CommandError(N_("wrong number of arguments for '{command}' command"), command=name.lower())
        if self._raw:
            return list(arguments), flags
        values = [item.read(given) for item, given in zip(self._positional, arguments, strict=False)]
        if self._variadic is not None:
            values += [self._variadic.read(given) for given in arguments[len(self._positional) :]]
        return values, flags

    def _take_flags(self, arguments: list[bytes]) -> tuple[list[bytes], dict[str, object]]:
        plain: list[bytes] = []
        flags: dict[str, object] = {}
        rest = iter(arguments)
        for given in rest:
            if given == b"--":
                plain += rest
                break
            if not given.startswith(b"--"):
                plain.append(given)
                continue
            name, equals, value = given.partition(b"=")
            parameter = self._flags.get(name)
            if parameter is None:
                known = ", ".join(sorted(flag.decode() for flag in self._flags))
                raise CommandError(
                    N_("Unknown option {given}; allowed are {choices}."),
                    given=printable(name, SHOWN_CHARACTERS),
                    choices=known,
                )
            if parameter.type == "bool" and not equals:
                flags[parameter.name] = True
                continue
            if not equals:
                try:
                    value = next(rest)
                except StopIteration:
                    raise CommandError(N_("Option {given} needs a value."), given=name.decode()) from None
            flags[parameter.name] = parameter.read(value)
        return plain, flags


def _parameter(
    item: inspect.Parameter, hints: dict[str, Any], handler: Callable[..., object], summary: str
) -> Parameter:
    if item.kind is inspect.Parameter.VAR_KEYWORD or item.name not in hints:
        raise SignatureError(f"{handler.__qualname__}: parameter {item.name} needs a type that an argument can have")
    if item.kind is inspect.Parameter.KEYWORD_ONLY and item.default is inspect.Parameter.empty:
        raise SignatureError(f"{handler.__qualname__}: the option {item.name} needs a default: it may be left out")
    hint = _without_none(hints[item.name])
    try:
        name, convert, choices = _conversion(hint)
    except KeyError:
        raise SignatureError(f"{handler.__qualname__}: no argument can be {hint!r} (parameter {item.name})") from None
    variadic = item.kind is inspect.Parameter.VAR_POSITIONAL
    return Parameter(
        name=item.name,
        type=name,
        convert=convert,
        choices=choices,
        required=item.default is inspect.Parameter.empty and not variadic,
        variadic=variadic,
        flag=item.kind is inspect.Parameter.KEYWORD_ONLY,
        summary=summary,
    )


def _without_none(hint: Any) -> Any:  # noqa: ANN401 - a type hint can be anything
    if typing.get_origin(hint) in (Union, types.UnionType):
        rest = [part for part in typing.get_args(hint) if part is not types.NoneType]
        return rest[0] if len(rest) == 1 else hint
    return hint


def _conversion(hint: Any) -> tuple[str, Convert, tuple[str, ...]]:  # noqa: ANN401 - as above
    if typing.get_origin(hint) is Literal:
        values = {str(value): value for value in typing.get_args(hint)}

        def choose(given: bytes) -> object:
            text = given.decode("utf-8").casefold()
            for choice, value in values.items():
                if choice.casefold() == text:
                    return value
            raise ValueError(text)

        return "str", choose, tuple(values)
    name, convert = _CONVERSIONS[hint]
    return name, convert, ()


def _boolean(given: bytes) -> bool:
    text = given.decode("utf-8").casefold()
    if text in ("yes", "true", "on", "1"):
        return True
    if text in ("no", "false", "off", "0"):
        return False
    raise ValueError(text)


def _integer(given: bytes) -> int:
    if len(given) > 20 or b"_" in given:
        raise ValueError("not a number a peer may send")
    return int(given)


def _number(given: bytes) -> float:
    number = float(given)
    if not math.isfinite(number) or b"_" in given:
        raise ValueError("not a number a peer may send")
    return number


_CONVERSIONS: dict[type, tuple[str, Convert]] = {
    str: ("str", lambda given: given.decode("utf-8")),
    bytes: ("bytes", lambda given: given),
    int: ("int", _integer),
    float: ("float", _number),
    bool: ("bool", _boolean),
}
