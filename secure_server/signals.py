"""What SIGTERM, SIGINT and SIGHUP ask of `secure-server run`, from its first line to its last.

A handler runs between any two instructions of the main thread, so it must not wait for a lock: that thread may hold
it. Ours only writes the signal's number into a pipe that a thread of its own reads, and that thread may wait. Unfit is
`signal.sigwait`, whose mask the programs that commands start would inherit. While the shell is open, which may be
waiting anywhere, a handler also raises.

Of signals that come together, other threads may take all. Then the kernel goes on with what the main thread waits for,
and no handler runs until that is over: it may be a line that never comes. So whichever thread takes one writes into
that pipe as well (`signal.set_wakeup_fd`; the shell's event loop has it for itself, and needs no help), and the main
thread is poked.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType

LOOK_SECONDS = 0.5
"""How long a signal can lie where it came just before the main thread began to wait: Python runs its handler after."""
INSIST_SECONDS = 1.0
"""How long the shell has to end before it is interrupted once more."""
UNWOUND_SECONDS = 0.1
"""How long no other handler raises. As the first interruption leaves `Condition.wait`, say, that takes its lock back; a
second one would cut that short, and what is given back then is not held. SIGTERM comes again by itself."""
END_SECONDS = 1.0
"""How long the end of the program waits for a thread of ours."""
_POKE = getattr(signal, "SIGURG", None) if hasattr(os, "set_blocking") and hasattr(signal, "pthread_kill") else None
"""Sent to the main thread to have it look; it means nothing else here. None where none of this can be."""
_NOTED = 128
"""Added to a number that a handler wrote; without it, the number is of a signal that some thread took."""
_OVER = 0
"""What is read in the place of a signal's number where there will be no more."""
_NUMBERS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)
)  # Windows has no SIGHUP


_LATE = re.compile(r"Signal \d+ ignored due to race condition")
"""What Python says, with a traceback, where another thread took a signal just before it was ignored."""


class Ended(SystemExit):
    """The shell was open, and a SIGTERM came; a SystemExit, which event loops let pass."""


