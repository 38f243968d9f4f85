"""The terminal as its own commands see it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from secure_client.terminal.after import After


class Terminal(Protocol):
    """What the commands steer."""

    def run_line(self, text: str, *, agreed: bool = False) -> After:
        """Run a line."""
        ...

    def agrees(self, lines: list[str]) -> bool:
        """Ask about lines before they are run; raises ClientError."""
        ...

    def typed_lines(self) -> Iterable[str]:
        """What was typed, the newest first."""
        ...

    def announce(self, text: str) -> None:
        """Tell the user something that is no answer; any thread."""
        ...

    def reconnect(self) -> None:
        """Connect now."""
        ...

    def lent(self) -> AbstractContextManager[object]:
        """Leave the terminal to something else in a block; what happens is told after it."""
        ...

    def use_vi(self, wanted: bool, /) -> None:  # noqa: FBT001 - a switch
        """Have keys as in vi, or not."""
        ...

    def use_pager(self, wanted: bool, /) -> None:  # noqa: FBT001 - a switch
        """Have answers that are taller than the screen in a pager, or not."""
        ...
