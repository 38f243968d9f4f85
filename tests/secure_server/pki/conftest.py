"""A directory with a CA, a server and a client, and shortcuts to make others that are wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from secure_server.pki.ensure import Request, ensure
from secure_server.pki.report import Report
from secure_server.pki.rollover import Step


class Bench:
    """A certificate directory under test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = datetime.now(UTC)

    def run(self, *hosts: str, clients: tuple[str, ...] = (), new_ca: bool = False, **options: object) -> Report:
        """Run `ensure` here; `machine`, `now` and the `step` of a rollover may be given."""
        machine, now, step = options.get("machine", "box"), options.get("now"), options.get("step")
        assert machine is None or isinstance(machine, str)
        assert now is None or isinstance(now, datetime)
        assert step is None or isinstance(step, Step)
        report = ensure(Request(self.path, hosts, clients, machine, new_ca, step), now=now)
        self.now = max(self.now, datetime.now(UTC))  # what was made is not younger than the test
        return report

    def bytes(self) -> dict[str, bytes]:
        """Return the files and what they hold."""
        return {path.name: path.read_bytes() for path in self.path.glob("*.pem")}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return an empty place for certificates."""
    return Bench(tmp_path / "certs")


def outcomes(report: Report) -> dict[str, str]:
    """Return each file's line."""
    return {entry.file: entry.outcome.partition(" (valid")[0] for entry in report.entries}
