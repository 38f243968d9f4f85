"""SERVER TOP: what keeps the server busy."""

from __future__ import annotations

from secure_server.auth.principal import Role
from secure_server.commands.context import Context
from tests.secure_server.host import Host


def test_the_busiest_are_told_first(host: Host) -> None:
    """Commands and then users, with their calls and failures, and how long it took in the last minute."""

    def wait(_context: Context) -> str:
        host.clock.now += 0.25
        return "done"

    host.command("WAIT", wait)
    ana, me = host.user("ana"), host.local()
    for line in ("WAIT", "WAIT", "WAIT", "NOPE"):
        host.ask(ana, line)
    heading, *rows, end = host.ask(me, "SERVER TOP --limit 2").splitlines()
    assert (heading.split(), end) == (["kind", "name", "minute", "calls", "failed", "p50_ms", "p99_ms", "max_ms"], ".")
    cells = [row.split() for row in rows]
    assert [row[0] for row in cells] == ["command", "command", "user", "user"]
    assert cells[0][1:5] == ["WAIT", "3", "3", "0"]
    assert all(abs(float(told) - 250) < 13 for told in cells[0][5:]), "to a twentieth"
    assert cells[2] == ["user", "ana", "4", "4", "1", "-", "-", "-"]


def test_it_is_for_administrators_and_bounded(host: Host) -> None:
    """As the figures that it is made of."""
    assert "NOPERM" in host.ask(host.user("op", Role.OPERATOR), "SERVER TOP")
    assert "50" in host.ask(host.local(), "SERVER TOP --limit 51")
