"""What `COMMANDS` says of a command: all that a client needs to complete, hint and render it.

Its annotations are no strings, as elsewhere: of a NamedTuple, each of those would be compiled at each start.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple, Self

from secure_protocol.replies import ReplyKind

PLACEHOLDER = r"\{\{([^\W\d][\w-]*)\}\}|\{([^\W\d][\w-]*)\}"
"""In `confirm`: `{name}` is replaced, `{{name}}` means `{name}` itself; other braces mean nothing. Compiled where it is
used, for few commands have one."""
SERVER = "server"
"""The placeholder that is no argument: what the client's user calls the server."""
SHOWN = "shown"
"""The option that tells a command with a `preview` what its client's user was shown and agreed to: the first column of
that table, joined by commas."""
YES = "yes"
"""The option, of whichever command has it, that says yes to what would be asked."""
COMMANDS_CHANGED = "commands-changed"
"""The push by which a server says that what the client may run is not what `COMMANDS` said last."""


class ArgumentDescription(NamedTuple):
    """One argument of a command.

    Attributes:
        name: as shown in the syntax.
        type: `str`, `bytes`, `int`, `float`, `bool`, `datetime`, `duration`, …
        choices: the only values allowed, or empty.
        optional: may be left out.
        variadic: may be repeated.
        flag: given as `--name value` (or `--name` alone for a `bool`).
        summary: one sentence, or empty.
        default: what is so where it is left out, as one would write it; empty where there is nothing to say.
        minimum: the lowest number allowed, of a duration in seconds; None where there is no bound.
        maximum: the highest, likewise.
        pattern: a regular expression that the whole argument matches, or empty.
        secret: it is shown, logged and kept nowhere.
        file: it may be long, such as a file; a client offers to read one.
    """

    name: str
    type: str = "str"
    choices: tuple[str, ...] = ()
    optional: bool = False
    variadic: bool = False
    flag: bool = False
    summary: str = ""
    default: str = ""
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""
    secret: bool = False
    file: bool = False

    @property
    def syntax(self) -> str:
        """As a person reads it: `text`, `[text]`, `[text …]`, `[--force]`, `web|worker`."""
        value = "|".join(self.choices) or self.name
        if self.flag:
            value = f"--{self.name}" if self.type == "bool" else f"--{self.name} {value}"
        if self.variadic:
            value += " …"
        return f"[{value}]" if self.optional else value


class CommandDescription(NamedTuple):
    """One command, for the caller's role.

    Attributes:
        name: upper case; two words for a subcommand.
        summary: one sentence in the session's language.
        role: the least role that may run it; empty where none is needed.
        arguments: in order.
        idempotent: running it twice does what running it once does, so a client may send it again.
        reply: how to show the answer.
        form: wording around a one-line answer, such as `ECHO: {}`.
        columns: of a table, in order.
        empty: what a person is told instead of an empty table.
        unmatched: likewise, where arguments chose its rows and chose none: wording around `{count}`, how many there are
            without them, and `{given}`, the arguments.
        pages: of a table that may be long, the column by which it goes on: a client that shows it to a person asks for
            its first rows with `--limit`, and for those that follow with `--after` and the last row's value of it.
            Empty where all of it is asked for at once.
        minor: columns that a narrow terminal can do without, those first that are missed least.
        confirm: what a client asks its user before it sends the command, with `{argument}` for arguments and `{server}`
            for the server; advice, for nothing holds a client to it.
        danger: it may do harm, so that a client asks the harder.
        preview: the name of a command that takes the same arguments and answers what this one would choose: a table
            whose first column tells its rows apart, or nothing where there is nothing to ask about. The client shows it
            with its question, and sends the command with `--shown`, so that what came meanwhile is not chosen.
        job: each run of it is a job, which goes on without the connection.
        group: the subject under which lists of commands show it, in the session's language; empty for none.
        example: its arguments as one might type them, behind its name; empty where there is none.
    """

    name: str
    summary: str = ""
    role: str = ""
    arguments: tuple[ArgumentDescription, ...] = ()
    idempotent: bool = True
    reply: ReplyKind = ReplyKind.TEXT
    form: str = ""
    columns: tuple[str, ...] = ()
    empty: str = ""
    unmatched: str = ""
    pages: str = ""
    minor: tuple[str, ...] = ()
    confirm: str = ""
    danger: bool = False
    preview: str = ""
    job: bool = False
    group: str = ""
    example: str = ""

    @property
    def syntax(self) -> str:
        """The whole command as a person reads it, such as `ECHO [text …]`."""
        return " ".join([self.name, *(argument.syntax for argument in self.arguments)])

    def told_of_none(self, count: int, given: str) -> str:
        """What a person is told instead of an empty table.

        Args:
            count: how many rows it has without arguments.
            given: the arguments.
        """
        if not (given and self.unmatched):
            return self.empty
        # No str.format, see `text_replies.one_line`. The arguments last: they may hold braces.
        return self.unmatched.replace("{count}", str(count)).replace("{given}", given)

    def question(self, values: Mapping[str, str]) -> str:
        """What to ask before it is sent: `confirm` with its placeholders filled in; empty where there is none.

        Args:
            values: by the names of arguments, and `server`; what is not among them stays as it is.
        """
        # One pass, so that what looks like a placeholder in a value stays what it is.
        return re.sub(
            PLACEHOLDER, lambda found: f"{{{found[1]}}}" if found[1] else values.get(found[2], found[0]), self.confirm
        )

    def to_wire(self) -> dict[str, object]:
        """Return plain values for a reply; what is at its default is left out."""
        wire: dict[str, object] = {"name": self.name, "summary": self.summary, "role": self.role}
        wire["arguments"] = [_argument_to_wire(argument) for argument in self.arguments]
        wire["idempotent"] = self.idempotent
        wire["reply"] = str(self.reply)
        optional = {
            "form": self.form,
            "columns": list(self.columns),
            "empty": self.empty,
            "unmatched": self.unmatched,
            "pages": self.pages,
            "minor": list(self.minor),
            "confirm": self.confirm,
            "danger": self.danger,
            "preview": self.preview,
            "job": self.job,
            "group": self.group,
            "example": self.example,
        }
        return wire | {key: value for key, value in optional.items() if value}

    @classmethod
    def from_wire(cls, wire: object) -> Self:
        """Read one element of a `COMMANDS` reply, as a map or as RESP2's flat array.

        What a newer server adds is ignored, and an unknown reply kind is shown as lines.

        Raises:
            ValueError: it is no description.
        """
        fields = _mapping(wire)
        kind = str(fields.get("reply", ReplyKind.TEXT))
        return cls(
            name=_name(fields, "a command's"),
            summary=str(fields.get("summary", "")),
            role=str(fields.get("role", "")),
            arguments=tuple(_argument_from_wire(item) for item in _sequence(fields.get("arguments"))),
            idempotent=bool(fields.get("idempotent", False)),
            reply=ReplyKind(kind) if kind in set(ReplyKind) else ReplyKind.LINES,
            form=str(fields.get("form", "")),
            columns=tuple(map(str, _sequence(fields.get("columns")))),
            empty=str(fields.get("empty", "")),
            unmatched=str(fields.get("unmatched", "")),
            pages=str(fields.get("pages", "")),
            minor=tuple(map(str, _sequence(fields.get("minor")))),
            confirm=str(fields.get("confirm", "")),
            danger=bool(fields.get("danger", False)),
            preview=str(fields.get("preview", "")),
            job=bool(fields.get("job", False)),
            group=str(fields.get("group", "")),
            example=str(fields.get("example", "")),
        )


