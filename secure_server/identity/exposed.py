"""Private keys that more users may read than should: told at the start, for nobody looks at modes by himself."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from secure_server.config.settings import Config
from secure_server.identity.identity import IdentityFiles

OTHERS = stat.S_IRWXO
"""Of a key that the configuration names: its group may be made for those who are to read it."""
ALL_BUT_THE_OWNER = stat.S_IRWXG | stat.S_IRWXO
"""Of keys in our own directory, where they are made for their owner alone."""


def exposed_keys(config: Config) -> Iterator[Path]:
    """Return the private keys that others may read: the server's, and all in the certificates' directory."""
    if os.name != "posix":
        return
    own = sorted(Path(config.certs_dir).glob("*-key.pem"))
    used = IdentityFiles.of(config).key
    for path, more in [*((path, ALL_BUT_THE_OWNER) for path in own), *([(used, OTHERS)] if used not in own else [])]:
        try:
            if path.stat().st_mode & more:
                yield path
        except OSError:  # whoever reads it says so
            continue
