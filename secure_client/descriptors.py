"""The three descriptors that a program is started with, for both programs: the server's imports this, too."""

from __future__ import annotations

import os
import sys
from typing import TextIO

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_missing() -> set[int]:
    """Open the null device as each of the descriptors 0, 1 and 2 that is closed: first thing in a program.

    Otherwise the next file or socket becomes one of them, and whoever writes to stderr, this program or one that it
    starts, writes into a log, a database or to a peer. Standard output is opened for reading alone: writing fails, as
    it does for whoever writes to a closed one, so that what is shown to nobody does not pass as shown.

    Returns:
        Those that were closed.
    """
    closed = set()
    for descriptor, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(descriptor)
        except OSError:
            closed.add(descriptor)
            # The lowest that is free is this one: those below are open by now.
            null = os.open(os.devnull, os.O_RDONLY if name == "stdout" else os.O_RDWR)
            os.set_inheritable(null, True)  # noqa: FBT003 - os takes no names; programs started need it, too
        if getattr(sys, name) is None:  # what Python makes of a closed one
            stream = open(descriptor, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115 - stays
            setattr(sys, name, stream)
    return closed


def apart(stream: TextIO) -> TextIO:
    """Return a stream to the same place with a descriptor of its own; one in memory as it is.

    Somebody's command may close a standard stream; then the next file or socket has its number, and what is written to
    the stream goes there.
    """
    try:
        return os.fdopen(os.dup(stream.fileno()), "w", encoding="utf-8", errors="backslashreplace")
    except OSError:
        return stream
