"""What the system tells of this process; None where it does not."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

MEMORY = Path("/proc/self/statm")
"""Where Linux tells what this process holds, in pages."""
DESCRIPTORS = Path("/dev/fd")
"""A directory with an entry for each descriptor that is open; on Linux its size, where it is not 0, is their number."""


def resident() -> int | None:
    """Return the bytes of memory that it holds."""
    try:
        pages = int(MEMORY.read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else None


def descriptors() -> int | None:
    """Return how many it has open."""
    with suppress(OSError):
        if sys.platform == "linux" and (count := DESCRIPTORS.stat().st_size):  # since Linux 6.2, and at no cost
            return count
        return len(os.listdir(DESCRIPTORS)) - 1  # without the one that reads  # noqa: PTH208 - twice as fast
    return None


def most_descriptors() -> int | None:
    """Return how many it may have open."""
    if sys.platform == "win32":  # pragma: no cover - Windows
        return None
    try:
        import resource  # noqa: PLC0415 - most systems have it
    except ImportError:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
