"""One program at a time changes what is in a directory: each reads, changes and writes, and the last would win.

The directory itself is locked, so that no file is left over, and a killed holder leaves nothing to clear up. The server
has a lock on a file of its own (`secure_server.pki.lock`), which a client comes without.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":  # pragma: no cover - the suite runs on POSIX; it opens no directory
    fcntl = None
else:
    try:
        import fcntl
    except ImportError:  # a system without does not run several programs beside each other
        fcntl = None  # type: ignore[assignment] # looked at below

PATIENCE = 10.0
"""Seconds to wait for another program; a change takes milliseconds, on a slow disk a second."""
_POLL = 0.02
"""Seconds between two tries: `flock` itself cannot wait with a limit."""


@contextmanager
def turn(directory: Path, *, patience: float = PATIENCE, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Keep other programs from changing a directory of ours in this block; where nothing can be locked, nobody is kept.

    Args:
        directory: is there.
        patience: seconds to wait for another holder.
        clock: monotonic seconds.

    Raises:
        TimeoutError: another program had it all the while.
        OSError: it cannot be opened.
    """
    if sys.platform == "win32" or fcntl is None:
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        deadline = clock() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if clock() >= deadline:
                    raise TimeoutError from None
                time.sleep(_POLL)
            except OSError:  # a file system without locks, or NFS, which locks only what is open for writing
                break
        yield
    finally:
        os.close(descriptor)
