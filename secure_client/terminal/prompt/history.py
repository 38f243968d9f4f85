"""What was typed, kept for the next time: readable by its user alone, and without secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from secure_client.profiles import places

MOST_BYTES = 1024 * 1024
"""Of the file; beyond, the older half is dropped at the next start."""

_SECRET = re.compile(r"scs_|^\s*[\"']?AUTH\b|^\s*[\"']?HELLO\b.*\bAUTH\b", re.IGNORECASE | re.DOTALL)


def is_secret(text: str) -> bool:
    """Say whether a line may hold a token, so that it is kept nowhere."""
    return _SECRET.search(text) is not None


class PrivateHistory(FileHistory):
    """prompt-toolkit's file, with mode 0600 and without lines that may hold a secret.

    Args:
        path: of the file; its directory is made.
        secret: says of a line whether it may hold a secret.

    Raises:
        OSError: the file cannot be used.
    """

    def __init__(self, path: Path, secret: Callable[[str], bool] = is_secret) -> None:
        self._secret = secret
        places.make_private_directory(path.parent)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        path.chmod(0o600)
        _shorten(path)
        super().__init__(str(path))

    def append_string(self, string: str) -> None:
        """Take a line, unless it may hold a secret: then not even the arrow keys bring it back."""
        if not self._secret(string):
            super().append_string(string)

    def store_string(self, string: str) -> None:
        """Write a line; a disk that is full is no reason to end the session."""
        try:
            super().store_string(string)
        except OSError:
            return


def open_history(name: str, secret: Callable[[str], bool] = is_secret) -> History:
    """Return the user's history, or one of this session alone where the file cannot be used."""
    try:
        return PrivateHistory(places.state_directory() / name, secret)
    except OSError:
        return InMemoryHistory()


def _shorten(path: Path) -> None:
    """Keep the newer half of a file that grew too long; an entry begins at `# <date>` after an empty line."""
    if path.stat().st_size <= MOST_BYTES:
        return
    with path.open("r+b") as file:
        file.seek(-MOST_BYTES // 2, os.SEEK_END)
        kept = file.read()
        kept = kept[max(0, kept.find(b"\n\n# ")) :]
        file.seek(0)
        file.write(kept)
        file.truncate()
