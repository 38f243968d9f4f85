"""`secure-server doctor`: what is wrong with a server, or will be."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from secure_protocol.text_replies import cell
from secure_server.admin import ADMIN_SOCKET
from secure_server.cli import options
from secure_server.config.file import load
from secure_server.config.reading import ConfigError
from secure_server.config.settings import Config
from secure_server.doctor.checks import COUNT, OF_FILES
from secure_server.doctor.files import Place
from secure_server.doctor.finding import COLUMNS, Severity, examine, in_order
from secure_server.files.owner import as_owner
from secure_server.i18n import N_, _, shown

UNUSABLE = 2
"""Exit code: the configuration cannot be used, as of `run`."""
_WORDS = {Severity.ERROR: N_("error"), Severity.WARNING: N_("warning"), Severity.NOTE: N_("note")}


@click.command(
    help=_("Say what is wrong with the server, or will be, and what to do: certificates, disk, clock, files, tokens.")
    + "\n\n"
    + _("Works with the server up or down; a running one is asked, and looks at itself besides.")
    + "\n\n"
    + _("Exit codes: 0 no error was found, though there may be warnings and notes, 1 an error was, 2 usage.")
    + "\n\n"
    + _("For example: secure-server doctor --data-dir /var/lib/secure-server"),
    options_metavar=_("[OPTIONS]"),
)
@options.config
@options.data_dir
@options.certs_dir
@options.as_json
def doctor(data_dir: Path, directory: Path, *, as_json: bool) -> None:
    """Say what is wrong; the texts of help are in the decorators, where they are translated."""
    found = _asked(data_dir)
    up, checks = found is not None, COUNT
    if found is None:
        try:
            config = load(options.chosen_config(), {"data_dir": str(data_dir), "certs_dir": str(directory)})
        except ConfigError as error:
            click.echo(shown(error), err=True)
            sys.exit(UNUSABLE)
        found, checks = _examined(config), len(OF_FILES)
    if as_json:
        click.echo(json.dumps({"server": "up" if up else "down", "checks": checks, "findings": found}))
    else:
        _print(found, checks, up=up)
    sys.exit(any(row["severity"] == Severity.ERROR for row in found))


def _asked(data_dir: Path) -> list[dict[str, str]] | None:
    """What the running server says; None where there is none to ask."""
    if not (data_dir / ADMIN_SOCKET).exists():
        return None
    from secure_server.admin.live import findings  # noqa: PLC0415 - where no server runs, nobody need wait for it

    return findings(data_dir)


def _examined(config: Config) -> list[dict[str, str]]:
    place = Place(config.located(), datetime.now(UTC), as_owner)
    rows = (finding.row(_) for finding in in_order(examine(OF_FILES, place)))
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def _print(found: list[dict[str, str]], checks: int, *, up: bool) -> None:
    for row in found:
        severity = row["severity"]
        word = _(_WORDS[Severity(severity)]) if severity in list(Severity) else cell(severity)
        click.echo(f"{word}: {cell(row['about'])}: {cell(row['finding'])}\n    {cell(row['remedy'])}")
    if not found:
        click.echo(_("Nothing is wrong: {count} checks.").format(count=checks))
    if not up:
        click.echo(_("The server is down, or did not answer: only its files were looked at."), err=True)
