"""Private keys that others may read, told at the start."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest

from secure_server.config.file import load
from secure_server.identity.exposed import exposed_keys
from secure_server.server import Server
from secure_server.starting import StartError
from tests.integration.running import Running, eventually

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes as POSIX has them")


@pytest.mark.parametrize(
    ("name", "mode", "told"),
    [("server-key.pem", 0o640, 1), ("ca-key.pem", 0o604, 1), ("ca-key.pem", 0o600, 0)],
)
def test_keys_of_our_directory_are_for_their_owner_alone(
    certificates: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, mode: int, told: int
) -> None:  # fmt: skip
    """The line that mends it is in the log when the server starts."""
    certs = Path(shutil.copytree(certificates, tmp_path / "certs"))
    (certs / name).chmod(mode)
    with caplog.at_level(logging.WARNING), Running(certs, tmp_path / "data", {}) as running:
        eventually(lambda: running.log().count(f"chmod 600 {certs / name}") == told)  # its thread may be at it
    assert caplog.text.count(f"chmod 600 {certs / name}") == told


def test_a_log_that_is_a_link_stops_the_start(certificates: Path, tmp_path: Path) -> None:
    """In one sentence, and nothing is written where it leads."""
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "server_log.txt").symlink_to(tmp_path / "elsewhere")
    config = load(None, {"certs_dir": str(certificates), "data_dir": str(tmp_path / "data")})
    with pytest.raises(StartError, match=r"server_log.txt is a link"):
        Server(config)
    assert not (tmp_path / "elsewhere").exists()


def test_a_named_key_may_be_its_groups(certificates: Path, tmp_path: Path) -> None:
    """As Debian's are, whose group is made for that; all the same not everybody's."""
    for name in ("server.pem", "server-key.pem"):
        shutil.copy(certificates / name, tmp_path / name)
    named = {"certificate": str(tmp_path / "server.pem"), "key": str(tmp_path / "server-key.pem")}
    config = load(None, {"certs_dir": str(certificates), "tls": named})
    for mode, found in ((0o640, []), (0o644, [tmp_path / "server-key.pem"])):
        (tmp_path / "server-key.pem").chmod(mode)
        assert list(exposed_keys(config)) == found
