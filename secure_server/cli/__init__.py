"""The program `secure-server`: one file per command, imported when it is called."""

from __future__ import annotations

import importlib
from typing import Any

import click

from secure_client.i18n import translate_click
from secure_client.starting import importing
from secure_protocol.token import redact
from secure_server.files.owner import DirectoryError
from secure_server.i18n import N_, _, shown
from secure_server.version import VERSION

_COMMANDS = {
    "admin": N_("Steer a running server: a shell, or -c for one command."),
    "audit": N_("Show the audit trail, and verify that nobody changed it."),
    "backup": N_("Copy tokens, audit trail, certificates and keys into a directory."),
    "certs": N_("Make, renew and show the server's and clients' certificates."),
    "config": N_("Check, show and compare the configuration."),
    "doctor": N_("Say what is wrong, or will be, with the server up or down."),
    "restore": N_("Put back what `backup` copied."),
    "run": N_("Run the server."),
    "top": N_("Watch a running server on the whole screen: rates, latencies, the busiest commands and clients."),
    "token": N_("Make, list, show, rotate, revoke and purge tokens."),
}
_BESIDE = {"top": "admin"}
"""Commands in the file of another one."""


class _Lazy(click.Group):
    """Imports a command's file when it is called, so that `token` does not wait for what `run` needs."""

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 - click's signature
        """Run the program, click's own words in the language of the environment too."""
        translate_click()
        return super().main(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run a command; what it says of a mistake may quote what was typed, but no token that was."""
        try:
            return super().invoke(ctx)
        except DirectoryError as error:
            raise click.ClickException(shown(error)) from None
        except click.ClickException as error:
            error.message = redact(error.message)  # type: ignore[misc] # final, and all that click says comes from it
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        with importing():
            module = importlib.import_module(f"secure_server.cli.{_BESIDE.get(cmd_name, cmd_name)}")
        found = getattr(module, cmd_name)
        assert isinstance(found, click.Command)  # noqa: S101 - our own modules
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section(_("Commands")):
            formatter.write_dl([(name, _(_COMMANDS[name])) for name in sorted(_COMMANDS)])


@click.command(
    cls=_Lazy,
    help=_("Run a few vetted commands for people and programs you trust, over TLS, with a token, without a shell."),
    options_metavar=_("[OPTIONS]"),
    subcommand_metavar=_("COMMAND [ARGUMENTS]"),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(VERSION, prog_name="secure-server", help=_("Print the version."))
def main() -> None:
    """Run the program; the texts of help are in the decorators, where they are translated."""
