"""Opens the admin shell, or runs commands on the admin socket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from secure_client.answers.formats import Format
from secure_client.cli.connecting import complain, run
from secure_client.core.endpoint import Endpoint
from secure_client.core.login import Login, language_of
from secure_client.core.trust import Trust
from secure_client.errors import ClientError
from secure_client.i18n import N_, _
from secure_client.terminal.appearance import Appearance
from secure_client.terminal.kept import terminal_kept
from secure_client.terminal.manner import Manner
from secure_server.admin import ADMIN_SOCKET, CLIENT_NAME

_APPEARANCE = Appearance(
    prompt="admin",
    intro=N_("clients, kick ID [reason], tokens, help, exit; \\help for this terminal, Ctrl-D leaves."),
    history="admin-history",
    moves=False,
)


def open_shell(
    data_dir: Path,
    commands: Sequence[str] = (),
    *,
    form: Format = Format.TEXT,
    yes: bool = False,
    beside: bool = False,
) -> int:
    """Steer the server that runs in `data_dir`; return the exit code.

    Args:
        data_dir: the server's data directory.
        commands: run these and end; none opens the shell, or reads from stdin where that is no terminal.
        form: of the answers.
        yes: the answer to what commands ask before they are sent, given beforehand.
        beside: the server runs in this very program, which Ctrl-Z must not stop.
    """
    socket, appearance = data_dir / ADMIN_SOCKET, replace(_APPEARANCE, suspends=not beside)
    login = Login(endpoint=Endpoint(path=socket), trust=Trust(), token=None, name=CLIENT_NAME, language=language_of())
    try:
        with terminal_kept():
            return run(login, commands, Manner(form, yes), appearance)
    except ClientError as error:
        complain(str(error))
        if not socket.exists():
            sentence = _("No server runs in {path}: start one with `secure-server run`, or name another --data-dir.")
            complain(sentence.format(path=data_dir))
        return error.exit_code
