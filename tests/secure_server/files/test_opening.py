"""Opening a plain file, and nothing that somebody put in its place."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_server.files.opening import check_own, open_own

if sys.platform == "win32":
    pytest.skip("links and pipes as POSIX has them", allow_module_level=True)


def _pipe(path: Path, _other: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("place", [Path.symlink_to, Path.hardlink_to, _pipe])
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_RDWR | os.O_CREAT])
def test_what_leads_elsewhere_is_refused(tmp_path: Path, place: Callable[[Path, Path], None], flags: int) -> None:
    """Without waiting for anybody at the other end of a pipe, and what it leads to is left as it is."""
    other = tmp_path / "other"
    other.write_text("theirs")
    other.chmod(0o640)
    path = tmp_path / "ours"
    place(path, other)
    for refuse in (lambda: open_own(path, flags), lambda: check_own(path)):
        with pytest.raises(OSError, match=r"ours is a link, or no plain file"):
            refuse()
    assert (other.read_text(), other.stat().st_mode & 0o777) == ("theirs", 0o640)


def test_a_link_to_nothing_makes_no_file(tmp_path: Path) -> None:
    """Or whoever may write here could have files made wherever they like."""
    (tmp_path / "ours").symlink_to(tmp_path / "made")
    with pytest.raises(OSError, match="is a link"):
        open_own(tmp_path / "ours", os.O_WRONLY | os.O_CREAT)
    assert not (tmp_path / "made").exists()


def test_a_plain_file_is_opened_and_made_for_us_alone(tmp_path: Path) -> None:
    """As by `os.open`."""
    path = tmp_path / "ours"
    assert check_own(path) is None
    with os.fdopen(open_own(path, os.O_WRONLY | os.O_CREAT), "w") as file:
        file.write("text")
    found = check_own(path)
    assert found is not None
    assert found.st_mode & 0o777 == 0o600
    with os.fdopen(open_own(path, os.O_RDONLY)) as file:
        assert file.read() == "text"
    with pytest.raises(FileNotFoundError):
        open_own(tmp_path / "none", os.O_RDONLY)
