"""Reading the file once more while somebody may be changing it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from secure_server.config.file import load
from secure_server.config.reading import LOOKS, MOST_BYTES, ConfigError, read_settled, read_whole


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that says something."""
    path = tmp_path / "secure-server.toml"
    path.write_text("[limits]\nmax_clients = 7\n")
    return path


def refusal(path: Path) -> str:
    """What is said of a file that cannot be read again."""
    with pytest.raises(ConfigError) as caught:
        load(path, read=read_settled)
    return str(caught.value)


def test_a_file_that_stays_is_read_once(file: Path) -> None:
    """With one look after a moment."""
    pauses: list[float] = []
    assert read_settled(file, pauses.append) == file.read_bytes()
    assert len(pauses) == 1


@pytest.mark.parametrize("how", ["in place", "replaced"])
def test_a_file_that_changes_is_read_until_it_stays(file: Path, how: str) -> None:
    """An editor empties it and writes it anew, or puts another in its place; what was there between is not taken."""
    whole = file.read_bytes()
    steps = [b"[limits]\n", whole]
    file.write_bytes(b"")

    def go_on(_seconds: float) -> None:
        if steps:
            other = file.with_suffix(".new")
            (file if how == "in place" else other).write_bytes(steps.pop(0))
            if how == "replaced":
                other.replace(file)

    assert read_settled(file, go_on) == whole


def test_a_file_that_keeps_changing_is_refused(file: Path) -> None:
    """After so many looks, and whole or not."""
    looks: list[float] = []

    def write_on(seconds: float) -> None:
        looks.append(seconds)
        file.write_bytes(file.read_bytes() + b"#")

    with pytest.raises(ConfigError, match="is being changed; try again when it is whole"):
        read_settled(file, write_on)
    assert len(looks) == LOOKS


def test_a_file_that_goes_meanwhile_is_named(file: Path) -> None:
    """As one that was never there."""
    with pytest.raises(FileNotFoundError):
        read_settled(file, lambda _seconds: file.unlink())
    assert refusal(file) == f"The configuration {file} cannot be read: No such file or directory."


def test_a_directory_is_none(tmp_path: Path) -> None:
    """Likewise."""
    assert refusal(tmp_path) == f"The configuration {tmp_path} cannot be read: Is a directory."


def test_one_that_may_not_be_read_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's word for it."""

    def forbidden(*_arguments: object) -> int:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(os, "open", forbidden)
    assert refusal(file) == f"The configuration {file} cannot be read: Permission denied."


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    """`--config <(…)` was read at the start; an empty one would say that all is at its default."""
    if sys.platform == "win32":
        pytest.skip("pipes with names are POSIX's")
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == (
        f"The configuration {tmp_path / 'pipe'} is no plain file, so it cannot be read again."
    )


@pytest.mark.parametrize("read", [read_whole, read_settled])
def test_a_huge_one_is_refused(file: Path, read: object) -> None:
    """Before it fills the memory."""
    with file.open("r+b") as opened:
        opened.truncate(MOST_BYTES)  # with holes: it takes no room on the disk
    assert callable(read)
    assert len(read(file)) == MOST_BYTES
    with file.open("r+b") as opened:
        opened.truncate(MOST_BYTES + 1)
    with pytest.raises(ConfigError, match="has more than 4MB, so it is none"):
        read(file)
