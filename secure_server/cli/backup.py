"""`secure-server backup`: a copy of all that a server needs to be what it was, made while it runs or not."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import BinaryIO

import click

from secure_protocol.sentence import Sentence
from secure_server.audit.chain import write_head
from secure_server.audit.journal import snapshot
from secure_server.audit.verify import verify
from secure_server.auth.errors import TokenRequestError
from secure_server.auth.sqlite.copying import check, image
from secure_server.cli import options
from secure_server.cli.changes import DATABASE
from secure_server.cli.failures import explains
from secure_server.files.making import make_private_directory
from secure_server.files.opening import sync_directory
from secure_server.files.owner import as_owner, check_copy
from secure_server.i18n import _
from secure_server.jobs.keeping import records as job_records
from secure_server.jobs.keeping.segments import DIRECTORY, segments_in, sizes_in
from secure_server.limits.ban_file import BANS
from secure_server.version import VERSION

FORMAT = 2
"""Of the directory; another number once an older program could not restore it."""
MANIFEST = "backup.json"
"""Names the files, with the SHA-256 of each."""
DATA, CERTIFICATES, CONFIG = "data", "certs", "config.toml"
"""What the directory holds."""
_STAGE = ".unfinished"
_COPY_BYTES = 1024 * 1024
_NOT_WAITING = getattr(os, "O_NONBLOCK", 0)
"""What is opened may be a pipe, at whose other end nobody is."""


@click.command(
    help=_("Copy the tokens, the audit trail, the jobs, the certificates with their keys and the named configuration.")
    + "\n\n"
    + _("Works with the server up or down. Keep the copy as safe as the server: it holds the keys.")
    + "\n\n"
    + _("For example: secure-server backup /var/backups/secure-server/2026-11-26"),
    options_metavar=_("[OPTIONS]"),
)
@click.argument("target", metavar=_("DIRECTORY"), type=click.Path(file_okay=False, path_type=Path))
@options.config
@options.data_dir
@options.certs_dir
@click.option("--force", is_flag=True, help=_("Also into a directory with files, which are moved into an old-… one."))
@explains
def backup(target: Path, data_dir: Path, directory: Path, *, force: bool) -> None:
    """Make a backup; the texts of help are in the decorators, where they are translated."""
    if not (data_dir / DATABASE).exists():
        raise TokenRequestError(Sentence("there are no tokens in {path}; check --data-dir", path=data_dir / DATABASE))
    check_copy(target, data_dir)
    if target.is_dir() and any(target.iterdir()) and not force:
        raise TokenRequestError(
            Sentence("{path} is not empty; name another directory, or add --force, which sets aside what is there",
                     path=target)
        )  # fmt: skip
    config = options.chosen_config()
    with reported(target), ExitStack() as held:
        settings = held.enter_context(config.open("rb")) if config is not None else None
        stage = held.enter_context(staged(target))
        (stage / DATA).mkdir(mode=0o700)
        tokens = _copy_tokens(data_dir / DATABASE, stage / DATA / DATABASE)
        problems, records = _copy_trail(data_dir, stage / DATA)
        jobs = _copy_jobs(data_dir, stage / DATA)
        _copy_bans(data_dir, stage / DATA)
        certificates = _copy_certificates(directory, stage / CERTIFICATES)
        if settings is not None:
            write(stage / CONFIG, settings)
        _write_manifest(stage)
        set_aside(target, [path for path in target.iterdir() if path != stage and not path.name.startswith("old-")])
        put(stage, target)
    sentence = _(
        "Tokens: {tokens}; audit records: {records}; jobs: {jobs}; files of certificates and keys: {certificates}."
    )
    click.echo(sentence.format(tokens=tokens, records=records, jobs=jobs, certificates=certificates))
    click.echo(_("The backup in {path} is whole; it holds keys, so keep it safe.").format(path=target))
    if problems:
        sentence = _("But the audit trail is not intact; see: secure-server audit verify --data-dir {path}")
        click.echo(sentence.format(path=data_dir), err=True)
        sys.exit(1)


def _copy_tokens(source: Path, target: Path) -> int:
    """Copy the database; how many tokens it holds."""
    with as_owner(source.parent):
        data = image(source)
    write(target, io.BytesIO(data))
    return check(target)


def _copy_trail(source: Path, target: Path) -> tuple[int, int]:
    """Copy the trail as it is between two records; how many problems and how many records it has."""
    with as_owner(source):
        taken = snapshot(source)
    for path, size in taken.files:
        with opened(path, source) as file:
            write(target / path.name, file, size)
    if taken.head is not None:
        write_head(target, taken.head)
    report = verify(snapshot(target))
    return len(report.problems), report.records


def _copy_bans(source: Path, target: Path) -> None:
    """Copy who is banned, if anybody ever was; the file is replaced as a whole, so it is whole."""
    with suppress(FileNotFoundError), opened(source / BANS, source) as file:
        write(target / BANS, file)


def _copy_jobs(source: Path, target: Path) -> int:
    """Copy the records of jobs, and what there is of their output by then; how many jobs."""
    with as_owner(source):
        if not (source / job_records.DATABASE).exists():
            return 0
        data = job_records.image(source / job_records.DATABASE)
        root = source / DIRECTORY
        found = [root / str(job) / str(part) for job in sorted(sizes_in(root)) for part in segments_in(root / str(job))]
    write(target / job_records.DATABASE, io.BytesIO(data))
    for path in found:
        try:
            file = opened(path, source)
        except FileNotFoundError:  # the job goes on, and dropped what was in the middle; or it was cleared
            continue
        with file:
            copy = target / path.relative_to(source)
            make_way(copy, target)
            write(copy, file)
    return job_records.check(target / job_records.DATABASE)


def _copy_certificates(source: Path, target: Path) -> int:
    target.mkdir(mode=0o700)
    with as_owner(source):
        found = sorted(source.glob("*.pem")) if source.is_dir() else []
    for path in found:
        with opened(path, source) as file:
            write(target / path.name, file)
    return len(found)


def _write_manifest(stage: Path) -> None:
    hashes = {named(path, stage): digest(path) for path in sorted(stage.rglob("*")) if path.is_file()}
    made = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps({"format": FORMAT, "version": VERSION, "made": made, "files": hashes}, indent=2)
    with open_new(stage / MANIFEST) as descriptor:
        _write_all(descriptor, text.encode() + b"\n")


def named(path: PurePath, stage: PurePath) -> str:
    """Return what a manifest calls a file: alike on every system, as it may be restored on another."""
    return path.relative_to(stage).as_posix()


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def open_new(path: Path, mode: int = 0o600) -> Iterator[int]:
    """Open a file that is not there yet, and have it on disk in the end."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        yield descriptor
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def opened(path: Path, directory: Path) -> io.BufferedReader:
    """Open a file to read it, as the owner of its directory, whose link leads root nowhere that they could not go.

    Raises:
        OSError: they cannot.
    """
    with as_owner(directory):
        return open(path, "rb", opener=lambda name, flags: os.open(name, flags | _NOT_WAITING))


