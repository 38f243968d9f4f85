"""What was typed, kept for the next time: readable by its user alone, and without secrets.

Several terminals write to one file: each line is one write, at the file's end; and a file that grew too long is
replaced whole, while the others wait.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from secure_client.profiles import places
from secure_client.profiles.turns import turn

MOST_BYTES = 1024 * 1024
"""Of the file; beyond, the older half is dropped at the next start."""
PATIENCE = 1.0
"""Seconds a line waits for another terminal that shortens the file, which takes it milliseconds. Then it is written all
the same: one line may be lost then, and nobody stands before a prompt that does nothing."""

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
        self._path = path
        _shorten(path)
        super().__init__(str(path))

    def append_string(self, string: str) -> None:
        """Take a line, but no secret, which not even the arrow keys bring back, nor the same one twice in a row."""
        if not self._secret(string) and self.get_strings()[-1:] != [string]:
            super().append_string(string)

    def store_string(self, string: str) -> None:
        """Write a line; a disk that is full is no reason to end the session."""
        lines = "".join(f"+{line}\n" for line in string.split("\n"))
        entry = f"\n# {datetime.now()}\n{lines}"  # noqa: DTZ005 - as prompt-toolkit writes it; nobody reads it
        with contextlib.suppress(OSError), _turn(self._path.parent), self._path.open("ab", buffering=0) as file:
            file.write(entry.encode("utf-8", "replace"))


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
    with _turn(path.parent):
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) <= MOST_BYTES:  # another terminal was faster
                return
            file.seek(-MOST_BYTES // 2, os.SEEK_END)
            kept = file.read()
        with contextlib.suppress(OSError):  # then it is too long still
            places.write_private(path.resolve(), kept[max(0, kept.find(b"\n\n# ")) :])


@contextlib.contextmanager
def _turn(directory: Path) -> Iterator[None]:
    """Keep other terminals from the files in this block; not for long."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(TimeoutError):
            stack.enter_context(turn(directory, patience=PATIENCE))
        yield
