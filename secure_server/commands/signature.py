"""What a handler's Python signature says: arguments, types, choices, and how to call it with what a peer sent."""

from __future__ import annotations

import collections.abc
import enum
import inspect
import itertools
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self, Union

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.replies import ReplyKind, Table, Timestamp
from secure_protocol.sentence import Sentence
from secure_server.commands.conversion import (
    Convert,
    boolean,
    choices_of,
    duration,
    integer,
    moment,
    number,
    one_of,
    raw,
    text,
    written,
)
from secure_server.commands.parameter import MASK, SHOWN_CHARACTERS, Argument, Parameter
from secure_server.commands.pattern import PatternError
from secure_server.i18n import N_


class SignatureError(TypeError):
    """A handler's signature cannot be a command's; said at start, to the operator."""


class Signature:
    """How to call a handler.

    The handler's first parameter is the context. Positional parameters are arguments in order, `*rest` takes all that
    follow, keyword-only ones are flags.

    Args:
        handler: the function.
        summaries: a sentence for a parameter, by its name.

    Attributes:
        parameters: in the order of the handler's.
        counts: the least and the most arguments, flags apart.
        raw: arguments go to the handler as they came.
        secret: an argument is a secret.
        withheld: an argument may not be shown as it came.

    Raises:
        SignatureError: a parameter has no type, or one that no argument can have.
    """

    def __init__(self, handler: Callable[..., object], summaries: Mapping[str, str] | None = None) -> None:
        self._arrange(_parameters(handler, dict(summaries or {})))

    @classmethod
    def of(cls, parameters: Sequence[Parameter]) -> Self:
        """Return the signature with these arguments, in order; for a handler that has none of its own.

        Raises:
            SignatureError: it would not be clear which argument is which.
        """
        made = cls.__new__(cls)
        made._arrange(parameters)  # noqa: SLF001 - its own
        return made

    def _arrange(self, parameters: Sequence[Parameter]) -> None:
        self.parameters = tuple(parameters)
        in_order = [item for item in self.parameters if not item.flag]
        self._positional = [item for item in in_order if not item.variadic]
        self._variadic = next((item for item in in_order if item.variadic), None)
        self._flags = {f"--{item.shown}".encode(): item for item in self.parameters if item.flag}
        self._least = sum(item.required for item in in_order)
        self.counts = (self._least, float("inf") if self._variadic is not None else len(self._positional))
        self.raw = all(item.raw for item in self.parameters) and not self._flags
        self.secret = any(item.more.secret for item in self.parameters)
        self.withheld = self.secret or any(item.more.body for item in self.parameters)
        for earlier, later in itertools.pairwise(in_order):
            if earlier.variadic:
                raise SignatureError(
                    Sentence(
                        "{name} takes all that follow, so {other} must stand before it",
                        name=earlier.name,
                        other=later.name,
                    )
                )
            if later.required and not earlier.required:
                raise SignatureError(
                    Sentence(
                        "{name} is required, so {other} before it cannot be left out",
                        name=later.name,
                        other=earlier.name,
                    )
                )

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
            raise self._wrong_number(name, len(arguments))
        if self.raw:
            return list(arguments), flags
        values = [item.read(given) for item, given in zip(self._positional, arguments, strict=False)]
        if self._variadic is not None:
            values += [self._variadic.read(given) for given in arguments[len(self._positional) :]]
        return values, flags

    def words(self, values: Sequence[object], flags: Mapping[str, object]) -> dict[str, tuple[bytes, ...]]:
        """Return the words for what `bind` returned, by the parameters' names.

        A value has one word, however the peer wrote it, also where it was left out and is the default; what was left
        out and has none, has no word.
        """
        first = len(self._positional)
        given: dict[str, Sequence[object]] = {
            **{item.name: [value] for item, value in zip(self._positional, values, strict=False)},
            **({self._variadic.name: values[first:]} if self._variadic is not None else {}),
            **{name: [value] for name, value in flags.items()},
        }
        return {
            item.name: tuple(map(_word, given[item.name] if item.name in given else item.defaults()))
            for item in self.parameters
        }

    def placed(self, arguments: list[bytes]) -> list[tuple[bytes, Parameter | None]]:
        """Return each argument of a request that `bind` takes, with what it is for; None for the name of an option."""
        rest = iter(arguments)
        positional = itertools.chain(self._positional, itertools.repeat(self._variadic))
        found: list[tuple[bytes, Parameter | None]] = []
        flags = self._flags
        for given in rest:
            if flags and given == b"--":
                found.append((given, None))
                flags = {}
            elif flags and given.startswith(b"--"):
                name, equals, _ = given.partition(b"=")
                parameter = flags[name]
                found.append((given, parameter if equals else None))
                if not equals and parameter.type != "bool":
                    found.append((next(rest), parameter))
            else:
                found.append((given, next(positional)))
        return found

    def syntax(self, name: str) -> str:
        """Return the whole command as a person reads it, such as `KICK id [reason …]`."""
        return " ".join([name, *(item.describe(str).syntax for item in self.parameters)])

    def _wrong_number(self, name: str, given: int) -> CommandError:
        """Begins as Redis says it, for clients look for that."""
        if given >= self._least:
            sentence, missing = N_("wrong number of arguments for '{command}' command: too many; write {syntax}"), ""
        else:
            required = [item.shown for item in self.parameters if item.required and not item.flag]
            sentence = N_("wrong number of arguments for '{command}' command: {missing} is missing; write {syntax}")
            missing = required[given]
        return CommandError(sentence, command=name.lower(), missing=missing, syntax=self.syntax(name))

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
                    given=MASK if self.secret else printable(name, SHOWN_CHARACTERS),  # it may be one that begins so
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


