"""What `[commands.NAME]` in the configuration says, checked before anything starts."""

from __future__ import annotations

import re
import typing
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field
from msgspec.structs import replace

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.sentence import Sentence
from secure_server.commands.command import LONGEST_TIMEOUT
from secure_server.commands.conversion import Convert, integer, number, one_of, raw, text
from secure_server.commands.options import OnRevoked, WhenBusy
from secure_server.commands.parameter import ARGUMENT_BYTES, Argument, Parameter
from secure_server.commands.pattern import PatternError
from secure_server.commands.placeholders import PLACEHOLDER, names_in
from secure_server.commands.programs.surroundings import (
    VARIABLE,
    FromFile,
    Limits,
    problems_in,
    problems_of,
)
from secure_server.commands.signature import Signature, SignatureError
from secure_server.config.bounds import Line
from secure_server.config.quantities import Duration, Size, decode

INHERITED = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "TZ", "USER")
"""What a program gets of the server's environment unless its declaration says otherwise; no secret has such a name."""
LONGEST_ARGUMENT = Size(64 * 1024)
"""The most that an argument may be declared to have; Linux gives a program no entry of an argv beyond 128 KB."""
Entry = Annotated[str, Meta(pattern=r"\A[^\x00]*\Z", max_length=65536)]


T = TypeVar("T", bound=Struct)


class DeclarationError(Exception):
    """A declared command cannot be used; one sentence says which key, what was found and what is allowed."""


class DeclaredArgument(Struct, frozen=True, forbid_unknown_fields=True):
    """`arguments.NAME = { … }`."""

    type: Literal["str", "int", "float"] = "str"
    choices: tuple[Line, ...] = ()
    pattern: Line = ""
    minimum: int | float | None = None
    maximum: int | float | None = None
    optional: bool = False
    default: str | int | float | None = None
    variadic: bool = False
    dash: bool = False
    longest: Size | None = None
    unicode_controls: bool = False
    secret: bool = False
    file: bool = False
    summary: Line = ""


class Declaration(Struct, frozen=True, forbid_unknown_fields=True):
    """`[commands.NAME]`. Once read, `arguments`, `environment` and `limits` have types of their own."""

    run: Annotated[tuple[Entry, ...], Meta(min_length=1)]
    arguments: dict[str, typing.Any] = field(default_factory=dict)
    summary: Line = ""
    role: Literal["user", "operator", "admin"] = "user"
    idempotent: bool = False
    timeout: Duration | None = None
    max_output: Size = Size(8 * 1024 * 1024)
    exit_codes: tuple[Annotated[int, Meta(ge=0, le=255)], ...] = (0,)
    stderr: Literal["merge", "drop"] = "merge"
    directory: Line = ""
    inherit: tuple[Line, ...] = INHERITED
    confirm: Line = ""
    danger: bool = False
    group: Line = ""
    example: Line = ""
    environment: dict[str, typing.Any] = field(default_factory=dict)
    stdin: Entry = ""
    run_as: Line = ""
    umask: Line = ""
    nice: int = 0
    limits: typing.Any = field(default_factory=dict)
    job: bool = False
    max_running: Annotated[int, Meta(ge=1)] | None = None
    when_busy: WhenBusy = "refuse"
    lock: Line = ""
    on_revoked: OnRevoked = "stop"
    notify: tuple[Line, ...] = ()
    internal: bool = False

    @property
    def templates(self) -> dict[str, str]:
        """By its key, each text besides `run` in which arguments may stand."""
        texts = {f".environment.{key}": text for key, text in self.environment.items() if isinstance(text, str)}
        return {".stdin": self.stdin, **texts}

    def is_body(self, key: str) -> bool:
        """Whether an argument is the whole standard input and nothing else, and so may be any bytes."""
        item = self.arguments[key]
        elsewhere = (*self.run, *(text for text in self.environment.values() if isinstance(text, str)))
        used = any(key in names_in(text) for text in elsewhere)
        return self.stdin == f"{{{key}}}" and not used and item.type == "str" and not item.choices


