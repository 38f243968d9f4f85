"""Long answers, in the user's pager."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import chain

from secure_client.i18n import _
from secure_client.terminal.kept import before_ending
from secure_protocol.printable import printable

DEFAULT = "less"
DEFAULT_OPTIONS = "FRX"
"""Of less, where LESS says nothing else: it ends by itself where all fits, shows colours, and leaves what it showed."""


class Pager:
    """Shows text in the user's pager, until the user leaves that.

    Args:
        lent: entered while the pager has the terminal.
        say: tells the user something that is no answer.
    """

    def __init__(self, lent: Callable[[], AbstractContextManager[object]], say: Callable[[str], None]) -> None:
        self._lent = lent
        self._say = say
        self._told = False

    def show(self, parts: Iterable[str], write: Callable[[str], None]) -> None:
        """Show text; where no pager is there, or wanted, or it fails, have it written.

        Args:
            parts: of it, a server's, and printable; those that come later are asked for while the others are shown, and
                no more when the user has left.
            write: writes one.

        Raises:
            ClientError: a part that was to follow did not come; those before it were shown.
        """
        command, parts, taken = wanted(), iter(parts), list[str]()
        if command:
            with self._lent():
                shown = page(command, _noting(parts, taken))
            if shown:
                return
        for part in chain(taken, parts):
            write(part)
        if not command:
            return
        if not self._told:
            self._told = True
            sentence = _("The pager {pager} does not work, so all was written; set PAGER to another one, or to cat.")
            self._say(sentence.format(pager=printable(command[0])))


def wanted() -> list[str]:
    """Return the command of the pager; empty where there is none, or none is wanted (`PAGER=`, `PAGER=cat`)."""
    if sys.platform == "win32" or os.environ.get("TERM") == "dumb":
        return []
    named = os.environ.get("PAGER")
    if named is None:
        return [DEFAULT] if shutil.which(DEFAULT) else []
    try:
        words = shlex.split(named)
    except ValueError:  # a quote that is not closed: the name of no program
        return [named]
    return words if words != ["cat"] else []


def _noting(parts: Iterable[str], taken: list[str]) -> Iterator[str]:
    for part in parts:
        taken.append(part)
        yield part


def page(command: list[str], parts: Iterable[str]) -> bool:
    """Show parts of a text in the pager, as they come; False where it could not be shown.

    Less is told to run nothing for a server's text (LESSSECURE), though all of that is printable.
    """
    environment = {"LESS": DEFAULT_OPTIONS, **os.environ, "LESSSECURE": "1"}
    with _terminal_as_it_was(), _deaf() as heard:
        try:
            child = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)  # noqa: S603 - the user's own
        except (OSError, ValueError):  # not there, not to be run, or no name of a program
            return False
        with before_ending(child.send_signal):  # it would take the next keys from who has them then
            try:
                _feed(child, parts)
            finally:  # whatever becomes of the rest, the user looks at what there is
                child.wait()
    return child.returncode == 0 or bool(heard)  # Ctrl-C ends some pagers: the user has seen enough


def _feed(child: subprocess.Popen[bytes], parts: Iterable[str]) -> None:
    """Write all parts, and close; the pager may leave before it has read them."""
    assert child.stdin is not None  # noqa: S101 - it was started with a pipe
    try:
        for part in parts:
            child.stdin.write(part.encode("utf-8", "backslashreplace"))
            child.stdin.flush()
    except BrokenPipeError:
        pass
    finally:
        with suppress(BrokenPipeError):
            child.stdin.close()


@contextmanager
def _deaf() -> Iterator[list[int]]:
    """Leave Ctrl-C to the pager in this block: it goes to both. A handler of ours is not inherited by the pager."""
    heard: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield heard
        return
    before = signal.signal(signal.SIGINT, lambda number, _frame: heard.append(number))
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _terminal_as_it_was() -> Iterator[None]:
    """Undo what a pager that was killed has left behind: keys that do not show, and that no Enter hands over."""
    if sys.platform == "win32" or not sys.stdin.isatty():
        yield
        return
    import termios  # noqa: PLC0415 - POSIX has it alone

    keys = sys.stdin.fileno()
    before = termios.tcgetattr(keys)
    try:
        yield
    finally:
        with suppress(termios.error):  # it is gone by now
            termios.tcsetattr(keys, termios.TCSADRAIN, before)
