"""Descriptors (open files, sockets, pipes): how many there may be, and how many of them are for connections.

Connections are what others can have many of. So what the server itself opens is counted, by name, and they share what
is left: no flood of them can take what the admin socket, the trail, the storage or a program needs.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from secure_protocol.sentence import Sentence
from secure_server.config.settings import Config

LOOP = 3
"""Of each event loop: its poller, and both ends of its wakeup."""
STORAGE = 8
"""Two connections to the database, the log of each, the index that they share, and what a checkpoint opens."""
RECORDS = 8
"""The activity log, and the next when it is rotated; the trail, its head and its directory; one that is read."""
CERTIFICATES = 4
"""While they are renewed: a lock, a file that is read, one that is written, and their directory."""
TERMINAL = 12
"""The admin shell in the server's own terminal: an event loop, a connection with its wakeup, its history."""
PASSING = 16
"""For a moment: modules, time zones, the resolver, a connection before it is turned away, what a handler opens."""
PROGRAM = 14
"""A program while the launcher starts it: its output, its input, the launcher's order and report, how it fails, the
null device, what waits for it; then six, or five when it has read its input."""
JOB = PROGRAM + 1
"""A job: its program, and the file that its output is written to; one at a time, whatever there is of it."""
JOBS = 7
"""Their database, its log and index, and what a checkpoint opens; a file of output for all who read, one at a time; a
directory that is cleared, and one that is looked into."""
GOING = 8
"""Of administrators, and of strangers, on their way out, whose places are others' already; until fewer are, nobody of
their kind is accepted (`Sessions.has_room_on_admin_socket`, `Sessions.has_room`)."""
INHERITED = 8
"""Taken for open already where the system does not tell: the standard streams, and what the signals come by."""

LEAST_CONNECTIONS = 16
"""With fewer left for clients and strangers, there is no use in starting."""
OPEN_MAX = 10_240
"""What macOS allows a process, whatever it calls the hard limit."""


class TooFewDescriptorsError(Exception):
    """The server cannot do with so few; one sentence says how many it takes."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How many there may be at once, and for all of them how many descriptors.

    Attributes:
        clients, strangers, administrators: connections of each kind.
        leaving: ended ones that still wait for their peer's end.
        workers: threads that run commands, each of which may start a program.
        spare: those that stand in for them, and as many more, at most, for administrators' workers.
        jobs: that run at once, each of which may start a program.
        descriptors: what all that and the server itself may open.
    """

    clients: int
    strangers: int
    administrators: int
    leaving: int
    workers: int
    spare: int
    jobs: int
    descriptors: int

    @property
    def programs(self) -> int:
        """How many may run at once, beside those of administrators and of jobs."""
        return self.workers + 2 * self.spare


def wanted(config: Config, already: int, leaving: int, admin_workers: int) -> Shares:
    """Return what the configuration asks for.

    Args:
        config: the configuration.
        already: descriptors that are open before the server opens any.
        leaving: connections that may wait for their peer's end.
        admin_workers: threads that run commands beside the workers.
    """
    limits, threads = config.limits, config.threads
    listeners = len(config.listen.endpoints) + len(config.web.addresses) + 1  # the admin socket is one, too
    loops = config.threads.io + 1
    if config.quic.enabled:  # all of its connections share the sockets of its addresses
        listeners += len(config.quic.endpoints or config.listen.endpoints)
        loops += 1
    own = already + LOOP * loops + listeners
    own += STORAGE + RECORDS + JOBS + CERTIFICATES + TERMINAL + PASSING + 2 * GOING + PROGRAM * admin_workers
    connections = limits.max_clients + limits.max_unauthenticated + leaving
    asked = Shares(
        limits.max_clients,
        limits.max_unauthenticated,
        limits.max_admin_clients,
        leaving,
        threads.workers,
        threads.spare,
        threads.jobs,
        own + limits.max_admin_clients + connections,
    )
    return replace(asked, descriptors=asked.descriptors + PROGRAM * asked.programs + JOB * asked.jobs)


