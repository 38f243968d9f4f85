"""The last lines of the activity log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from secure_server.files.backwards import PIECE_BYTES, lines_backwards

MOST_BYTES = 4 * 1024 * 1024
"""Read from the end, at most: where few lines are wanted of many, those before are not looked for. It takes a worker
some 0.2 s, in which nothing is written, and others have to share the interpreter with it."""


def last_entries(files: Sequence[Path], most: int, chosen: Callable[[str], bool]) -> list[str]:
    """Return the last entries, in their order; one of several lines, such as a traceback's, as one.

    Args:
        files: oldest first.
        most: entries.
        chosen: which of them.

    Raises:
        OSError: a file cannot be read.
    """
    found: list[str] = []
    indented: list[str] = []
    read = 0
    for line in lines_backwards(files, PIECE_BYTES):
        read += len(line) + 1
        text = line.decode("utf-8", "replace")
        if text.startswith("  "):
            indented.append(text)
        else:
            entry = "\n".join([text, *reversed(indented)])
            indented = []
            if text and chosen(entry):
                found.append(entry)
        if len(found) == most or read > MOST_BYTES:
            break
    return found[::-1]
