"""Opening a file of ours by its name, and no other that somebody made that name lead to."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path

from secure_protocol.sentence import Sentence

_CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
"""Follow no link at the end of the path, and wait for nobody at the other end of a pipe."""
_LINK = (errno.ELOOP, errno.EMLINK)
"""What O_NOFOLLOW makes of a symbolic link: on most systems, on FreeBSD."""


def open_own(path: str | Path, flags: int, mode: int = 0o600) -> int:
    """Open a plain file that has this name and no other; return the descriptor.

    Args:
        path: where it is. That its directory is nobody else's is for `owner` to see to.
        flags: of `os.open`.
        mode: of a file that is made.

    Raises:
        OSError: it cannot be opened, or is a link, or something else than a file, or has another name besides.
    """
    try:
        descriptor = os.open(path, flags | _CAREFUL, mode)
    except OSError as error:
        if error.errno in _LINK:
            raise _foreign(path) from None
        raise
    try:
        _check(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def check_own(path: str | Path) -> os.stat_result | None:
    """Look at a file that somebody else's code will open, as SQLite its own; None where there is none.

    Raises:
        OSError: as of `open_own`.
    """
    with contextlib.suppress(FileNotFoundError):
        found = os.lstat(path)
        _check(path, found)
        return found
    return None


def sync_directory(directory: Path) -> None:
    """Have a directory on disk: that a file was made in it, or has another name now.

    Raises:
        OSError: it cannot be.
    """
    if sys.platform == "win32":  # which cannot open a directory, and keeps names by itself
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check(path: str | Path, found: os.stat_result) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise _foreign(path)


def _foreign(path: str | Path) -> OSError:
    sentence = Sentence("{name} is a link, or no plain file; look who put it there, and move it away", name=path)
    return OSError(errno.ELOOP, sentence, str(path))
