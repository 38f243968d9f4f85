"""Sparklines, and what a terminal can show."""

from __future__ import annotations

import pytest

from secure_client.terminal.top.signs import ASCII, UNICODE, Signs, signs, sparkline


def test_a_sparkline_goes_from_nothing_to_the_largest() -> None:
    """Nothing at all is the lowest; the least that there is can be told from it."""
    assert sparkline([0, 1, 50, 100], 10) == "▁▂▅█"
    assert sparkline([0, 0], 10) == "▁▁"
    assert sparkline([], 10) == sparkline([1], 0) == ""


def test_a_long_one_is_put_together_from_the_newest_on() -> None:
    """Each sign is the largest of as many seconds; what is left over is at the old end."""
    assert sparkline([0, 0, 0, 8, 0], 3, "01234567") == "007"
    assert len(sparkline(range(60), 59)) == 30


def test_ascii_has_as_many_levels() -> None:
    """So a line is as good to read."""
    assert len(ASCII.levels) == len(UNICODE.levels)
    "".join(ASCII).encode("ascii")


@pytest.mark.parametrize(
    ("encoding", "environment", "platform", "expected"),
    [
        ("utf-8", {"LC_ALL": "pt_BR.UTF-8", "TERM": "xterm"}, "posix", UNICODE),
        ("utf-8", {"LANG": "C.utf8"}, "posix", UNICODE),
        ("utf-8", {"LC_ALL": "C", "LANG": "C.utf8"}, "posix", ASCII),
        ("utf-8", {}, "posix", ASCII),
        ("ascii", {"LC_ALL": "C.UTF-8"}, "posix", ASCII),
        (None, {"LC_ALL": "C.UTF-8"}, "posix", ASCII),
        ("no such", {"LC_ALL": "C.UTF-8"}, "posix", ASCII),
        ("utf-8", {"LC_ALL": "C.UTF-8", "TERM": "linux"}, "posix", ASCII),
        ("utf-8", {"LC_ALL": "C.UTF-8", "TERM": "dumb"}, "posix", ASCII),
        ("utf-8", {}, "nt", UNICODE),
    ],
)
def test_what_a_terminal_can_show(
    encoding: str | None, environment: dict[str, str], platform: str, expected: Signs
) -> None:
    """By encoding, locale and terminal, each of which may be the one that cannot."""
    assert signs(encoding, environment, platform) is expected
