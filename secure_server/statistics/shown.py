"""What is shown of the statistics, of one moment."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from secure_server.statistics.minute import Totals
from secure_server.statistics.spans import Counts


class Took(NamedTuple):
    """Seconds; None where nothing ran."""

    p50: float | None
    p99: float | None
    max: float | None


class OfCommand(NamedTuple):
    """What is shown of a command.

    Attributes:
        command: its name.
        calls: answered, since the start.
        failed: of those, with an error.
        minute: answered in the last minute.
        p50, p99, max: seconds that its handler took, since the start.
        worker_seconds: for how long its handlers kept a worker.
        minute_p50, minute_p99, minute_max: seconds that its handler took in the last minute.
        failures: those that failed, by the code of the error.
    """

    command: str
    calls: int
    failed: int
    minute: int
    p50: float | None
    p99: float | None
    max: float | None
    worker_seconds: float
    minute_p50: float | None
    minute_p99: float | None
    minute_max: float | None
    failures: dict[str, int]


class OfUser(NamedTuple):
    """What is shown of a principal; the name is empty for all who had not authenticated."""

    user: str
    calls: int
    failed: int
    minute: int


class OfTransport(NamedTuple):
    """What is shown of a transport."""

    transport: str
    sessions: int
    calls: int
    failed: int
    minute: int


class Shown(NamedTuple):
    """All of it, of one moment.

    Attributes:
        totals: since the start.
        handshakes: that were tried.
        handshakes_failed: of those.
        accepted, refused: logins.
        took: all handlers, in the last minute.
        history: what each second of the last minute added, for each of the totals; oldest first.
        commands, users: the busiest of the last minute first.
        transports: all.
    """

    totals: Totals
    handshakes: int
    handshakes_failed: int
    accepted: int
    refused: int
    took: Took
    history: list[list[int]]
    commands: list[OfCommand]
    users: list[OfUser]
    transports: list[OfTransport]


class Counted(NamedTuple):
    """What is counted of all together, since the start.

    Attributes:
        connections: that became sessions.
        handshakes: that were tried.
        handshakes_failed: of those.
        accepted, refused: logins.
        received, sent: protocol bytes.
    """

    connections: int
    handshakes: int
    handshakes_failed: int
    accepted: int
    refused: int
    received: int
    sent: int


class OfInfo(NamedTuple):
    """What Redis' INFO tells of a command.

    Attributes:
        calls: of its handler.
        seconds: all of them together.
        refused: turned away before.
        failures: with an error, refused ones included, by its code.
        counts: times of its handler, by step.
    """

    calls: int
    seconds: float
    refused: int
    failures: Counter[str]
    counts: Counts
