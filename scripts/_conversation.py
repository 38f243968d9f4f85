"""One client that stays connected while it is spoken to through a pipe, a line at a time."""

import contextlib
import queue
import subprocess
import tempfile
import threading
import time
from types import TracebackType
from typing import Self

from scripts._installation import PROFILE, Installation, StepFailedError

ANSWER_TIMEOUT = 20.0  # seconds; the first answer includes the client's start and its connecting
_END = None


class Conversation:
    """A ``secure-client`` process that reads commands from a pipe; it ends with the ``with`` block."""

    def __init__(self, installation: Installation) -> None:
        # A file, not a pipe: nobody has to read it for the client to go on.
        self._errors = tempfile.TemporaryFile(  # noqa: SIM115 - closed in __exit__
            "w+", encoding="utf-8", errors="replace"
        )
        self._process = subprocess.Popen(
            installation.client(PROFILE),
            cwd=installation.root,
            env=installation.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            errors="replace",
        )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="conversation", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join(ANSWER_TIMEOUT)
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was never sent cannot be flushed to a client that ended
                    stream.close()

    def ask(self, command: str) -> str:
        """Send one command and return the one line it is answered with.

        Raises:
            StepFailedError: no line came within ``ANSWER_TIMEOUT``, or the client ended.
        """
        self._send(command)
        line = self._next(time.monotonic() + ANSWER_TIMEOUT, command)
        if line is _END:
            raise self._failure(command, "the client ended")
        return line

    def leave(self, command: str) -> tuple[str, int]:
        """Send the last command; return what came until the client's end, and its exit code.

        Raises:
            StepFailedError: the client did not end within ``ANSWER_TIMEOUT``.
        """
        self._send(command)
        deadline = time.monotonic() + ANSWER_TIMEOUT
        lines = []
        while (line := self._next(deadline, command)) is not _END:
            lines.append(line)
        try:
            return "\n".join(lines), self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise self._failure(command, "the client did not end") from error

    def _send(self, command: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 - tells mypy what PIPE above means
        try:
            self._process.stdin.write(f"{command}\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._failure(command, "the client had ended") from error

    def _next(self, deadline: float, command: str) -> str | None:
        try:
            return self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise self._failure(command, f"nothing within {ANSWER_TIMEOUT:.0f} s") from None

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - tells mypy what PIPE above means
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\r\n"))
        self._lines.put(_END)

    def _failure(self, command: str, came: str) -> StepFailedError:
        self._errors.seek(0)
        return StepFailedError(f"{command}: expected an answer; {came}.\n{self._errors.read().strip()}".rstrip())
