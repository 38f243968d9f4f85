"""INFO: Redis' sections with numbers that are so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_protocol.errors import CommandError
from secure_server import __version__
from secure_server.auth.principal import Role
from secure_server.commands.builtin import statistics
from secure_server.commands.context import Context
from secure_server.session.session import Session
from secure_server.statistics import process
from tests.secure_server.host import Host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """The server without its sockets."""
    with Host(tmp_path) as running:
        yield running


def info(host: Host, session: Session, *sections: str) -> dict[str, str]:
    """Ask over RESP2, and read it as Redis' clients do."""
    _, _, text = host.call(session, "INFO", *sections).decode().partition("\r\n")
    return dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)


def test_every_section_comes_unless_some_are_chosen(host: Host) -> None:
    """A heading each, as Redis has it; unknown ones are empty."""
    ada = host.user()
    lines = host.ask(ada, "INFO").splitlines()
    headings = [line for line in lines if line.startswith("#")]
    assert headings == ["# Server", "# Clients", "# Stats", "# Workers", "# Memory", "# Replication"]
    assert lines[-1] == "."
    assert host.ask(ada, "INFO all").count("#") == 6
    assert host.ask(ada, "INFO STATS clients").splitlines()[0] == "# Clients"
    assert host.ask(ada, "INFO keyspace") == ".\n"


def test_the_server_tells_its_version_and_uptime(host: Host) -> None:
    """Redis' version is the one whose shapes are answered."""
    ada = host.program(2)
    host.clock.now += 90_000
    found = info(host, ada, "server")
    assert (found["redis_version"], found["server_version"]) == (statistics.REDIS_VERSION, __version__)
    assert (found["uptime_in_seconds"], found["uptime_in_days"]) == ("90000", "1")


def test_the_server_is_a_master_of_nobody(host: Host) -> None:
    """Clients of clusters and of replicas look for the one that they may write to (valkey-glide: INFO REPLICATION)."""
    assert info(host, host.program(2), "REPLICATION") == {"role": "master", "connected_slaves": "0"}


def test_the_server_tells_each_address_it_listens_on(host: Host) -> None:
    """As Redis does; of the admin socket not where the data is."""
    found = info(host, host.program(2), "server")
    assert found["tcp_port"] == "5000"
    assert {key: value for key, value in found.items() if key.startswith("listener")} == {
        "listener0": "name=tls,bind=127.0.0.1,port=5000",
        "listener1": "name=tls,bind=::1,port=5001",
        "listener2": "name=websocket,bind=::1,port=5001",
        "listener3": "name=unix,bind=admin.sock",
    }


def test_clients_and_totals_are_counted(host: Host) -> None:
    """Also those that have gone; a session is counted once."""
    ada, bob, stranger, _admin = host.program(2, "ada"), host.program(2, "bob"), host.session(), host.local()
    found = info(host, ada, "clients")
    assert (found["connected_clients"], found["unauthenticated_connections"], found["admin_connections"]) == (
        "2",
        "1",
        "1",
    )
    assert found["maxclients"] == str(host.config.limits.max_clients)
    before = info(host, ada, "stats")
    host.call(bob, "PING")
    host.sessions.remove(bob)
    host.sessions.remove(bob)
    host.sessions.remove(stranger)
    after = info(host, ada, "stats")
    assert before["total_connections_received"] == after["total_connections_received"] == "4"
    assert int(after["total_commands_processed"]) == int(before["total_commands_processed"]) + 2  # PING, this INFO
    assert int(after["total_net_input_bytes"]) - int(before["total_net_input_bytes"]) == len(
        b"*1\r\n$4\r\nPING\r\n" + b"*2\r\n$4\r\nINFO\r\n$5\r\nstats\r\n"
    )


def test_commands_latencies_and_errors_are_told_in_redis_form(host: Host) -> None:
    """`redis-py` and exporters parse that; refused calls are none of the handler's."""

    def work(_context: Context, failing: str = "") -> str:
        host.clock.now += 0.25
        if failing:
            raise CommandError("Unknown command.")
        return "done"

    host.command("WORK", work)
    host.command("BUG", lambda _context: object())
    admin, ada = host.program(2, "root", Role.ADMIN), host.program(2)
    for request in (
        ["WORK"],
        ["WORK"],
        ["WORK", "x"],
        ["WORK", "x", "y"],
        ["BUG"],
        ["CLIENT", "ID"],
        ["KICK", "1"],
        ["NOPE"],
    ):
        host.call(ada, *request)
    found = info(host, admin, "commandstats")
    assert found["cmdstat_work"] == "calls=3,usec=750000,usec_per_call=250000.00,rejected_calls=1,failed_calls=1"
    assert found["cmdstat_kick"] == "calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0"
    assert found["cmdstat_client|id"].startswith("calls=1,")
    assert "cmdstat_?" not in found
    latency = info(host, admin, "latencystats")
    figures = dict(item.split("=") for item in latency["latency_percentiles_usec_work"].split(","))
    assert list(figures) == ["p50", "p99", "p99.9"]
    assert {key: float(value) for key, value in figures.items()} == dict.fromkeys(
        figures, pytest.approx(250_000, rel=0.05)
    )
    assert "latency_percentiles_usec_kick" not in latency
    assert info(host, admin, "errorstats") == {"errorstat_ERR": "count=4", "errorstat_NOPERM": "count=1"}


def test_what_others_do_is_told_to_administrators_who_ask(host: Host) -> None:
    """`all` has it, `default` has not; for everybody else those sections are as empty as unknown ones."""
    admin, ada = host.local(), host.user()
    assert host.ask(admin, "INFO").count("#") == 6
    assert host.ask(admin, "INFO default").count("#") == 6
    assert host.ask(admin, "INFO everything").count("#") == 9
    assert host.ask(admin, "INFO default errorstats").count("#") == 7
    for section in ("commandstats", "latencystats", "errorstats"):
        assert host.ask(admin, f"INFO {section}").startswith(f"# {section.capitalize()}\n")
        assert host.ask(ada, f"INFO {section}") == ".\n"
    assert host.ask(ada, "INFO everything").count("#") == 6
    assert "commandstats" in host.ask(admin, "COMPLETE INFO c")
    assert "commandstats" not in host.ask(ada, "COMPLETE INFO c")


def test_memory_is_told_where_the_system_tells_it(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bytes; elsewhere the section is empty."""
    ada = host.program(2)
    if process.MEMORY.exists():
        assert int(info(host, ada, "memory")["used_memory_rss"]) > 1024 * 1024
    monkeypatch.setattr(process, "MEMORY", tmp_path / "nothing")
    assert info(host, ada, "memory") == {}
