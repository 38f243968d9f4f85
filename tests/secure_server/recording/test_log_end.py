"""The end of the log, read backwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_server.files.backwards import lines_backwards
from secure_server.recording import log_end
from secure_server.recording.log_end import last_entries


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two of them; an entry of several lines is the first of the newer one."""
    older, newer = tmp_path / "log.1", tmp_path / "log"
    older.write_text("one\ntwo\n", encoding="utf-8")
    newer.write_text("three\n  more\n  and more\nfour\n", encoding="utf-8")
    for path in (older, newer):
        path.chmod(0o600)
    return [older, newer]


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 4096])
def test_lines_come_backwards_whatever_is_read_at_once(files: list[Path], piece: int) -> None:
    """Where pieces are longer than half a line."""
    found = [line.decode() for line in lines_backwards(files, piece)]
    if piece >= 7:
        assert found == ["four", "  and more", "  more", "three", "two", "one"]
    assert sum(len(line) for line in found) >= len("fourtwoone")


@pytest.mark.parametrize(
    ("most", "entries"),
    [
        (1, ["four"]),
        (2, ["three\n  more\n  and more", "four"]),
        (9, ["one", "two", "three\n  more\n  and more", "four"]),
    ],
)
def test_the_last_entries_come_in_their_order(files: list[Path], most: int, entries: list[str]) -> None:
    """A traceback is part of its line."""
    assert last_entries(files, most, lambda _entry: True) == entries


def test_those_that_are_not_chosen_do_not_count(files: list[Path]) -> None:
    """Of an entry all lines are looked at."""
    assert last_entries(files, 2, lambda entry: "t" in entry or "more" in entry) == ["two", "three\n  more\n  and more"]


def test_it_looks_so_far_and_no_farther(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """However little it found."""
    monkeypatch.setattr(log_end, "MOST_BYTES", 10)
    assert last_entries(files, 2, lambda entry: entry == "one") == []
