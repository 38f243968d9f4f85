"""What a real server counts of real connections."""

from __future__ import annotations

import threading
from typing import Any, cast

from secure_server.auth.principal import Role
from tests.conftest import ServerFactory
from tests.integration.peers import RespPeer
from tests.integration.running import Running, eventually

PINGS = 100


def stats(admin: RespPeer) -> dict[str, Any]:
    """Ask."""
    return cast("dict[str, Any]", admin.ask("SERVER", "STATS"))


def transports(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Those that it tells of, by name."""
    return {row["transport"]: row for row in found["by_transport"]}


def test_connections_logins_and_commands_are_counted(server: ServerFactory) -> None:
    """By their transport, with those that failed, from the first to the last."""
    running: Running = server()
    with running.resp(running.token(Role.ADMIN)) as admin:
        before = stats(admin)
        assert "statistics" in {thread.name for thread in threading.enumerate()}  # seconds end though nobody looks
        with running.resp() as ada:
            for _ in range(PINGS):
                ada.ask("PING")
            found = stats(admin)
            assert found["connections"]["clients"] == 2
            assert transports(found)["tls"]["sessions"] == 2
        with running.text(None) as stranger:
            assert "WRONGPASS" in stranger.ask("AUTH scs_nonsense")
        plain = running.tcp()
        plain.sendall(b"no TLS at all\n")
        while plain.recv(1024):
            pass
        plain.close()
        eventually(lambda: stats(admin)["connections"]["clients"] == 1)
        eventually(lambda: stats(admin)["handshakes"]["failed"] == 1)
        after = stats(admin)
        assert after["commands"]["total"] - before["commands"]["total"] > PINGS
        assert after["handshakes"]["total"] == 4
        assert after["logins"] == {"accepted": 2, "refused": 1}
        commands = {row["command"]: row for row in after["by_command"]}
        assert (commands["PING"]["calls"], commands["PING"]["failed"]) == (PINGS, 0)
        most = commands["PING"]["max"] * 1.05 + 1e-6  # percentiles are exact to a twentieth, and all to a microsecond
        assert 0 < commands["PING"]["p50"] <= commands["PING"]["p99"] <= most
        assert transports(after)["tls"]["sessions"] == 1
        assert after["bytes"]["in"] > before["bytes"]["in"]
        eventually(lambda: sum(stats(admin)["history"]["commands"]) > PINGS)
        assert sum(stats(admin)["history"]["in"]) > PINGS
        assert after["process"]["rss"] is None or after["process"]["rss"] > 1_000_000


def test_limits_of_a_running_server_have_what_is_its_own(server: ServerFactory) -> None:
    """The log, the trail, jobs, and the workers of administrators, too."""
    running: Running = server()
    with running.resp(running.token(Role.ADMIN)) as admin:
        rows = cast("list[dict[str, Any]]", admin.ask("SERVER", "LIMITS"))
    used = {row["limit"]: row["used"] for row in rows}
    assert used["admin workers"] == 1
    assert {"jobs", "lines of the log waiting", "records of the trail waiting"} <= set(used)