def _word(value: object) -> bytes:
    return value if isinstance(value, bytes) else written(value).encode("utf-8", "surrogatepass")


def returned(handler: Callable[..., object]) -> ReplyKind:
    """Return the kind of reply that a handler's signature promises: the one for its return type.

    The types must be readable, as `Signature` finds out.
    """
    promised = typing.get_type_hints(handler).get("return")
    if inspect.isgeneratorfunction(handler) or typing.get_origin(promised) in _STREAMS:
        return ReplyKind.STREAM
    return _KINDS.get(promised, ReplyKind.TEXT)


_STREAMS = (collections.abc.Iterator, collections.abc.Generator)
_KINDS: dict[object, ReplyKind] = {Table: ReplyKind.TABLE, Timestamp: ReplyKind.TIMESTAMP}


def _parameters(handler: Callable[..., object], summaries: Mapping[str, str]) -> list[Parameter]:
    name = getattr(handler, "__qualname__", repr(handler))
    try:
        hints = typing.get_type_hints(handler, include_extras=True)
        context, *parameters = inspect.signature(handler).parameters.values()
    except (NameError, AttributeError, TypeError) as error:  # what only a type checker imports is not there
        raise SignatureError(Sentence("{name}: its types cannot be read: {error}", name=name, error=error)) from None
    except ValueError:
        raise SignatureError(Sentence("{name}: a handler's first parameter is the context", name=name)) from None
    if context.kind not in (context.POSITIONAL_ONLY, context.POSITIONAL_OR_KEYWORD):
        raise SignatureError(Sentence("{name}: a handler's first parameter is the context", name=name))
    if unknown := summaries.keys() - {item.name for item in parameters}:
        raise SignatureError(
            Sentence("{name}: there is no parameter {names} to describe", name=name, names=", ".join(sorted(unknown)))
        )
    return [_parameter(item, hints, name, summaries.get(item.name, "")) for item in parameters]


