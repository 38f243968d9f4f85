"""CONFIG: what runs, and what its file says."""

from __future__ import annotations

from collections.abc import Iterator
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
from secure_server.config.writing import dotted
from secure_server.i18n import N_

GROUP = N_("Configuration")

DIFFERENCE_COLUMNS = ("key", "running", "file", "restart")
VALUE_CHARACTERS = 200
"""Of a value that CONFIG DIFF shows; of one that is longer the beginning tells enough."""


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
    return Status(" ".join(parts))
