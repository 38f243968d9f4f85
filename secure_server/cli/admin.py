"""`secure-server admin`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from secure_client.answers.formats import Format
from secure_server.admin.shell import open_shell
from secure_server.cli import options
from secure_server.i18n import _

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells count."""


@click.command(
    help=_("Steer the running server: a shell on a terminal, or -c, or commands from stdin, one a line.")
    + "\n\n"
    + _("Exit codes: 0 fine, 1 a command failed, 2 usage, 3 no server there."),
    options_metavar=_("[OPTIONS]"),
)
@options.config
@options.data_dir
@click.option("-c", "commands", multiple=True, metavar=_("COMMAND"), help=_("Run this and end; may be repeated."))
@click.option("--json", "as_json", is_flag=True, help=_("Print one JSON value per command."))
@click.option("--csv", "as_csv", is_flag=True, help=_("Print tables as CSV, with a line that names the columns."))
@click.option("--raw", "as_raw", is_flag=True, help=_("Print answers as they come: nothing is cut or escaped."))
@click.option("--yes", is_flag=True, help=_("Say yes to what commands ask before they are sent."))
def admin(data_dir: Path, commands: tuple[str, ...], *, as_json: bool, as_csv: bool, as_raw: bool, yes: bool) -> None:
    """Steer the running server; the texts of help are in the decorators, where they are translated."""
    if as_json + as_csv + as_raw > 1:
        raise click.UsageError(_("Give one of --json, --csv and --raw."))
    form = Format.JSON if as_json else Format.CSV if as_csv else Format.RAW if as_raw else Format.TEXT
    try:
        sys.exit(open_shell(data_dir, commands, form=form, yes=yes))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
