"""What is typed ahead is read beside the terminal's own ways with it."""

from __future__ import annotations

import io
import os
import selectors
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from secure_client.terminal.prompt.typeahead import Typeahead

if sys.platform == "win32":
    pytest.skip("there are no such terminals here", allow_module_level=True)

import termios

PATIENCE = 10.0


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The other side of the terminal that standard input is."""
    ours, theirs = os.openpty()
    with io.TextIOWrapper(io.FileIO(theirs)) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield ours
    os.close(ours)


def test_what_the_terminal_drops_before_it_is_read_is_waited_for_by_nobody(
    terminal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does at Ctrl-C; the block ends all the same."""
    dropped = threading.Event()

    class Dropping(selectors.SelectSelector):
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            ready = super().select(timeout)
            if not dropped.is_set():
                termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
                dropped.set()
            return ready

    monkeypatch.setattr("selectors.SelectSelector", Dropping)
    ahead = Typeahead()

    def follow() -> None:
        with ahead.watching(lambda: None):
            os.write(terminal, b"dropped\n")
            assert dropped.wait(PATIENCE)

    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(follow)
        try:
            following.result(PATIENCE)
        finally:
            os.write(terminal, b"\n")
    assert ahead.take_line() is None


def test_lines_are_kept_in_order_and_standard_input_stays_as_it_was(terminal: int) -> None:
    """Whoever started the program shares it."""
    left = threading.Event()
    ahead = Typeahead()
    with ahead.watching(left.set):
        os.write(terminal, b"first\nsecond\nrest\x04")
        assert left.wait(PATIENCE)
    assert os.get_blocking(sys.stdin.fileno())
    assert [ahead.take_line(), ahead.take_line(), ahead.take_line()] == ["first", "second", None]
    assert ahead.take_rest() == "rest"
