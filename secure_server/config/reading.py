"""Reading the configuration's file: whole, and once more while a server runs by it."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from secure_protocol.sentence import Sentence
from secure_server.config.quantities import Size

MOST_BYTES = Size(4 * 1024 * 1024)
"""The largest file that is read: room for ten thousand commands; what is larger was named by mistake."""
SETTLE_SECONDS = 0.02
"""How long a file must stay as it was read: an editor that empties it and writes it anew is done by then."""
LOOKS = 10
"""How often it is read until it stays so."""


class ConfigError(Exception):
    """The configuration cannot be used; one sentence says which key, what was found and what is allowed."""


def read_whole(path: Path) -> bytes:
    """Return what is in the file, which may be a pipe: `--config <(…)`.

    Raises:
        OSError: it cannot be read.
        ConfigError: it is too large.
    """
    with path.open("rb") as file:
        return _bounded(path, file.read(MOST_BYTES + 1))


def read_settled(path: Path, pause: Callable[[float], None] = time.sleep) -> bytes:
    """Return what is in a file that may be changing at this moment.

    A part of it may be a whole configuration, too, and say that all the rest is not wanted any more. So it must stay as
    it was read for a moment. A pipe is refused: it was read at the start, and has nothing more to say.

    Args:
        path: the file.
        pause: waits for so many seconds.

    Raises:
        OSError: it cannot be read.
        ConfigError: it is no file, is too large, or keeps changing.
    """
    for _ in range(LOOKS):
        with open(path, "rb", opener=_at_once) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise ConfigError(
                    Sentence("The configuration {path} is no plain file, so it cannot be read again.", path=path)
                )
            data = _bounded(path, file.read(MOST_BYTES + 1))
        pause(SETTLE_SECONDS)
        if _stamp(path.stat()) == _stamp(before):
            return data
    raise ConfigError(Sentence("The configuration {path} is being changed; try again when it is whole.", path=path))


def _at_once(path: str, flags: int) -> int:
    """Open it without waiting for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _stamp(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _bounded(path: Path, data: bytes) -> bytes:
    if len(data) > MOST_BYTES:
        raise ConfigError(
            Sentence("The configuration {path} has more than {most}, so it is none.", path=path, most=MOST_BYTES)
        )
    return data
