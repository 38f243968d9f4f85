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

from secure_protocol.token import Token
from secure_server.auth.errors import TokenError, TokenNotFoundError, TokenRequestError
from secure_server.auth.lifetime import parse_lifetime
from secure_server.auth.principal import Role
from secure_server.auth.sqlite_storage import SQLiteTokenStorage
from secure_server.auth.token_record import TokenRecord
from secure_server.auth.tokens import Tokens

DATABASE = "tokens.db"
"""The file in the data directory."""
_UNLIMITED = 10_000
"""Columns for output that is not a terminal: no row is that long, so nothing is wrapped or cut."""
_ROLES = [role.label for role in Role if role is not Role.NOBODY]

P = ParamSpec("P")
R = TypeVar("R")

_data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    help="Where the server keeps its data.",
)
_quiet = click.option("--quiet", is_flag=True, help="Print the token and nothing else.")


@click.group()
def token() -> None:
    """Make, list, rotate and revoke tokens. Works with the server up or down."""


def _explains(command: Callable[P, R]) -> Callable[P, R]:
    """Give an error its exit code: 2 for what was asked wrongly, 1 for what could not be done."""

    @functools.wraps(command)
    def explained(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except TokenRequestError as error:
            raise click.UsageError(str(error)) from error
        except TokenError as error:
            raise click.ClickException(str(error)) from error

    return explained


@token.command()
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), default=Role.USER.label, show_default=True)
@click.option("--expires", metavar="30d", help="For how long it is good: 30s, 15m, 12h, 30d, 4w.  [default: for ever]")
@click.option("--allow", metavar="CMD,…", help="The only commands it may run.  [default: all that its role may]")
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


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
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
        click.echo(
            f"There are no tokens in {data_dir / DATABASE}. Make one with: secure-server token create NAME",
            err=True,
        )


@token.command()
@click.argument("name_or_id")
@_data_dir
@_explains
def revoke(name_or_id: str, data_dir: Path) -> None:
    """End the token with that id, or all tokens of that name. Live sessions are closed within a second."""
    with _existing(data_dir) as tokens:
        if tokens is None:
            raise _nothing_in(data_dir)
        revoked = tokens.revoke(name_or_id)
    for record in revoked:
        click.echo(f"revoked {record.id} {record.name}")


@token.command()
@click.argument("name")
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
                click.echo(
                    f"{old.id} works too. When it is no longer used: secure-server token revoke {old.id}",
                    err=True,
                )


@contextmanager
def _existing(data_dir: Path) -> Iterator[Tokens | None]:
    """The tokens of a data directory; None where there is no database, which only `create` may make."""
    if not (data_dir / DATABASE).exists():
        yield None
        return
    with SQLiteTokenStorage(data_dir / DATABASE) as storage:
        yield Tokens(storage)


def _nothing_in(data_dir: Path) -> TokenNotFoundError:
    return TokenNotFoundError(f"there are no tokens in {data_dir / DATABASE}; check --data-dir")


def _show(made: Token, *, quiet: bool) -> None:
    click.echo(made.reveal())
    if not quiet:
        click.echo(
            f"Shown once: it is kept nowhere, so put it in a safe place now. Its id is {made.id}.\n"
            "secure-client asks for it, or reads it from --token-file FILE or from SECURE_CLIENT_TOKEN.",
            err=True,
        )


def _iso(when: float | None) -> str | None:
    """Local time with its offset, to the second."""
    return None if when is None else datetime.fromtimestamp(when).astimezone().isoformat(timespec="seconds")


def _local(when: float | None) -> str:
    """Local time, short enough for a table and folding between date and time."""
    return (
        "never"
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
    for heading in ("id", "name", "role", "created", "expires", "last used", "state"):
        # Only an id and a state are of use solely when whole; the others fold in a narrow terminal.
        table.add_column(heading, no_wrap=heading in ("id", "state"), overflow="fold")
    for record in records:
        times = (record.created, record.expires, record.last_used)
        cells = (record.id, record.name, record.role.label, *map(_local, times), record.state(now).value)
        table.add_row(*map(Text, cells))  # Text: whatever the database holds is not markup
    console.print(table)
