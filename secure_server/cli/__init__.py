"""The program `secure-server`: one file per command, imported when it is called."""

from __future__ import annotations

import importlib

import click

from secure_server import __version__

_COMMANDS = {
    "admin": "Steer a running server: a shell, or -c for one command.",
    "certs": "Make and renew the server's and clients' certificates.",
    "run": "Run the server.",
    "token": "Make, list, rotate and revoke tokens.",
}


class _Lazy(click.Group):
    """Imports a command's file when it is called, so that `token` does not wait for what `run` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"secure_server.cli.{cmd_name}")
        found = getattr(module, cmd_name)
        assert isinstance(found, click.Command)  # noqa: S101 - our own modules
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="secure-server")
def main() -> None:
    """Run a few vetted commands for people and programs you trust, over TLS, with a token, without a shell."""
