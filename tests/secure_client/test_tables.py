"""Tables for people: columns where they fit, a record a row where they do not."""

from __future__ import annotations

import re

import pytest

from secure_client.terminal.tables import draw
from secure_protocol.replies import Table

TABLE = Table(("id", "since"), [(7, "2026-01-02T03:04:05+00:00"), (8, None)])


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


def plain(table: Table, width: int) -> list[str]:
    """The drawn lines without styles, which NO_COLOR leaves (bold is no colour)."""
    return [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in draw(table, width).split("\n")]


def test_a_table_that_fits_has_columns() -> None:
    """A heading, a rule, and a line a row."""
    lines = plain(TABLE, 80)
    assert lines[0].split() == ["id", "since"]
    assert [line.split()[0] for line in lines[2:]] == ["7", "8"]
    assert all(len(line) <= 80 for line in lines)


def test_moments_are_local_and_short() -> None:
    """A moment with an offset loses the offset and keeps its second; another text is left alone."""
    assert "05" in plain(TABLE, 80)[2]
    assert "+00:00" not in "".join(plain(TABLE, 80))
    impossible = Table(("since",), [("2026-99-02T03:04:05+00:00",)])
    assert plain(impossible, 80)[2] == "2026-99-02T03:04:05+00:00"


def test_a_table_that_does_not_fit_becomes_records() -> None:
    """Nothing is cut: each row is a block of `column  value`, within the width."""
    wide = Table(("id", "text"), [(7, "z" * 50), (8, "y")])
    lines = plain(wide, 30)
    assert lines[0].startswith("1 ─")
    assert lines[1].split() == ["id", "7"]
    assert "".join(lines).count("z") == 50
    assert all(len(line) <= 30 for line in lines)
    assert any(line.startswith("2 ─") for line in lines)
