"""From what `SERVER STATS` answers to what is shown of it. A server of another version may lack what is looked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from secure_client.i18n import N_
from secure_client.terminal.top import units
from secure_client.terminal.top.signs import UNICODE, Signs
from secure_protocol.printable import printable

MOST_SECONDS = 60
"""Of history, as the server keeps it."""
MOST_ROWS = 50
"""Of a list, as the server tells them."""
VERSION_CHARACTERS = 40
FULL = 0.9
"""Of what there can be, from which on it is to be noticed."""


class Look(NamedTuple):
    """One look at a server.

    Attributes:
        stats: what it answered to `SERVER STATS`.
        at: monotonic second of this computer.
    """

    stats: Mapping[str, object]
    at: float


@dataclass(frozen=True, slots=True)
class Rate:
    """Something that is counted by the second.

    Attributes:
        label: English, translated where it is shown.
        now: a second, of late; None where it is not known.
        history: of each second, the oldest first.
        sized: it counts bytes.
        bad: more than none of it are to be noticed.
    """

    label: str
    now: float | None
    history: Sequence[float]
    sized: bool = False
    bad: bool = False

    @property
    def shown(self) -> str:
        """How much it is now."""
        return units.size(self.now) if self.sized else units.rate(self.now)


class Fact(NamedTuple):
    """One figure.

    Attributes:
        label: English, translated where it is shown; empty where the text says it all.
        text: the figure.
        bad: it is to be noticed.
    """

    label: str
    text: str
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """What is shown of a look.

    Attributes:
        version: the server's; empty where it is not known.
        uptime: seconds; None likewise.
        draining: it lets nobody in, and is about to end.
        rates: by the second.
        facts: each line has a label, and its figures.
        commands: those that ran, each with its figures, the busiest of the last minute first.
    """

    version: str
    uptime: float | None
    draining: bool
    rates: Sequence[Rate]
    facts: Sequence[tuple[str, Sequence[Fact]]]
    commands: Sequence[Mapping[str, object]]


def figures(look: Look, before: Look | None = None, seconds: float = 2.0, signs: Signs = UNICODE) -> Figures:
    """Return what is shown of a look.

    Args:
        look: the newest.
        before: the one before it; None at the first.
        seconds: between two looks; rates are those of so many of the last.
        signs: what can be shown.
    """
    stats = look.stats
    version = stats.get("version")
    return Figures(
        printable(version, VERSION_CHARACTERS) if isinstance(version, str) else "",
        number(stats, "uptime"),
        stats.get("draining") is True,
        _rates(stats, seconds),
        _facts(stats, _cpu(look, before), signs),
        rows(stats.get("by_command")),
    )


def number(stats: Mapping[str, object], *path: str) -> float | None:
    """Return a number in the map; None where there is none, or something else."""
    value: object = stats
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def rows(value: object) -> list[Mapping[str, object]]:
    """Return the maps in a list; nothing of anything else."""
    found: list[Mapping[str, object]] = (
        [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
    )
    return found[:MOST_ROWS]


def _rates(stats: Mapping[str, object], seconds: float) -> list[Rate]:
    history = stats.get("history")
    kept = history if isinstance(history, Mapping) else {}
    step = number(kept, "seconds") or 1.0
    latest = max(1, min(MOST_SECONDS, round(seconds / step)))

    def rate(label: str, key: str, *, bytes_: bool = False, bad: bool = False) -> Rate:
        told = kept.get(key)
        values = told[-MOST_SECONDS:] if isinstance(told, list) else []
        numbers = [max(0.0, each) if isinstance(each, int | float) else 0.0 for each in values]
        newest = numbers[-latest:]
        now = sum(newest) / len(newest) / step if newest else None
        return Rate(label, now, numbers, bytes_, bad)

    return [
        rate(N_("commands/s"), "commands"),
        rate(N_("failed/s"), "failed", bad=True),
        rate(N_("connections/s"), "connections"),
        rate(N_("refused/s"), "refused", bad=True),
        rate(N_("in/s"), "in", bytes_=True),
        rate(N_("out/s"), "out", bytes_=True),
    ]


def _facts(stats: Mapping[str, object], cpu: float | None, signs: Signs) -> list[tuple[str, list[Fact]]]:
    def counted(label: str, *path: str, bad: bool = False) -> Fact:
        value = number(stats, *path)
        return Fact(label, units.count(value), bad and bool(value))

    def took(label: str, key: str) -> Fact:
        return Fact(label, units.time(number(stats, "commands", key), signs.micro))

    def part(label: str, used: tuple[str, str], there: tuple[str, str]) -> Fact:
        taken, most = number(stats, *used), number(stats, *there)
        return Fact(label, _of(taken, most), bool(taken and most and taken >= FULL * most))

    return [
        (N_("latency"), [took(N_("p50"), "p50"), took(N_("p99"), "p99"), took(N_("longest"), "max")]),
        (
            N_("clients"),
            [
                part("", ("connections", "clients"), ("connections", "most_clients")),
                part(N_("strangers"), ("connections", "strangers"), ("connections", "most_strangers")),
                counted(N_("admins"), "connections", "admin"),
                counted(N_("gave way"), "connections", "given_way"),
            ],
        ),
        (
            N_("handshakes"),
            [
                Fact("", units.count(number(stats, "handshakes", "total"))),
                counted(N_("failed"), "handshakes", "failed"),
                counted(N_("logins"), "logins", "accepted"),
                counted(N_("refused"), "logins", "refused"),
            ],
        ),
        (
            N_("workers"),
            [
                part("", ("workers", "running"), ("workers", "places")),
                counted(N_("waiting"), "workers", "waiting", bad=True),
                counted(N_("stuck"), "workers", "stuck", bad=True),
                counted(N_("beside"), "workers", "beside"),
            ],
        ),
        (
            N_("jobs"),
            [
                Fact("", units.count(number(stats, "jobs", "running"))),
                counted(N_("waiting"), "jobs", "waiting"),
            ],
        ),
        (
            N_("process"),
            [
                Fact(N_("CPU"), units.percent(cpu)),
                Fact(N_("memory"), units.size(number(stats, "process", "rss"))),
                counted(N_("threads"), "process", "threads"),
                part(N_("files"), ("process", "descriptors"), ("process", "most_descriptors")),
            ],
        ),
    ]


def _of(used: float | None, there: float | None) -> str:
    return units.count(used) if there is None else f"{units.count(used)}/{units.bound(there)}"


def _cpu(look: Look, before: Look | None) -> float | None:
    """Return the share of one processor: since the look before, or since the start where there is none."""
    used, lasted = number(look.stats, "process", "cpu"), number(look.stats, "uptime")
    if used is None:
        return None
    if before is not None:
        earlier, then = number(before.stats, "process", "cpu"), number(before.stats, "uptime")
        if earlier is not None and then is not None and lasted is not None and lasted > then and used >= earlier:
            return (used - earlier) / (lasted - then)
    return used / lasted if lasted else None
