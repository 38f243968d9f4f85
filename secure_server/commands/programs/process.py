"""A program as a child process: its output line by line, and the end of its whole process group.

The thread that reads waits in one `select` for output, for room in the program's stdin, for its end, and for being
woken; nothing polls. While nobody takes lines the pipe fills and the program waits, so a slow reader costs no memory.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from secure_server.commands.programs.launching import SERVERS, Rights, launch
from secure_server.files.forking import not_for_children

READ_BYTES = 64 * 1024
"""What one read takes: a pipe's usual capacity."""
LINE_BYTES = 4096
"""A longer line comes in pieces: a program that never ends its line must not fill the memory."""
TERM_SECONDS = 2.0
"""What a process group has to end by itself after SIGTERM, to remove what is half made; then SIGKILL ends it."""

POLL_SECONDS = 0.1
"""How often a program that closed its output is looked at where the system cannot tell when it ends."""


class ExitLostError(Exception):
    """The program has ended, and a handler that waits for any child took its exit code."""


class Process:
    """A running program. Owned by one thread, except `wake`. On leaving the `with`, its process group is over.

    It is the leader of a session of its own, without a terminal.

    Args:
        argv: the program and its arguments; no shell.
        directory: where it runs.
        environment: all of its environment.
        errors: whether its stderr comes with its output; else it is dropped.
        stdin: what it may read there, while `lines` or `wait` run: it need not.
        rights: what it keeps of the server's.
        before: called with the program's number before it is executed; see `launch`.
        clock: monotonic seconds.

    Raises:
        OSError: it cannot be started.
        Exception: what `before` raises; nothing was executed then.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        directory: Path | None,
        environment: Mapping[str, str],
        errors: bool = True,
        stdin: bytes = b"",
        rights: Rights = SERVERS,
        before: Callable[[int], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._lost = False
        self._waiting = selectors.DefaultSelector()
        self._woken, self._waker = os.pipe()
        streams: dict[str, Any] = {
            "stdin": subprocess.PIPE if stdin else subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT if errors else subprocess.DEVNULL,
            "cwd": directory,
            "start_new_session": True,
            "bufsize": 0,
        }
        try:
            if before is not None or rights != SERVERS:
                self._popen = launch(argv, environment, rights, before, **streams)
            else:
                self._popen = subprocess.Popen(argv, env=environment, **streams)  # noqa: S603 - an argv that the configuration vetted, never a shell
        except BaseException:
            self._ended = None
            self._close()
            raise
        assert self._popen.stdout is not None  # noqa: S101 - it is a pipe
        self._output = not_for_children(self._popen.stdout)
        self._ended = _ended_descriptor(self._popen.pid)
        if sys.platform != "win32":  # where there are no programs; see `declare`
            os.set_blocking(self._output.fileno(), False)
            os.set_blocking(self._waker, False)
        self._going = {self._output.fileno()} if self._ended is None else {self._output.fileno(), self._ended}
        for descriptor in {self._woken} | self._going:
            self._waiting.register(descriptor, selectors.EVENT_READ)
        self._input = self._popen.stdin
        self._unread = memoryview(stdin)
        if self._input is not None:
            not_for_children(self._input)
            if sys.platform != "win32":
                os.set_blocking(self._input.fileno(), False)
            self._waiting.register(self._input, selectors.EVENT_WRITE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._end()
        finally:
            self._output.close()
            self._close()

    def _close(self) -> None:
        self._waiting.close()
        for descriptor in (self._woken, self._waker, self._ended):
            if descriptor is not None:
                os.close(descriptor)

    def wake(self) -> None:
        """Have `lines` end at once. Any thread, while the `with` lasts."""
        with suppress(BlockingIOError):  # full of wakeups
            os.write(self._waker, b"!")

    def lines(self) -> Iterator[bytes]:
        """Return the output's lines, without their ends, until the program or its output ends or `wake` is called.

        What others may still write when the program itself is over is not waited for.
        """
        rest = bytearray()
        left: int | None = None
        while not self._is_woken(0 if self._over else None):
            if self._over and left is None:
                left = _unread(self._output)  # all that it wrote itself is there by now
            data = self._output.read(READ_BYTES if left is None else left) if left != 0 else None  # None: nothing yet
            if data:
                left = None if left is None else left - len(data)
                rest += data
                yield from _split(rest)
                continue
            if data is not None:
                self._forget(self._output.fileno())
            if data is not None or self._over:
                break
        else:
            return
        if rest:
            yield bytes(rest)

    def wait(self) -> int | None:
        """Return the exit code, negative for a signal, when the lines have ended; None where `wake` was called.

        Raises:
            ExitLostError: nobody can tell it.
        """
        while self._ended in self._going:
            if self._is_woken():
                return None
        if sys.platform == "linux" and self._ended is not None:
            try:
                result = os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOWAIT)
            except ChildProcessError:
                self._lost = True
                raise ExitLostError from None
            assert result is not None  # noqa: S101 - it waited
            return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status
        while (code := self._popen.poll()) is None:
            if self._is_woken(POLL_SECONDS):
                return None
        return code

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal, after the `with`; None where it was not ended, or its code is lost."""
        return None if self._lost else self._popen.returncode

    @property
    def _over(self) -> bool:
        """Whether the program was seen to end; its output may still be held by others."""
        return self._ended is not None and self._ended not in self._going

    def _is_woken(self, seconds: float | None = None) -> bool:
        """Wait until something happens, and tell whether it was `wake`."""
        ready = {key.fd for key, _ in self._waiting.select(seconds)}
        if self._ended in ready:
            self._forget(self._ended)
        if self._input is not None and self._input.fileno() in ready:
            self._feed(self._input)
        return self._woken in ready

    def _feed(self, stdin: IO[bytes]) -> None:
        """Give it of its input what there is room for. One that does not read on has had enough."""
        try:
            self._unread = self._unread[stdin.write(self._unread) or 0 :]
        except OSError:
            self._unread = self._unread[:0]
        if not self._unread:
            self._close_input()

    def _close_input(self) -> None:
        if self._input is not None:
            self._waiting.unregister(self._input)
            self._input.close()
            self._input = None

    def _forget(self, descriptor: int) -> None:
        self._going.discard(descriptor)
        self._waiting.unregister(descriptor)

    def _end(self) -> None:
        """End what is left of the process group: gently, then not.

        The program is reaped last, so that until then nobody else can have its group's number. One that may not be
        signalled (it runs as somebody else) or cannot end is left behind.
        """
        self._waiting.unregister(self._woken)
        self._close_input()
        self._signal("SIGTERM")
        self._drain(self._clock() + TERM_SECONDS)
        self._signal("SIGKILL")
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(TERM_SECONDS)

    def _drain(self, deadline: float) -> None:
        """Wait until the program is over and nobody holds its output any more; drops what still comes."""
        while self._going and (left := deadline - self._clock()) > 0:
            for key, _ in self._waiting.select(left):
                if key.fd == self._ended or self._output.read(READ_BYTES) == b"":
                    self._forget(key.fd)

    def _signal(self, name: str) -> None:
        if sys.platform != "win32" and self._popen.returncode is None:  # else it is reaped, its number free for others
            with suppress(ProcessLookupError, PermissionError):  # it is over, or runs as somebody else
                os.killpg(self._popen.pid, signal.Signals[name])


