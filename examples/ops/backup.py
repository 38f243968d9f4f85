"""BACKUP: what a line of configuration cannot say, because it tells how far it is.

Where it reads and writes comes from the environment of the server: `BACKUP_FROM` (/srv) and `BACKUP_TO`
(/var/backups). The peer chooses only the name.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from secure_server.commands import Argument, CommandError, Context, command

LABEL = Argument("part of the archive's name", pattern=r"[a-z0-9][a-z0-9-]{0,39}")


@command("BACKUP", summary="Pack the data directory into an archive", role="operator", timeout=3600)
def backup(context: Context, label: Annotated[str, LABEL] = "manual", *, dry_run: bool = False) -> Iterator[str]:
    """Name each directory when it is reached; the archive is complete, or it is not there."""
    source, target = Path(os.environ.get("BACKUP_FROM", "/srv")), Path(os.environ.get("BACKUP_TO", "/var/backups"))
    if not source.is_dir() or not target.is_dir():
        raise CommandError("{source} or {target} is no directory.", source=source, target=target)
    files = sorted(path for path in source.rglob("*") if path.is_file() and not path.is_symlink())
    total = sum(path.stat().st_size for path in files)
    yield f"{len(files)} files, {total} bytes"
    if dry_run:
        return
    archive = target / f"{label}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz"
    partial = archive.with_suffix(".partial")
    try:
        with tarfile.open(partial, "x:gz") as packed:
            yield from _pack(context, packed, files, source, total)
        partial.rename(archive)
    finally:  # also where it was cancelled: then `yield` or `progress` raised
        partial.unlink(missing_ok=True)
    yield f"{archive.name}: {archive.stat().st_size} bytes"


def _pack(context: Context, packed: tarfile.TarFile, files: list[Path], source: Path, total: int) -> Iterator[str]:
    done = 0
    directory = source
    for path in files:
        if path.parent != directory:
            directory = path.parent
            yield f"{directory.relative_to(source)}/"
        packed.add(path, path.relative_to(source), recursive=False)
        done += path.stat().st_size
        context.progress(done / total if total else 1.0, path.name)
