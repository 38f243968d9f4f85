"""Redis' COMMAND: what there is, in the shapes that its clients parse; `redis-cli` takes its hints from it."""

from __future__ import annotations

from typing import Literal

from secure_protocol.errors import CommandError
from secure_protocol.replies import ReplyKind, Status
from secure_server.auth.principal import Role
from secure_server.commands.builtin.services import services
from secure_server.commands.command import Command, command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Parameter
from secure_server.i18n import N_

Wire = dict[str, object]

TYPES = {"int": "integer", "float": "double"}
"""What Redis calls our types; all others are its `string`."""


@command(
    "COMMAND",
    audit=False,
    about_session=True,
    summary=N_("Describe the commands as Redis does."),
    inline=True,
    idempotent=True,
    hidden=True,
    reply=ReplyKind.LINES,
)
def command_(
    context: Context, subcommand: Literal["COUNT", "DOCS", "INFO", "LIST"] | None = None, *names: str
) -> object:
    """Answer `COMMAND`, `COMMAND COUNT`, `COMMAND DOCS [name …]`, `COMMAND INFO [name …]` or `COMMAND LIST`."""
    families = _families(context)
    if subcommand in ("COUNT", "LIST") and names:
        raise CommandError(N_("COMMAND {subcommand} takes no arguments."), subcommand=subcommand)
    if subcommand == "COUNT":
        return len(families)
    if subcommand == "LIST":
        return [name for family, members in families.items() for name in (family, *_subcommands(family, members))]
    wanted = [name.lower() for name in names]
    if subcommand == "DOCS":
        return {name: _docs(context, name, families[name]) for name in wanted or families if name in families}
    return [_info(name, families[name]) if name in families else None for name in wanted or families]


def _families(context: Context) -> dict[str, list[Command]]:
    """What the caller may run, by its first word in lower case, as Redis has it: `client` has subcommands."""
    families: dict[str, list[Command]] = {}
    for item in services(context).commands():
        if context.may_run(item):
            families.setdefault(item.name.partition(" ")[0].lower(), []).append(item)
    return families


def _subcommands(family: str, members: list[Command]) -> dict[str, Command]:
    """The members of a family under Redis' names: `client|list`."""
    return {item.name.lower().replace(" ", "|"): item for item in members if item.name.lower() != family}


def _info(name: str, members: list[Command]) -> list[object]:
    """An element of `COMMAND INFO`: name, arity, flags, first key, last key, step, categories, tips, keys, members."""
    subcommands = _subcommands(name, members)
    arity = -2 if subcommands else _arity(members[0])
    inside: list[object] = [_entry(path, item, _arity(item), []) for path, item in subcommands.items()]
    return _entry(name, members[0], arity, inside)


def _entry(name: str, item: Command, arity: int, inside: list[object]) -> list[object]:
    flags = [Status("noscript")]
    flags += [Status("fast")] if item.inline else []
    flags += [Status("admin")] if item.role is Role.ADMIN else []
    flags += [Status("no_auth")] if item.role is Role.NOBODY else []
    categories = [Status("@fast" if item.inline else "@slow")]
    categories += [Status("@admin"), Status("@dangerous")] if item.role is Role.ADMIN else []
    return [name, arity, flags, 0, 0, 0, categories, [], [], inside]


def _arity(item: Command) -> int:
    """How many words a request has, the name's included; negative where that is the least."""
    parameters = item.signature.parameters
    least = len(item.words) + sum(parameter.required for parameter in parameters)
    return least if all(parameter.required for parameter in parameters) else -least


def _docs(context: Context, name: str, members: list[Command]) -> Wire:
    subcommands = _subcommands(name, members)
    if not subcommands:
        return _doc(context, members[0])
    container: Wire = {"summary": context.translate("A container of subcommands."), "group": "connection"}
    return container | {"subcommands": {path: _doc(context, item) for path, item in subcommands.items()}}


def _doc(context: Context, item: Command) -> Wire:
    said: Wire = {
        "summary": context.translate(item.summary) if item.summary else "",
        "group": "server" if item.role is Role.ADMIN else "connection",
    }
    arguments = [_argument(parameter) for parameter in item.signature.parameters]
    return said | ({"arguments": arguments} if arguments else {})


def _argument(parameter: Parameter) -> Wire:
    """One argument as `COMMAND DOCS` has it."""
    name = parameter.name.replace("_", "-")
    said: Wire = {"name": name, "type": TYPES.get(parameter.type, "string"), "display_text": name}
    if parameter.choices:
        tokens = [{"name": choice, "type": "pure-token", "token": choice} for choice in parameter.choices]
        said = {"name": name, "type": "oneof", "arguments": tokens}
    if parameter.flag:
        said = {"name": name, "type": "pure-token"} if parameter.type == "bool" else said
        said["token"] = f"--{name}"
    flags = [Status("optional")] if not parameter.required else []
    flags += [Status("multiple")] if parameter.variadic else []
    return said | ({"flags": flags} if flags else {})
