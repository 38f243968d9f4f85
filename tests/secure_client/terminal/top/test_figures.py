"""From the answer to SERVER STATS to what is shown."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from secure_client.terminal.top.figures import Figures, Look, figures
from tests.secure_client.busy_server import STATS


def told(figures_: Figures) -> dict[str, str]:
    """The facts, by line and label."""
    return {f"{name} {fact.label}".strip(): fact.text for name, facts in figures_.facts for fact in facts}


def test_the_first_look_is_full() -> None:
    """Rates and sparklines come from the history that the server keeps; the CPU is that since the start."""
    shown = figures(Look(STATS, 0.0))
    assert {rate.label: rate.shown for rate in shown.rates} == {
        "commands/s": "1.06k",
        "failed/s": "0",
        "connections/s": "2.5",
        "refused/s": "0",
        "in/s": "56.8 kB",
        "out/s": "486 kB",
    }
    assert all(len(rate.history) == 60 for rate in shown.rates)
    assert told(shown) == {
        "latency p50": "240 µs",
        "latency p99": "12.1 ms",
        "latency longest": "1.20 s",
        "clients": "812/1.02k",
        "clients strangers": "3/512",
        "clients admins": "1",
        "clients gave way": "0",
        "handshakes": "48.2k",
        "handshakes failed": "12",
        "handshakes logins": "47.9k",
        "handshakes refused": "31",
        "workers": "3/16",
        "workers waiting": "0",
        "workers stuck": "0",
        "workers beside": "0",
        "jobs": "2",
        "jobs waiting": "1",
        "process CPU": "10.0 %",
        "process memory": "84.1 MB",
        "process threads": "23",
        "process files": "857/1.05M",
    }
    assert (shown.version, shown.draining, len(shown.commands)) == ("1.4.0", False, 4)


@pytest.mark.parametrize(
    ("uptime", "cpu", "expected"), [(2.0, 1.0, "50.0 %"), (-200_000.0, -27_000.0, "0.5 %"), (0.0, 0.0, "10.0 %")]
)
def test_the_cpu_is_that_between_two_looks(uptime: float, cpu: float, expected: str) -> None:
    """Not where the server was started anew meanwhile, or is the same look."""
    later = copy.deepcopy(STATS)
    later["uptime"] += uptime
    later["process"]["cpu"] += cpu
    assert told(figures(Look(later, 2.0), Look(STATS, 0.0)))["process CPU"] == expected


def test_rates_are_those_of_the_last_interval() -> None:
    """So many seconds of the history, and no more than there is."""
    stats = {"history": {"seconds": 1, "commands": [10, 20, 60]}}
    assert [figures(Look(stats, 0.0), seconds=wait).rates[0].now for wait in (0.5, 2.0, 60.0)] == [60.0, 40.0, 30.0]


@pytest.mark.parametrize(
    "stats",
    [
        {},
        {"connections": 7, "history": [], "by_command": {}, "workers": None, "version": 3, "uptime": "x"},
        {"history": {"commands": ["x", None, -1]}, "by_command": [1, None], "process": {"cpu": True}},
    ],
)
def test_a_server_that_tells_something_else_is_shown_all_the_same(stats: dict[str, Any]) -> None:
    """What is not known is a dash."""
    shown = figures(Look(stats, 0.0), Look(stats, 1.0))
    assert set(told(shown).values()) <= {"-", "-/-"}
    assert list(shown.commands) == []


def test_what_is_to_be_noticed() -> None:
    """Who waits for a worker, what is stuck, and places, clients and descriptors that run out."""
    stats = copy.deepcopy(STATS)
    stats["workers"] |= {"waiting": 4, "stuck": 1}
    stats["process"] |= {"descriptors": 950, "most_descriptors": 1000}
    stats["connections"] |= {"clients": 1000, "strangers": 0}
    shown = figures(Look(stats, 0.0))
    assert [fact.label for _name, facts in shown.facts for fact in facts if fact.bad] == [
        "",
        "waiting",
        "stuck",
        "files",
    ]


def test_a_version_is_no_escape_sequence() -> None:
    """What a server sends is printable."""
    assert figures(Look({"version": "1\x1b[2J" + "9" * 100}, 0.0)).version == "1\\x1b[2J" + "9" * 35 + "…"
