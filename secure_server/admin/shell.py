"""Opens the admin shell, or runs commands: on the admin socket, or over TLS from anywhere."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from secure_client.answers.formats import Format
from secure_client.cli.connecting import complain, run, serve_with
from secure_client.core.endpoint import Endpoint
from secure_client.core.login import Login, language_of
from secure_client.core.trust import Trust
from secure_client.errors import ClientError
from secure_client.i18n import N_, _
from secure_client.profiles.profiles import Profiles
from secure_client.profiles.target import Options, resolve
from secure_client.terminal.appearance import Appearance
from secure_client.terminal.kept import terminal_kept
from secure_client.terminal.manner import Manner
from secure_protocol.printable import printable
from secure_server.admin import ADMIN_SOCKET, CLIENT_NAME

WHERE_CHARACTERS = 24
"""Of a server's name in the prompt; the toolbar has the rest."""

SHORT_WORDS = {
    "backup": "SERVER BACKUP",
    "ban": "BAN ADD",
    "bans": "BAN LIST",
    "cert": "CERT SHOW",
    "client": "CLIENT SHOW",
    "closed": "CLIENTS --closed",
    "config": "CONFIG SHOW",
    "doctor": "SERVER DOCTOR",
    "drain": "SERVER DRAIN",
    "job": "JOB SHOW",
    "level": "SERVER LOG-LEVEL",
    "limits": "SERVER LIMITS",
    "log": "SERVER LOG",
    "penalties": "PENALTY LIST",
    "shutdown": "SERVER SHUTDOWN",
    "slow": "SERVER SLOW",
    "stats": "SERVER STATS",
    "token": "TOKEN SHOW",
    "trail": "SERVER AUDIT",
    "unban": "BAN REMOVE",
    "watch": "SERVER WATCH",
    "why": "SERVER WHY",
}
"""Words of this shell. The server's own are two, so that no command of an operator's is called the same; here one is
enough, where there is such a command, and none of the operator's has that name."""

_APPEARANCE = Appearance(
    prompt="admin",
    intro=N_("clients, kick ID [reason], tokens, help, exit; \\help for this terminal, Ctrl-D leaves."),
    history="admin-history",
    short=SHORT_WORDS,
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
    path, appearance = data_dir / ADMIN_SOCKET, replace(_APPEARANCE, suspends=not beside)
    if not hasattr(socket, "AF_UNIX"):
        sentence = _(
            "There are no Unix sockets here, so no admin socket: name a profile or HOST:PORT, with an admin's token, "
            "as in `secure-server admin -p PROFILE`."
        )
        complain(sentence)
        return ClientError.exit_code
    login = Login(endpoint=Endpoint(path=path), trust=Trust(), token=None, name=CLIENT_NAME, language=language_of())
    try:
        with terminal_kept():
            return run(login, commands, Manner(form, yes), appearance)
    except ClientError as error:
        complain(str(error))
        if not path.exists():
            sentence = _(
                "No server runs in {path}: start one with `secure-server run`, name another --data-dir, or a server "
                "elsewhere with -p PROFILE or HOST:PORT."
            )
            complain(sentence.format(path=data_dir))
        return error.exit_code


def open_shell_at(
    options: Options, commands: Sequence[str] = (), *, form: Format = Format.TEXT, yes: bool = False
) -> int:
    """Steer a server over TLS, with the token of an admin; return the exit code.

    Args:
        options: where it is, and as whom, as of `secure-client`.
        commands: as of `open_shell`.
        form: likewise.
        yes: likewise.
    """
    try:
        with terminal_kept():
            login = resolve(options, Profiles())._replace(name=CLIENT_NAME)
            appearance = replace(_APPEARANCE, prompt=f"admin {printable(login.called, WHERE_CHARACTERS)}")
            return serve_with(login, commands, Manner(form, yes), appearance)
    except ClientError as error:
        complain(str(error))
        return error.exit_code
