"""`secure-server restore`: put back what `secure-server backup` copied, where no server runs."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import click
import msgspec

from secure_protocol.printable import printable
from secure_protocol.sentence import Sentence
from secure_server.admin import ADMIN_SOCKET
from secure_server.audit.chain import HEAD
from secure_server.audit.journal import snapshot
from secure_server.audit.tail import is_trail_file
from secure_server.audit.verify import verify
from secure_server.auth.errors import StorageError, TokenRequestError
from secure_server.auth.sqlite.copying import check, refuse_used
from secure_server.backup.files import (
    CERTIFICATES,
    CONFIG,
    DATA,
    FORMAT,
    MANIFEST,
    digest,
    make_way,
    opened,
    put,
    set_aside,
    staged,
    write,
)
from secure_server.cli import options
from secure_server.cli.backup import reported
from secure_server.cli.beside.changes import DATABASE
from secure_server.cli.failures import explains
from secure_server.files.owner import as_owner, check_copy
from secure_server.i18n import _
from secure_server.jobs.keeping import records as job_records
from secure_server.jobs.keeping.segments import DIRECTORY, is_number
from secure_server.limits.ban_file import BANS

_DATABASE_FILES = tuple(name + suffix for name in (DATABASE, job_records.DATABASE) for suffix in ("", "-wal", "-shm"))


class _Manifest(msgspec.Struct):
    """What is read of one: the number of its form, and the SHA-256 of each file."""

    format: int
    files: dict[str, str]


@click.command(
    help=_("Put back what `secure-server backup` copied. The server must not run.")
    + "\n\n"
    + _("Tokens that were revoked or used up since the copy was made are good again: revoke them anew.")
    + "\n\n"
    + _("For example: secure-server restore /var/backups/secure-server/2026-11-26"),
    options_metavar=_("[OPTIONS]"),
)
@click.argument("source", metavar=_("DIRECTORY"), type=click.Path(exists=True, file_okay=False, path_type=Path))
@options.config
@options.data_dir
@options.certs_dir
@click.option(
    "--force", is_flag=True, help=_("Also where there are tokens or keys, which are moved into an old-… one.")
)
@explains
def restore(source: Path, data_dir: Path, directory: Path, *, force: bool) -> None:
    """Restore a backup; the texts of help are in the decorators, where they are translated."""
    output = source / DATA / DIRECTORY
    for part in (source, source / DATA, source / CERTIFICATES, output, *output.glob("*")):
        check_copy(part, data_dir)
    with reported(source):
        files = _listed(source)
        _giving_way(data_dir, directory, force=force)
        with reported(data_dir), staged(data_dir, as_owner) as data, staged(directory, as_owner) as certificates:
            for name in files:
                place, _slash, file = name.partition("/")
                if place == CERTIFICATES:
                    _copy(source, name, files, certificates / file, 0o600 if file.endswith("-key.pem") else 0o644)
            with as_owner(data_dir):
                for name in files:
                    place, _slash, file = name.partition("/")
                    if place == DATA:
                        make_way(data / file, data)
                        _copy(source, name, files, data / file)
                tokens = check(data / DATABASE)
                jobs = (
                    job_records.check(data / job_records.DATABASE) if f"{DATA}/{job_records.DATABASE}" in files else 0
                )
                report = verify(snapshot(data))
            present, keys = _giving_way(data_dir, directory, force=force)  # as it is by now
            with as_owner(data_dir):
                asides = [set_aside(data_dir, present)]
                put(data, data_dir)
            if any(certificates.iterdir()):
                asides.append(set_aside(directory, keys))
                put(certificates, directory)
    sentence = _("Tokens: {tokens}; audit records: {records}; jobs: {jobs}; files: {files}.")
    click.echo(sentence.format(tokens=tokens, records=report.records, jobs=jobs, files=len(files)))
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


def _giving_way(data_dir: Path, directory: Path, *, force: bool) -> tuple[list[Path], list[Path]]:
    """Return the files that are to be set aside: those of the data, and certificates and keys.

    Raises:
        StorageError: a server, or another program, uses them.
        TokenRequestError: there are some, and nobody said that they may be.
    """
    with as_owner(data_dir):
        _refuse_running(data_dir)
        present = [path for path in _entries(data_dir) if _is_replaced(path.name)]
    with as_owner(directory):
        keys = [path for path in _entries(directory) if path.suffix == ".pem"]
    if (present or keys) and not force:
        raise TokenRequestError(
            Sentence("{path} is there already; add --force, which sets it aside, or name other directories",
                     path=(present or keys)[0])
        )  # fmt: skip
    return present, keys


def _listed(source: Path) -> dict[str, str]:
    """Return the files of a backup by name, with the SHA-256 of each; all of them are as they were written.

    Raises:
        StorageError: it is none, or not whole.
        OSError: a file cannot be read.
    """
    try:
        with opened(source / MANIFEST, source, as_owner) as file:
            manifest = msgspec.json.decode(file.read(), type=_Manifest)
    except (OSError, ValueError):
        raise StorageError(
            Sentence("{path} is no backup: there is no readable {file}", path=source, file=MANIFEST)
        ) from None
    if not 1 <= manifest.format <= FORMAT:
        raise StorageError(Sentence("the backup {path} was made by a newer version of this program", path=source))
    for name, expected in manifest.files.items():
        path = source / name
        if not _is_listable(name) or path.is_symlink() or not path.is_file():
            raise _changed(path)
        with opened(path, source, as_owner) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                raise _changed(path)
    if f"{DATA}/{DATABASE}" not in manifest.files:
        raise _changed(source / DATA)
    return manifest.files


def _copy(source: Path, name: str, files: Mapping[str, str], target: Path, mode: int = 0o600) -> None:
    """Copy a file of a backup, and compare what was copied: another may have been put in its place since.

    Raises:
        StorageError: it was.
        OSError: it cannot be read or written.
    """
    with opened(source / name, source, as_owner) as file:
        write(target, file, mode=mode)
    if digest(target) != files[name]:
        raise _changed(source / name)


def _changed(path: Path) -> StorageError:
    name = printable(str(path), len(str(path)))  # as somebody else may have written it
    return StorageError(Sentence("{path} was changed or is missing; take another backup", path=name))


def _is_replaced(name: str) -> bool:
    """Whether a backup takes the place of the file that has this name in a data directory."""
    return name in (*_DATABASE_FILES, HEAD, DIRECTORY, BANS) or is_trail_file(name)


def _is_listable(name: str) -> bool:
    """Whether a manifest may have this name."""
    place, _slash, file = name.rpartition("/")
    if place == DATA:
        return file in (DATABASE, job_records.DATABASE, HEAD, BANS) or is_trail_file(file)
    root, _slash, job = place.rpartition("/")
    if root == f"{DATA}/{DIRECTORY}":
        return is_number(job) and is_number(file)
    return name == CONFIG or (place == CERTIFICATES and file.endswith(".pem"))


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
