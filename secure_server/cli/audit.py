"""`secure-server audit`: show the audit trail, and verify that nobody changed it."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import click

from secure_client.answers.tables import fitted
from secure_protocol.errors import CommandError
from secure_server.audit.chain import HEAD, Link
from secure_server.audit.filter import FIELDS, conditions, moment
from secure_server.audit.journal import Snapshot, snapshot
from secure_server.audit.reading import Line, Wanted, lines
from secure_server.audit.record import Record
from secure_server.audit.showing import cells, local
from secure_server.audit.verify import Report
from secure_server.audit.verify import verify as verify_trail
from secure_server.cli import options
from secure_server.files.owner import as_owner
from secure_server.i18n import N_, _, shown

TABLE_ROWS = 10_000
"""The latest records that a table shows; it must be whole before it is printed, and nobody reads more. JSON has all."""
PROBLEMS = 100
"""Problems that `verify` prints; a trail with more was replaced, not tampered with."""
_HEADINGS = (N_("time"), N_("who"), N_("address"), N_("event"), N_("what"), N_("outcome"), N_("detail"))


@click.group(
    help=_("Show the audit trail, and verify that nobody changed it. Works with the server up or down."),
    options_metavar=_("[OPTIONS]"),
    subcommand_metavar=_("COMMAND [ARGUMENTS]"),
)
def audit() -> None:
    """Show and verify the audit trail; the texts of help are in the decorators, where they are translated."""


def _moment(_ctx: click.Context, _param: click.Parameter, text: str | None) -> datetime | None:
    """Read a moment as people write it: so long ago, or an ISO 8601 date in the local zone."""
    if text is None:
        return None
    try:
        return moment(text, time.time())
    except ValueError:
        raise click.BadParameter(_("write it as 2h, 7d, 2026-11-25 or 2026-11-25T14:30")) from None


def _links(_ctx: click.Context, _param: click.Parameter, texts: Sequence[str]) -> list[Link]:
    """Read records' numbers and hashes."""
    try:
        return [Link.parse(text) for text in texts]
    except ValueError:
        sentence = _("write it as verify printed it: NUMBER:HASH, the hash of 64 digits 0-9 a-f")
        raise click.BadParameter(sentence) from None


@audit.command(
    help=_("Print what was recorded, oldest first: a table, or with --json one object a line, as in the files.")
    + "\n\n"
    + _("FILTER is FIELD OPERATOR VALUE, as of SERVER AUDIT in the running server; fields are {fields}.").format(
        fields=", ".join(FIELDS)
    )
    + "\n\n"
    + _("For example: secure-server audit show event=authentication outcome=refused 'age<1d'"),
    options_metavar=_("[OPTIONS]"),
)
@click.argument("filters", nargs=-1, metavar=_("[FILTER]..."))
@click.option("--who", metavar=_("NAME"), help=_("Only what was done by this name."))
@click.option("--command", metavar="CMD", help=_("Only this command; CLIENT stands for CLIENT KILL, too."))
@click.option("--since", callback=_moment, metavar="2h", help=_("From then on: 30m, 2h, 7d ago, or an ISO 8601 date."))
@click.option("--until", callback=_moment, metavar="1h", help=_("Before then, likewise."))
@click.option("--json", "as_json", is_flag=True, help=_("Print JSON, one object a line."))
@options.config
@options.data_dir
def show(
    filters: tuple[str, ...],
    *,
    who: str | None,
    command: str | None,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
    data_dir: Path,
) -> None:
    """Print what was recorded."""
    try:
        wanted = Wanted(
            who, None if command is None else " ".join(command.upper().split()), since, until, conditions(filters)
        )
    except CommandError as error:
        raise click.UsageError(error.sentence(_)) from None
    found: deque[Line] = deque(maxlen=TABLE_ROWS)
    count = damaged = 0
    for line in _lines(data_dir):
        if line.record is None:
            damaged += 1
        elif wanted.holds(line.record):
            count += 1
            if as_json:
                click.echo(_escaped(line.text))
            else:
                found.append(line)
    if found:
        _print_table([line.record for line in found if line.record is not None])
    if not count:
        click.echo(_("Nothing of that is in the audit trail of {path}.").format(path=data_dir), err=True)
    elif not as_json and count > TABLE_ROWS:
        sentence = _("Only the latest {shown} of {count} are shown; narrow it down with --since, or use --json.")
        click.echo(sentence.format(shown=TABLE_ROWS, count=count), err=True)
    if damaged:
        sentence = _("{count} lines are no records; see: secure-server audit verify")
        click.echo(sentence.format(count=damaged), err=True)


