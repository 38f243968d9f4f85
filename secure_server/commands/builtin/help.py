"""What may I do? HELP for people, COMMANDS for programs. A caller sees what the gate would let through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from secure_protocol import text_replies
from secure_protocol.description import ArgumentDescription
from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.replies import Encoded, ReplyKind
from secure_server.commands.builtin.services import services
from secure_server.commands.command import Command, command
from secure_server.commands.context import Context
from secure_server.i18n import N_, Translate
from secure_server.session.codecs import Codec

GROUP = N_("Help")

Row = tuple[str, str, str]

COLUMNS: Row = ("command", "role", "summary")
"""Of `COMMANDS` for people."""


def _words(context: Context, _typed: str) -> Iterator[str]:
    """Every word of a command's name, for those who are typing it."""
    return (word for item in _listed(context) for word in item.name.split(" "))


@command(
    "HELP",
    audit=False,
    about_session=True,
    summary=N_("List the commands, or explain one."),
    inline=True,
    idempotent=True,
    reply=ReplyKind.LINES,
    complete={"command": _words},
    example="exit",
)
def help_(context: Context, *command: str) -> Encoded | list[str]:
    """Explain."""
    if not command:
        return _overview(context)
    name = " ".join(command)
    found = services(context).command_named(name)
    if found is None or not context.may_run(found):
        raise CommandError(N_("There is no command {name} for you; HELP lists them."), name=printable(name.upper(), 40))
    described = found.describe(context.translate)
    lines = [described.syntax, described.summary]
    lines += [line for item in described.arguments if (line := _explain(context, item))]
    if described.example:
        line = f"{described.name} {described.example}"
        lines.append(context.translate("For example: {line}").format(line=line))
    if described.role:
        lines.append(context.translate("Role: {role}").format(role=described.role))
    return lines


@command(
    "COMMANDS",
    audit=False,
    about_session=True,
    summary=N_("Describe the commands to a program."),
    inline=True,
    idempotent=True,
    reply=ReplyKind.LINES,
    hidden=True,
)
def commands(context: Context) -> Encoded:
    """Return all that a client needs to complete, hint and render."""
    if context.session.codec.for_people:
        return _table(context)
    wires = services(context).catalogue.kept(_wire, context.session)
    return context.session.codec.array([wires[item] for item in _listed(context)])


def _listed(context: Context) -> list[Command]:
    return [item for item in services(context).catalogue.listed if context.may_run(item)]


def _wire(codec: Codec, translate: Translate, item: Command) -> bytes:
    return codec.item(item.describe(translate).to_wire())


def _overview(context: Context) -> Encoded:
    """A line for each command: its syntax, in a column as wide as the widest, and its summary."""
    catalogue, session, shown = services(context).catalogue, context.session, _listed(context)
    widths = catalogue.kept(_width, session)
    lines = catalogue.kept(_Line(max([widths[item] for item in shown])), session)
    return session.codec.array([lines[item] for item in shown])


def _width(_codec: Codec, translate: Translate, item: Command) -> int:
    return len(item.describe(translate).syntax)


@dataclass(frozen=True, slots=True)
class _Line:
    """What `HELP` says of a command, its syntax padded."""

    width: int

    def __call__(self, codec: Codec, translate: Translate, item: Command) -> bytes:
        described = item.describe(translate)
        return codec.item(f"{described.syntax.ljust(self.width)}  {described.summary}")


def _table(context: Context) -> Encoded:
    """What `COMMANDS` says to a person: the bytes of a `Table`."""
    catalogue, session, shown = services(context).catalogue, context.session, _listed(context)
    cells = catalogue.kept(_cells, session)
    syntaxes, roles, _ = zip(COLUMNS, *[cells[item] for item in shown], strict=True)
    row = _Row((max(map(len, syntaxes)), max(map(len, roles)), 0))  # nothing is to the right of the last one
    rows = catalogue.kept(row, session)
    return session.codec.array([row.line(COLUMNS), *[rows[item] for item in shown]])


def _cells(_codec: Codec, translate: Translate, item: Command) -> Row:
    described = item.describe(translate)
    syntax, role, summary = map(text_replies.cell, (described.syntax, described.role, described.summary))
    return syntax, role, summary


@dataclass(frozen=True, slots=True)
class _Row:
    """The row of a command in a table for people, its cells padded."""

    widths: tuple[int, int, int]

    def __call__(self, codec: Codec, translate: Translate, item: Command) -> bytes:
        return self.line(_cells(codec, translate, item))

    def line(self, cells: Row) -> bytes:
        """Return the line that shows `cells`."""
        return text_replies.stuffed([text_replies.row(cells, self.widths)])


def _explain(context: Context, item: ArgumentDescription) -> str:
    """What the syntax does not say of an argument, on one line; empty where that is nothing."""
    low, high = item.minimum, item.maximum
    details = [item.type] if item.type not in ("str", "bytes", "bool") else []
    details += [f"{'' if low is None else low}…{'' if high is None else high}"] if (low, high) != (None, None) else []
    details += [item.pattern] if item.pattern else []
    if item.default:
        details.append(context.translate("default: {value}").format(value=item.default))
    said = " ".join([item.summary, f"({', '.join(details)})" if details else ""]).strip()
    return f"  {item.name}: {said}" if said else ""
