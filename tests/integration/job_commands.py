"""Commands that are jobs, for tests to load into a server and to steer."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import suppress

from secure_protocol.errors import CommandError
from secure_protocol.replies import ReplyKind
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.session.call import CallEndedError
from tests.integration.peers import PATIENCE_SECONDS

PIECE = "x" * 1000


class Steer:
    """What the handlers wait for, and what they did."""

    started = threading.Semaphore(0)
    go = threading.Semaphore(0)
    released = threading.Event()
    ran = 0
    told: tuple[str, ...] = ()
    notified = threading.Event()
    late: BaseException | None = None
    tried = threading.Event()

    @classmethod
    def forget(cls) -> None:
        """Begin anew."""
        cls.started, cls.go = threading.Semaphore(0), threading.Semaphore(0)
        cls.released, cls.notified, cls.tried = threading.Event(), threading.Event(), threading.Event()
        cls.ran, cls.told, cls.late = 0, (), None

    @classmethod
    def begun(cls, count: int = 1) -> None:
        """Wait until so many handlers have begun."""
        for _ in range(count):
            assert cls.started.acquire(timeout=PATIENCE_SECONDS)

    @classmethod
    def wait(cls, context: Context) -> bool:
        """Wait for a `go`; False where the handler is to stop before that."""
        cls.ran += 1
        cls.started.release()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if context.cancelled.is_set():
                return False
            if cls.go.acquire(timeout=0.01):
                return True
        return False


def _steps(context: Context, most: int) -> Generator[str, None, str]:
    for number in range(most):
        yield f"step {number}"
        if not Steer.wait(context):
            return "stopped"
    return "the result"


@command("STEPS", job=True, reply=ReplyKind.STREAM)
def steps(context: Context, most: int = 2) -> Generator[str, None, str]:
    """Say a step, wait for a go, and so on."""
    return _steps(context, most)


@command("ALONE", job=True, max_running=1, reply=ReplyKind.STREAM)
def alone(context: Context, most: int = 1) -> Generator[str, None, str]:
    """The same, one at once."""
    return _steps(context, most)


@command("INLINE-UP", job=True, max_running=1, when_busy="queue", reply=ReplyKind.STREAM)
def in_line(context: Context, most: int = 1) -> Generator[str, None, str]:
    """The same, one after the other."""
    return _steps(context, most)


@command("TOGETHER", job=True, max_running=1, when_busy="attach", reply=ReplyKind.STREAM)
def together(context: Context, name: str = "") -> Generator[str, None, str]:
    """The same, joined by who asks for the same."""
    yield f"for {name}"
    return (yield from _steps(context, 1))


@command("LOCKED", job=True, lock="place-{place}", reply=ReplyKind.STREAM)
def locked(context: Context, place: str) -> Generator[str, None, str]:
    """The same, with a lock."""
    yield place
    return (yield from _steps(context, 1))


@command("ALSO LOCKED", role="operator", job=True, lock="place-{place}", when_busy="queue", reply=ReplyKind.STREAM)
def also_locked(context: Context, place: str) -> Generator[str, None, str]:
    """Another command of two words with the same lock."""
    yield place
    return (yield from _steps(context, 1))


@command("GOES-ON", job=True, on_revoked="go-on", reply=ReplyKind.STREAM)
def goes_on(context: Context) -> Generator[str, None, str]:
    """The same, whoever is revoked."""
    return _steps(context, 1)


@command("TELLS", job=True, notify=("HEARS",))
def tells(context: Context, fail: str = "") -> str:
    """Have another command told."""
    if fail:
        raise CommandError("It broke.")
    context.exit_code = 3
    return "told"


@command("HEARS", internal=True)
def hears(context: Context, job: str, command: str, state: str, who: str, exit_code: str) -> str:
    """Note what it was told."""
    Steer.told = (job, command, state, who, exit_code)
    Steer.notified.set()
    return ""


@command("WRITE-MUCH", job=True, reply=ReplyKind.STREAM)
def write_much(context: Context, parts: int) -> Iterator[str]:
    """As much as is asked for."""
    for number in range(parts):
        yield f"{number} {PIECE}"
        if number % 100 == 0:
            context.progress(number / parts, "writing")


@command("RETURN-MUCH", job=True)
def return_much(context: Context, size: int) -> str:
    """As much as is asked for, at once."""
    return "y" * size


@command("PLAIN")
def plain(context: Context, word: str = "") -> str:
    """No job, unless somebody makes one of it."""
    Steer.ran += 1
    return f"{context.principal.name if context.principal else '-'} {context.language} {word}"


@command("SLOW", reply=ReplyKind.STREAM)
def slow(context: Context) -> Generator[str, None, str]:
    """No job either, and takes its time."""
    return _steps(context, 1)


@command("SECRET", secret=True)
def secret(context: Context, word: str) -> str:
    """Nothing for a record."""
    return word


@command("ASKS-SESSION", job=True)
def asks_session(context: Context) -> str:
    """Ask a job's session for what it lacks."""
    return f"{context.session.output}"


@command("SPEAKS", job=True)
def speaks(context: Context) -> str:
    """Use what a job's context has."""
    context.progress(0.5, "half")
    told = context.server.broadcast("from a job", name="operator")
    return f"{context.address.rpartition(':')[0]} {told} {context.server.notify(1, 'hello')}"


@command("STUBBORN", job=True, timeout=0.2)
def stubborn(context: Context) -> str:
    """Heed nothing but the test."""
    Steer.started.release()
    Steer.released.wait(PATIENCE_SECONDS)
    return "at last"


@command("MISBEHAVES", job=True)
def misbehaves(context: Context, how: str) -> object:
    """Do what no handler should."""
    if how == "exit":
        raise SystemExit(3)
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "fork" and sys.platform != "win32":
        child = os.fork()
        if child == 0:
            return "the child's"
        os.waitpid(child, 0)
        return "the parent's"
    if how == "thread":
        threading.Thread(target=_send_late, args=(context,), daemon=True).start()
        return "left one behind"
    if how == "unencodable":
        return object()
    return _endless()


def _endless() -> Iterator[str]:
    Steer.started.release()
    while True:
        yield PIECE


def _send_late(context: Context) -> None:
    assert context.call is not None
    with suppress(CallEndedError):
        try:
            while True:
                context.call.send(b"+late\r\n")
                time.sleep(0.001)
        except BaseException as error:
            Steer.late = error
            raise
        finally:
            Steer.tried.set()
