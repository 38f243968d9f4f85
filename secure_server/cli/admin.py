"""`secure-server admin`, and `secure-server top`, which is one of the things that the shell does."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from secure_client.answers.formats import Format
from secure_client.errors import SetupError
from secure_client.profiles.target import Options
from secure_client.terminal.top.options import USUAL, seconds
from secure_server.admin.shell import open_shell, open_shell_at
from secure_server.cli import options
from secure_server.i18n import _

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells count."""

_FILE = click.Path(path_type=Path)


@click.command(
    help=_("Steer the running server: a shell on a terminal, or -c, or commands from stdin, one a line.")
    + "\n\n"
    + _(
        "Without a server it is the one whose data is on this machine, by its admin socket. With one it is over TLS, "
        "with an admin's token, from where the server's setting admin.networks lets admins be such: "
        "secure-server admin -p prod"
    )
    + "\n\n"
    + _("Exit codes: 0 fine, 1 a command failed, 2 usage, 3 no server there, 4 not authenticated."),
    options_metavar=_("[OPTIONS]"),
)
@options.config
@options.data_dir
@click.argument("target", required=False, metavar=_("[PROFILE or HOST:PORT]"))
@click.option(
    "-p",
    "--profile",
    metavar=_("PROFILE"),
    help=_("A server that secure-client has saved; never taken for an address."),
)
@click.option(
    "--ca",
    type=_FILE,
    metavar=_("FILE"),
    help=_("With a server: CA certificates to believe (PEM).  [default: the profile's, certs/ca.pem, the system's]"),
)
@click.option(
    "--token-file",
    type=_FILE,
    metavar=_("FILE"),
    help=_("With a server: file that holds the token.  [default: SECURE_CLIENT_TOKEN, the profile's, asked for]"),
)
@click.option("-c", "commands", multiple=True, metavar=_("COMMAND"), help=_("Run this and end; may be repeated."))
@click.option("--json", "as_json", is_flag=True, help=_("Print one JSON value per command."))
@click.option("--csv", "as_csv", is_flag=True, help=_("Print tables as CSV, with a line that names the columns."))
@click.option("--raw", "as_raw", is_flag=True, help=_("Print answers as they come: nothing is cut or escaped."))
@click.option("--yes", is_flag=True, help=_("Say yes to what commands ask before they are sent."))
def admin(
    data_dir: Path,
    target: str | None,
    profile: str | None,
    ca: Path | None,
    token_file: Path | None,
    commands: tuple[str, ...],
    *,
    as_json: bool,
    as_csv: bool,
    as_raw: bool,
    yes: bool,
) -> None:
    """Steer the running server; the texts of help are in the decorators, where they are translated."""
    if as_json + as_csv + as_raw > 1:
        raise click.UsageError(_("Give one of --json, --csv and --raw."))
    form = Format.JSON if as_json else Format.CSV if as_csv else Format.RAW if as_raw else Format.TEXT
    if target is not None and profile is not None:
        raise click.UsageError(_("Give -p PROFILE or a server, not both."))
    if target is None and profile is None and (ca is not None or token_file is not None):
        raise click.UsageError(
            _("--ca and --token-file are for a server elsewhere; name it: -p PROFILE, or HOST:PORT.")
        )
    try:
        if target is None and profile is None:
            sys.exit(open_shell(data_dir, commands, form=form, yes=yes))
        where = Options(target, ca, token_file, profile=profile)
        sys.exit(open_shell_at(where, commands, form=form, yes=yes))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _interval(_context: click.Context, _parameter: click.Parameter, given: str) -> str:
    try:
        seconds(given)
    except SetupError as error:
        raise click.BadParameter(str(error)) from None
    return given


@click.command(
    help=_("Watch a running server on the whole screen: rates, latencies, the busiest commands and clients.")
    + "\n\n"
    + _("For example: secure-server top --once --json; ? tells of the keys."),
    options_metavar=_("[OPTIONS]"),
)
@options.config
@options.data_dir
@click.option(
    "-p",
    "--profile",
    "target",
    metavar=_("PROFILE or HOST:PORT"),
    help=_("Watch this server, over TLS with an administrator's token, and not that of the data directory."),
)
@click.option("--once", is_flag=True, help=_("Print one frame and end; this needs no terminal."))
@click.option("--json", "as_json", is_flag=True, help=_("With --once: print what the server says, as one JSON value."))
@click.option(
    "--interval",
    callback=_interval,
    default=f"{USUAL:g}s",
    metavar=_("DURATION"),
    help=_("Look so often, from 0.5s to 60s.") + f" [{USUAL:g}s]",
)
def top(data_dir: Path, target: str | None, interval: str, *, once: bool, as_json: bool) -> None:
    """Watch a server; the texts of help are in the decorators, where they are translated."""
    if as_json and not once:
        raise click.UsageError(_("--json goes with --once."))
    words = ["top", "--interval", interval, *["--once"] * once, *["--json"] * as_json]
    try:
        line = [" ".join(words)]
        sys.exit(open_shell(data_dir, line) if target is None else open_shell_at(Options(target), line))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
