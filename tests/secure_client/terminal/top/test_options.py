"""What stands behind `top`."""

from __future__ import annotations

import pytest

from secure_client.errors import SetupError
from secure_client.terminal.top.options import Options, other


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", Options()),
        ("--once --json", Options(once=True, json=True)),
        ("--interval 500ms", Options(interval=0.5)),
        ("--interval=1m", Options(interval=60.0)),
        ("--interval 3", Options(interval=3.0)),
    ],
)
def test_options(words: str, expected: Options) -> None:
    """In any order, with durations as people write them."""
    assert Options.parse(words.split()) == expected


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--json", "--json goes with --once"),
        ("--interval", "such as 2s"),
        ("--interval 0.1s", "from 0.5s to 60s"),
        ("--interval 2h", "not 2h"),
        ("--all", "top does not know --all: type top [--once] [--json] [--interval 2s]."),
        ("\x1b[2J", "does not know \\x1b[2J"),
    ],
)
def test_others_are_refused(words: str, told: str) -> None:
    """With what there is."""
    with pytest.raises(SetupError) as raised:
        Options.parse(words.split())
    assert told in str(raised.value)


def test_intervals_go_from_one_to_the_next() -> None:
    """And no further than the shortest and the longest."""
    assert [other(3.0, longer=True), other(3.0, longer=False)] == [5.0, 2.0]
    assert [other(60.0, longer=True), other(0.5, longer=False)] == [60.0, 0.5]