def _argument_to_wire(argument: ArgumentDescription) -> dict[str, object]:
    wire: dict[str, object] = {"name": argument.name, "type": argument.type}
    more = {
        "choices": list(argument.choices),
        "optional": argument.optional,
        "variadic": argument.variadic,
        "flag": argument.flag,
        "summary": argument.summary,
        "default": argument.default,
        "pattern": argument.pattern,
        "secret": argument.secret,
        "file": argument.file,
    }
    bounds = {"minimum": argument.minimum, "maximum": argument.maximum}
    wire |= {key: value for key, value in more.items() if value}
    return wire | {key: value for key, value in bounds.items() if value is not None}


def _argument_from_wire(wire: object) -> ArgumentDescription:
    fields = _mapping(wire)
    return ArgumentDescription(
        name=_name(fields, "an argument's"),
        type=str(fields.get("type", "str")),
        choices=tuple(map(str, _sequence(fields.get("choices")))),
        optional=bool(fields.get("optional", False)),
        variadic=bool(fields.get("variadic", False)),
        flag=bool(fields.get("flag", False)),
        summary=str(fields.get("summary", "")),
        default=str(fields.get("default", "")),
        minimum=_bound(fields.get("minimum")),
        maximum=_bound(fields.get("maximum")),
        pattern=str(fields.get("pattern", "")),
        secret=bool(fields.get("secret", False)),
        file=bool(fields.get("file", False)),
    )


_INTEGER = r"-?[0-9]{1,400}"
"""Fewer digits than Python refuses to convert."""


def _bound(wire: object) -> float | None:
    """Read a number; RESP2 has fractions, and integers beyond 64 bits, as text. What is none bounds nothing."""
    if isinstance(wire, int):
        return None if isinstance(wire, bool) else wire
    if isinstance(wire, str) and re.fullmatch(_INTEGER, wire):
        return int(wire)
    try:
        bound = float(wire) if isinstance(wire, float | str) else float("nan")
    except ValueError:
        return None
    return bound if abs(bound) < float("inf") else None  # nor a NaN


def _mapping(wire: object) -> dict[str, object]:
    items = _sequence(wire)
    pairs = wire.items() if isinstance(wire, dict) else zip(items[::2], items[1::2], strict=False)
    return {key: value for key, value in pairs if isinstance(key, str)}


def _name(fields: dict[str, object], whose: str) -> str:
    name = fields.get("name")
    if not name or not isinstance(name, str):
        raise ValueError(f"{whose} description has no name")
    return name


def _sequence(wire: object) -> list[object]:
    return list(wire) if isinstance(wire, list | tuple) else []
