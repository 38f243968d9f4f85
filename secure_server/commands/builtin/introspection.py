"""Redis' COMMAND: what there is, in the shapes that its clients parse; `redis-cli` takes its hints from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from secure_protocol.errors import CommandError
from secure_protocol.replies import ReplyKind, Status
from secure_server.auth.principal import Role
from secure_server.commands.builtin.catalogue import Members, family
from secure_server.commands.builtin.services import services
from secure_server.commands.command import Command, command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Parameter
from secure_server.i18n import N_, Translate
from secure_server.session.codecs import Codec

GROUP = N_("Connection, for Redis clients")

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
    example="INFO exit",
)
def command_(
    context: Context, subcommand: Literal["COUNT", "DOCS", "INFO", "LIST"] | None = None, *names: str
) -> object:
    """Answer `COMMAND`, `COMMAND COUNT`, `COMMAND DOCS [name …]`, `COMMAND INFO [name …]` or `COMMAND LIST`."""
    if subcommand in ("COUNT", "LIST") and names:
        raise CommandError(N_("COMMAND {subcommand} takes no arguments."), subcommand=subcommand)
    wanted = [name.lower() for name in names]
    families = _families(context, wanted)
    catalogue, session, codec = services(context).catalogue, context.session, context.session.codec
    if subcommand == "COUNT":
        return len(families)
    if subcommand == "LIST":
        paths = catalogue.kept(_list_items, session)
        return codec.array([path for members in families.values() for path in paths[members]])
    if subcommand == "DOCS":
        pairs = catalogue.kept(_docs_pair, session)
        return codec.mapping([pairs[members] for members in families.values()])
    items = catalogue.kept(_info_item, session)
    if not wanted:
        return codec.array([items[members] for members in families.values()])
    found = {name: items[members] for name, members in families.items()}
    nothing = codec.item(None)
    return codec.array([found.get(name, nothing) for name in wanted])


def _families(context: Context, wanted: Sequence[str]) -> dict[str, Members]:
    """What the caller may run of the families that are wanted, each once, or of all where none is."""
    families, may_run = services(context).catalogue.families, context.may_run
    asked = {name: families[name] for name in wanted if name in families} if wanted else families
    found: dict[str, Members] = {}
    for name, members in asked.items():
        if len(members) == 1:  # by far the most, and no new tuple
            if may_run(members[0]):
                found[name] = members
        elif allowed := tuple(filter(may_run, members)):
            found[name] = allowed
    return found


def _subcommands(members: Members) -> dict[str, Command]:
    """The members of a family under Redis' names: `client|list`; none where it is a command by itself."""
    return {item.name.lower().replace(" ", "|"): item for item in members if len(item.words) > 1}


def _list_items(codec: Codec, _translate: Translate, members: Members) -> list[bytes]:
    return [codec.item(name) for name in (family(members[0]), *_subcommands(members))]


def _info_item(codec: Codec, _translate: Translate, members: Members) -> bytes:
    return codec.item(info(members))


def info(members: Members) -> list[object]:
    """An element of `COMMAND INFO`: name, arity, flags, first key, last key, step, categories, tips, keys, members."""
    name, subcommands = family(members[0]), _subcommands(members)
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


def _docs_pair(codec: Codec, translate: Translate, members: Members) -> bytes:
    return codec.pair(family(members[0]), docs(translate, members))


def docs(translate: Translate, members: Members) -> Wire:
    """A value of `COMMAND DOCS`."""
    subcommands = _subcommands(members)
    if not subcommands:
        return _doc(translate, members[0])
    container: Wire = {"summary": translate("A container of subcommands."), "group": "connection"}
    return container | {"subcommands": {path: _doc(translate, item) for path, item in subcommands.items()}}


def _doc(translate: Translate, item: Command) -> Wire:
    said: Wire = {
        "summary": translate(item.summary) if item.summary else "",
        "group": "server" if item.role is Role.ADMIN else "connection",
    }
    arguments = [_argument(parameter) for parameter in item.signature.parameters]
    return said | ({"arguments": arguments} if arguments else {})


def _argument(parameter: Parameter) -> Wire:
    """One argument as `COMMAND DOCS` has it."""
    name = parameter.shown
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
