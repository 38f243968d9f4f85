"""Databases of browsers, with NSS' own program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from secure_server.trust import nss
from secure_server.trust.anchor import Anchor
from secure_server.trust.store import TrustError

pytestmark = pytest.mark.skipif(not nss.installed(), reason="needs certutil: apt-get install libnss3-tools")


def certutil(database: Path, *arguments: str) -> str:
    """Run NSS' program as a person would."""
    done = subprocess.run(
        ["certutil", *arguments, "-d", f"sql:{database}"], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout


def made(database: Path, *options: str) -> Path:
    """Make an empty one."""
    database.mkdir(parents=True)
    certutil(database, "-N", *(options or ("--empty-password",)))
    return database


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A person's, whose Chromium has a database."""
    made(tmp_path / ".pki" / "nssdb")
    return tmp_path


def test_it_is_trusted_and_trusted_no_more(home: Path, anchor: Anchor) -> None:
    """As NSS' own program sees it; and what was there stays."""
    (database,) = nss.databases(home)
    directory = home / ".pki" / "nssdb"
    assert not database.holds(anchor)
    database.add(anchor)
    assert database.holds(anchor)
    assert f"{anchor.name} " in certutil(directory, "-L")
    assert certutil(directory, "-V", "-n", anchor.name, "-u", "L")  # good for vouching for servers
    database.add(anchor)  # again
    database.remove(anchor)
    assert not database.holds(anchor)
    assert anchor.name not in certutil(directory, "-L")
    database.remove(anchor)  # again


def test_one_that_was_put_in_by_hand_is_found(home: Path, certificates: Path, anchor: Anchor) -> None:
    """Under whatever name; but only where it is trusted."""
    (database,) = nss.databases(home)
    ca = ("-n", "my own name", "-i", str(certificates / "ca.pem"))
    certutil(home / ".pki" / "nssdb", "-A", *ca, "-t", ",,")
    assert not database.holds(anchor)
    certutil(home / ".pki" / "nssdb", "-M", "-n", "my own name", "-t", "C,,")
    assert database.holds(anchor)
    database.remove(anchor)
    assert not database.knows(anchor)


def test_a_renewed_one_is_another_of_the_same(home: Path, anchor: Anchor, renewed: Anchor) -> None:
    """It has to be added, and both go together."""
    (database,) = nss.databases(home)
    database.add(anchor)
    assert not database.holds(renewed)
    assert database.knows(renewed)
    database.add(renewed)
    assert database.holds(renewed)
    database.remove(renewed)
    assert not database.knows(anchor)


def test_a_database_is_made_for_chromium(tmp_path: Path, anchor: Anchor) -> None:
    """Before its first start; looking makes nothing."""
    if sys.platform != "linux":
        pytest.skip("Chromium goes by NSS on Linux alone")
    (database,) = nss.databases(tmp_path)
    assert database.place == "~/.pki/nssdb (Chromium)"
    assert not database.holds(anchor)
    assert not (tmp_path / ".pki").exists()
    database.add(anchor)
    assert database.holds(anchor)
    assert (tmp_path / ".pki" / "nssdb").stat().st_mode & 0o777 == 0o700


def test_every_browser_is_found(tmp_path: Path) -> None:
    """Where distributions put them; Chromium's second place counts where there is no first."""
    for path in (".local/share/pki/nssdb", ".mozilla/firefox/a.default", "snap/firefox/common/.mozilla/firefox/b"):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "cert9.db").touch()
    (tmp_path / ".mozilla/firefox/Crash Reports").mkdir()
    assert [found.place for found in nss.databases(tmp_path)] == [
        "~/.local/share/pki/nssdb (Chromium)",
        "~/.mozilla/firefox/a.default (Firefox)",
        "~/snap/firefox/common/.mozilla/firefox/b (Firefox)",
    ]


def test_one_with_a_password_is_said(tmp_path: Path, anchor: Anchor) -> None:
    """Nobody is asked for it, and nothing half done stays."""
    (tmp_path / "password").write_text("made up\n", encoding="utf-8")
    directory = made(tmp_path / ".pki" / "nssdb", "-f", str(tmp_path / "password"))
    (database,) = nss.databases(tmp_path)
    with pytest.raises(TrustError, match=r"certutil failed with exit code 255: .*password"):
        database.add(anchor)
    assert anchor.name not in certutil(directory, "-L")


def test_a_broken_one_is_said(tmp_path: Path, anchor: Anchor) -> None:
    """With the program's own words."""
    (tmp_path / ".pki" / "nssdb").mkdir(parents=True)
    (tmp_path / ".pki" / "nssdb" / "cert9.db").write_bytes(b"none" * 1000)
    (database,) = nss.databases(tmp_path)
    with pytest.raises(TrustError, match="certutil failed"):
        database.holds(anchor)


def test_a_place_that_cannot_be_made_is_said(tmp_path: Path, anchor: Anchor) -> None:
    """With the system's own words."""
    if sys.platform != "linux":
        pytest.skip("Chromium goes by NSS on Linux alone")
    (tmp_path / ".pki").touch()
    (database,) = nss.databases(tmp_path)
    with pytest.raises(TrustError, match=r"nssdb cannot be made \(Not a directory\)"):
        database.add(anchor)