def _parameter(item: inspect.Parameter, hints: dict[str, Any], handler: str, summary: str) -> Parameter:
    if item.kind is inspect.Parameter.VAR_KEYWORD or item.name not in hints:
        raise SignatureError(
            Sentence(
                "{handler}: parameter {name} needs a type that an argument can have", handler=handler, name=item.name
            )
        )
    if item.kind is inspect.Parameter.KEYWORD_ONLY and item.default is inspect.Parameter.empty:
        raise SignatureError(
            Sentence(
                "{handler}: the option {name} needs a default: it may be left out", handler=handler, name=item.name
            )
        )
    hint, more = _annotated(hints[item.name], Argument())
    try:
        name, convert, choices = _conversion(hint)
    except (KeyError, TypeError):  # TypeError: it cannot even be looked up
        raise SignatureError(
            Sentence(
                "{handler}: no argument can be {hint!r} (parameter {name})", handler=handler, hint=hint, name=item.name
            )
        ) from None
    where = f"{handler}: parameter {item.name}"
    _check(more, name, where)
    flag = item.kind is inspect.Parameter.KEYWORD_ONLY
    default = None if item.default is inspect.Parameter.empty or (flag and item.default is False) else item.default
    try:
        return Parameter(
            name=item.name,
            type=name,
            convert=convert,
            choices=choices,
            required=item.default is inspect.Parameter.empty and item.kind is not inspect.Parameter.VAR_POSITIONAL,
            variadic=item.kind is inspect.Parameter.VAR_POSITIONAL,
            flag=flag,
            default=written(default),
            more=replace(more, summary=summary or more.summary),
        )
    except PatternError as error:
        raise SignatureError(Sentence("{where}: {problem}", where=where, problem=error)) from None


def _annotated(hint: Any, more: Argument) -> tuple[Any, Argument]:  # noqa: ANN401 - a type hint can be anything
    """Take `Annotated` and `None` off a type, in whichever order they stand."""
    if typing.get_origin(hint) is Annotated:
        inner, *extras = typing.get_args(hint)
        return _annotated(inner, next((item for item in extras if isinstance(item, Argument)), more))
    if typing.get_origin(hint) in (Union, types.UnionType):
        rest = [part for part in typing.get_args(hint) if part is not types.NoneType]
        return _annotated(rest[0], more) if len(rest) == 1 else (hint, more)
    return hint, more


def _check(more: Argument, kind: str, where: str) -> None:
    """Raise a SignatureError where bounds make no sense."""
    if not (more.minimum is None and more.maximum is None) and kind not in ("int", "float", "duration"):
        raise SignatureError(
            Sentence(
                "{where}: only an int, a float or a duration has bounds, and it is a {kind}", where=where, kind=kind
            )
        )
    if more.minimum is not None and more.maximum is not None and more.minimum > more.maximum:
        raise SignatureError(
            Sentence(
                "{where}: its minimum {minimum} is more than its maximum {maximum}",
                where=where,
                minimum=more.minimum,
                maximum=more.maximum,
            )
        )
    if more.longest is not None and more.longest < 1:
        raise SignatureError(
            Sentence(
                "{where}: the longest argument has {longest} bytes, so that none fits",
                where=where,
                longest=more.longest,
            )
        )


def _conversion(hint: Any) -> tuple[str, Convert, tuple[str, ...]]:  # noqa: ANN401 - as above
    """Return what clients are told of a type, how to read it, and its choices; KeyError where no argument can be it."""
    if typing.get_origin(hint) is Literal:
        values = typing.get_args(hint)
        if not all(isinstance(value, str | int) for value in values):
            raise KeyError(hint)
        words: dict[str, object] = {written(value): value for value in values}
        return "str", one_of(words), tuple(words)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        words = choices_of(hint)
        return "str", one_of(words), tuple(words)
    name, convert = _CONVERSIONS[hint]
    return name, convert, ()


_CONVERSIONS: dict[type, tuple[str, Convert]] = {
    str: ("str", text),
    bytes: ("bytes", raw),
    int: ("int", integer),
    float: ("float", number),
    bool: ("bool", boolean),
    datetime: ("datetime", moment),
    timedelta: ("duration", duration),
}
