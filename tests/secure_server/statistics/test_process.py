"""What the system tells of this process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from secure_server.statistics import process


def test_descriptors_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each that is opened is one more; None where the system does not tell."""
    if not process.DESCRIPTORS.exists():
        pytest.skip("this system has no /dev/fd")
    before = process.descriptors()
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(5)]
    try:
        after = process.descriptors()
    finally:
        for descriptor in opened:
            os.close(descriptor)
    assert before is not None
    assert after == before + 5
    monkeypatch.setattr(process, "DESCRIPTORS", tmp_path / "nothing")
    assert process.descriptors() is None


def test_an_older_linux_has_them_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the size of the directory says nothing; that which reads it is not counted."""
    if not process.DESCRIPTORS.exists():
        pytest.skip("this system has no /dev/fd")
    before = process.descriptors()
    monkeypatch.setattr(sys, "platform", "another")
    assert process.descriptors() == before


def test_memory_is_none_where_nothing_tells_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on systems without /proc."""
    monkeypatch.setattr(process, "MEMORY", tmp_path / "nothing")
    assert process.resident() is None
