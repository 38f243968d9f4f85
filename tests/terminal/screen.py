"""A program in a pseudo-terminal, and the screen a person would see (pyte, 24 by 80 unless told)."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import pexpect
import pyte
from prompt_toolkit.utils import get_cwidth

PATIENCE = 30.0
"""Seconds for what comes at once on an idle machine; CI machines are not idle."""
SECOND_SCREEN = 1049
"""The mode of xterm that has one, and keeps the first."""
POLL = 0.05
"""Seconds a read waits before the screen is looked at again."""


class _Terminal(pyte.Screen):
    """Does what pyte's own screen lacks of xterm.

    Answers to `where is the cursor?`, without which prompt-toolkit shows no toolbar; keeps what has left at the top;
    has a second screen, and gives back the first; changes its size as xterm does: pyte drops lines from the top and
    leaves the cursor where it was.
    """

    answer: Callable[[str], object] = len

    def __init__(self, columns: int, lines: int) -> None:
        self.left: list[str] = []
        self._first: tuple[dict[int, Any], int, int] | None = None
        super().__init__(columns, lines)

    @property
    def text(self) -> list[str]:
        """The rows, without trailing blanks."""
        return [self.row(number) for number in range(self.lines)]

    def row(self, number: int) -> str:
        """Return a row; pyte's own way fails where half a wide character was overwritten."""
        cells = [self.buffer[number][column].data for column in range(self.columns)]
        stubs = {column + 1 for column, data in enumerate(cells) if data and get_cwidth(data[0]) == 2}
        return "".join(data or "" if column in stubs else data or " " for column, data in enumerate(cells)).rstrip()

    def write_process_input(self, data: str) -> None:
        """Send what a terminal sends by itself (pyte's interface)."""
        self.answer(data)

    def set_mode(self, *modes: int, **kwargs: Any) -> None:  # noqa: ANN401 - pyte's interface
        """Take up modes (pyte's interface); the second screen is empty at first."""
        super().set_mode(*modes, **kwargs)
        if SECOND_SCREEN in modes and kwargs.get("private") and self._first is None:
            self._first = {number: dict(row) for number, row in self.buffer.items()}, self.cursor.y, self.cursor.x
            self.erase_in_display(2)

    def reset_mode(self, *modes: int, **kwargs: Any) -> None:  # noqa: ANN401 - pyte's interface
        """Leave modes (pyte's interface); the first screen is there again."""
        super().reset_mode(*modes, **kwargs)
        if SECOND_SCREEN in modes and kwargs.get("private") and self._first is not None:
            rows, line, column = self._first
            self._first = None
            self.erase_in_display(2)
            for number, row in rows.items():
                self.buffer[number].update(row)
            self.cursor.y, self.cursor.x = min(line, self.lines - 1), min(column, self.columns - 1)

    def index(self) -> None:
        """Go a line down (pyte's interface); what leaves at the top is kept."""
        if self.cursor.y == self.lines - 1 and self._first is None:
            self.left.append(self.row(0))
        super().index()

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Take another size (pyte's interface); lines leave at the top as far as the cursor needs it, else below."""
        assert lines is not None
        for _ in range(max(0, self.cursor.y - lines + 1)):
            at = self.cursor.y
            self.cursor.y = self.lines - 1
            self.index()
            self.cursor.y = at - 1
        for row in range(lines, self.lines):
            self.buffer.pop(row, None)
        at, self.lines = self.cursor.y, min(lines, self.lines)
        super().resize(lines, columns)
        self.cursor.y, self.cursor.x = at, min(self.cursor.x, self.columns - 1)


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
        self._screen = _Terminal(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self._typed = -1
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
            self._shown = self._screen.text
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
    def transcript(self) -> list[str]:
        """All that was ever on the screen and not taken away, top to bottom: what has left it, and what is there."""
        return self._screen.left + self.lines

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._screen.lines, self._screen.columns

    @property
    def cursor(self) -> tuple[int, int]:
        """Its row and column, from 0."""
        return self._screen.cursor.y, self._screen.cursor.x

    @property
    def bars(self) -> list[int]:
        """The rows that are drawn in reverse from side to side, as toolbars are, with colours and without."""
        cells = self._screen.buffer
        columns = range(self._screen.columns)
        return [row for row in range(self._screen.lines) if all(cells[row][column].reverse for column in columns)]

    @staticmethod
    def column(line: str, text: str) -> int:
        """Return where `text` last begins in a line, in columns."""
        return get_cwidth(line[: line.rindex(text)])

    def is_ghost(self, row: int, column: int) -> bool:
        """Whether the rest of a row is what prompt-toolkit proposes, which is dimmed, and not text that is there."""
        cells = [self._screen.buffer[row][at] for at in range(column, self._screen.columns)]
        return all(not cell.data.strip() or cell.fg != "default" for cell in cells)

    @property
    def typing(self) -> str:
        """The line that the cursor is on."""
        return self.lines[self._screen.cursor.y]

    def type(self, text: str) -> None:
        """Press keys."""
        with contextlib.suppress(OSError):  # it has ended
            while self._read(0.0, told=False):
                pass
        self._typed = len(self.raw)
        self.child.send(text)

    @property
    def answered(self) -> bool:
        """Whether anything was written since a key was pressed: before that, the screen is that of before."""
        return len(self.raw) > self._typed

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

    def settle(self) -> None:
        """Take in all that has been written so far; it may go on."""
        before = -1
        while len(self.raw) > before:
            before = len(self.raw)
            self._read()

    def _read(self, seconds: float = POLL, *, told: bool = True) -> bool:
        """Take in what is written within so many seconds; return False at the end, and `told` if there was nothing."""
        try:
            data = self.child.read_nonblocking(65536, timeout=seconds)
        except pexpect.TIMEOUT:
            return told
        except pexpect.EOF:
            return False
        self.raw += data
        self._stream.feed(data)
        self._shown = None
        return True