def _ended_descriptor(pid: int) -> int | None:
    """Return what becomes readable when the process ends; None where the system has no such thing."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # a Python for old systems is without, and a sandbox may forbid it
            return os.pidfd_open(pid)
    return None


def _unread(output: IO[bytes]) -> int:
    """Return how many bytes wait in a pipe."""
    if sys.platform == "win32":
        return 0
    import fcntl  # noqa: PLC0415 - POSIX has it alone, as the next
    import termios  # noqa: PLC0415

    return int.from_bytes(fcntl.ioctl(output, termios.FIONREAD, bytes(4)), sys.byteorder)


def _split(rest: bytearray) -> Iterator[bytes]:
    """Take the complete lines off the front, and of a line that is too long the pieces."""
    start = 0
    while True:
        end = rest.find(b"\n", start, start + LINE_BYTES + 1)
        if end >= 0:
            yield bytes(rest[start:end]).removesuffix(b"\r")
            start = end + 1
        elif len(rest) - start > LINE_BYTES:
            cut = start + LINE_BYTES
            while cut > start + LINE_BYTES - 4 and rest[cut] & 0xC0 == 0x80:  # not within a character of UTF-8
                cut -= 1
            yield bytes(rest[start:cut])
            start = cut
        else:
            del rest[:start]
            return
