"""A directory of ours is nobody else's, and neither is what leads there."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from secure_client.profiles.places import make_private_directory
from secure_server.cli import main
from secure_server.files import making


def by_program(*words: str) -> Callable[[Path], None]:
    """Return what makes a directory by one of the programs."""

    def make(directory: Path) -> None:
        done = CliRunner().invoke(main, [*words, str(directory)])
        assert done.exit_code == 0, done.output

    return make


@pytest.mark.skipif(os.name != "posix", reason="modes as POSIX has them")
@pytest.mark.parametrize(
    "make",
    [
        making.make_private_directory,
        make_private_directory,
        by_program("token", "create", "ada", "--data-dir"),
        by_program("certs", "ensure", "--dir"),
    ],
)
def test_a_umask_without_bits_opens_nothing(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """What is made on the way has no more than mode 0755: who may write there could put another in its place."""
    before = os.umask(0)
    try:
        make(tmp_path / "far" / "away" / "data")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "far", tmp_path / "far" / "away")]
    assert modes == [0o755, 0o755]
    assert stat.S_IMODE((tmp_path / "far" / "away" / "data").stat().st_mode) == 0o700
