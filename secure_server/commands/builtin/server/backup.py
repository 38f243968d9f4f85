"""SERVER BACKUP: a copy of all that the server needs to be what it was, in its own data directory."""

from __future__ import annotations

import logging
from contextlib import nullcontext, suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated

from secure_protocol.errors import CommandError
from secure_protocol.replies import Status
from secure_protocol.sentence import Sentence
from secure_server.auth.errors import StorageError
from secure_server.auth.principal import Role
from secure_server.backup.making import make
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.config.quantities import Size
from secure_server.files.making import make_private_directory
from secure_server.files.owner import as_itself
from secure_server.i18n import N_
from secure_server.jobs.keeping.errors import RecordsError

GROUP = N_("Server")

DIRECTORY = "backups"
"""In the data directory: nobody else may look into that."""
KEPT = 10
"""Backups that there may be: each may be as large as all that the server keeps. None is removed unasked."""
NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""What one may be called: it leads nowhere else."""
SECONDS = 600.0
"""For a gigabyte of jobs' output, on a slow disk."""

_log = logging.getLogger("secure_server")


def _present(context: Context) -> list[Path]:
    """The backups that there are, by name."""
    found = Path(services(context).configuration.running.data_dir) / DIRECTORY
    return sorted(path for path in found.iterdir() if path.is_dir()) if found.is_dir() else []


@command(
    "SERVER BACKUP",
    summary=N_("Copy tokens, audit trail, jobs, certificates with keys and configuration into the data directory."),
    role=Role.ADMIN,
    timeout=SECONDS,
    example="before-update",
)
def server_backup(
    context: Context,
    name: Annotated[str, Argument(N_("what to call it; the date and time where it is left out"), pattern=NAME)] = "",
) -> Status:
    """Make it, and say where it is; take it from there to another machine, and keep it as safe as the server."""
    found = services(context)
    running, present = found.configuration.running, _present(context)
    data = Path(running.data_dir)
    target = data / DIRECTORY / (name or f"{datetime.now().astimezone():%Y-%m-%dT%H%M%S}")
    if target in present:
        raise CommandError(N_("There is a backup {name} already; choose another name."), name=target.name)
    if len(present) >= KEPT:
        raise CommandError(
            N_("There are {count} backups in {path} already; take some away, for none is removed unasked."),
            count=len(present),
            path=data / DIRECTORY,
        )
    file = found.configuration_file
    try:
        make_private_directory(data / DIRECTORY)
        target.mkdir(mode=0o700)
        try:
            with file.open("rb") if file is not None else nullcontext() as settings:
                copied = make(target, data, Path(running.certs_dir), settings, as_itself)
        except BaseException:
            with suppress(OSError):  # what is whole is not there, so it is empty
                target.rmdir()
            raise
    except FileExistsError:
        raise CommandError(N_("There is a backup {name} already; choose another name."), name=target.name) from None
    except (OSError, StorageError, RecordsError) as error:
        why = error.args[0] if isinstance(error.args[0], Sentence) else error
        _log.error("no backup was made in %s: %s", target, why)
        raise CommandError(
            N_("No backup was made: {why}; see the server's log."),
            why=why.into(context.translate) if isinstance(why, Sentence) else getattr(error, "strerror", None) or why,
        ) from None
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    sentence = context.translate(
        "The backup in {path} is whole ({size}). Tokens: {tokens}; audit records: {records}; jobs: {jobs}; files of "
        "certificates and keys: {certificates}. It holds keys, so keep it safe."
    )
    parts = [
        sentence.format(
            path=target,
            size=Size(size),
            tokens=copied.tokens,
            records=copied.records,
            jobs=copied.jobs,
            certificates=copied.certificates,
        )
    ]
    if copied.problems:
        parts.append(context.translate("But the audit trail is not intact; see: secure-server audit verify"))
    return Status(" ".join(parts))
