"""The user's terminal, left as it was found."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_ENDING = ("SIGTERM", "SIGHUP")
"""Signals that end a program, and would leave a terminal that does not echo and brackets what is pasted."""
_SANE = b"\x1b[0m\x1b[?25h\x1b[?2004l\r\x1b[J"
"""Plain letters, the cursor shown, pasting without brackets, and nothing of ours below the line."""


@contextlib.contextmanager
def terminal_kept() -> Iterator[None]:
    """Leave the terminal as it was when the block began, however it ends.

    Where SIGTERM or SIGHUP would end the program, they do so still, once the terminal is as it was: whatever draws on
    it is not asked, for it may be what is stuck. Where somebody else deals with a signal, that stays so.
    """
    if sys.platform == "win32" or not _is_terminal():
        yield
        return
    try:
        import termios  # noqa: PLC0415 - POSIX has it alone
    except ImportError:
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def restore() -> None:
        with contextlib.suppress(termios.error):  # it is gone by now
            termios.tcsetattr(descriptor, termios.TCSANOW, before)

    def end(number: int, _frame: FrameType | None) -> None:
        restore()
        if os.environ.get("TERM") != "dumb":
            with contextlib.suppress(OSError):
                os.write(descriptor, _SANE)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    taken = []
    if threading.current_thread() is threading.main_thread():
        taken = [number for name in _ENDING if signal.getsignal(number := getattr(signal, name)) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, end)
    try:
        yield
    finally:
        restore()
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def before_ending(act: Callable[[int], object]) -> Iterator[None]:
    """Have something done first where a signal ends us in this block; how it ends us is somebody else's.

    Args:
        act: gets the signal's number.
    """
    before: dict[int, Callable[[int, FrameType | None], object]] = {}
    if threading.current_thread() is threading.main_thread():
        ours = {number: signal.getsignal(number) for name in _ENDING if (number := getattr(signal, name, None))}
        before = {number: handler for number, handler in ours.items() if callable(handler)}

    def end(number: int, frame: FrameType | None) -> None:
        act(number)
        before[number](number, frame)

    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_terminal() -> bool:
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):  # there is none, or it is closed
        return False
