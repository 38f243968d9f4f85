"""Whether a server runs in another directory than the one that a command would begin in."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from secure_server.admin import ADMIN_SOCKET

SOCKETS = Path("/proc/net/unix")
"""Where Linux lists all Unix sockets with the paths that they were bound to; elsewhere nothing is known of others."""


def runs_elsewhere(database: str, sockets: Path | None = None) -> bool:
    """Whether a server of this machine has its admin socket somewhere.

    Args:
        database: the name of the token database, which is beside it.
        sockets: where the sockets are listed; None for `SOCKETS`.
    """
    return any(_is_ours(path, database) for path in _bound(sockets or SOCKETS))


def _bound(sockets: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for line in sockets.read_text(encoding="utf-8", errors="replace").splitlines()[1:]:
            path = Path(line.rpartition(" ")[2])
            if path.name == ADMIN_SOCKET:  # so do other programs call theirs
                yield path


def _is_ours(path: Path, database: str) -> bool:
    """Whether the database is beside it; one relative to wherever the server was started cannot be followed."""
    if not path.is_absolute():
        return True
    return os.path.exists(path.with_name(database))  # noqa: PTH110 - false where this user may not look
