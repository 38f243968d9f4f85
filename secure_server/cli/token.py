"""`secure-server token`: make, list, rotate and revoke tokens, with the server up or down."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secure_protocol.sentence import Sentence
from secure_protocol.token import Token
from secure_server.auth.errors import TokenError, TokenNotFoundError, TokenRequestError
from secure_server.auth.lifetime import parse_lifetime
from secure_server.auth.principal import Role
from secure_server.auth.sqlite_storage import SQLiteTokenStorage
from secure_server.auth.token_record import TokenRecord
from secure_server.auth.tokens import Tokens
from secure_server.i18n import N_, _, shown

DATABASE = "tokens.db"
"""The file in the data directory."""
_UNLIMITED = 10_000
"""Columns for output that is not a terminal: no row is that long, so nothing is wrapped or cut."""
_ROLES = [role.label for role in Role if role is not Role.NOBODY]
_HEADINGS = (N_("id"), N_("name"), N_("role"), N_("created"), N_("expires"), N_("last used"), N_("state"))
_STATES = (N_("active"), N_("expired"), N_("revoked"))
"""The values of `TokenState`, for whoever reads the table; JSON has them as they are."""

P = ParamSpec("P")
R = TypeVar("R")

_data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    metavar=_("DIRECTORY"),
    help=_("Where the server keeps its data."),
)
_quiet = click.option("--quiet", is_flag=True, help=_("Print the token and nothing else."))


@click.group(
    help=_("Make, list, rotate and revoke tokens. Works with the server up or down."),
    options_metavar=_("[OPTIONS]"),
    subcommand_metavar=_("COMMAND [ARGUMENTS]"),
)
def token() -> None:
    """Make, list, rotate and revoke tokens; the texts of help are in the decorators, where they are translated."""


def _explains(command: Callable[P, R]) -> Callable[P, R]:
    """Give an error its exit code: 2 for what was asked wrongly, 1 for what could not be done."""

    @functools.wraps(command)
    def explained(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except TokenRequestError as error:
            raise click.UsageError(shown(error)) from error
        except TokenError as error:
            raise click.ClickException(shown(error)) from error

    return explained


@token.command(help=_("Make a token for NAME and print it, once."), options_metavar=_("[OPTIONS]"))
@click.argument("name", metavar=_("NAME"))
@click.option("--role", type=click.Choice(_ROLES), default=Role.USER.label, show_default=True)
@click.option(
    "--expires", metavar="30d", help=_("For how long it is good: 30s, 15m, 12h, 30d, 4w.  [default: for ever]")
)
@click.option("--allow", metavar="CMD,…", help=_("The only commands it may run.  [default: all that its role may]"))
@_quiet
@_data_dir
@_explains
def create(name: str, role: str, expires: str | None, allow: str | None, quiet: bool, data_dir: Path) -> None:  # noqa: FBT001 - click passes options by name
    """Make a token for NAME and print it, once."""
    lifetime = None if expires is None else parse_lifetime(expires)
    commands = None if allow is None else allow.split(",")
    with SQLiteTokenStorage(data_dir / DATABASE) as storage:
        made = Tokens(storage).create(name, Role.parse(role), lifetime, commands)
    _show(made, quiet=quiet)


@token.command(
    "list",
    help=_("List the tokens: everything but their secrets, which are not kept."),
    options_metavar=_("[OPTIONS]"),
)
@click.option("--json", "as_json", is_flag=True, help=_("Print JSON."))
@_data_dir
@_explains
def list_(as_json: bool, data_dir: Path) -> None:  # noqa: FBT001 - click passes options by name
    """List the tokens: everything but their secrets, which are not kept."""
    with _existing(data_dir) as tokens:
        records = [] if tokens is None else tokens.list()
    now = time.time()
    if as_json:
        click.echo(json.dumps([_as_json(record, now) for record in records], indent=2))
    elif records:
        _print_table(records, now)
    else:
        sentence = _("There are no tokens in {path}. Make one with: secure-server token create NAME")
        click.echo(sentence.format(path=data_dir / DATABASE), err=True)


@token.command(
    help=_("End the token with that id, or all tokens of that name. Live sessions are closed within a second."),
    options_metavar=_("[OPTIONS]"),
)
@click.argument("name_or_id", metavar=_("NAME_OR_ID"))
@_data_dir
@_explains
def revoke(name_or_id: str, data_dir: Path) -> None:
    """End the token with that id, or all tokens of that name. Live sessions are closed within a second."""
    with _existing(data_dir) as tokens:
        if tokens is None:
            raise _nothing_in(data_dir)
        revoked = tokens.revoke(name_or_id)
    for record in revoked:
        click.echo(_("revoked {id} {name}").format(id=record.id, name=record.name))


@token.command(
    help=_("Make a second token for NAME. Both work until the old one is revoked by its id."),
    options_metavar=_("[OPTIONS]"),
)
@click.argument("name", metavar=_("NAME"))
@_quiet
@_data_dir
@_explains
def rotate(name: str, quiet: bool, data_dir: Path) -> None:  # noqa: FBT001 - click passes options by name
    """Make a second token for NAME. Both work until the old one is revoked by its id."""
    with _existing(data_dir) as tokens:
        if tokens is None:
            raise _nothing_in(data_dir)
        made = tokens.rotate(name)
        others = [item for item in tokens.list() if item.name == name and item.id != made.id]
    _show(made, quiet=quiet)
    if not quiet:
        for old in others:
            if old.state(time.time()) == "active":
                sentence = _("{id} works too. When it is no longer used: secure-server token revoke {id}")
                click.echo(sentence.format(id=old.id), err=True)


@contextmanager
def _existing(data_dir: Path) -> Iterator[Tokens | None]:
    """The tokens of a data directory; None where there is no database, which only `create` may make."""
    if not (data_dir / DATABASE).exists():
        yield None
        return
    with SQLiteTokenStorage(data_dir / DATABASE) as storage:
        yield Tokens(storage)


def _nothing_in(data_dir: Path) -> TokenNotFoundError:
    return TokenNotFoundError(Sentence("there are no tokens in {path}; check --data-dir", path=data_dir / DATABASE))


def _show(made: Token, *, quiet: bool) -> None:
    click.echo(made.reveal())
    if not quiet:
        sentence = _("Shown once: it is kept nowhere, so put it in a safe place now. Its id is {id}.")
        click.echo(sentence.format(id=made.id), err=True)
        sentence = _("secure-client asks for it, or reads it from --token-file FILE or from SECURE_CLIENT_TOKEN.")
        click.echo(sentence, err=True)


def _iso(when: float | None) -> str | None:
    """Local time with its offset, to the second."""
    return None if when is None else datetime.fromtimestamp(when).astimezone().isoformat(timespec="seconds")


def _local(when: float | None) -> str:
    """Local time, short enough for a table and folding between date and time."""
    return (
        _("never")
        if when is None
        else datetime.fromtimestamp(when).astimezone().replace(tzinfo=None).isoformat(" ", timespec="seconds")
    )


def _as_json(record: TokenRecord, now: float) -> dict[str, str | list[str] | None]:
    return {
        "id": record.id,
        "name": record.name,
        "role": record.role.label,
        "state": record.state(now).value,
        "created": _iso(record.created),
        "expires": _iso(record.expires),
        "revoked": _iso(record.revoked),
        "last_used": _iso(record.last_used),
        "last_address": record.last_address,
        "allow": None if record.allow is None else sorted(record.allow),
    }


def _print_table(records: list[TokenRecord], now: float) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _UNLIMITED
    table = Table(box=box.SIMPLE)
    for heading in _HEADINGS:
        # Only an id and a state are of use solely when whole; the others fold in a narrow terminal.
        table.add_column(_(heading), no_wrap=heading in ("id", "state"), overflow="fold")
    for record in records:
        times = (record.created, record.expires, record.last_used)
        cells = (record.id, record.name, record.role.label, *map(_local, times), _(record.state(now).value))
        table.add_row(*map(Text, cells))  # Text: whatever the database holds is not markup
    console.print(table)
