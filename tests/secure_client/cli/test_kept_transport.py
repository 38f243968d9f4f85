"""What is kept of a race between QUIC and TLS."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from secure_client.cli import kept_transport
from secure_client.cli.kept_transport import keep, kept
from secure_client.core.endpoint import Endpoint

BOX = Endpoint("box.test", 5000)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own."""
    monkeypatch.setenv("SECURE_CLIENT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_tls_goes_first_where_it_won(home: Path) -> None:
    """For an hour, and until QUIC wins there."""
    assert kept(BOX) == ""
    keep(BOX, "tls")
    assert kept(BOX) == "tls"
    assert kept(Endpoint("other.test", 5000)) == ""
    (file,) = (home / kept_transport.DIRECTORY).iterdir()
    earlier = time.time() - kept_transport.KEPT_SECONDS
    os.utime(file, (earlier, earlier))
    assert kept(BOX) == ""
    keep(BOX, "tls")
    keep(BOX, "quic")
    assert kept(BOX) == ""
    keep(BOX, "quic")


def test_it_is_kept_of_few(home: Path) -> None:
    """The oldest go."""
    for number in range(kept_transport.MOST_FILES + 3):
        keep(Endpoint("box.test", 1 + number), "tls")
    assert len(list((home / kept_transport.DIRECTORY).iterdir())) == kept_transport.MOST_FILES


def test_where_nothing_can_be_written_nothing_is_kept(home: Path) -> None:
    """And nobody is troubled."""
    home.write_bytes(b"")
    keep(BOX, "tls")
    keep(BOX, "quic")
    assert kept(BOX) == ""