def read(name: str, table: object) -> Declaration:
    """Read one command's table.

    Args:
        name: as in the file.
        table: what stands there.

    Raises:
        DeclarationError: a key or a value is not allowed, or they contradict each other.
    """
    where = f"commands.{name}"
    declaration = _convert(table, Declaration, where)
    arguments = declaration.arguments.items()
    declaration = replace(
        declaration,
        arguments={key: _convert(item, DeclaredArgument, f"{where}.arguments.{key}") for key, item in arguments},
        environment={
            key: item if isinstance(item, str) else _convert(item, FromFile, f"{where}.environment.{key}")
            for key, item in declaration.environment.items()
        },
        limits=_convert(declaration.limits, Limits, f"{where}.limits"),
    )
    if declaration.internal:  # the server's own words, such as an exit code of -9
        trusted = {key: replace(item, dash=True) for key, item in declaration.arguments.items()}
        declaration = replace(declaration, arguments=trusted)
    for problem in _problems(declaration):
        raise DeclarationError(Sentence("{where}{problem}.", where=where, problem=problem))
    return declaration


def signature(name: str, declaration: Declaration) -> Signature:
    """Return how peers call it.

    Raises:
        DeclarationError: an argument makes no sense.
    """
    try:
        parameters = [
            _parameter(key, item, body=declaration.is_body(key)) for key, item in declaration.arguments.items()
        ]
        return Signature.of(parameters)
    except SignatureError as error:
        raise DeclarationError(Sentence("commands.{name}.arguments: {error}.", name=name, error=error)) from None


_WORDS = {
    "array": "a list",
    "object": "a table",
    "str": "text",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
}
"""What msgspec calls a type, and what people do."""


def _convert(table: object, kind: type[T], where: str) -> T:
    try:
        return msgspec.convert(table, kind, dec_hook=decode)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        key = printable(path.rstrip("`"), 60)
        raise DeclarationError(
            Sentence(
                "{where}{key}: {problem}.", where=printable(where, 80), key=key, problem=_plain(problem, kind, key)
            )
        ) from None


def _plain(problem: str, kind: type[Struct], key: str) -> str:
    """Say in words what msgspec says in its types."""
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", problem, re.DOTALL):
        return Sentence(
            "unknown key {key}; allowed are {names}",
            key=printable(unknown[1], 60),
            names=", ".join(sorted(kind.__struct_fields__)),
        )
    if missing := re.fullmatch(r"Object missing required field `(.*)`", problem):
        if kind is not Declaration:
            return Sentence("{missing} is missing", missing=missing[1])
        return Sentence("{missing} is missing: a list of the program and its arguments", missing=missing[1])
    if problem.startswith("Invalid enum value"):
        choices = typing.get_args(typing.get_type_hints(kind)[key.removeprefix(".")])
        return Sentence(
            "expected {names}, found{found}",
            names=", ".join(map(repr, choices)),
            found=problem.removeprefix("Invalid enum value"),
        )
    if "matching regex" in problem:
        return Sentence("expected text without control characters")
    problem = re.sub(r"`(\w+)(?: \| null)?`", lambda match: _WORDS.get(match[1], match[1]), problem).replace(
        "got", "found"
    )
    return printable(problem[:1].lower() + problem[1:].replace("of length >= 1", "that is not empty"), 200)


