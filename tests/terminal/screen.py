"""A program in a pseudo-terminal, and the screen a person would see (pyte, 24 by 80 unless told)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import pexpect
import pyte

PATIENCE = 30.0
"""Seconds for what comes at once on an idle machine; CI machines are not idle."""
POLL = 0.05
"""Seconds a read waits before the screen is looked at again."""


class _AnsweringScreen(pyte.Screen):
    """Answers to `where is the cursor?`, without which prompt-toolkit shows no toolbar."""

    answer: Callable[[str], object] = len

    def write_process_input(self, data: str) -> None:
        """Send what a terminal sends by itself (pyte's interface)."""
        self.answer(data)


class Screen:
    """Types at a program and looks at its screen.

    Args:
        argv: the program.
        environment: added to this process's; the terminal's type is xterm unless it says otherwise.
        rows: of the terminal.
        columns: of the terminal.
    """

    def __init__(
        self, argv: Sequence[str], environment: dict[str, str] | None = None, *, rows: int = 24, columns: int = 80
    ) -> None:
        self._screen = _AnsweringScreen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self._shown: list[str] | None = None
        fixed = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "PAGER": "cat"}
        # Importing readline exports LINES and COLUMNS, which would win over this terminal's own size.
        inherited = {name: value for name, value in os.environ.items() if name not in ("LINES", "COLUMNS")}
        self.child = pexpect.spawn(
            argv[0],
            list(argv[1:]),
            env=inherited | fixed | (environment or {}),
            dimensions=(rows, columns),
            timeout=PATIENCE,
        )
        self.child.delaybeforesend = None
        self._screen.answer = self.child.send

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.child.close(force=True)

    @property
    def lines(self) -> list[str]:
        """The screen, top to bottom, without trailing blanks."""
        if self._shown is None:  # pyte draws all of it at each look, which is most of what such a test costs
            self._shown = [line.rstrip() for line in self._screen.display]
        return list(self._shown)

    @property
    def text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.lines)

    @property
    def toolbar(self) -> str:
        """The lowest line with anything on it."""
        return next((line for line in reversed(self.lines) if line), "")

    @property
    def typing(self) -> str:
        """The line that the cursor is on."""
        return self.lines[self._screen.cursor.y]

    def type(self, text: str) -> None:
        """Press keys."""
        self.child.send(text)

    def resize(self, rows: int, columns: int) -> None:
        """Change the window's size, as a person drags its corner."""
        self._screen.resize(rows, columns)
        self._shown = None
        self.child.setwinsize(rows, columns)

    def wait(self, wanted: str | Callable[[], object]) -> None:
        """Wait until the screen holds the text, wrapped or not, or the condition holds."""
        condition = wanted if callable(wanted) else (lambda: wanted in " ".join(self.text.split()))
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"not on the screen: {wanted!r}\n{self.text}"
            assert self._read() or condition(), f"the program ended; not on the screen: {wanted!r}\n{self.text}"

    def ended(self) -> int:
        """Wait for the program's end and return its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < deadline, f"the program did not end\n{self.text}"
        self.child.wait()
        return int(self.child.exitstatus if self.child.exitstatus is not None else -self.child.signalstatus)

    def _read(self) -> bool:
        try:
            data = self.child.read_nonblocking(65536, timeout=POLL)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += data
        self._stream.feed(data)
        self._shown = None
        return True
