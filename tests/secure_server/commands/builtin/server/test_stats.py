"""SERVER STATS: the map that screens and pages read, and the lines that people do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from secure_protocol.resp_replies import ReplyDecoder
from secure_server.auth.principal import Role
from secure_server.session.session import Session
from secure_server.version import VERSION
from tests.secure_server.host import Host

KEYS = [
    "version", "time", "uptime", "draining", "connections", "handshakes", "logins", "commands", "bytes", "workers",
    "jobs", "process", "history", "by_command", "by_user", "by_transport",
]  # fmt: skip


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """The server without its sockets."""
    with Host(tmp_path) as running:
        yield running


def stats(host: Host, admin: Session) -> dict[str, Any]:
    """Ask over RESP3."""
    decoder = ReplyDecoder()
    decoder.feed(host.call(admin, "SERVER", "STATS"))
    (found,) = decoder.decode()
    return cast("dict[str, Any]", found)


def test_the_map_is_that_of_the_protocol(host: Host) -> None:
    """Each key, and in each of its parts those that were promised."""
    admin = host.program(3, "root", Role.ADMIN)
    host.clock.now += 90
    found = stats(host, admin)
    assert list(found) == KEYS
    assert (found["version"], found["uptime"], found["draining"], found["jobs"]) == (VERSION, 90, False, None)
    assert found["connections"] == {
        "clients": 1, "most_clients": host.config.limits.max_clients,
        "strangers": 0, "most_strangers": host.config.limits.max_unauthenticated,
        "admin": 0, "total": 1, "given_way": 0,
    }  # fmt: skip
    assert list(found["handshakes"]) == ["total", "failed"]
    assert list(found["logins"]) == ["accepted", "refused"]
    assert list(found["commands"]) == ["total", "failed", "running", "waiting", "p50", "p99", "max"]
    assert list(found["bytes"]) == ["in", "out"]
    assert list(found["workers"]) == ["places", "running", "waiting", "beside", "stuck"]
    assert list(found["process"]) == ["rss", "cpu", "threads", "descriptors", "most_descriptors"]
    history = found["history"]
    assert history.pop("seconds") == 1
    assert {key: len(column) for key, column in history.items()} == dict.fromkeys(
        ["commands", "failed", "connections", "refused", "in", "out"], 60
    )
    assert list(found["by_command"][0])[:8] == [
        "command", "calls", "failed", "minute", "p50", "p99", "max", "worker_seconds"
    ]  # fmt: skip
    assert list(found["by_user"][0]) == ["user", "calls", "failed", "minute"]
    assert list(found["by_transport"][0]) == ["transport", "sessions", "calls", "failed", "minute"]


def test_what_was_done_is_in_it(host: Host) -> None:
    """By command, by principal, and refused ones as failed; whether the gate looked at each or not."""
    admin, ada = host.program(3, "root", Role.ADMIN), host.program(2)
    for _ in range(5):
        host.call(ada, "PING")
    host.call(ada, "KICK", "1")
    found = stats(host, admin)
    commands = {row["command"]: row for row in found["by_command"]}
    assert (commands["PING"]["calls"], commands["PING"]["failed"], commands["PING"]["minute"]) == (5, 0, 5)
    assert (commands["KICK"]["calls"], commands["KICK"]["failed"], commands["KICK"]["max"]) == (1, 1, None)
    users = {row["user"]: row for row in found["by_user"]}
    assert (users["ada"]["calls"], users["ada"]["failed"]) == (6, 1)
    assert (found["commands"]["total"], found["commands"]["failed"]) == (8, 1)  # two of HELLO
    assert found["workers"]["running"] == found["commands"]["running"] == 1
    assert found["bytes"] == dict(zip(("in", "out"), host.sessions.traffic(), strict=True))


def test_a_worker_s_time_is_counted(host: Host) -> None:
    """By the server's clock; an inline command takes none."""

    def work(_context: object) -> str:
        host.clock.now += 2
        return "done"

    host.command("WORK", work)
    admin = host.program(3, "root", Role.ADMIN)
    host.call(host.program(2), "WORK")
    commands = {row["command"]: row for row in stats(host, admin)["by_command"]}
    assert (commands["WORK"]["worker_seconds"], commands["WORK"]["max"]) == (2, 2)
    assert commands["HELLO"]["worker_seconds"] == 0


def test_jobs_are_in_it_where_there_are_any(host: Host) -> None:
    """Those that run, and those that wait for others."""
    host.keep_jobs()
    admin = host.program(3, "root", Role.ADMIN)
    assert stats(host, admin)["jobs"] == {"running": 0, "waiting": 0}


def test_people_read_lines(host: Host) -> None:
    """A line for each part, and for each command, principal and transport."""
    admin = host.local()
    host.ask(admin, "PING")
    lines = host.ask(admin, "SERVER STATS").splitlines()
    assert lines[0] == f"version: {VERSION}"
    assert "draining: no" in lines
    assert "jobs: -" in lines
    assert any(line.startswith("connections: clients 0, most_clients ") for line in lines)
    assert any(line.startswith("by_command PING: calls 1, failed 0, minute 1, p50 ") for line in lines)
    assert "by_user local:root: calls 1, failed 0, minute 1" in lines
    assert lines[-1] == "."


def test_it_is_for_administrators_alone(host: Host) -> None:
    """Names of others are in it."""
    for command in ("SERVER STATS", "SERVER SLOW", "SERVER LIMITS"):
        assert "NOPERM" in host.ask(host.user(f"op{len(command)}", Role.OPERATOR), command)
