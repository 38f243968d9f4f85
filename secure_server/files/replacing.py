"""Putting a file in the place of another: whole and on disk, or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from secure_server.files.opening import sync_directory

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
"""O_EXCL follows no link."""


def replace_file(path: Path, data: bytes, prepare: Callable[[int], None] = lambda _descriptor: None) -> None:
    """Write aside, flush to disk, then rename: a reader sees the old file or the new one, whole. Any thread.

    Args:
        path: of the file, which nobody else may read unless it is prepared otherwise.
        data: all that is in it.
        prepare: called with the descriptor before anything is written.

    Raises:
        OSError: it cannot be; what was there is there still, unless the directory alone could not be forced to disk.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, _FLAGS, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            prepare(descriptor)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
