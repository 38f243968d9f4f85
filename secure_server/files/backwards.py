"""Lines of files, the last one first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from secure_server.files.opening import open_own

PIECE_BYTES = 256 * 1024
"""Read at once."""


def lines_backwards(files: Sequence[Path], piece: int = PIECE_BYTES) -> Iterator[bytes]:
    """Return the lines, last first, without their ends; one that is longer than two pieces may come in several.

    Args:
        files: oldest first; each is opened when its turn comes.
        piece: bytes read at once.

    Raises:
        OSError: a file cannot be read.
    """
    binary = getattr(os, "O_BINARY", 0)
    for path in reversed(files):
        with os.fdopen(open_own(path, os.O_RDONLY | binary), "rb") as file:
            start = file.seek(0, os.SEEK_END)
            rest = b""
            while start > 0:
                size = min(piece, start)
                start = file.seek(start - size)
                first, *whole = (file.read(size) + rest).removesuffix(b"\n").split(b"\n")
                yield from reversed(whole)
                rest = first + b"\n"
                if len(rest) > 2 * piece:
                    yield first
                    rest = b""
            if rest:
                yield rest[:-1]
