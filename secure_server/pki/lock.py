"""A lock between processes, held as long as a file is open: a killed holder leaves nothing to clear up."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from secure_protocol.sentence import Sentence
from secure_server.files.opening import open_own
from secure_server.pki.errors import UnusableFilesError

LOCK_TIMEOUT = 30.0
"""Seconds to wait for another run; one takes well under a second, on a slow disk a few."""
_POLL = 0.02
"""Seconds between two tries: `flock` itself cannot wait with a limit."""

if sys.platform == "win32":  # pragma: no cover - the suite runs on POSIX
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

    def _give_back(descriptor: int) -> None:
        """Nothing: it goes with the descriptor."""
else:
    try:
        import fcntl
    except ImportError:  # a system without does not run several processes beside each other
        fcntl = None  # type: ignore[assignment] # looked at below

    def _take(descriptor: int) -> None:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _give_back(descriptor: int) -> None:
        """Also from a child that was forked meanwhile: with its copy of the descriptor it would hold the lock on."""
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_UN)


@contextmanager
def exclusive_lock(
    path: Path, *, timeout: float = LOCK_TIMEOUT, clock: Callable[[], float] = time.monotonic
) -> Iterator[None]:
    """Hold the lock at `path`, which is made when it is missing and never removed.

    Args:
        path: the lock file.
        timeout: seconds to wait for another holder.
        clock: monotonic seconds.

    Raises:
        UnusableFilesError: another process held it all the while.
    """
    descriptor = open_own(path, os.O_RDWR | os.O_CREAT)
    try:
        deadline = clock() + timeout
        while True:
            try:
                _take(descriptor)
                break
            except (BlockingIOError, PermissionError):  # what flock and msvcrt say when it is held
                if clock() >= deadline:
                    raise UnusableFilesError(
                        Sentence(
                            "Another run has been working in {directory} for {seconds} seconds; "
                            "wait for it to end, then try again.",
                            directory=path.parent,
                            seconds=f"{timeout:g}",
                        )
                    ) from None
            time.sleep(_POLL)
        try:
            yield
        finally:
            _give_back(descriptor)
    finally:
        os.close(descriptor)
