"""Revoking client certificates by name, as a service."""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_server.auth.errors import TokenNotFoundError, TokenRequestError
from secure_server.auth.revoked_certificates import RevokedCertificates
from secure_server.auth.sqlite.storage import SQLiteTokenStorage

from .conftest import Clock


def test_revoke_list_restore(storage: SQLiteTokenStorage, clock: Clock) -> None:
    """Each change is told, and every process sees it."""
    told: list[None] = []
    certificates = RevokedCertificates(storage, lambda: told.append(None), lambda name: Path("old") / name, clock)
    before = storage.change_stamp()
    assert certificates.revoke("Ana Lima") == (clock.now, Path("old/Ana Lima"))
    assert storage.change_stamp() != before
    assert certificates.list() == {"Ana Lima": clock.now}
    with SQLiteTokenStorage(storage.path) as other:
        assert RevokedCertificates(other).list() == {"Ana Lima": clock.now}
    before = storage.change_stamp()
    certificates.restore("Ana Lima")
    assert storage.change_stamp() != before
    assert certificates.list() == {}
    assert len(told) == 2


def test_what_is_not_revoked_cannot_be_restored(storage: SQLiteTokenStorage) -> None:
    """A sentence says where to look, and nothing changes."""
    before = storage.change_stamp()
    with pytest.raises(TokenNotFoundError, match="no certificates of ana are revoked; see"):
        RevokedCertificates(storage).restore("ana")
    assert storage.change_stamp() == before


@pytest.mark.parametrize("name", ["", "a" * 65, "a\nb", "a\x1b[31m"])
def test_what_can_be_no_common_name(storage: SQLiteTokenStorage, name: str) -> None:
    """Is refused, whatever is asked."""
    certificates = RevokedCertificates(storage)
    for change in (certificates.revoke, certificates.restore):
        with pytest.raises(TokenRequestError, match="common name is 1 to 64"):
            change(name)