def within(limit: int, asked: Shares) -> Shares:
    """Return what of that there can be with `limit` descriptors; all of it, where that is enough.

    Administrators get an eighth at most; of what is then left, programs half at most, those of jobs a quarter of that,
    and all connections the rest: a quarter of it for strangers, an eighth for those who leave.

    Raises:
        TooFewDescriptorsError: nothing worth a start would be left.
    """
    if limit >= asked.descriptors:
        return asked
    connections = asked.clients + asked.strangers + asked.leaving
    own = asked.descriptors - connections - asked.administrators - PROGRAM * asked.programs - JOB * asked.jobs
    administrators = min(asked.administrators, max(2, limit // 8))
    left = limit - own - administrators
    jobs = min(asked.jobs, max(1, left // 8 // JOB))
    programs = (left // 2 - JOB * jobs) // PROGRAM
    spare = min(asked.spare, max(0, programs) // 6)
    workers = min(asked.workers, max(1, programs - 2 * spare))
    left -= PROGRAM * (workers + 2 * spare) + JOB * jobs
    if left < LEAST_CONNECTIONS:
        raise TooFewDescriptorsError(
            Sentence(
                "Only {limit} files may be open, and the server needs at least {least}; raise the limit (`ulimit -n`, "
                "or LimitNOFILE= in a systemd unit).",
                limit=limit,
                least=(own + PROGRAM + JOB + LEAST_CONNECTIONS) * 8 // 7 + 1,
            )
        )
    leaving = min(asked.leaving, left // 8)
    strangers = min(asked.strangers, max(left // 4, left - leaving - asked.clients))
    clients = min(asked.clients, left - leaving - strangers)
    return Shares(clients, strangers, administrators, leaving, workers, spare, jobs, limit)


def applied(config: Config, shares: Shares) -> Config:
    """Return the configuration with what there can be in place of what was asked for."""
    limits = config.limits
    per_source = limits.unauthenticated_per_source * shares.strangers // limits.max_unauthenticated
    return structs.replace(
        config,
        limits=structs.replace(
            limits,
            max_clients=shares.clients,
            max_unauthenticated=shares.strangers,
            unauthenticated_per_source=max(1, per_source),
            max_admin_clients=shares.administrators,
        ),
        threads=structs.replace(config.threads, workers=shares.workers, spare=shares.spare, jobs=shares.jobs),
    )


def shortage(asked: Shares, given: Shares, watched: int | None = None) -> str:
    """Return, for the log, how many there may be instead of how many, and what to do; empty where it is all of them.

    Args:
        asked: what there was to be.
        given: what there is.
        watched: see `fit`.
    """
    settings = {
        "limits.max_clients": (asked.clients, given.clients),
        "limits.max_unauthenticated": (asked.strangers, given.strangers),
        "limits.max_admin_clients": (asked.administrators, given.administrators),
        "threads.workers": (asked.workers, given.workers),
        "threads.spare": (asked.spare, given.spare),
        "threads.jobs": (asked.jobs, given.jobs),
    }
    less = ", ".join(f"{key} is {now} instead of {before}" for key, (before, now) in settings.items() if now < before)
    if not less:
        return ""
    if watched == given.descriptors:
        return f"`select`, by which this system watches them, takes {watched} descriptors, so {less}"
    return (
        f"only {given.descriptors} files may be open, so {less}; for all of them raise the limit to "
        f"{asked.descriptors} (`ulimit -n`, or LimitNOFILE= in a systemd unit)"
    )


@dataclass(frozen=True, slots=True)
class Fitted:
    """A configuration within the descriptors that there are.

    Attributes:
        config: it.
        lingering: connections of each event loop that may wait for their peer's end.
        shortage: what the log is to say; empty where there are enough.
        already: descriptors that were open before the server opened any.
    """

    config: Config
    lingering: int
    shortage: str
    already: int


def fit(
    config: Config, lingering: int, admin_workers: int, watched: int | None = None, already: int | None = None
) -> Fitted:
    """Raise the limit on descriptors as far as it takes, and fit the configuration into what there is then.

    Args:
        config: the configuration.
        lingering: connections of each event loop that may wait for their peer's end.
        admin_workers: threads that run commands beside the workers.
        watched: descriptors that an event loop can watch; None where it can watch any.
        already: descriptors that were open before the server opened any; None where it has not yet.

    Raises:
        TooFewDescriptorsError: the server cannot do with so few.
    """
    loops = config.threads.io + 1
    already = open_already() if already is None else already
    asked = wanted(config, already, lingering * loops, admin_workers)
    limits = [limit for limit in (raise_limit(asked.descriptors), watched) if limit is not None]
    given = within(min(limits), asked) if limits else asked
    return Fitted(applied(config, given), given.leaving // loops, shortage(asked, given, watched), already)


def open_already() -> int:
    """Return how many descriptors this process has open, inherited ones included."""
    with suppress(OSError):
        return len(list(Path("/dev/fd").iterdir())) - 1  # without the one that reads
    return INHERITED  # pragma: no cover - Windows


def raise_limit(wanted: int) -> int | None:
    """Raise the soft limit on descriptors towards `wanted`; return the limit now, or None where there is none."""
    if sys.platform == "win32":  # pragma: no cover - Windows
        return None
    try:
        import resource  # noqa: PLC0415 - most systems have it
    except ImportError:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return None
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    for target in (most, min(most, OPEN_MAX)):
        if soft < target:
            with suppress(OSError, ValueError):  # a sandbox forbids it, or the system allows less than it says
                resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
                return target
    return soft
