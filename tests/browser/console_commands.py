"""Commands of every kind of argument and of answer, for a page to show and to run."""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

from secure_server.commands import Argument, CommandError, Context, ReplyKind, Table, Timestamp, command
from secure_server.commands.context import PROGRESS_SECONDS
from tests.integration.peers import PATIENCE_SECONDS

EVIL = "<img src=x onerror=pwned++>"
"""What runs where a page takes text for HTML."""
GROUP = f"Group {EVIL}"


class Steer:
    """What the handlers wait for, and what they were."""

    ran: ClassVar[list[str]] = []
    go = threading.Semaphore(0)
    cancelled = threading.Event()

    @classmethod
    def forget(cls) -> None:
        """Begin anew."""
        cls.ran, cls.go, cls.cancelled = [], threading.Semaphore(0), threading.Event()

    @classmethod
    def wait(cls, context: Context) -> bool:
        """Wait for a `go`; False where the command is to stop before that."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and not context.cancelled.is_set():
            if cls.go.acquire(timeout=0.02):
                return True
        cls.cancelled.set()
        return False


class Target(enum.Enum):
    """Where to."""

    STAGING = "staging"
    PRODUCTION = "production"


@command("DEPLOY", example="web staging AB-1 --lines 5")
def deploy(
    context: Context,
    service: Literal["web", "worker"],
    target: Target = Target.STAGING,
    *tickets: Annotated[str, Argument("what is done", pattern="[A-Z]+-[0-9]+")],
    lines: Annotated[int, Argument("how many", minimum=1, maximum=1000)] = 10,
    share: Annotated[float, Argument("of the machines", minimum=0, maximum=1)] = 0.5,
    wait: timedelta = timedelta(seconds=30),
    not_before: datetime | None = None,
    force: bool = False,
) -> str:
    """Deploy a service, with every type of argument."""
    said = not_before.isoformat() if not_before else "-"
    return f"{service} {target.value} {tickets} {lines} {share} {wait.total_seconds():g} {said} {force}"


@command("UNLOCK")
def unlock(context: Context, code: Annotated[str, Argument("from your authenticator", secret=True)]) -> str:
    """Take a secret."""
    Steer.ran.append(f"unlock {len(code)}")
    return "unlocked"


@command("TAKE-IN")
def take_in(context: Context, dump: Annotated[bytes, Argument("what to take in", file=True, body=True)]) -> str:
    """Take a file."""
    return f"{len(dump)} bytes, {sum(dump)}"


@command("WIPE", confirm="Wipe {disk} on {server}?", danger=True)
def wipe(context: Context, disk: str) -> str:
    """Wipe a disk."""
    Steer.ran.append(f"wipe {disk}")
    return f"wiped {disk}"


@command("COUNT", timeout=None)
def count(context: Context, most: int = 3) -> Iterator[str]:
    """Count, a number for each go."""
    for number in range(most):
        context.progress(number / most, f"counting {number}")
        yield f"number {number}"
        if not Steer.wait(context) or context.cancelled.wait(PROGRESS_SECONDS):  # what comes sooner is not told
            return


@command("BUILD", job=True, reply=ReplyKind.STREAM)
def build(context: Context, name: str = "it", most: int = 3) -> Iterator[str]:
    """Build something, a step for each go."""
    Steer.ran.append(f"build {name}")
    for number in range(most):
        context.progress(number / most, f"step {number}")
        yield f"{name} step {number}"
        if not Steer.wait(context):
            return
    yield f"{name} is built"


@command("ONCE", timeout=None)
def once(context: Context) -> Iterator[str]:
    """Do what must not be done twice, after a go."""
    Steer.ran.append("once")
    yield "begun"
    Steer.wait(context)
    yield "done"


@command("PRINT", reply=ReplyKind.STREAM)
def print_lines(context: Context, lines: int) -> Iterator[str]:
    """Print many lines."""
    for number in range(lines):
        yield f"line {number} of {lines}"


@command("MACHINES")
def machines(context: Context) -> Table:
    """Table of machines."""
    rows: list[tuple[object, ...]] = [("beta", 10, True, None), ("alpha", 9, False, "x"), ("gamma", 100, True, "y")]
    return Table(("name", "load", "up", "note"), rows, "There are no machines.")


@command("NO-MACHINES", columns=("name", "load"), empty="There are no machines.")
def no_machines(context: Context) -> Table:
    """Table of nothing."""
    return Table(("name", "load"), [], "There are no machines.")


@command("CLOCK")
def clock(context: Context) -> Timestamp:
    """Tell a moment."""
    return Timestamp(1_700_000_000, 0)


@command("TREE", reply=ReplyKind.LINES)
def tree(context: Context) -> dict[str, object]:
    """Tell of something that has parts."""
    return {"disks": {"sda": {"size": 10}, "sdb": {"size": 20}}, "names": ["a", "b"], "up": True, "none": None}


@command("SPEAK-EVIL", summary=f"Summary {EVIL}", arguments={"how": f"Argument {EVIL}"}, confirm=f"Really {EVIL}?")
def speak_evil(
    context: Context, how: Literal["text", "lines", "table", "tree", "stream", "error", "<b>choice</b>"] = "text"
) -> object:
    """Answer what would be HTML."""
    match how:
        case "error":
            raise CommandError("Error {what}", what=EVIL)
        case "lines":
            return [f"line {EVIL}", EVIL]
        case "table":
            return Table((f"column {EVIL}", "b"), [(f"cell {EVIL}", EVIL)], EVIL)
        case "tree":
            return {f"key {EVIL}": {EVIL: EVIL}}
        case _:
            return f"text {EVIL}"


@command("STREAM-EVIL")
def stream_evil(context: Context) -> Iterator[str]:
    """Stream what would be HTML."""
    context.progress(0.5, f"progress {EVIL}")
    yield f"part {EVIL}"
    Steer.wait(context)


@command("RUN-EVIL", job=True, reply=ReplyKind.STREAM)
def run_evil(context: Context, what: str = EVIL) -> Iterator[str]:
    """Do a job of HTML."""
    context.progress(0.5, f"progress {EVIL}")
    yield f"part {EVIL}"
