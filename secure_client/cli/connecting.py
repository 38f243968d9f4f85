"""Connect, and serve in the mode that fits: `-c`, a terminal, or commands from stdin."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from secure_client.answers.colours import Colour, painted
from secure_client.answers.rendering import Renderer
from secure_client.client import Client
from secure_client.core.endpoint import TransportChoice
from secure_client.core.link import CONNECT_TIMEOUT
from secure_client.core.login import Login, parse_token
from secure_client.core.status import State, Status, settled
from secure_client.errors import TokenWantedError
from secure_client.i18n import _
from secure_client.profiles.profiles import Profiles
from secure_client.profiles.target import Options, ask_token, resolve
from secure_client.terminal.kept import terminal_kept
from secure_client.terminal.manner import USUAL, Manner
from secure_client.terminal.running import InterruptedByUser
from secure_client.typed.asking import ask_plainly
from secure_client.typed.precautions import Precautions
from secure_protocol.printable import printable
from secure_protocol.token import redact

if TYPE_CHECKING:
    from secure_client.terminal.appearance import Appearance

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells count."""


def complain(sentence: str, colour: Colour = Colour.ERROR) -> None:
    """Write a sentence to stderr: stdout is for data. It may quote what was typed or saved, but no token."""
    shown = redact(printable(sentence, len(sentence), keep="\n"))
    print(painted(shown, colour, sys.stderr), file=sys.stderr, flush=True)


def connect(options: Options, commands: Sequence[str], manner: Manner) -> int:
    """Connect as the command line, the environment and the profiles say, and serve; return the exit code.

    Raises:
        ClientError: there is no connection.
    """
    with terminal_kept():
        return serve_with(resolve(options, Profiles()), commands, manner)


def serve_with(
    login: Login, commands: Sequence[str], manner: Manner = USUAL, appearance: Appearance | None = None
) -> int:
    """`run`, with a token that is asked for where the certificate does not stand in for one; return the exit code.

    Raises:
        ClientError: there is no connection.
    """
    try:
        return run(login, commands, manner, appearance)
    except TokenWantedError:
        if login.trust.certificate is None or not sys.stdin.isatty():
            raise
        # Not asked for before: the certificate might have stood in for it.
        token = parse_token(ask_token(login.endpoint))
    return run(login._replace(token=token), commands, manner, appearance)


def _telling_waits(deadline: float) -> Callable[[Status], None]:
    """Return what tells why a first connection takes so long, where the server asked to be left alone so long.

    Args:
        deadline: monotonic seconds; a longer wait is not made, and its reason is the error that ends all.
    """

    def changed(status: Status) -> None:
        if status.state is State.WAITING and not settled(status, deadline):
            complain(str(status.error) + " " + _("Waiting; Ctrl-C ends it."), Colour.WAITING)

    return changed


def _telling_losses(where: str) -> Callable[[Status], None]:
    """Return what tells that a connection was lost and replaced, where a job makes that worthwhile."""
    told = Status(State.CONNECTED)

    def changed(status: Status) -> None:
        nonlocal told
        if status.state is not State.CONNECTING and status.state is not State.STOPPED:
            from secure_client.terminal.news import colour_of, of_connection  # noqa: PLC0415 - most calls lose no connection

            user = status.session.user if status.session is not None else ""
            if line := of_connection(told, status, where, user):
                complain(line, colour_of(status))
            told = status

    return changed


def run(login: Login, commands: Sequence[str], manner: Manner = USUAL, appearance: Appearance | None = None) -> int:
    """Connect and serve in the mode that fits: `-c`, a terminal, or stdin. Return the exit code.

    Args:
        login: where and as whom.
        commands: of `-c`.
        manner: how they are run.
        appearance: of the interactive terminal; None for the client's own.

    Raises:
        ClientError: there is no connection.
    """
    interactive = not commands and sys.stdin.isatty() and sys.stdout.isatty()
    ask = ask_plainly if sys.stdin.isatty() and sys.stderr.isatty() else None
    precautions = Precautions(login.called, yes=manner.yes, ask=ask, stdin=sys.stdin.buffer if commands else None)
    renderer = Renderer(sys.stdout, form=manner.form, people=sys.stdout.isatty())
    client = Client.of(_with_last(login), reconnect=interactive)
    if not manner.quiet:
        client.on_state = _telling_waits(time.monotonic() + CONNECT_TIMEOUT)
    with client:
        _keep_transport(client)
        if not manner.quiet:
            client.on_state = _telling_losses(str(login.endpoint))
        try:
            if commands:
                from secure_client.terminal.oneshot import run_commands  # noqa: PLC0415 - each mode imports its own

                return run_commands(client, commands, renderer, complain, precautions, manner)
            if not interactive:
                from secure_client.terminal.batch import run_batch  # noqa: PLC0415 - as above

                return run_batch(client, sys.stdin.buffer, renderer, complain, precautions, manner)
            from secure_client.terminal.interactive import serve  # noqa: PLC0415 - brings prompt-toolkit

            return serve(client, manner, appearance, _keep_commands)
        except InterruptedByUser:
            return INTERRUPTED
        finally:
            if not interactive:
                _keep_commands(client)


def _with_last(login: Login) -> Login:
    """Return it with what is known of an earlier race, where there is to be one."""
    if login.transport is not TransportChoice.AUTO:
        return login
    from secure_client.cli.kept_transport import kept  # noqa: PLC0415 - most connect by TLS, and race with nothing

    return login._replace(last=kept(login.endpoint))


def _keep_transport(client: Client) -> None:
    """Keep what came of the race, if there was one."""
    if client.login.transport is TransportChoice.AUTO:
        from secure_client.cli.kept_transport import keep  # noqa: PLC0415 - as above

        keep(client.login.endpoint, client.status.way.transport)


def _keep_commands(client: Client) -> None:
    """Keep what was learnt on the way, for completion in the shell."""
    if client.catalogue:
        from secure_client.cli.kept_commands import keep  # noqa: PLC0415 - most one-shots learn no commands

        keep(client.login.endpoint, client.catalogue)
