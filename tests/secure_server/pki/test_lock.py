"""One run at a time."""

from __future__ import annotations

import os
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


def test_a_lock_is_given_back_though_a_child_has_its_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler may fork while another thread holds it; its child keeps a copy of the descriptor as it lives on."""
    path, opened, really_open = tmp_path / ".lock", list[int](), os.open

    def note(name: Path, flags: int, mode: int) -> int:
        opened.append(really_open(name, flags, mode))
        return opened[-1]

    monkeypatch.setattr(os, "open", note)
    with exclusive_lock(path):
        copy = os.dup(opened[0])  # to the system the same as that of a child
    with exclusive_lock(path, timeout=0):
        os.close(copy)