def make_way(path: Path, stage: Path) -> None:
    """Make the directories within a stage that lead to a file."""
    for parent in reversed(path.relative_to(stage).parents):
        (stage / parent).mkdir(mode=0o700, exist_ok=True)


def write(target: Path, file: BinaryIO, size: int | None = None, mode: int = 0o600) -> None:
    """Copy an open file, or its first `size` bytes.

    Raises:
        OSError: it cannot be read or written.
    """
    with open_new(target, mode) as descriptor:
        left = file.seek(0, os.SEEK_END) if size is None else size
        file.seek(0)
        while left and (data := file.read(min(left, _COPY_BYTES))):
            left -= len(data)
            _write_all(descriptor, data)


def _write_all(descriptor: int, data: bytes) -> None:
    """Write all of it, though the system takes a part at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A directory inside the target for what is not whole yet; gone afterwards, whatever happened.

    Within, root is the target's owner: they could put a link to anywhere in the stage's place.
    """
    with as_owner(target):  # root's, where there is none yet
        make_private_directory(target)
    stage = target / _STAGE
    with as_owner(target):
        shutil.rmtree(stage, ignore_errors=True)  # of one that was killed
        stage.mkdir(mode=0o700)
        try:
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)


def put(stage: Path, target: Path) -> None:
    """Move what is staged to where it belongs, and have it on disk there; what says that all is there goes last."""
    for path in stage.rglob("*"):
        if path.is_dir():
            sync_directory(path)
    for path in sorted(stage.iterdir(), key=lambda each: (each.name == MANIFEST, each.name)):
        path.rename(target / path.name)
    sync_directory(target)


def set_aside(directory: Path, files: list[Path]) -> Path | None:
    """Move files of a directory into an old-… one beside them; None where there are none."""
    if not files:
        return None
    aside = directory / time.strftime("old-%Y-%m-%dT%H%M%S")
    number = 0
    while aside.exists():
        number += 1
        aside = aside.with_name(f"{aside.name.partition('.')[0]}.{number}")
    aside.mkdir(mode=0o700)
    for path in files:
        path.rename(aside / path.name)
    sync_directory(aside)
    return aside


@contextmanager
def reported(target: Path) -> Iterator[None]:
    """Say what the system said, in a sentence."""
    try:
        yield
    except OSError as error:
        sentence = _("{path} cannot be used ({why}); check the directories, their owner and the space on the disk.")
        message = sentence.format(path=error.filename or target, why=error.strerror or error)
        raise click.ClickException(message) from None
