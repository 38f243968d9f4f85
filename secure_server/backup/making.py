"""A backup: a copy of all that a server needs to be what it was, made while it runs or not."""

from __future__ import annotations

import io
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from secure_server.audit.chain import write_head
from secure_server.audit.journal import snapshot
from secure_server.audit.verify import verify
from secure_server.auth.sqlite.copying import check, image
from secure_server.backup.files import (
    CERTIFICATES,
    CONFIG,
    DATA,
    make_way,
    opened,
    put,
    set_aside,
    staged,
    write,
    write_manifest,
)
from secure_server.files.owner import Acting
from secure_server.jobs.keeping import records as job_records
from secure_server.jobs.keeping.segments import DIRECTORY, segments_in, sizes_in
from secure_server.limits.ban_file import BANS

DATABASE = "tokens.db"
"""The token database, in the data directory."""


class Copied(NamedTuple):
    """What there is in a backup.

    Attributes:
        tokens: how many.
        records: of the audit trail.
        jobs: how many.
        certificates: files of certificates and keys.
        problems: of the trail, which was not intact.
    """

    tokens: int
    records: int
    jobs: int
    certificates: int
    problems: int


def make(target: Path, data: Path, certificates: Path, settings: BinaryIO | None, acting: Acting) -> Copied:
    """Make a backup in a directory; what is there already is set aside.

    Args:
        target: the directory.
        data: the data directory, with a token database.
        certificates: the certificates' directory.
        settings: the configuration's open file; None where there is none.
        acting: becomes a directory's owner, where that is needed.

    Raises:
        OSError: something cannot be read or written; nothing is left of it.
        StorageError, RecordsError: a database cannot be read, or is damaged; likewise.
    """
    with ExitStack() as held:
        stage = held.enter_context(staged(target, acting))
        (stage / DATA).mkdir(mode=0o700)
        tokens = _copy_tokens(data / DATABASE, stage / DATA / DATABASE, acting)
        problems, records = _copy_trail(data, stage / DATA, acting)
        jobs = _copy_jobs(data, stage / DATA, acting)
        _copy_bans(data, stage / DATA, acting)
        copied = _copy_certificates(certificates, stage / CERTIFICATES, acting)
        if settings is not None:
            write(stage / CONFIG, settings)
        write_manifest(stage)
        set_aside(target, [path for path in target.iterdir() if path != stage and not path.name.startswith("old-")])
        put(stage, target)
    return Copied(tokens, records, jobs, copied, problems)


def _copy_tokens(source: Path, target: Path, acting: Acting) -> int:
    """Copy the database; how many tokens it holds."""
    with acting(source.parent):
        data = image(source)
    write(target, io.BytesIO(data))
    return check(target)


def _copy_trail(source: Path, target: Path, acting: Acting) -> tuple[int, int]:
    """Copy the trail as it is between two records; how many problems and how many records it has."""
    with acting(source):
        taken = snapshot(source)
    for path, size in taken.files:
        with opened(path, source, acting) as file:
            write(target / path.name, file, size)
    if taken.head is not None:
        write_head(target, taken.head)
    report = verify(snapshot(target))
    return len(report.problems), report.records


def _copy_bans(source: Path, target: Path, acting: Acting) -> None:
    """Copy who is banned, if anybody ever was; the file is replaced as a whole, so it is whole."""
    with suppress(FileNotFoundError), opened(source / BANS, source, acting) as file:
        write(target / BANS, file)


def _copy_jobs(source: Path, target: Path, acting: Acting) -> int:
    """Copy the records of jobs, and what there is of their output by then; how many jobs."""
    with acting(source):
        if not (source / job_records.DATABASE).exists():
            return 0
        data = job_records.image(source / job_records.DATABASE)
        root = source / DIRECTORY
        found = [root / str(job) / str(part) for job in sorted(sizes_in(root)) for part in segments_in(root / str(job))]
    write(target / job_records.DATABASE, io.BytesIO(data))
    for path in found:
        try:
            file = opened(path, source, acting)
        except FileNotFoundError:  # the job goes on, and dropped what was in the middle; or it was cleared
            continue
        with file:
            copy = target / path.relative_to(source)
            make_way(copy, target)
            write(copy, file)
    return job_records.check(target / job_records.DATABASE)


def _copy_certificates(source: Path, target: Path, acting: Acting) -> int:
    target.mkdir(mode=0o700)
    with acting(source):
        found = sorted(source.glob("*.pem")) if source.is_dir() else []
    for path in found:
        with opened(path, source, acting) as file:
            write(target / path.name, file)
    return len(found)
