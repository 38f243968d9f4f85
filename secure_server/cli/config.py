"""`secure-server config`: look at the configuration before a server runs by it, or takes it up."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from secure_server.cli import options
from secure_server.config.file import load
from secure_server.config.reading import ConfigError
from secure_server.config.source import Source
from secure_server.config.writing import document
from secure_server.i18n import _, shown

UNUSABLE = 2
"""Exit code: the configuration cannot be used, as of `run`."""


@click.group(
    help=_("Look at the configuration: whether a server can run by it, what it says, and what runs otherwise."),
    options_metavar=_("[OPTIONS]"),
    subcommand_metavar=_("COMMAND [ARGUMENTS]"),
)
def config() -> None:
    """Look at the configuration; the texts of help are in the decorators, where they are translated."""


@config.command(
    help=_("Say whether a server can run by the file; commands of Python modules are loaded as `run` does.")
    + "\n\n"
    + _("Exit codes: 0 it can, 2 it cannot."),
    options_metavar=_("[OPTIONS]"),
)
@options.config
def check() -> None:
    """Read it, and make of it what a server would."""
    from secure_server.reloadable import Grants, OwnCommands  # noqa: PLC0415 - all commands, for who asks for them
    from secure_server.reloading import UNUSABLE as ERRORS  # noqa: PLC0415 - likewise

    path = options.chosen_config()
    try:
        read = Source(path).read()
        OwnCommands(read)
        Grants(read, time.monotonic)
    except ERRORS as error:
        click.echo(shown(error), err=True)
        sys.exit(UNUSABLE)
    if path is None:
        click.echo(_("No configuration is named (--config, SECURE_SERVER_CONFIG), so all is at its default."))
    else:
        click.echo(_("The configuration {path} can be used.").format(path=path))


@config.command(
    help=_("Print the configuration whole, as TOML: what the file says, and every default, marked as one.")
    + "\n\n"
    + _("What commands find in their environment, or on standard input, is masked."),
    options_metavar=_("[OPTIONS]"),
)
@options.config
def show() -> None:
    """Print it, with the directories that the environment names."""
    named = {"certs_dir": options.CERTS_VARIABLE, "data_dir": options.DATA_VARIABLE}
    overrides = {key: os.environ[variable] for key, variable in named.items() if os.environ.get(variable)}
    try:
        click.echo(document(load(options.chosen_config(), overrides)), nl=False)
    except ConfigError as error:
        click.echo(shown(error), err=True)
        sys.exit(UNUSABLE)


@config.command(
    help=_("Print what the file of the running server says otherwise than what runs, and what of it takes a restart.")
    + "\n\n"
    + _("Exit codes: 0 fine, 1 a command failed, 2 usage, 3 no server there."),
    options_metavar=_("[OPTIONS]"),
)
@options.config
@options.data_dir
@options.as_json
def diff(data_dir: Path, *, as_json: bool) -> None:
    """Ask the server, which knows the file that it was started with."""
    from secure_client.answers.formats import Format  # noqa: PLC0415 - the client, for who asks a server
    from secure_server.admin.shell import open_shell  # noqa: PLC0415 - as above

    sys.exit(open_shell(data_dir, ["CONFIG DIFF"], form=Format.JSON if as_json else Format.TEXT))
