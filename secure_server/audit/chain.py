"""How the lines are bound to each other, and the head: which is the last one, noted down apart from the lines."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import NamedTuple, Self

from secure_server.files.opening import open_own

HEAD = "audit.head"
"""Beside the files of the trail. What is cut off their end shows by it."""
NOTHING = "0" * 64
"""What the first record names as the hash of the line before it."""

BINARY = getattr(os, "O_BINARY", 0)
"""Windows alone has it, and without it writes other line ends than were hashed."""

_FORM = re.compile(r"0*(\d{1,18}):([0-9a-f]{64})\s*")


class Link(NamedTuple):
    """A place in the chain.

    Attributes:
        seq: a record's number; 0 before the first.
        hash: SHA-256 of its line without the line's end, in hex.
    """

    seq: int
    hash: str

    @classmethod
    def of(cls, seq: int, line: bytes) -> Self:
        """Return the link that a line makes."""
        return cls(seq, hashlib.sha256(line).hexdigest())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `SEQ:HASH`, as `audit verify` prints it.

        Raises:
            ValueError: it is not of that form.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise ValueError("a place in the trail is written NUMBER:HASH, the hash being 64 digits of 0-9 and a-f")
        return cls(int(match[1]), match[2])

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


START = Link(0, NOTHING)
"""Before the first record."""


def read_head(directory: Path) -> Link | None:
    """Return what the head says; None where there is no head, or an empty one: the disk was full when it was made.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged.
    """
    try:
        with os.fdopen(open_own(directory / HEAD, os.O_RDONLY), encoding="ascii") as file:
            text = file.read()
    except FileNotFoundError:
        return None
    return Link.parse(text) if text else None


def write_head(directory: Path, link: Link) -> None:
    """Write the head, and force it to disk. It always has the same size, and is written in place: no disk is too full.

    Raises:
        OSError: it cannot be written.
    """
    descriptor = open_own(directory / HEAD, os.O_WRONLY | os.O_CREAT | BINARY)
    try:
        os.write(descriptor, f"{link.seq:018d}:{link.hash}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
