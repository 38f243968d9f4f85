"""Starting a program by way of the launcher, which waits until it may go and gives rights up; see `launcher.py`."""

from __future__ import annotations

import errno
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from secure_server.commands.programs.launcher import EXECUTED, GO
from secure_server.files.forking import not_for_children

LAUNCHER = Path(__file__).with_name("launcher.py")
LAUNCH_SECONDS = 30.0
"""From the order to the program: Python's start, looking a user up, and the system's own work. It takes some 10 ms; a
machine that swaps, or waits for a directory of users that does not answer, takes long, and a worker does not wait for
ever."""
KILLED_SECONDS = 2.0
"""After SIGKILL; one that is stuck in the kernel, in a directory of users on a network, is left behind."""
LIBRARIES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""The variables without which some Pythons do not start. The launcher has no others: the program's come with the order,
so that nothing but the program starts under them."""
REPORT_BYTES = 4096
"""More than the launcher ever has to say."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What a program gives up of the server's rights, before it is executed.

    Attributes:
        user: whom it runs as; empty for the server's own.
        umask: as `os.umask`; None for the server's.
        nice: what is added to the server's niceness.
        cpu: seconds of processor time of each process; None for no limit but the server's, as with the next two.
        memory: bytes of address space of each process.
        files: descriptors that each process may have open.
    """

    user: str = ""
    umask: int | None = None
    nice: int = 0
    cpu: int | None = None
    memory: int | None = None
    files: int | None = None


SERVERS = Rights()
"""Those of the server itself."""


def launch(
    argv: Sequence[str],
    environment: Mapping[str, str],
    rights: Rights,
    before: Callable[[int], None] | None,
    **streams: Any,  # noqa: ANN401 - handed on
) -> subprocess.Popen[bytes]:
    """Start a program that gives up rights, or waits until something else is done; return when it is executed.

    Args:
        argv: the program and its arguments.
        environment: all of its environment.
        rights: what it keeps.
        before: called with the process's number, when it is there and nothing is executed yet. Where it raises, nothing
            will be.
        streams: `stdin`, `stdout`, `stderr`, `cwd` and the like, for `Popen`.

    Raises:
        OSError: it cannot be executed.
        Exception: what `before` raises.
    """
    sent = _order(argv, environment, rights)
    with ExitStack() as closing:
        theirs, orders = _pipe(closing)
        reports, said = _pipe(closing)
        popen = subprocess.Popen(  # noqa: S603 - our own Python, and a file of ours
            [sys.executable, "-I", "-S", str(LAUNCHER), str(theirs.fileno()), str(said.fileno())],
            env={name: os.environ[name] for name in LIBRARIES if name in os.environ},
            pass_fds=(theirs.fileno(), said.fileno()),
            **streams,
        )
        theirs.close()
        said.close()
        try:
            if before is not None:
                before(popen.pid)
            check(_exchange(orders, sent, reports), argv[0], rights)
        except BaseException:
            _abandon(popen)
            raise
    return popen


def _pipe(closing: ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    """Return the two ends of a pipe, unbuffered; `closing` closes them."""
    ends = os.pipe()
    reading, writing = open(ends[0], "rb", 0), open(ends[1], "wb", 0)  # noqa: PTH123, SIM115 - descriptors
    for end in (reading, writing):
        closing.enter_context(not_for_children(end))
    return reading, writing


def _order(argv: Sequence[str], environment: Mapping[str, str], rights: Rights) -> bytes:
    """Return how many words and variables there are, the rights, the words, the variables, and `GO`.

    Raises:
        ValueError: there is a NUL in one, as `Popen` says it.
    """
    numbers = (rights.umask, rights.nice or None, rights.cpu, rights.memory, rights.files)
    fields = [str(len(argv)), str(len(environment)), rights.user]
    fields += ["" if number is None else str(number) for number in numbers]
    words = [os.fsencode(word) for word in (*fields, *argv)]
    words += [os.fsencode(name) + b"=" + os.fsencode(value) for name, value in environment.items()]
    if any(b"\0" in word for word in words):
        raise ValueError("embedded null byte")
    return b"\0".join([*words, GO])


def _exchange(orders: IO[bytes], sent: bytes, reports: IO[bytes]) -> bytes:
    """Give the order, and return all that the launcher says until it is something else, or has ended.

    Raises:
        OSError: neither came to be in time.
    """
    deadline, rest, answer = time.monotonic() + LAUNCH_SECONDS, memoryview(sent), b""
    if sys.platform != "win32":
        os.set_blocking(orders.fileno(), False)
    with selectors.DefaultSelector() as waiting:
        waiting.register(orders, selectors.EVENT_WRITE)
        waiting.register(reports, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            ready = {key.fileobj for key, _ in waiting.select(left)}
            if orders in ready:
                try:
                    rest = rest[orders.write(rest) or 0 :]
                except BrokenPipeError:  # it has ended, and said why where it could
                    rest = rest[:0]
                if not rest:
                    waiting.unregister(orders)
                    orders.close()
            if reports in ready:
                data = reports.read(REPORT_BYTES)
                answer += data
                if not data or len(answer) > REPORT_BYTES:
                    return answer
    raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT), str(LAUNCHER))


def check(answer: bytes, program: str, rights: Rights) -> None:
    """Raise what the launcher said went wrong, as `Popen` does.

    Args:
        answer: all that it said.
        program: what it was to execute.
        rights: what it was to keep of them.

    Raises:
        OSError: nothing was executed.
    """
    if answer == EXECUTED:
        return
    step, _, rest = answer.removeprefix(EXECUTED).decode(errors="replace").partition("\0")
    number, _, kind = rest.partition("\0")
    if kind == "KeyError" and step == "run_as":
        raise OSError(errno.ENOENT, f"there is no user {rights.user!r} any more; make it, or change run_as")
    if not number.isdigit():
        raise OSError(errno.ECHILD, "the launcher ended before it had started anything", str(LAUNCHER))
    why = os.strerror(int(number)) if int(number) else kind
    raise OSError(int(number), why, program) if step == "run" else OSError(int(number), f"{step}: {why}")


def _abandon(popen: subprocess.Popen[bytes]) -> None:
    """End a launcher that is to execute nothing, and what Popen opened for it."""
    popen.kill()
    with suppress(subprocess.TimeoutExpired):
        popen.wait(KILLED_SECONDS)
    for stream in (popen.stdin, popen.stdout):
        if stream is not None:
            stream.close()
