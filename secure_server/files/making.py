"""Making a directory that is its owner's alone, whatever the umask lets others do with what leads there."""

from __future__ import annotations

import contextlib
from itertools import takewhile
from pathlib import Path

from secure_server.files.opening import sync_directory

_PARENT_MODE = 0o755
"""Of directories made on the way: whoever may write in one can put another in the place of what is in it."""


def make_private_directory(directory: Path) -> None:
    """Make a directory with mode 0700, and those that lead there, unless it is there already; on disk.

    Raises:
        OSError: it cannot be made.
    """
    for parent in reversed(list(takewhile(lambda each: not each.exists(), directory.parents))):
        _make(parent, _PARENT_MODE)
    _make(directory, 0o700)


def _make(directory: Path, mode: int) -> None:
    """Make one, and have it on disk, as what is kept in it is to be found there."""
    try:
        directory.mkdir(mode=mode)
    except OSError:
        if not directory.is_dir():
            raise
    else:
        with contextlib.suppress(PermissionError):  # whoever may make something there may not list it
            sync_directory(directory.parent)
