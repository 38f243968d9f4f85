"""What of all that is recorded is counted, and as what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_protocol.reasons import CloseReason
from secure_server.audit.who import Who
from secure_server.auth.principal import Role
from secure_server.commands.command import Command
from secure_server.config.settings import Log
from secure_server.recording.activity_log import ActivityLog
from secure_server.recording.recording import Recording
from secure_server.statistics.shown import OfCommand
from secure_server.statistics.statistics import Statistics
from tests.secure_server.host import Clock, Host

ADA = Who(1, "ada", "192.0.2.7:1", "192.0.2.7", "tls")


class Counted:
    """A recording without a trail, and what it counts."""

    def __init__(self, directory: Path) -> None:
        self.statistics = Statistics(lambda: (0, 0), Clock())
        self.log = ActivityLog(directory, Log())
        self.recording = Recording(self.log, None, self.statistics)

    def of(self, name: str) -> OfCommand:
        """What is shown of a command."""
        return next(item for item in self.statistics.shown().commands if item.command == name)


@pytest.fixture
def counted(tmp_path: Path) -> Iterator[Counted]:
    """At the start."""
    made = Counted(tmp_path)
    yield made
    made.log.stop()


def work(host: Host, **policy: object) -> Command:
    """A command."""
    return host.command("WORK", lambda _context: "done", **policy)  # type: ignore[arg-type] # what it takes


@pytest.mark.parametrize(
    ("policy", "on_worker"),
    [({}, True), ({"inline": True}, False), ({"inline": True, "role": Role.ADMIN}, True)],
)
def test_workers_time_is_that_of_what_runs_there(
    counted: Counted, host: Host, policy: dict[str, object], *, on_worker: bool
) -> None:
    """Inline commands run on the loop, unless they are durable."""
    counted.recording.command(ADA, work(host, **policy), [], "ok", ran=True, seconds=2.0)
    found = counted.of("WORK")
    assert (found.calls, found.failed, found.max) == (1, 0, 2.0)
    assert found.worker_seconds == (2.0 if on_worker else 0.0)


def test_one_that_is_left_counts_once_and_its_worker_when_it_ends(counted: Counted, host: Host) -> None:
    """Its peer waited for three seconds; the worker was busy for ten."""
    command = work(host)
    counted.recording.left(ADA, command, [], "TIMEOUT", seconds=3.0)
    assert counted.of("WORK").worker_seconds == 0.0
    counted.recording.late(ADA, command, [], "ok", seconds=10.0)
    found = counted.of("WORK")
    assert (found.calls, found.failed, found.max, found.worker_seconds) == (1, 1, 3.0, 10.0)


def test_what_is_refused_has_no_time(counted: Counted, host: Host) -> None:
    """Its handler was not called; nor is there one of what is no command."""
    counted.recording.command(ADA, work(host), [], "NOPERM", ran=False, seconds=9.0)
    counted.recording.command(ADA, None, [], "malformed", ran=False)
    assert (counted.of("WORK").failed, counted.of("WORK").max, counted.of("?").failed) == (1, None, 1)


def test_a_job_counts_when_it_has_ended(counted: Counted) -> None:
    """As a run of its command, on a thread of its own; a failed one by its error's code."""
    for outcome in ("queued", "running"):
        counted.recording.job(ADA, 7, "DEPLOY", [b"web"], outcome)
    assert counted.statistics.shown().commands == []
    counted.recording.job(ADA, 7, "DEPLOY", [], "done", seconds=60.0)
    counted.recording.job(ADA, 8, "DEPLOY", [], "failed", seconds=60.0, code="ERR")
    counted.recording.job(ADA, 9, "DEPLOY", [], "lost", seconds=60.0)
    found = counted.of("DEPLOY")
    assert (found.calls, found.failed, found.worker_seconds) == (3, 2, 180.0)
    assert dict(counted.statistics.of_info()["DEPLOY"].failures) == {"ERR": 1, "lost": 1}
    assert counted.statistics.slowest() == []


def test_sessions_handshakes_and_logins_are_counted(counted: Counted) -> None:
    """Who comes by the admin socket shook no hands, and logged in nowhere."""
    recording, local = counted.recording, Who(2, "local:root", "unix", "", "unix")
    recording.connected(ADA, "tls", "tls=TLSv1.3 cipher=x")
    recording.connected(local, "unix", "")
    recording.local(local)
    recording.authentication(ADA, "accepted", "token=a", "bearer")
    recording.authentication(ADA, "refused", "unknown", "bearer")
    recording.handshake_failed(ADA, CloseReason.HANDSHAKE_FAILED, "")
    recording.disconnected(ADA, None, 1)
    shown = counted.statistics.shown()
    assert (shown.handshakes, shown.handshakes_failed) == (2, 1)
    assert (shown.accepted, shown.refused) == (1, 1)
    assert [(item.transport, item.sessions) for item in shown.transports] == [("tls", 0), ("unix", 1)]
