"""INFO: Redis' sections with numbers that are so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_server import __version__
from secure_server.commands.builtin import statistics
from secure_server.session.session import Session
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
        "listener2": "name=unix,bind=admin.sock",
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


def test_memory_is_told_where_the_system_tells_it(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bytes; elsewhere the section is empty."""
    ada = host.program(2)
    if statistics.MEMORY.exists():
        assert int(info(host, ada, "memory")["used_memory_rss"]) > 1024 * 1024
    monkeypatch.setattr(statistics, "MEMORY", tmp_path / "nothing")
    assert info(host, ada, "memory") == {}
