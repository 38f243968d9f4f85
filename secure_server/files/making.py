"""Making a directory that is its owner's alone, whatever the umask lets others do with what leads there."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

_PARENT_MODE = 0o755
"""Of directories made on the way: whoever may write in one can put another in the place of what is in it."""


def make_private_directory(directory: Path) -> None:
    """Make a directory with mode 0700, and those that lead there, unless it is there already.

    Raises:
        OSError: it cannot be made.
    """
    for parent in reversed(list(takewhile(lambda each: not each.exists(), directory.parents))):
        parent.mkdir(mode=_PARENT_MODE, exist_ok=True)
    directory.mkdir(mode=0o700, exist_ok=True)
