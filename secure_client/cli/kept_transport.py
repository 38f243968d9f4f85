"""Where UDP was silent, kept for the next program: `auto` begins by TLS there, and does not wait for QUIC each time."""

from __future__ import annotations

import contextlib
import hashlib
import time
from pathlib import Path

from secure_client.core.endpoint import Endpoint
from secure_client.profiles import places

DIRECTORY = "tls-first"
KEPT_SECONDS = 3600.0
"""A laptop is elsewhere by then, or the network mended: QUIC has another chance."""
MOST_FILES = 32
"""Servers of which it is kept; those of longest ago are forgotten."""


def keep(endpoint: Endpoint, won: str) -> None:
    """Keep which kind of transport was there first; what cannot be written is not kept."""
    path = _path(endpoint)
    with contextlib.suppress(OSError):
        if won != "tls":
            path.unlink(missing_ok=True)
            return
        places.make_private_directory(path.parent.parent)
        places.write_private(path, b"")
        kept = sorted(path.parent.iterdir(), key=lambda each: each.stat().st_mtime)
        for old in kept[:-MOST_FILES]:
            old.unlink(missing_ok=True)


def kept(endpoint: Endpoint) -> str:
    """Return `tls` where that was first a short time ago; else nothing."""
    try:
        age = time.time() - _path(endpoint).stat().st_mtime
    except OSError:
        return ""
    return "tls" if 0 <= age < KEPT_SECONDS else ""


def _path(endpoint: Endpoint) -> Path:
    name = hashlib.sha256(str(endpoint).encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return places.state_directory() / DIRECTORY / name
