"""The commands of servers as they were last told, kept for a shell that completes them without a connection."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from secure_client.catalogue import Catalogue
from secure_client.core.endpoint import Endpoint
from secure_client.profiles import places

DIRECTORY = "commands"
MOST_BYTES = 512 * 1024
"""Of one server's; more than a thousand commands have. A longer one is not kept, and none is read."""
MOST_FILES = 32
"""Servers whose commands are kept; those that were told longest ago are forgotten."""


def keep(endpoint: Endpoint, catalogue: Catalogue) -> None:
    """Keep what a server told, where it differs from what is kept. What cannot be written is not kept."""
    if endpoint.path is not None:
        return  # the admin socket's, which nobody names on a command line
    told = [found.to_wire() for name in catalogue.names if (found := catalogue.find(name.split())) is not None]
    with contextlib.suppress(OSError, ValueError, TypeError):
        data = json.dumps(told, separators=(",", ":")).encode("ascii")
        path = _path(endpoint)
        if len(data) > MOST_BYTES or _read(path) == data:
            return
        places.make_private_directory(path.parent.parent)
        places.write_private(path, data)
        kept = sorted(path.parent.glob("*.json"), key=lambda each: each.stat().st_mtime)
        for old in kept[:-MOST_FILES]:
            old.unlink(missing_ok=True)


def kept(endpoint: Endpoint) -> Catalogue:
    """Return what a server told last; nothing where that is not kept or damaged."""
    try:
        return Catalogue.from_wire(json.loads(_read(_path(endpoint)) or b"[]"))
    except (OSError, ValueError, TypeError, RecursionError):
        return Catalogue()


def _path(endpoint: Endpoint) -> Path:
    name = hashlib.sha256(str(endpoint).encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return places.state_directory() / DIRECTORY / f"{name}.json"


def _read(path: Path) -> bytes | None:
    try:
        places.check_private(path.parent)
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError:
        return None
    return data if len(data) <= MOST_BYTES else None
