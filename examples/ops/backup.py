"""BACKUP: what a line of configuration cannot say, because it tells how far it is.

The peer chooses only the name. It runs in the server itself, so it can do what the server can.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from secure_server.commands import Argument, CommandError, Context, command

SOURCE = Path("/srv/site")
TARGET = Path("/var/backups/site")

LABEL = Argument("part of the archive's name", pattern=r"[a-z0-9][a-z0-9-]{0,39}")


@command(
    "BACKUP",
    summary="Pack the site into an archive",
    role="operator",
    job=True,  # it goes on when the connection ends
    max_running=1,
    when_busy="attach",  # who asks for the one that runs already, follows that
    timeout=3600,
)
def backup(context: Context, label: Annotated[str, LABEL] = "manual", *, dry_run: bool = False) -> Iterator[str]:
    """Name each directory when it is reached; the archive is complete, or it is not there."""
    if not SOURCE.is_dir() or not TARGET.is_dir():
        raise CommandError("{source} or {target} is no directory.", source=SOURCE, target=TARGET)
    found = (path for path in SOURCE.rglob("*") if path.is_file() and not path.is_symlink())
    files = sorted(
        found, key=lambda path: (path.parent, path.name)
    )  # a directory's own together, before its directories'
    total = sum(path.stat().st_size for path in files)
    yield f"{len(files)} files, {total} bytes"
    if dry_run:
        return
    for left in TARGET.glob("*.partial"):  # by a server that was killed: there is one BACKUP at once
        left.unlink()
    archive = TARGET / f"{label}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz"
    partial = archive.with_suffix(".partial")
    try:
        with tarfile.open(partial, "x:gz") as packed:
            yield from _pack(context, packed, files, total)
        partial.rename(archive)
    finally:  # also where it was cancelled: then `yield` or `progress` raised
        partial.unlink(missing_ok=True)
    yield f"{archive.name}: {archive.stat().st_size} bytes"


def _pack(context: Context, packed: tarfile.TarFile, files: list[Path], total: int) -> Iterator[str]:
    done = 0
    directory = SOURCE
    for path in files:
        if path.parent != directory:
            directory = path.parent
            yield f"{directory.relative_to(SOURCE)}/"
        context.progress(done / total if total else 0.0, path.name)
        packed.add(path, path.relative_to(SOURCE), recursive=False)
        done += path.stat().st_size
