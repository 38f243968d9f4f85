"""Where bans are kept: one file in the data directory, replaced as a whole at each change."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from secure_protocol.sentence import Sentence
from secure_server.files.opening import open_own
from secure_server.files.replacing import replace_file
from secure_server.limits.bans import Ban, Bans, BansError, check

BANS = "bans.json"
"""Its name."""
MOST_BYTES = 32 * 1024 * 1024
"""Of it: what is longer was not written by us, for `MOST_BANS` of the longest are shorter."""


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is in it; another format will have another number."""

    last: int
    bans: list[Ban]
    format: Literal[1] = 1


def load_bans(directory: Path) -> Bans:
    """Return the bans that are kept in a data directory; none where there is no file.

    Raises:
        BansError: it is damaged, or cannot be read. Nothing is guessed: whoever was banned would be let in again.
    """
    path = directory / BANS
    try:
        kept = read_bans(path)
    except OSError as error:
        why: object = error.strerror
    except BansError as error:
        why = error
    else:
        return Bans(kept.bans, kept.last, partial(_write, path))
    raise BansError(
        Sentence(
            "The bans in {path} cannot be used: {why}. Put the file of a backup in its place; or move it away, and "
            "nobody is banned.",
            path=path,
            why=why,
        )
    ) from None


def read_bans(path: Path) -> _Kept:
    """Read the file, and take it from everybody else where it was left open.

    Raises:
        BansError: it is damaged; says how, as a clause.
        OSError: it cannot be read.
    """
    try:
        descriptor = open_own(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        return _Kept(0, [])
    with os.fdopen(descriptor, "rb") as file:
        if sys.platform != "win32" and stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            os.fchmod(descriptor, 0o600)
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise BansError(Sentence("it is longer than {most} bytes", most=MOST_BYTES))
    try:
        kept = msgspec.json.decode(data, type=_Kept)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BansError(Sentence("it is damaged, or of a newer version")) from None
    check(kept.bans, kept.last)
    return kept


def _write(path: Path, last: int, bans: Sequence[Ban]) -> None:
    replace_file(path, msgspec.json.format(msgspec.json.encode(_Kept(last, list(bans)))) + b"\n")
