"""The files of a backup: staged, copied, named with their hashes, and put where they belong when all are whole."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import BinaryIO

from secure_server.files.making import make_private_directory
from secure_server.files.opening import sync_directory
from secure_server.files.owner import Acting
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


def write_manifest(stage: Path) -> None:
    """Write what says that all is there, and of each file what it is."""
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


def opened(path: Path, directory: Path, acting: Acting) -> io.BufferedReader:
    """Open a file to read it, as the owner of its directory, whose link leads root nowhere that they could not go.

    Raises:
        OSError: they cannot.
    """
    with acting(directory):
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
def staged(target: Path, acting: Acting) -> Iterator[Path]:
    """A directory inside the target for what is not whole yet; gone afterwards, whatever happened.

    Within, root is the target's owner: they could put a link to anywhere in the stage's place.
    """
    with acting(target):  # root's, where there is none yet
        make_private_directory(target)
    stage = target / _STAGE
    with acting(target):
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
