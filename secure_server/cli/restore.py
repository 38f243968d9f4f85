"""`secure-server restore`: put back what `secure-server backup` copied, where no server runs."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from contextlib import closing
from pathlib import Path

import click

from secure_protocol.sentence import Sentence
from secure_server.admin import ADMIN_SOCKET
from secure_server.audit.journal import snapshot
from secure_server.audit.verify import verify
from secure_server.auth.errors import StorageError, TokenRequestError
from secure_server.auth.sqlite.copying import check, refuse_used
from secure_server.cli import options
from secure_server.cli.backup import (
    CERTIFICATES,
    CONFIG,
    DATA,
    FORMAT,
    MANIFEST,
    digest,
    reported,
    set_aside,
    staged,
    write,
)
from secure_server.cli.changes import DATABASE
from secure_server.cli.failures import explains
from secure_server.i18n import _

_OURS = re.compile(r"tokens\.db(-wal|-shm)?|audit(-\d{4,}-\d\d\.jsonl|\.head)")
"""In a data directory: what a backup replaces."""
_LISTED = re.compile(
    rf"{DATA}/(tokens\.db|audit-\d{{4,}}-\d\d\.jsonl|audit\.head)|{CERTIFICATES}/[^/]+\.pem|config\.toml"
)
"""What a manifest may name."""


@click.command(
    help=_("Put back what `secure-server backup` copied. The server must not run.")
    + "\n\n"
    + _("Tokens that were revoked or used up since the copy was made are good again: revoke them anew.")
    + "\n\n"
    + _("For example: secure-server restore /var/backups/secure-server/2026-11-26"),
    options_metavar=_("[OPTIONS]"),
)
@click.argument("source", metavar=_("DIRECTORY"), type=click.Path(exists=True, file_okay=False, path_type=Path))
@options.data_dir
@options.certs_dir
@click.option(
    "--force", is_flag=True, help=_("Also where there are tokens or keys, which are moved into an old-… one.")
)
@explains
def restore(source: Path, data_dir: Path, directory: Path, *, force: bool) -> None:
    """Restore a backup; the texts of help are in the decorators, where they are translated."""
    files = _listed(source)
    _refuse_running(data_dir)
    present = [path for path in _entries(data_dir) if _OURS.fullmatch(path.name)]
    keys = [path for path in _entries(directory) if path.suffix == ".pem"]
    if (present or keys) and not force:
        raise TokenRequestError(
            Sentence("{path} is there already; add --force, which sets it aside, or name other directories",
                     path=(present or keys)[0])
        )  # fmt: skip
    with reported(data_dir), staged(data_dir) as data, staged(directory) as certificates:
        for name in files:
            place, _slash, file = name.partition("/")
            if place == DATA:
                write(data / file, source / name)
            elif place == CERTIFICATES:
                write(certificates / file, source / name, mode=0o600 if file.endswith("-key.pem") else 0o644)
        tokens = check(data / DATABASE)
        report = verify(snapshot(data))
        asides = [set_aside(data_dir, present)]
        _put(data, data_dir)
        if any(certificates.iterdir()):
            asides.append(set_aside(directory, keys))
            _put(certificates, directory)
    sentence = _("Tokens: {tokens}; audit records: {records}; files: {files}.")
    click.echo(sentence.format(tokens=tokens, records=report.records, files=len(files)))
    for aside in filter(None, asides):
        click.echo(_("What was there before is in {path}.").format(path=aside), err=True)
    if CONFIG in files:
        sentence = _("The configuration is in {path}; put it where `secure-server run --config` looks for it.")
        click.echo(sentence.format(path=source / CONFIG), err=True)
    if report.problems:
        sentence = _(
            "The audit trail was not intact when it was copied; see: secure-server audit verify --data-dir {path}"
        )
        click.echo(sentence.format(path=data_dir), err=True)
    click.echo(
        _("Tokens that were revoked or used up since the copy was made are good again: revoke them anew."), err=True
    )


def _listed(source: Path) -> list[str]:
    """Return the files of a backup; all of them are as they were written.

    Raises:
        StorageError: it is none, or not whole.
    """
    try:
        manifest = json.loads((source / MANIFEST).read_text(encoding="utf-8"))
        form, files = manifest["format"], dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError):
        raise StorageError(
            Sentence("{path} is no backup: there is no readable {file}", path=source, file=MANIFEST)
        ) from None
    if form != FORMAT:
        raise StorageError(Sentence("the backup {path} was made by a newer version of this program", path=source))
    for name, expected in files.items():
        path = source / name
        if not _LISTED.fullmatch(name) or path.is_symlink() or not path.is_file() or digest(path) != expected:
            raise StorageError(Sentence("{path} was changed or is missing; take another backup", path=path))
    if f"{DATA}/{DATABASE}" not in files:
        raise StorageError(Sentence("{path} was changed or is missing; take another backup", path=source / DATA))
    return list(files)


def _refuse_running(data_dir: Path) -> None:
    """Raise StorageError where a server, or another program, uses the directory."""
    refuse_used(data_dir / DATABASE)
    path = data_dir / ADMIN_SOCKET
    if not path.exists() or not hasattr(socket, "AF_UNIX"):
        return
    with closing(socket.socket(socket.AF_UNIX)) as probe:
        probe.settimeout(0)
        try:
            probe.connect(str(path))
        except BlockingIOError:  # too busy to accept
            pass
        except OSError:
            return
    raise StorageError(Sentence("a server runs in {path}; stop it first", path=data_dir))


def _entries(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []


def _put(stage: Path, target: Path) -> None:
    """Move what is staged to where it belongs, as the directory's owner's."""
    owner = target.stat()
    for path in sorted(stage.iterdir()):
        if sys.platform != "win32" and hasattr(os, "geteuid") and os.geteuid() == 0 != owner.st_uid:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
        path.rename(target / path.name)
