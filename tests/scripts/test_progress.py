"""Progress: plain lines where nothing can move, one moving line on a terminal."""

import io
import threading

import pytest

from scripts import _progress
from scripts._progress import Progress


class Terminal(io.StringIO):
    """A terminal that tells when something was drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn = threading.Event()

    def isatty(self) -> bool:
        """Say that lines can move here."""
        return True

    def write(self, text: str) -> int:
        """Note what was drawn."""
        if "collecting" in text:
            self.drawn.set()
        return super().write(text)


def test_plain_lines_without_a_terminal() -> None:
    """A log gets a line when a step begins and one, with seconds, when it ends."""
    clock = iter([10.0, 12.5])
    progress = Progress(output := io.StringIO(), lambda: next(clock))
    with progress.step("Installing"):
        progress.detail("collecting click")
    assert output.getvalue() == "Installing ...\nInstalling: done (2.5 s)\n"


def test_terminal_shows_what_the_step_is_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal's line moves while the step lasts, and ends as one line."""
    monkeypatch.setattr(_progress, "REDRAW_INTERVAL", 0.001)
    progress = Progress(output := Terminal())
    with progress.step("Installing"):
        progress.detail("collecting click")
        assert output.drawn.wait(10)
    assert "Installing ... 0 s  collecting click" in output.getvalue()
    assert output.getvalue().rpartition("\r\x1b[K")[2].startswith("Installing: done (")


def test_failed_step_is_not_called_done() -> None:
    """A step that raises is closed as failed."""
    progress = Progress(output := io.StringIO())
    with pytest.raises(ValueError, match="no"), progress.step("Installing"):
        raise ValueError("no")
    assert "Installing: failed (" in output.getvalue()
