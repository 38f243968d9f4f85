"""Making a token database: it has its name once it is whole, so one in which nothing is was damaged.

A file that the system cut to nothing, as some do when the power fails, would else be a new database to SQLite: without
a word all tokens would be gone, and revoked certificates good again.
"""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import sys
from pathlib import Path

from secure_server.auth.sqlite import schema
from secure_server.files.making import make_private_directory
from secure_server.files.opening import sync_directory

_FLAGS = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
"""O_EXCL follows no link."""


def make(path: Path) -> None:
    """Make a database without tokens, and its directory, that nobody else may read; leave one that is there.

    Any number of processes may do so at once: the first to be done makes the one that all have.

    Raises:
        OSError: it cannot be made.
    """
    make_private_directory(path.parent)
    try:
        # Not opened when it exists: closing a second descriptor drops the locks that SQLite holds on the first.
        if path.lstat().st_nlink == 1:
            return
    except FileNotFoundError:
        _make(path)
    # The second name of one whose maker was killed, or is about to remove it; and what others were making, who find
    # this one in its place.
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            leftover.unlink()


def _make(path: Path) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    with os.fdopen(os.open(temporary, _FLAGS, 0o600), "wb") as file:
        try:
            file.write(schema.blank())
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    try:
        # The second: another process was first, and removed what others were making.
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            _name(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def _name(temporary: Path, path: Path) -> None:
    """Give a file a name that no other file has."""
    if sys.platform == "win32":
        temporary.rename(path)  # it refuses a name that is taken; elsewhere, a link alone does
        return
    try:
        os.link(temporary, path)
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:  # there are no links here (FAT, Android)
        if not os.path.lexists(path):
            temporary.rename(path)
