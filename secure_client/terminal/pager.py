"""Long answers, in the user's pager."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

DEFAULT = "less"
DEFAULT_OPTIONS = "FRX"
"""Of less, where LESS says nothing else: it ends by itself where all fits, shows colours, and leaves what it showed."""


def pager() -> list[str]:
    """Return the command of the pager; empty where there is none, or none is wanted (`PAGER=`, `PAGER=cat`)."""
    wanted = os.environ.get("PAGER")
    if wanted is None:
        return [DEFAULT] if shutil.which(DEFAULT) else []
    try:
        words = shlex.split(wanted)
    except ValueError:  # a quote that is not closed
        return []
    return words if words and words != ["cat"] else []


def page(text: str) -> bool:
    """Show text in the pager, until the user leaves that; False where it could not be shown, and is to be written.

    The text is a server's, and printable; less is told to run nothing for it all the same (LESSSECURE).
    """
    command = pager()
    if sys.platform == "win32" or not command:
        return False
    environment = {"LESS": DEFAULT_OPTIONS, **os.environ, "LESSSECURE": "1"}
    with _deaf():
        try:
            child = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)  # noqa: S603 - the user's own
        except OSError:
            return False
        child.communicate(text.encode("utf-8", "backslashreplace"))  # it may leave before it has read all
    return child.returncode == 0


@contextmanager
def _deaf() -> Iterator[None]:
    """Leave Ctrl-C to the pager in this block: it goes to both. A handler of ours is not inherited by the pager."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
