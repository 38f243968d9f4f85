"""CONFIG: what runs, and what its file says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.replies import ReplyKind, Status, Table
from secure_protocol.sentence import said
from secure_server.auth.principal import Role
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.config.changes import Reloaded, ReloadRefusedError
from secure_server.config.holding import SET
from secure_server.config.taken import Taken
from secure_server.config.temporary import settable
from secure_server.config.writing import dotted
from secure_server.i18n import N_

GROUP = N_("Configuration")

HELD_COLUMNS = ("key", "value", "from", "default")
DIFFERENCE_COLUMNS = ("key", "running", "file", "restart")
_HOLDS = {
    Taken.AT_ONCE: N_("This holds at once."),
    Taken.CONNECTIONS: N_("This holds for new connections."),
    Taken.LOGINS: N_("This holds for new logins."),
}
VALUE_CHARACTERS = 200
"""Of a value that CONFIG SHOW and CONFIG DIFF show; of one that is longer the beginning tells enough."""


@command(
    "CONFIG RELOAD",
    summary=N_("Take up what the configuration file says now: all of it, or nothing."),
    role=Role.ADMIN,
)
def config_reload(context: Context) -> Status:
    """Say what is other now, and what takes a restart; or why nothing was taken up."""
    with _explained(context):
        who = context.session.who(context.principal)
        reloaded = services(context).configuration.reload("CONFIG RELOAD", who)
    return _told(context, context.translate("Taken up: {keys}."), reloaded)


@command(
    "CONFIG CHECK",
    summary=N_("Whether CONFIG RELOAD would succeed, and what it would change."),
    role=Role.ADMIN,
    idempotent=True,
)
def config_check(context: Context) -> Status:
    """Say what would be other, and what takes a restart; or why nothing would be taken up."""
    with _explained(context):
        reloaded = services(context).configuration.check()
    return _told(context, context.translate("A reload would take up: {keys}."), reloaded)


@command(
    "CONFIG DIFF",
    summary=N_("What the configuration file says otherwise than what runs."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.TABLE,
    columns=DIFFERENCE_COLUMNS,
    empty=N_("The file says what runs."),
)
def config_diff(context: Context) -> Table:
    """List the keys as a table; what a program finds in its environment or input is masked."""
    with _explained(context):
        changes = services(context).configuration.differences()
    rows: list[tuple[object, ...]] = [
        (dotted(change.key), _shown(change.running), _shown(change.file), "yes" if change.restart else "no")
        for change in changes
    ]
    return Table(DIFFERENCE_COLUMNS, rows, context.translate(context.command.empty))


def _prefixes(context: Context, _typed: str) -> Iterator[str]:
    """Tables first, for these are few."""
    keys = [held.key for held in services(context).configuration.holding()]
    yield from dict.fromkeys(key[0] for key in keys if len(key) > 1)
    yield from map(dotted, keys)


@command(
    "CONFIG SHOW",
    summary=N_("What holds now, and where it comes from."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.TABLE,
    columns=HELD_COLUMNS,
    unmatched=N_("None of the {count} settings begin with {given}."),
    arguments={"prefix": N_("only what begins so: limits, timeouts.idle")},
    complete={"prefix": _prefixes},
    example="limits",
)
def config_show(context: Context, *prefix: str) -> Table:
    """List the keys as a table; what a program finds in its environment or input is masked."""
    held = services(context).configuration.holding()
    begins = tuple(word.casefold() for word in prefix) or ("",)
    rows: list[tuple[object, ...]] = [
        (name, _shown(item.value), item.origin, _shown(item.default))
        for item in held
        if (name := dotted(item.key)).casefold().startswith(begins)
    ]
    described = context.command.describe(context.translate)
    return Table(HELD_COLUMNS, rows, described.told_of_none(len(held), " ".join(prefix)))


def _settable(_context: Context, _typed: str) -> Iterable[str]:
    return settable()


def _present(context: Context, _typed: str) -> Iterable[str]:
    """The value that the key before it has, to be changed."""
    key = " ".join(context.before[:1])
    found = (held for held in services(context).configuration.holding() if dotted(held.key) == key)
    return [held.value.strip('"') for held in found]


def _set_keys(context: Context, _typed: str) -> Iterable[str]:
    return [dotted(held.key) for held in services(context).configuration.holding() if held.origin == SET]


@command(
    "CONFIG SET",
    summary=N_("Have a limit or a deadline be something else until the restart, whatever the file says."),
    role=Role.ADMIN,
    arguments={"key": N_("as CONFIG SHOW lists it"), "value": N_("as in the file: 100, 10s, 64KB")},
    complete={"key": _settable, "value": _present},
    example="limits.max_clients 500",
)
def config_set(context: Context, key: str, value: str) -> Status:
    """Set it, or say why it cannot be so."""
    with _explained(context):
        changed = services(context).configuration.set(key, value, context.session.who(context.principal))
    if changed is None:
        return Status(context.translate("{key} is so already, and stays so until the restart.").format(key=key))
    sentence = context.translate("{key} is {value} until the restart or CONFIG UNSET; it was {before}. {when}")
    return Status(
        sentence.format(key=key, value=changed.file, before=changed.running, when=_when(context, settable()[key].taken))
    )


@command(
    "CONFIG UNSET",
    summary=N_("Take back what CONFIG SET did to a setting."),
    role=Role.ADMIN,
    arguments={"key": N_("as CONFIG SHOW lists it")},
    complete={"key": _set_keys},
    example="limits.max_clients",
)
def config_unset(context: Context, key: str) -> Status:
    """Have it be what the file said when it was last taken up."""
    with _explained(context):
        changed = services(context).configuration.unset(key, context.session.who(context.principal))
    if changed is None:
        return Status(context.translate("{key} is not set any more; the file says the same.").format(key=key))
    sentence = context.translate("{key} is {value} again; it was {before}. {when}")
    return Status(
        sentence.format(key=key, value=changed.file, before=changed.running, when=_when(context, settable()[key].taken))
    )


def _when(context: Context, taken: Taken) -> str:
    """Say from when on a change holds."""
    return context.translate(_HOLDS[taken])


def _shown(value: str | None) -> str | None:
    return None if value is None else printable(value, VALUE_CHARACTERS)


@contextmanager
def _explained(context: Context) -> Iterator[None]:
    """Say why the configuration is kept."""
    try:
        yield
    except ReloadRefusedError as refused:
        why = said(refused.args[0], context.translate)
        raise CommandError(N_("The configuration is kept as it is: {why}"), why=why) from None


def _told(context: Context, template: str, reloaded: Reloaded) -> Status:
    """Return what a reload came to, in words."""
    keys, restart = ", ".join(reloaded.changed), ", ".join(reloaded.restart)
    parts = [template.format(keys=keys) if keys else context.translate("Nothing to take up.")]
    if restart:
        parts.append(context.translate("Needs a restart: {keys}.").format(keys=restart))
    if reloaded.stays:
        sentence = context.translate("Stays as it was set, whatever the file says: {keys}.")
        parts.append(sentence.format(keys=", ".join(reloaded.stays)))
    return Status(" ".join(parts))
