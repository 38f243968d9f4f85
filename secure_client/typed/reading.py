"""Lines read from a terminal by Python alone: no prompt-toolkit, which heeds signals by itself."""

from __future__ import annotations

import os
import selectors
import signal
import sys
import threading


def read_line(words: str) -> str:
    """Return the next line, as `input` does; each signal is heeded when it comes.

    Args:
        words: stand before it.

    Raises:
        EOFError: Ctrl-D.
        KeyboardInterrupt: Ctrl-C.
    """
    print(words, end="", flush=True)
    try:
        wait_for_line()
        return input()
    except (EOFError, KeyboardInterrupt):
        print(flush=True)  # what comes next begins on a line of its own
        raise


def wait_for_line() -> None:
    """Wait until the terminal has a line, or its end, and heed each signal when it comes.

    Python looks at signals between two steps of its own. One that comes after the last look and before a read begins
    is heeded when that ends, with the next line. Here it is written to a pipe, too, which is waited for as well.

    Raises:
        KeyboardInterrupt: Ctrl-C; or what else a signal's handler raises.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread() or not sys.stdin.isatty():
        return  # where nothing but sockets can be waited for, or no signal is dealt with; and a file has all its lines
    signals, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        with selectors.DefaultSelector() as waited:  # not select(2): a server's shell may have thousands of descriptors
            waited.register(sys.stdin, selectors.EVENT_READ)
            waited.register(signals, selectors.EVENT_READ)
            while sys.stdin not in (ready := [key.fileobj for key, _ in waited.select()]):
                if signals in ready:
                    os.read(signals, 4096)
    finally:
        signal.set_wakeup_fd(before)
        os.close(signals)
        os.close(writer)
