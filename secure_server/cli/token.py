"""`secure-server token`: make, list, show, rotate, revoke and purge tokens, with the server up or down."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from secure_client.streams import OutputError
from secure_protocol.sentence import Sentence
from secure_protocol.token import Token
from secure_server.admin import ADMIN_SOCKET
from secure_server.auth.description import active_of, describe
from secure_server.auth.errors import TokenNotFoundError
from secure_server.auth.lifetime import parse_lifetime
from secure_server.auth.principal import Role, TokenUse
from secure_server.auth.rate import parse_rate
from secure_server.auth.token_record import TokenState
from secure_server.auth.tokens import ENROLMENT_SECONDS, LINK_SECONDS, OnChange, Records, Tokens
from secure_server.cli import options
from secure_server.cli.beside.changes import DATABASE, opened
from secure_server.cli.beside.elsewhere import runs_elsewhere
from secure_server.cli.failures import explains
from secure_server.cli.token_view import print_details, print_table
from secure_server.i18n import _
from secure_server.moments import moment_if

_ROLES = [role.label for role in Role if role is not Role.NOBODY]

_quiet = click.option("--quiet", is_flag=True, help=_("Print the token and nothing else."))


@click.group(
    help=_("Make, list, show, rotate, revoke and purge tokens. Works with the server up or down."),
    options_metavar=_("[OPTIONS]"),
    subcommand_metavar=_("COMMAND [ARGUMENTS]"),
)
def token() -> None:
    """Make, list, show, rotate, revoke, purge; the texts of help are in the decorators, where they are translated."""


@token.command(help=_("Make a token for NAME and print it, once."), options_metavar=_("[OPTIONS]"))
@click.argument("name", metavar=_("NAME"))
@click.option("--role", type=click.Choice(_ROLES), default=Role.USER.label, show_default=True)
@click.option(
    "--expires", metavar="30d", help=_("For how long it is good: 30s, 15m, 12h, 30d, 4w.  [default: for ever]")
)
@click.option("--allow", metavar="CMD,…", help=_("The only commands it may run.  [default: all that its role may]"))
@click.option(
    "--networks", metavar="CIDR,…", help=_("The only networks it may come from: 10.0.0.0/8,192.0.2.7.  [default: any]")
)
@click.option("--max-sessions", type=int, metavar="N", help=_("Live sessions at once.  [default: any number]"))
@click.option(
    "--rate",
    metavar="N/s[:BURST]",
    help=_("How fast it may run commands: 10/s, 100/m, 10/s:50.  [default: as configured]"),
)
@click.option(
    "--once",
    is_flag=True,
    help=_("Good for one login. With --enroll: the line is good once, and is exchanged for a token of this kind."),
)
@options.enrolling
@_quiet
@options.as_json
@options.config
@options.data_dir
@explains
def create(
    *,
    name: str,
    role: str,
    expires: str | None,
    allow: str | None,
    networks: str | None,
    max_sessions: int | None,
    rate: str | None,
    once: bool,
    enroll: bool,
    web: bool,
    within: str | None,
    host: str | None,
    port: int | None,
    certs_dir: Path | None,
    quiet: bool,
    as_json: bool,
    data_dir: Path,
) -> None:
    """Make a token for NAME and print it, once."""
    lifetime = None if expires is None else parse_lifetime(expires)
    commands = None if allow is None else allow.split(",")
    if enroll and web:
        raise click.UsageError(
            _("--enroll prints a line for secure-client, --web a link to the page: give one of them.")
        )
    inviting, once = enroll or web, once or web
    if within is not None and not (inviting and once):
        raise click.UsageError(
            _("--within is for --enroll --once and --web: only what is good once has a time of its own.")
        )
    if not inviting and (host, port, certs_dir) != (None, None, None):
        raise click.UsageError(_("--host, --port and --certs-dir are for --enroll and --web."))
    seconds = parse_lifetime(within) if within is not None else LINK_SECONDS if web else ENROLMENT_SECONDS
    fresh = options.unnamed() and not (data_dir / DATABASE).exists()
    if fresh and not options.certs_directory(certs_dir).exists() and runs_elsewhere(DATABASE):
        raise _wanted_elsewhere(data_dir)
    invitation = None
    if inviting:  # before there is a token for nothing
        from secure_server.cli import enrolment  # noqa: PLC0415 - brings certificates, which most calls do not need

        invitation = enrolment.prepare(host, port, certs_dir, data_dir, web=web)
    use = TokenUse.LASTING if not once else TokenUse.ENROLMENT if inviting else TokenUse.ONCE

    def reveal(made: Token) -> None:
        text = made.reveal() if invitation is None else invitation.text(made)
        if as_json:
            kind = "token" if invitation is None else "url" if web else "line"
            click.echo(json.dumps({"id": made.id, "name": name, "role": role, kind: text}, indent=2))
        else:
            click.echo(text)
        if quiet:
            return
        if invitation is None:
            _tell_of(made, once=once)
        else:
            enrolment.tell(invitation, made, seconds if once else None)
        if options.unnamed():
            _tell_where(data_dir, fresh=fresh)

    on_change = _recording(data_dir)
    with _taken_back_unless_shown(), opened(data_dir) as storage:
        Tokens(storage, on_change=on_change).create(
            name,
            Role.parse(role),
            lifetime,
            commands,
            networks=None if networks is None else networks.split(","),
            max_sessions=max_sessions,
            rate=None if rate is None else parse_rate(rate),
            use=use,
            within=seconds,
            reveal=reveal,
        )


@token.command(
    "list",
    help=_("List the tokens: everything but their secrets, which are not kept.")
    + " "
    + _("Live sessions are known while a server runs.")
    + " "
    + _("A replaced token whose `still used` is no may go; it is known once the new one was used."),
    options_metavar=_("[OPTIONS]"),
)
@options.as_json
@options.config
@options.data_dir
@explains
def list_(*, as_json: bool, data_dir: Path) -> None:
    """List the tokens: everything but their secrets, which are not kept."""
    with _existing(data_dir, looking=True) as tokens:
        records = [] if tokens is None else tokens.list()
    described = _described(records, records, _live(data_dir) if records else None)
    if as_json:
        click.echo(json.dumps(described, indent=2))
    elif described:
        print_table(described)
    else:
        sentence = _("There are no tokens in {path}. Make one with: secure-server token create NAME")
        click.echo(sentence.format(path=data_dir / DATABASE), err=True)


@token.command(
    help=_("Show all there is to tell of the token with that id, or of all tokens of that name."),
    options_metavar=_("[OPTIONS]"),
)
@click.argument("name_or_id", metavar=_("NAME_OR_ID"))
@options.as_json
@options.config
@options.data_dir
@explains
def show(name_or_id: str, *, as_json: bool, data_dir: Path) -> None:
    """Show all there is to tell of the token with that id, or of all tokens of that name."""
    with _existing(data_dir, looking=True) as tokens:
        if tokens is None:
            raise _nothing_in(data_dir)
        found = tokens.find(name_or_id)
        others = tokens.find(found[0].name)
    described = _described(found, others, _live(data_dir, name_or_id))
    if as_json:
        click.echo(json.dumps(described, indent=2))
    else:
        print_details(described)


@token.command(
    help=_("End the token with that id, or all tokens of that name. Live sessions are closed within a second."),
    options_metavar=_("[OPTIONS]"),
)
@click.argument("name_or_id", metavar=_("NAME_OR_ID"))
@options.config
@options.data_dir
@explains
def revoke(name_or_id: str, data_dir: Path) -> None:
    """End the token with that id, or all tokens of that name. Live sessions are closed within a second."""
    with _existing(data_dir) as tokens:
        if tokens is None:
            raise _nothing_in(data_dir)
        revoked = tokens.revoke(name_or_id)
    for record in revoked:
        click.echo(_("revoked {id} {name}").format(id=record.id, name=record.name))


@token.command(
    help=_("Make a second token for NAME. Both work until the old one is revoked by its id, or its grace is over."),
    options_metavar=_("[OPTIONS]"),
)
@click.argument("name", metavar=_("NAME"))
@click.option("--grace", metavar="24h", help=_("End the old one after so long.  [default: when it is revoked]"))
@_quiet
@options.config
@options.data_dir
@explains
def rotate(name: str, grace: str | None, *, quiet: bool, data_dir: Path) -> None:
    """Make a second token for NAME. Both work until the old one is revoked by its id, or its grace is over."""
    seconds = None if grace is None else parse_lifetime(grace)
    with _taken_back_unless_shown(), _existing(data_dir) as tokens:
        if tokens is None:
            raise _nothing_in(data_dir)
        made = tokens.rotate(name, seconds, partial(_reveal, quiet=quiet))
        others = [item for item in tokens.find(name) if item.name == name and item.id != made.id]
    active = [old for old in others if old.state(time.time()) is TokenState.ACTIVE]
    for old in [] if quiet else active:
        if grace is None:
            sentence = _("{id} works too. When it is no longer used: secure-server token revoke {id}")
            click.echo(sentence.format(id=old.id), err=True)
        else:
            sentence = _("{id} works too, until {when}. `secure-server token list` tells whether it is still used.")
            click.echo(sentence.format(id=old.id, when=moment_if(old.expires)), err=True)


@token.command(
    help=_("Remove the records of tokens that were revoked, spent or expired, and say how many.")
    + " "
    + _("The session that a spent one opened ends with its record."),
    options_metavar=_("[OPTIONS]"),
)
@click.option("--older", metavar="30d", help=_("Only of those that ended so long ago.  [default: all]"))
@options.config
@options.data_dir
@explains
def purge(older: str | None, data_dir: Path) -> None:
    """Remove the records of tokens that were revoked, spent or expired, and say how many."""
    age = 0 if older is None else parse_lifetime(older)
    with _existing(data_dir) as tokens:
        if tokens is None:
            raise _nothing_in(data_dir)
        purged = tokens.purge(age)
    click.echo(_("Removed: {count}.").format(count=len(purged)))


def _wanted_elsewhere(data_dir: Path) -> click.UsageError:
    sentence = _(
        "A server runs elsewhere on this machine, and none was set up in {path}: name the server's directory with "
        "--data-dir, SECURE_SERVER_DATA_DIR or --config. To begin a new one here: --data-dir {name}"
    )
    return click.UsageError(sentence.format(path=data_dir.absolute(), name=data_dir))


def _tell_where(data_dir: Path, *, fresh: bool) -> None:
    """Say which directory it is in, where nobody named one."""
    if fresh:
        sentence = _("Made a new data directory, {path}; if your server has another, name that with --data-dir.")
    else:
        sentence = _("It is for the server whose data directory is {path}.")
    click.echo(sentence.format(path=data_dir.absolute()), err=True)


@contextmanager
def _taken_back_unless_shown() -> Iterator[None]:
    """Say of a token that nobody was shown what became of it; `Tokens` has seen to that."""
    try:
        yield
    except OutputError as error:
        raise error.so(_("Nobody was shown the token, so it is revoked again.")) from error


@contextmanager
def _existing(data_dir: Path, *, looking: bool = False) -> Iterator[Tokens | None]:
    """The tokens of a data directory; None where there is no database, which only `create` may make.

    Args:
        data_dir: the data directory.
        looking: nothing is changed, so nothing is recorded.
    """
    if not (data_dir / DATABASE).exists():
        yield None
        return
    if looking:
        with opened(data_dir) as storage:
            yield Tokens(storage)
        return
    on_change = _recording(data_dir)
    with opened(data_dir) as storage:
        yield Tokens(storage, on_change=on_change)


def _recording(data_dir: Path) -> OnChange:
    """Import what records before the database is opened as its owner, who may not be let in where this program lies."""
    from secure_server.cli.beside.recorder import Recorder  # noqa: PLC0415 - who only looks at tokens need not wait for it

    return Recorder(data_dir).tokens


def _live(data_dir: Path, name_or_id: str | None = None) -> dict[str, int] | None:
    if not (data_dir / ADMIN_SOCKET).exists():
        return None  # no server runs there
    from secure_server.admin.live import live_sessions  # noqa: PLC0415 - where no server runs, nobody need wait for it

    return live_sessions(data_dir, name_or_id)


def _described(records: Records, others: Records, live: dict[str, int] | None) -> list[dict[str, object]]:
    now = time.time()
    active = active_of(others, now)
    return [
        describe(record, now, active.get(record.name, []), None if live is None else live.get(record.id, 0))
        for record in records
    ]


def _nothing_in(data_dir: Path) -> TokenNotFoundError:
    return TokenNotFoundError(Sentence("there are no tokens in {path}; check --data-dir", path=data_dir / DATABASE))


def _reveal(made: Token, *, quiet: bool) -> None:
    click.echo(made.reveal())
    if not quiet:
        _tell_of(made)


def _tell_of(made: Token, *, once: bool = False) -> None:
    if once:
        click.echo(_("Good for one login, which spends it; the session goes on after that."), err=True)
    sentence = _("Shown once: it is kept nowhere, so put it in a safe place now. Its id is {id}.")
    click.echo(sentence.format(id=made.id), err=True)
    sentence = _("secure-client asks for it, or reads it from --token-file FILE or from SECURE_CLIENT_TOKEN.")
    click.echo(sentence, err=True)
