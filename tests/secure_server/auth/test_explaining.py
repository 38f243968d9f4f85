"""What is said of SQLite's errors has the remedy that helps."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import pytest

from secure_server.auth.sqlite.explaining import explanation


@pytest.mark.parametrize(("free", "said"), [(0, "the disk is full"), (1024**3, "check the disk")])
def test_a_full_disk_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, said: str) -> None:
    """Also where SQLite speaks of input and output, as it does when it cannot make its files beside the database."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free))
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    assert said in str(explanation(tmp_path / "tokens.db", error))


def test_a_directory_that_is_gone_hides_no_error(tmp_path: Path) -> None:
    """What failed is told, though nothing can be known of the disk."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    assert "check the disk" in str(explanation(tmp_path / "gone" / "tokens.db", error))
