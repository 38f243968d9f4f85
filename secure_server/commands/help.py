"""What may I do? HELP for people, COMMANDS for programs. A caller sees what the gate would let through."""

from __future__ import annotations

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.replies import ReplyKind, Table
from secure_server.commands.command import Command, command
from secure_server.commands.context import Context
from secure_server.i18n import N_


@command("HELP", summary=N_("List the commands, or explain one."), inline=True, idempotent=True, reply=ReplyKind.LINES)
def help_(context: Context, *command: str) -> list[str]:
    """Explain."""
    if not command:
        shown = [item.describe(context.translate) for item in _allowed(context) if not item.hidden]
        width = max(len(item.syntax) for item in shown)
        return [f"{item.syntax.ljust(width)}  {item.summary}" for item in shown]
    name = " ".join(command)
    found = context.services.command_named(name)
    if found is None or not context.may_run(found):
        raise CommandError(N_("There is no command {name} for you; HELP lists them."), name=printable(name.upper(), 40))
    described = found.describe(context.translate)
    lines = [described.syntax, described.summary]
    lines += [f"  {item.name}: {item.summary}" for item in described.arguments if item.summary]
    if described.role:
        lines.append(context.translate("Role: {role}").format(role=described.role))
    return lines


@command(
    "COMMANDS",
    summary=N_("Describe the commands to a program."),
    inline=True,
    idempotent=True,
    reply=ReplyKind.LINES,
    hidden=True,
)
def commands(context: Context) -> list[dict[str, object]] | Table:
    """Return all that a client needs to complete, hint and render."""
    shown = [item.describe(context.translate) for item in _allowed(context) if not item.hidden]
    if context.session.text:
        return Table(("command", "role", "summary"), [(item.syntax, item.role, item.summary) for item in shown])
    return [item.to_wire() for item in shown]


def _allowed(context: Context) -> list[Command]:
    return [item for item in context.services.commands() if context.may_run(item)]
