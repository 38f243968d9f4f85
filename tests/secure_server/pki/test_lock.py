"""One run at a time."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from secure_server.pki.errors import UnusableFilesError
from secure_server.pki.lock import exclusive_lock


def test_a_held_lock_is_waited_for_up_to_the_limit(tmp_path: Path) -> None:
    """A second holder gives up at its deadline, in one sentence; afterwards the lock is free again."""
    path = tmp_path / ".lock"
    ticks = count()
    with exclusive_lock(path), pytest.raises(UnusableFilesError, match="for 2 seconds"):  # noqa: SIM117 - the inner one raises
        with exclusive_lock(path, timeout=2, clock=lambda: float(next(ticks))):
            pass
    assert next(ticks) == 3
    with exclusive_lock(path, timeout=0):
        assert path.exists()
