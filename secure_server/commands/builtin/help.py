"""What may I do? HELP for people, COMMANDS for programs. A caller sees what the gate would let through."""

from __future__ import annotations

from collections.abc import Iterator

from secure_protocol.description import ArgumentDescription
from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.replies import ReplyKind, Table
from secure_server.commands.builtin.services import services
from secure_server.commands.command import Command, command
from secure_server.commands.context import Context
from secure_server.i18n import N_


def _words(context: Context, _typed: str) -> Iterator[str]:
    """Every word of a command's name, for those who are typing it."""
    return (word for item in _allowed(context) if not item.hidden for word in item.name.split(" "))


@command(
    "HELP",
    audit=False,
    about_session=True,
    summary=N_("List the commands, or explain one."),
    inline=True,
    idempotent=True,
    reply=ReplyKind.LINES,
    complete={"command": _words},
)
def help_(context: Context, *command: str) -> list[str]:
    """Explain."""
    if not command:
        shown = [item.describe(context.translate) for item in _allowed(context) if not item.hidden]
        width = max(len(item.syntax) for item in shown)
        return [f"{item.syntax.ljust(width)}  {item.summary}" for item in shown]
    name = " ".join(command)
    found = services(context).command_named(name)
    if found is None or not context.may_run(found):
        raise CommandError(N_("There is no command {name} for you; HELP lists them."), name=printable(name.upper(), 40))
    described = found.describe(context.translate)
    lines = [described.syntax, described.summary]
    lines += [line for item in described.arguments if (line := _explain(context, item))]
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
def commands(context: Context) -> list[dict[str, object]] | Table:
    """Return all that a client needs to complete, hint and render."""
    shown = [item.describe(context.translate) for item in _allowed(context) if not item.hidden]
    if context.session.codec.for_people:
        return Table(("command", "role", "summary"), [(item.syntax, item.role, item.summary) for item in shown])
    return [item.to_wire() for item in shown]


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


def _allowed(context: Context) -> list[Command]:
    return [item for item in services(context).commands() if context.may_run(item)]
