"""`secure-client`: one command that connects, and `secure-client profile …` and `enroll …` for saved servers.

Those two words are looked at before click is, instead of making a group of the whole program: a group would take
every target for the name of a subcommand. prompt-toolkit and rich are imported by the modes that need them, because
`-c PING` should not wait for them.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import click

from secure_client import streams
from secure_client.client import Client
from secure_client.core.link import CONNECT_TIMEOUT
from secure_client.core.login import Login, Mechanism, parse_token
from secure_client.core.status import State, Status
from secure_client.errors import ClientError, TokenWantedError
from secure_client.i18n import _, translate_click
from secure_client.profiles.profiles import Profiles
from secure_client.profiles.target import Options, ask_token, resolve
from secure_client.terminal.appearance import DEFAULT_APPEARANCE, Appearance
from secure_client.terminal.batch import run_batch
from secure_client.terminal.oneshot import run_commands
from secure_client.terminal.rendering import Renderer
from secure_client.terminal.running import InterruptedByUser
from secure_client.terminal.toolbar import news
from secure_client.typed.asking import ask_plainly
from secure_client.typed.precautions import Precautions
from secure_protocol.printable import printable
from secure_protocol.token import redact

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells count."""

_EPILOG = "\n\n".join(
    (
        _("Saved servers: secure-client profile --help, secure-client enroll --help"),
        _("Token: --token-file, else SECURE_CLIENT_TOKEN, else the profile's, else none with --cert, else asked for"),
        _("Exit codes: 0 fine, 1 a command failed, 2 usage, 3 no connection, 4 not authenticated, 130 Ctrl-C"),
    )
)

_FILE = click.Path(path_type=Path)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program; always ends in SystemExit."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    streams.run(lambda: _program(words))


def _program(words: list[str]) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # a stream that somebody replaced
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # TextIO names no such method
    translate_click()
    try:
        sys.exit(_dispatch(words))
    except (KeyboardInterrupt, click.Abort):
        sys.exit(INTERRUPTED)


def _dispatch(words: list[str]) -> int:
    try:
        if words[:1] == ["profile"]:
            from secure_client.cli.profile import profile  # noqa: PLC0415 - most calls do not need it

            status = profile.main(words[1:], prog_name="secure-client profile", standalone_mode=False)
        elif words[:1] == ["enroll"]:
            from secure_client.cli.enroll import enroll  # noqa: PLC0415 - as above

            status = enroll.main(words[1:], prog_name="secure-client enroll", standalone_mode=False)
        else:
            status = connect.main(words, prog_name="secure-client", standalone_mode=False)
    except click.ClickException as error:
        error.message = redact(error.message)  # type: ignore[misc] # final, and all that click says comes from it
        error.show()
        return error.exit_code
    except ClientError as error:
        complain(str(error))
        return error.exit_code
    return status if isinstance(status, int) else 0


def complain(sentence: str) -> None:
    """Write a sentence to stderr: stdout is for data. It may quote what was typed or saved, but no token."""
    print(redact(printable(sentence, len(sentence), keep="\n")), file=sys.stderr, flush=True)


def _version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click's call
    if wanted:
        import importlib.metadata  # noqa: PLC0415 - slow, and needed only here

        click.echo(importlib.metadata.version("secure-command-server"))
        context.exit()