class Signals:
    """Catches the signals from now on; made by the main thread, once a process.

    SIGTERM and SIGINT ask it to stop, and more of them change nothing: how long the drain takes is in the
    configuration. SIGHUP asks for a reload; one that comes before `on_reload` is told is kept until then.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()  # neither is inherited
        if hasattr(os, "set_blocking"):  # not on Windows before Python 3.12
            os.set_blocking(self._writer, False)
        self._stop = threading.Event()
        self._reload = threading.Event()
        self._open = False  # whether the shell may be interrupted; the main thread alone sets it
        self._interrupted = False  # whether a SIGTERM has done so
        self._raised = -math.inf  # monotonic second of the last interruption
        self._shell: threading.Event | None = None  # set when the shell has ended
        self._main = threading.get_ident()
        self._over = False
        self._before = {number: signal.getsignal(number) for number in _NUMBERS}
        if hasattr(os, "register_at_fork"):  # where there is no fork, there is nothing to do
            os.register_at_fork(after_in_child=self._let_go)
        self._threads = [threading.Thread(target=self._read, name="signals", daemon=True)]
        self._threads[0].start()
        self._catch()

    def wait(self) -> None:
        """Wait until a signal asks to stop. Main thread only."""
        while not self._stop.wait(LOOK_SECONDS):
            pass

    def stop(self) -> None:
        """Do what a SIGTERM to this process does. Any thread; returns at once."""
        signal.raise_signal(signal.SIGTERM)

    def on_reload(self, reload: Callable[[], None]) -> None:
        """Have SIGHUP call this, one call after the other, on a thread of its own: it reads files."""

        def follow() -> None:
            while self._reload.wait() and not self._over:
                self._reload.clear()
                reload()

        self._threads.append(threading.Thread(target=follow, name="reload", daemon=True))
        self._threads[-1].start()

    def interrupting(self, shell: Callable[[], object]) -> None:
        """Run the shell until it ends, or SIGTERM ends it; Ctrl-C is the shell's own. Main thread only."""
        try:
            try:
                self._shell = threading.Event()
                self._open = True  # before the look: whoever asks later interrupts
                if not self._stop.is_set():
                    shell()
            finally:
                self._open = False
        except (Ended, KeyboardInterrupt):
            self._open = False  # the line above may have been interrupted
        assert self._shell is not None  # noqa: S101 - for mypy
        self._shell.set()
        self._catch()  # the shell's event loop had SIGINT, and may have been cut short before it gave it back

    def ignore(self) -> None:
        """Ignore them: all is done, and the interpreter's last steps would end by them. Main thread only.

        Our threads are over then: one that woke in those last steps could abort the process (python/cpython#87135).
        """
        if _POKE is not None:
            signal.set_wakeup_fd(-1)
        sys.unraisablehook = partial(_unless_late, sys.unraisablehook)
        for number in _NUMBERS:
            signal.signal(number, signal.SIG_IGN)
        self._over = True
        self._reload.set()
        with contextlib.suppress(BlockingIOError):
            os.write(self._writer, bytes((_OVER,)))
        for thread in self._threads:
            thread.join(END_SECONDS)

    def catch_again(self) -> None:
        """Undo what modules of commands did to the signals as they were imported. Main thread only."""
        self._catch()

    def _catch(self) -> None:
        for number in _NUMBERS:
            signal.signal(number, self._note)
        if _POKE is not None:
            signal.signal(_POKE, _look)
            signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        if sys.platform != "win32" and hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _NUMBERS)  # by whoever started us, too; programs inherit it
        if hasattr(signal, "SIGCHLD") and signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # likewise; else the system forgets how programs ended

    def _let_go(self) -> None:
        """Undo it all in a child that somebody forks: by our handlers, what ends the child would stop the server."""
        if _POKE is not None:
            signal.set_wakeup_fd(-1)
            signal.signal(_POKE, signal.SIG_DFL)
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal: between any two instructions of the main thread, so without a lock."""
        unwound = time.monotonic() - self._raised >= UNWOUND_SECONDS
        if self._open and number == signal.SIGINT:
            if unwound:
                self._raised = time.monotonic()
                raise KeyboardInterrupt
            return
        with contextlib.suppress(BlockingIOError):  # full of 65536 that came before the thread could run once
            os.write(self._writer, bytes((_NOTED + number,)))
        if self._open and number == signal.SIGTERM and not self._interrupted and unwound:
            self._interrupted = True  # once: the shell's way out is not interrupted as well
            self._raised = time.monotonic()
            raise Ended

    # The thread "signals"

    def _read(self) -> None:
        while not self._over:
            read = set(os.read(self._reader, 4096))
            if sys.platform != "win32" and _POKE is not None and read & set(_NUMBERS):
                signal.pthread_kill(self._main, _POKE)
            numbers = {byte - _NOTED for byte in read if byte > _NOTED}
            if numbers & {signal.SIGTERM, signal.SIGINT}:
                self._stop.set()
                self._end_shell()
            if numbers - {signal.SIGTERM, signal.SIGINT}:
                self._reload.set()

    def _end_shell(self) -> None:
        """Interrupt the shell again where it goes on: the signal came before it was open, or at a deaf moment."""
        shell = self._shell
        while shell is not None and hasattr(signal, "pthread_kill") and not shell.wait(INSIST_SECONDS):
            self._interrupted = False
            signal.pthread_kill(self._main, signal.SIGTERM)


def _look(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the handlers of the signals that came before this one have run by now."""


_caught: list[Signals] = []


def catch() -> Signals:
    """Catch the signals, unless that was done before. Main thread only."""
    if not _caught:
        _caught.append(Signals())
    return _caught[0]


def _unless_late(tell: Callable[[sys.UnraisableHookArgs], object], what: sys.UnraisableHookArgs) -> None:
    """Tell of an error that nobody can be told of, unless it is that a signal came in the last moment: it is meant."""
    if not (isinstance(what.exc_value, OSError) and _LATE.fullmatch(str(what.exc_value))):
        tell(what)
