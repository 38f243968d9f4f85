"""Setting a client's files aside."""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_server.pki.ensure import Request, ensure
from secure_server.pki.errors import UnusableFilesError
from secure_server.pki.withdraw import withdraw_client


def test_the_two_files_move_and_are_not_renewed(tmp_path: Path) -> None:
    """Others stay; the next `ensure` no longer looks after that client."""
    ensure(Request(tmp_path, clients=("ana", "bia")))
    key = (tmp_path / "client-ana-key.pem").read_bytes()
    aside = withdraw_client(tmp_path, "ana")
    assert aside is not None
    assert sorted(path.name for path in aside.iterdir()) == ["client-ana-key.pem", "client-ana.pem"]
    assert (aside / "client-ana-key.pem").read_bytes() == key
    report = ensure(Request(tmp_path))
    assert "client-bia.pem" in {entry.file for entry in report.entries}
    assert "client-ana.pem" not in {entry.file for entry in report.entries}
    assert withdraw_client(tmp_path, "ana") is None


@pytest.mark.parametrize("name", ["ana", "Ana Lima", "../ca", "x-key"])
def test_where_there_is_none_nothing_happens(tmp_path: Path, name: str) -> None:
    """Nothing is made either, also where there is no directory; a name is never a path."""
    (tmp_path / "ca.pem").write_text("", encoding="ascii")
    assert withdraw_client(tmp_path, name) is None
    assert withdraw_client(tmp_path / "none", name) is None
    assert [path.name for path in tmp_path.iterdir()] == ["ca.pem"]


def test_what_cannot_be_moved_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do, for a renewal would bring it back."""

    def fail(self: Path, mode: int = 0o777) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    ensure(Request(tmp_path, clients=("ana",)))
    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(UnusableFilesError, match=r"delete client-ana.pem and client-ana-key.pem yourself"):
        withdraw_client(tmp_path, "ana")
