"""Processes that are started, talked to line by line, and ended: each within a time, by its pid, whatever happens."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHILD_SECONDS = 120.0
"""How long a child may take for one thing that it is asked for; the longest is to open 5,000 connections."""
END_SECONDS = 15.0
"""How long a server may take to end; ours drains for up to 10 s."""
TAIL_CHARACTERS = 500
"""Of what a child said last, shown when it failed."""


class ChildError(Exception):
    """A child failed, or took too long. The message says which, and what it said last."""


class LackingError(ChildError):
    """What a measure needs cannot be had on this machine; the message says what, and why."""


class Child:
    """A process whose stdin and stdout are lines for us.

    Args:
        process: started with pipes, unbuffered.
        name: what people call it.
        errors: where its stderr goes.
    """

    def __init__(self, process: subprocess.Popen[bytes], name: str, errors: Path) -> None:
        self.pid = process.pid
        self.process = process
        self._name = name
        self._errors = errors
        self._read = b""

    def say(self, line: str) -> None:
        """Write a line.

        Raises:
            ChildError: it has ended.
        """
        assert self.process.stdin is not None  # noqa: S101 - narrows the type
        try:
            self.process.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            raise self.failure("ended") from None

    def ask(self, line: str) -> str:
        """Write a line, and return the one that answers it.

        Raises:
            ChildError: none came.
        """
        self.say(line)
        return self.line()

    def line(self, seconds: float = CHILD_SECONDS) -> str:
        """Return the next line.

        Raises:
            ChildError: none came.
        """
        assert self.process.stdout is not None  # noqa: S101 - narrows the type
        deadline = time.monotonic() + seconds
        while b"\n" not in self._read:
            if not select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise self.failure(f"said nothing for {seconds:.0f} s")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise self.failure("ended")
            self._read += data
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()

    def failure(self, what: str) -> ChildError:
        """Return an error that says what happened, and what the child said last."""
        said = self._errors.read_text(encoding="utf-8", errors="replace").strip()[-TAIL_CHARACTERS:]
        return ChildError(f"{self._name} {what}" + (f": {said}" if said else ""))


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a child of ours: this tree is what it imports, whatever is installed.

    It compiles what it imports once, as those who run these programs do, also where whoever measures has none of that.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", **more}


def python(*arguments: str) -> list[str]:
    """Return the argv of this Python."""
    return [sys.executable, *arguments]


@contextmanager
def child(argv: Sequence[str], *, name: str, errors: Path, env: Mapping[str, str]) -> Iterator[Child]:
    """Run a process during the block; afterwards it is ended, and is gone."""
    with (
        errors.open("ab") as stderr,
        subprocess.Popen(
            argv,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=env,
            start_new_session=True,  # Ctrl-C is for us, who end the children in order
        ) as process,
    ):
        try:
            yield Child(process, name, errors)
        finally:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def finished(
    argv: Sequence[str], *, name: str, env: Mapping[str, str] | None = None, seconds: float = CHILD_SECONDS
) -> str:
    """Run a process to its end and return what it printed.

    Raises:
        ChildError: it failed, or took too long.
    """
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=seconds, env=env or environment(), check=False
        )
    except FileNotFoundError:
        raise ChildError(f"{name} is not installed") from None
    except subprocess.TimeoutExpired:
        raise ChildError(f"{name} took more than {seconds:.0f} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-TAIL_CHARACTERS:]
        raise ChildError(f"{name} ended with exit code {done.returncode}: {said}")
    return done.stdout
