"""Jobs of servers that are killed: commands for them, in a module that a configuration can name."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

from secure_server.commands.command import command
from secure_server.commands.context import Context

MARK = "a-program-of-a-job-of-a-test"
_PROGRAM = "read go || exit; while :; do sleep 0.05; done"


@command("COUNTS", job=True, reply="stream")
def counts(context: Context, most: int = 1_000_000) -> Iterator[str]:
    """Count, in no hurry."""
    for number in range(most):
        yield f"part {number}"
        if number % 16 == 0:
            context.cancelled.wait(0.001)


@command("WAITS-FOR-LOCK", job=True, lock="the-one", when_busy="queue", reply="stream")
def waits(context: Context) -> Iterator[str]:
    """Count, one at once."""
    return counts(context)


@command("SHORT", job=True)
def short(context: Context, word: str) -> str:
    """End at once."""
    return word


@command("RUNS-PROGRAM", job=True, reply="stream")
def runs_program(context: Context, mark: str) -> Iterator[str]:
    """Start a program that runs when its record is on disk, and ends by itself if the server does before that."""
    with subprocess.Popen(
        ["/bin/sh", "-c", _PROGRAM, "sh", MARK, mark], stdin=subprocess.PIPE, start_new_session=True
    ) as program:
        assert program.stdin is not None
        try:
            assert context.before_program is not None
            context.before_program(program.pid)
            program.stdin.write(b"go\n")
            program.stdin.flush()
            yield str(program.pid)
            while not context.cancelled.wait(0.02):
                yield time.ctime()
        finally:
            program.kill()