@click.command(
    help=_("Run commands on a server, over TLS.")
    + "\n\n"
    + _("Interactive on a terminal; otherwise commands are read from stdin, one a line."),
    options_metavar=_("[OPTIONS]"),
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.argument("target", required=False, metavar=_("[PROFILE or HOST:PORT]"))
@click.option(
    "--ca",
    type=_FILE,
    metavar=_("FILE"),
    help=_("CA certificates to believe (PEM). [the profile's, certs/ca.pem, the system's]"),
)
@click.option("--token-file", type=_FILE, metavar=_("FILE"), help=_("File that holds the token."))
@click.option(
    "--cert",
    "certificate",
    type=_FILE,
    metavar=_("FILE"),
    help=_("Client certificate (PEM), where the server asks for one; it may stand in for a token."),
)
@click.option("--key", type=_FILE, metavar=_("FILE"), help=_("Its private key (PEM)."))
@click.option(
    "--mechanism",
    type=click.Choice([item.value for item in Mechanism]),
    metavar=_("MECHANISM"),
    help=_("Prove the token without sending it (scram), or send it as it is (bearer). [the profile's, scram]"),
)
@click.option("-c", "commands", multiple=True, metavar=_("COMMAND"), help=_("Run this and end; may be repeated."))
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help=_("Print one JSON value per command, and one per part of a streamed answer."),
)
@click.option("--yes", is_flag=True, help=_("Say yes to what commands ask before they are sent."))
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help=_("Print the version.")
)
def connect(
    target: str | None,
    ca: Path | None,
    token_file: Path | None,
    certificate: Path | None,
    key: Path | None,
    mechanism: str | None,
    commands: tuple[str, ...],
    *,
    as_json: bool,
    yes: bool,
) -> int:
    """Run commands on a server; the texts of help are in the decorators, where they are translated."""
    shown = Mechanism(mechanism) if mechanism is not None else None
    login = resolve(Options(target, ca, token_file, certificate, key, shown), Profiles())
    try:
        return run(login, commands, as_json=as_json, yes=yes)
    except TokenWantedError:
        if login.trust.certificate is None or not sys.stdin.isatty():
            raise
        # Not asked for before: the certificate might have stood in for it.
        token = parse_token(ask_token(login.endpoint))
    return run(replace(login, token=token), commands, as_json=as_json, yes=yes)


def _telling_waits(deadline: float) -> Callable[[Status], None]:
    """Return what tells why a first connection takes so long, where the server asked to be left alone so long.

    Args:
        deadline: monotonic seconds; a longer wait is not made, and its reason is the error that ends all.
    """

    def changed(status: Status) -> None:
        if status.state is State.WAITING and status.error is not None and status.until < deadline:
            complain(str(status.error) + " " + _("Waiting; Ctrl-C ends it."))

    return changed


def _telling_losses(where: str) -> Callable[[Status], None]:
    """Return what tells that a connection was lost and replaced, where a job makes that worthwhile."""
    told = Status(State.CONNECTED)

    def changed(status: Status) -> None:
        nonlocal told
        if status.state is not State.CONNECTING and status.state is not State.STOPPED:
            user = status.session.user if status.session is not None else ""
            if line := news(told, status, where, user):
                complain(line)
            told = status

    return changed


def run(
    login: Login,
    commands: Sequence[str],
    *,
    as_json: bool,
    yes: bool = False,
    appearance: Appearance = DEFAULT_APPEARANCE,
) -> int:
    """Connect and serve in the mode that fits: `-c`, a terminal, or stdin. Return the exit code.

    Args:
        login: where and as whom.
        commands: of `-c`.
        as_json: one JSON value per command.
        yes: the answer to what commands ask before they are sent, given beforehand.
        appearance: of the interactive terminal.

    Raises:
        ClientError: there is no connection.
    """
    interactive = not commands and sys.stdin.isatty() and sys.stdout.isatty()
    ask = ask_plainly if sys.stdin.isatty() and sys.stderr.isatty() else None
    precautions = Precautions(login.called, yes=yes, ask=ask, stdin=sys.stdin.buffer if commands else None)
    renderer = Renderer(sys.stdout, as_json=as_json, people=sys.stdout.isatty())
    client = Client.of(login, reconnect=interactive)
    client.on_state = _telling_waits(time.monotonic() + CONNECT_TIMEOUT)
    with client:
        client.on_state = _telling_losses(str(login.endpoint))
        try:
            if commands:
                return run_commands(client, commands, renderer, complain, precautions)
            if not interactive:
                return run_batch(client, sys.stdin.buffer, renderer, complain, precautions)
            from secure_client.terminal.repl import Repl  # noqa: PLC0415 - brings prompt-toolkit

            return Repl(client, renderer, appearance, server=login.called, yes=yes).run()
        except InterruptedByUser:
            return INTERRUPTED
