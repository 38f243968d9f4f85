"""Recording what a program does to the data directory, beside a running server or without one."""

from __future__ import annotations

import getpass
import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from secure_server.audit.journal import Journal, OnBreak
from secure_server.audit.record import Entry, Value
from secure_server.auth.principal import Principal
from secure_server.files.opening import open_own

OFF = "audit.off"
"""Left in the data directory by a server whose configuration has the trail off, for programs that do not read it."""
ADDRESS = "cli"
"""Where such a change came from."""


def switch(directory: Path, *, on: bool) -> None:
    """Tell programs beside this server whether there is a trail.

    Raises:
        OSError: it cannot be told.
    """
    if on:
        (directory / OFF).unlink(missing_ok=True)
    else:
        os.close(open_own(directory / OFF, os.O_WRONLY | os.O_CREAT))


class OfflineTrail:
    """Appends to the trail, each record on disk before the method returns. One thread at a time.

    Args:
        directory: the data directory.
        on_break: told when the trail was found broken.
    """

    def __init__(self, directory: Path, on_break: OnBreak = lambda _sentence: None) -> None:
        self._directory = directory
        self._journal = Journal(directory, on_break=on_break)

    def record(self, event: str, outcome: str, details: Sequence[Mapping[str, Value]]) -> None:
        """Record what this process's user did, a record for each detail; see `Entry`.

        Raises:
            OSError: it cannot be recorded; the change stands.
        """
        if (self._directory / OFF).exists():
            return
        now, who = time.time(), _user()
        self._journal.append(deque(Entry(now, event, outcome, who, ADDRESS, detail=detail) for detail in details))
        self._journal.sync()


def _user() -> str:
    if hasattr(os, "getuid"):
        return Principal.local_admin(os.getuid()).name
    try:
        return f"local:{getpass.getuser()}"
    except (ImportError, KeyError, OSError):  # Windows, and nothing in the environment says who it is
        return "local:unknown"