@audit.command(
    help=_("Find what was changed, removed, reordered, inserted or cut off. Exit code 0 if nothing was, else 1."),
    options_metavar=_("[OPTIONS]"),
)
@click.option(
    "--expect",
    callback=_links,
    multiple=True,
    metavar="NUMBER:HASH",
    help=_("A record that must be there, as verify or the command AUDIT told it before. Can be repeated."),
)
@options.config
@options.data_dir
def verify(expect: list[Link], data_dir: Path) -> None:
    """Find what was changed, removed, reordered, inserted or cut off."""
    report = _verified(data_dir, expect)
    for problem in report.problems[:PROBLEMS]:
        click.echo(shown(problem))
    if report.problems:
        if len(report.problems) > PROBLEMS:
            click.echo(_("… and {count} more.").format(count=len(report.problems) - PROBLEMS))
        sentence = _("The audit trail in {path} is not intact: problems found: {count}.")
        click.echo(sentence.format(path=data_dir, count=len(report.problems)), err=True)
        sys.exit(1)
    if not report.records:
        click.echo(_("There is no audit trail in {path} yet.").format(path=data_dir), err=True)
        return
    sentence = _("Intact. Records: {records}; files: {files}; the last record is {end}")
    click.echo(sentence.format(records=report.records, files=report.files, end=report.end))
    if report.lost:
        sentence = _("Records that could not be written and are lost: {count}; see: secure-server audit show")
        click.echo(sentence.format(count=report.lost), err=True)
    sentence = _("Note that down elsewhere: --expect then finds what was replaced together with {head}.")
    click.echo(sentence.format(head=HEAD), err=True)


def _snapshot(data_dir: Path) -> Snapshot:
    try:
        if not data_dir.is_dir():
            raise click.ClickException(_("There is no directory {path}; check --data-dir.").format(path=data_dir))
        with as_owner(data_dir):
            return snapshot(data_dir)
    except OSError as error:
        raise _unreadable(data_dir, error) from None


def _lines(data_dir: Path) -> Iterator[Line]:
    taken = _snapshot(data_dir)
    try:
        with as_owner(data_dir):
            yield from lines(taken)
    except OSError as error:
        raise _unreadable(data_dir, error) from None


def _verified(data_dir: Path, expect: Sequence[Link]) -> Report:
    taken = _snapshot(data_dir)
    try:
        with as_owner(data_dir):
            return verify_trail(taken, expect)
    except OSError as error:
        raise _unreadable(data_dir, error) from None


def _unreadable(data_dir: Path, error: OSError) -> click.ClickException:
    sentence = _("The audit trail in {path} cannot be read: {why}.")
    return click.ClickException(sentence.format(path=error.filename or data_dir, why=shown(error.strerror)))


def _print_table(records: Sequence[Record]) -> None:
    rows = []
    for record in records:
        when = local(record.time)  # what is none stands as it came: it must not hide all the others
        shown_at = record.time if when is None else when.replace(tzinfo=None).isoformat(" ", timespec="seconds")
        rows.append((shown_at, *cells(record, _)))
    click.echo(fitted([_(heading) for heading in _HEADINGS], rows, sys.stdout))


def _escaped(line: bytes) -> str:
    """Return a line as it is, but for characters that a terminal obeys; JSON has them within strings alone."""
    text = line.decode(errors="backslashreplace")
    return text if text.isprintable() else "".join(
        char if char.isprintable() else json.dumps(char)[1:-1] for char in text
    )  # fmt: skip
