"""A job as it is known and kept: what was asked for, by whom, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from secure_server.audit.record import Withheld
from secure_server.auth.principal import ClientCertificate, Role

KEPT_BYTES = 16 * 1024
"""Of a record, all arguments together, and the longest result: a thousand jobs are held in memory."""


class JobState(StrEnum):
    """What became of a job so far."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed-out"
    LOST = "lost"
    """The server ended without a word while it ran; how far it came nobody knows."""

    @property
    def ended(self) -> bool:
        """Whether nothing more becomes of it."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


class Process(Struct, frozen=True):
    """A process group of a job, told from any other that has its number later.

    Attributes:
        boot_id: of the system's run.
        pid: of its leader, and so of the group.
        started: when its leader started, in the kernel's ticks since the system did.
        server: the number and the start of the server that started it; zeros: nobody knows.
    """

    boot_id: str
    pid: int
    started: int
    server: tuple[int, int] = (0, 0)


class Job(Struct, frozen=True, kw_only=True):
    """What is known of a job; `msgspec.structs.replace` makes the next state of it.

    Attributes:
        number: counted from 1, never used again; 0 before `Records.add` gave it one.
        command: its name.
        arguments: the words after the name, as they came.
        principal: the name of who started it.
        role: theirs, at that time.
        token_id: the public id of the token they used.
        certificate: what they showed instead.
        language: of its texts.
        address: where they came from.
        key: by which they find it again, so that a start is never doubled; empty: none.
        created: Unix seconds, as the two below.
        started: when it began to run; None: not yet, or never.
        ended: when it did.
        state: what became of it so far.
        code: of the error that it ended with; empty: none.
        message: that error's text.
        exit_code: of its program; None: it has none, or was ended.
        result: what its handler returned, as RESP3. Longer than `KEPT_BYTES` it is not here, but the one part
            of the output after those that are counted in `parts`.
        parts: the number of the next part of its output.
        lock: the name that no other job may hold while it does, see `holds`; empty: none.
        process: what may still run of it; None: nothing, or only within the server.
        rerun_of: the number of the job that it repeats.
        cancelled_by: the name of who did; empty: nobody.
    """

    command: str
    principal: str
    role: Role
    created: float
    number: int = 0
    arguments: tuple[bytes | Withheld, ...] = ()
    token_id: str | None = None
    certificate: ClientCertificate | None = None
    language: str = ""
    address: str = ""
    key: str = ""
    started: float | None = None
    ended: float | None = None
    state: JobState = JobState.QUEUED
    code: str = ""
    message: str = ""
    exit_code: int | None = None
    result: bytes | None = None
    parts: int = 0
    lock: str = ""
    process: Process | None = None
    rerun_of: int | None = None
    cancelled_by: str = ""

    @property
    def holds(self) -> bool:
        """Whether its slot and its lock are taken: it runs, or is lost and nobody proved that its process ended."""
        return self.state is JobState.RUNNING or (self.state is JobState.LOST and self.process is not None)

    def took(self, now: float) -> float | None:
        """Return for how many seconds it ran; None where it never did, or is lost, for when that ended nobody knows.

        Args:
            now: Unix seconds, for one that runs still.
        """
        if self.started is None or self.state is JobState.LOST:
            return None
        return max(0.0, (now if self.ended is None else self.ended) - self.started)


def kept(arguments: Sequence[bytes | Withheld]) -> tuple[bytes | Withheld, ...]:
    """Return what a record has of arguments: where they are long together, the longest are withheld.

    Args:
        arguments: as they came, but for those that are secret or for standard input, which are withheld already.
    """
    found = list(arguments)
    left = KEPT_BYTES
    for at, value in sorted(_shown(arguments), key=lambda each: len(each[1])):
        left -= len(value)
        if left < 0:
            found[at] = Withheld.of(value)
    return tuple(found)


def _shown(arguments: Sequence[bytes | Withheld]) -> list[tuple[int, bytes]]:
    return [(at, value) for at, value in enumerate(arguments) if isinstance(value, bytes)]