def _problems(declaration: Declaration) -> list[Sentence]:
    """Find what single types cannot say."""
    run, arguments = declaration.run, declaration.arguments
    found = [name for entry in run for name in names_in(entry)]
    besides = [(where, name) for where, text in declaration.templates.items() for name in names_in(text)]
    program = run[0]
    problems = [
        Sentence(".arguments.{key}: {problem}", key=key, problem=problem)
        for key, item in arguments.items()
        for problem in _contradictions(key, item, body=declaration.is_body(key))
    ]
    problems += [
        Sentence("{where}: {{{key}}} is not declared; add arguments.{key}", where=where, key=key)
        for where, key in [(".run", key) for key in found] + besides
        if key not in arguments
    ]
    problems += [
        Sentence(".arguments.{key}: nothing uses it; write {{{key}}} in run, stdin or environment", key=key)
        for key in arguments
        if key not in found and key not in [name for _, name in besides]
    ]
    problems += [
        Sentence(
            ".run: {{{key}}} is secret, and whoever is on this machine can read what programs are started with; "
            "give it by stdin or environment",
            key=key,
        )
        for key, item in arguments.items()
        if item.secret and key in found
    ]
    problems += [
        Sentence("{where}: {{{key}}} takes several arguments, so it belongs to run", where=where, key=key)
        for where, key in besides
        if key in arguments and arguments[key].variadic
    ]
    if PLACEHOLDER.search(program) or not program:
        problems.append(Sentence(".run: the program must stand there itself; a peer may not choose it"))
    elif "/" in program and not program.startswith("/"):
        problems.append(
            Sentence(
                ".run: {program} is relative; write the whole path, or a name to be found in PATH", program=program
            )
        )
    for key, item in arguments.items():
        if item.variadic and any(f"{{{key}}}" in entry and entry != f"{{{key}}}" for entry in run):
            problems.append(Sentence(".run: {{{key}}} takes several arguments, so it must stand alone", key=key))
    if declaration.timeout is not None and not 0 <= declaration.timeout <= LONGEST_TIMEOUT:
        problems.append(
            Sentence(
                ".timeout: expected at most {most}, or 0 for none, found {timeout}",
                most=Duration(LONGEST_TIMEOUT),
                timeout=declaration.timeout,
            )
        )
    for variable in (*declaration.inherit, *declaration.environment):
        if not VARIABLE.fullmatch(variable):
            problems.append(Sentence(".environment: {variable!r} is no name of a variable", variable=variable))
    problems += problems_in(declaration.environment)
    problems += problems_of(declaration.run_as, declaration.umask, declaration.nice, declaration.limits)
    return problems


def _contradictions(key: str, item: DeclaredArgument, *, body: bool) -> list[Sentence]:
    problems = []
    if not PLACEHOLDER.fullmatch(f"{{{key}}}"):
        problems.append(Sentence("a name has small letters, digits and _, and a letter first"))
    bounded = item.minimum is not None or item.maximum is not None
    if bounded and item.type == "str":
        problems.append(Sentence('minimum and maximum are for type = "int" or "float"'))
    if item.choices and (bounded or item.pattern or item.type != "str"):
        problems.append(Sentence("choices say it all; a type, a pattern or bounds beside them contradict that"))
    if item.longest is not None and not (item.longest >= 1 and (body or item.longest <= LONGEST_ARGUMENT)):
        problems.append(
            Sentence("longest: expected 1B to {most}, found {longest}", most=LONGEST_ARGUMENT, longest=item.longest)
        )
    if item.secret and (item.choices or item.default is not None):
        problems.append(Sentence("a secret has neither choices nor a default; clients are told those"))
    if item.variadic and item.default is not None:
        problems.append(Sentence("what may be repeated has no default"))
    if any(choice.startswith("-") for choice in item.choices) and not item.dash:
        problems.append(Sentence("a choice begins with -; allow that with dash = true"))
    return problems


def _parameter(key: str, item: DeclaredArgument, *, body: bool) -> Parameter:
    longest = item.longest if item.longest is not None or body else Size(ARGUMENT_BYTES)
    more = Argument(
        summary=item.summary,
        minimum=item.minimum,
        maximum=item.maximum,
        pattern=item.pattern,
        longest=None if longest is None else int(longest),
        secret=item.secret,
        file=item.file,
        body=body,
    )
    if item.minimum is not None and item.maximum is not None and item.minimum > item.maximum:
        raise SignatureError(
            Sentence(
                "{key}: its minimum {minimum} is more than its maximum {maximum}",
                key=key,
                minimum=item.minimum,
                maximum=item.maximum,
            )
        )
    converts: dict[str, Convert] = {"str": raw if body else text, "int": integer, "float": number}
    try:
        parameter = Parameter(
            name=key,
            type="bytes" if body else item.type,
            convert=one_of({choice: choice for choice in item.choices}) if item.choices else converts[item.type],
            choices=item.choices,
            required=not item.optional and item.default is None,
            variadic=item.variadic,
            default="" if item.default is None else str(item.default),
            more=more,
        )
    except PatternError as error:
        raise SignatureError(Sentence("{key}: {problem}", key=key, problem=error)) from None
    if item.default is not None:
        try:
            parameter.read(parameter.default.encode())
        except CommandError as error:
            raise SignatureError(
                Sentence("its default is not allowed: {why}", why=error.sentence().rstrip("."))
            ) from None
    return parameter
