"""Lines read by Python alone."""

from __future__ import annotations

import os
import selectors
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from secure_client.typed.reading import read_line
from tests.terminal.screen import PATIENCE

if sys.platform == "win32":
    pytest.skip("terminals and signals as POSIX has them", allow_module_level=True)

import resource

FD_SETSIZE = 1024
"""Of select(2): descriptors from here on it cannot wait for."""


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Have a terminal as standard input; what is written to the descriptor is typed on it."""
    keyboard, terminal = os.openpty()
    with open(terminal, encoding="utf-8") as stdin:  # noqa: PTH123 - a descriptor
        monkeypatch.setattr(sys, "stdin", stdin)
        yield keyboard
    os.close(keyboard)


@contextmanager
def elsewhere(number: signal.Signals, keyboard: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have another thread catch a signal while this one waits, so that nothing interrupts the waiting.

    That is what a signal is like that came just before it. Where it is not heeded, a line is typed in the end.
    """
    waits, over, late = threading.Event(), threading.Event(), threading.Event()

    def waiting(waited: selectors.DefaultSelector) -> object:
        waits.set()
        return chosen(waited)

    def sent() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        waits.wait(PATIENCE)
        os.kill(os.getpid(), number)
        if not over.wait(PATIENCE):
            late.set()
            os.write(keyboard, b"too late\n")

    chosen = selectors.DefaultSelector.select
    monkeypatch.setattr(selectors.DefaultSelector, "select", waiting)
    sender = threading.Thread(target=sent)
    signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        sender.start()
        yield
    finally:
        over.set()
        sender.join()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        assert not late.is_set(), "it was heeded with the next line"


def test_a_ctrl_c_just_before_the_wait_is_heeded(
    keyboard: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And not with the next line; what comes next begins on a line of its own."""
    with pytest.raises(KeyboardInterrupt), elsewhere(signal.SIGINT, keyboard, monkeypatch):
        read_line("say> ")
    assert capsys.readouterr().out == "say> \n"


def test_a_signal_that_raises_nothing_ends_no_waiting(
    keyboard: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its handler runs at once; the line comes later."""

    def came(_number: int, _frame: object) -> None:
        os.write(keyboard, b"hello\n")

    before = signal.signal(signal.SIGUSR1, came)
    try:
        with elsewhere(signal.SIGUSR1, keyboard, monkeypatch):
            assert read_line("say> ") == "hello"
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert capsys.readouterr().out == "say> "


def test_what_comes_after_a_ctrl_d_begins_on_its_own_line(keyboard: int, capsys: pytest.CaptureFixture[str]) -> None:
    """It is the end of the input."""
    os.write(keyboard, b"\x04")
    with pytest.raises(EOFError):
        read_line("say> ")
    assert capsys.readouterr().out == "say> \n"


def test_a_line_is_read_where_many_descriptors_are_open(keyboard: int) -> None:
    """As in a server with a thousand clients, whose own shell this is."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < 2 * FD_SETSIZE:
        pytest.skip(f"may open no more than {before[1]} descriptors")
    os.write(keyboard, b"hello\n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 2 * FD_SETSIZE), before[1]))
    taken = [os.dup(keyboard)]
    try:
        while taken[-1] < FD_SETSIZE:
            taken.append(os.dup(keyboard))
        assert read_line("") == "hello"
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
