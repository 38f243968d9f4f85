"""`secure-server run`."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from click.core import ParameterSource

from secure_client import descriptors, streams
from secure_server import signals
from secure_server.auth.errors import StorageError
from secure_server.cli import options
from secure_server.cli.console import Console
from secure_server.config.holding import COMMAND_LINE, ENVIRONMENT
from secure_server.config.reading import ConfigError
from secure_server.config.source import Source
from secure_server.i18n import _, shown
from secure_server.server import Server
from secure_server.starting import StartError

COLLECT_AFTER = 10_000
"""Objects made and not freed after which Python looks for cycles; each closed connection is one, of a dozen objects. At
its default of 700 it looks often, and each look at everything takes longer the more connections there are."""

USAGE = 2
"""Exit code: something given to it, or found on disk, cannot be used."""


@click.command(
    help=_("Run the server until SIGTERM or Ctrl-C, which drain it. SIGHUP reloads certificate and configuration."),
    options_metavar=_("[OPTIONS]"),
)
@click.option(
    "--config",
    envvar=options.CONFIG_VARIABLE,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar=_("FILE"),
    help=_("A TOML file; see docs/configuration.md.  [default: SECURE_SERVER_CONFIG, none]"),
)
@click.option(
    "--host",
    metavar=_("ADDRESS"),
    help=_("Address to listen on; the file can list several, in listen.addresses.  [default: 127.0.0.1]"),
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar=_("PORT"),
    help=_("Port; 0 lets the system choose.  [default: 5000]"),
)
@click.option(
    "--certs-dir",
    envvar=options.CERTS_VARIABLE,
    type=click.Path(file_okay=False),
    metavar=_("DIRECTORY"),
    help=_("Where the certificates are.  [default: SECURE_SERVER_CERTS_DIR, the configuration's, certs]"),
)
@click.option(
    "--data-dir",
    envvar=options.DATA_VARIABLE,
    type=click.Path(file_okay=False),
    metavar=_("DIRECTORY"),
    help=_("Tokens, logs, admin socket.  [default: SECURE_SERVER_DATA_DIR, the configuration's, data]"),
)
@click.option(
    "--commands",
    multiple=True,
    metavar=_("MODULE"),
    help=_("Also load the commands of a Python module: its name, or the path of its file. Can be repeated."),
)
@click.option("--shell", is_flag=True, help=_("Open the admin shell in this terminal; leaving it stops the server."))
def run(
    *,
    config: Path | None,
    host: str | None,
    port: int | None,
    certs_dir: str | None,
    data_dir: str | None,
    commands: tuple[str, ...],
    shell: bool,
) -> None:
    """Run the server; the texts of help are in the decorators, where they are translated."""
    caught = signals.catch()  # by the program's first line, usually
    console = Console(descriptors.apart(sys.stderr))
    console.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[console])
    listen = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    places = {key: value for key, value in (("certs_dir", certs_dir), ("data_dir", data_dir)) if value is not None}
    try:
        source = Source(config, {**({"listen": listen} if listen else {}), **places}, commands)
        settings = source.read()
        said = _said(listen, places, commands)
        server = Server(settings, read=source.read_again, end=caught.stop, said=said, file=config)
        caught.catch_again()
        server.start()
    except (ConfigError, StartError, StorageError) as error:
        click.echo(f"secure-server: {shown(error)}", err=True)
        sys.exit(USAGE)
    # What was loaded and made so far stays: the collector need not look at it again.
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])
    caught.on_reload(server.reload)
    try:
        if not streams.without_output():
            for address in (*server.addresses, *(f"{quic} (QUIC)" for quic in server.quic_addresses)):
                click.echo(f"listening on {address}")  # in English: programs that start this one wait for the line
        if shell:
            from secure_server.admin.shell import open_shell  # noqa: PLC0415 - the terminal, for those who ask for it

            caught.interrupting(lambda: open_shell(Path(settings.data_dir), beside=True))
        else:
            caught.wait()
    finally:
        console.say(_("stopping …"))
        server.stop()
        caught.ignore()


def _said(listen: Mapping[str, object], places: Mapping[str, object], modules: Sequence[str]) -> dict[str, str]:
    """Return which settings come from the command line, and which from the environment, by their keys."""
    chosen = click.get_current_context().get_parameter_source
    said = dict.fromkeys((f"listen.{key}" for key in listen), COMMAND_LINE)
    said |= {key: ENVIRONMENT if chosen(key) is ParameterSource.ENVIRONMENT else COMMAND_LINE for key in places}
    return {**said, "commands.modules": COMMAND_LINE} if modules else said
