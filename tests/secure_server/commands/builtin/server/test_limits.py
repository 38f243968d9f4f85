"""SERVER LIMITS: what is bounded, and how much of it is used."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_server.config.settings import Config
from tests.secure_server.host import Host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """The server without its sockets."""
    with Host(tmp_path) as running:
        yield running


def limits(host: Host) -> dict[str, list[str]]:
    """Ask, and read what there is of each: setting, used, most."""
    lines = host.ask(host.local(), "SERVER LIMITS").splitlines()[1:-1]
    return {cells[0]: cells[1:] for cells in (re.split(r"\s{2,}", line.strip()) for line in lines)}


def test_each_bound_names_its_setting_and_what_is_used(host: Host) -> None:
    """Connections by their kinds, workers, and what waits."""
    host.user()
    host.session(address="192.0.2.7:1")
    host.session(address="192.0.2.7:2")
    found, config = limits(host), host.config
    assert found["clients"] == ["limits.max_clients", "1", str(config.limits.max_clients)]
    assert found["strangers"] == ["limits.max_unauthenticated", "2", str(config.limits.max_unauthenticated)]
    assert found["strangers of one source"][1:] == ["2", str(config.limits.unauthenticated_per_source)]
    assert found["admin sessions"][1:] == ["1", str(config.limits.max_admin_clients)]
    assert found["workers"] == ["threads.workers", "1", str(config.threads.workers)]
    assert found["commands waiting"] == ["threads.queue", "0", str(config.threads.queue)]
    assert found["bytes of waiting requests"][1] == "0"
    assert found["addresses with a penalty"] == ["penalties.table", "0", str(config.penalties.table)]


def test_penalties_and_slow_commands_are_counted(host: Host) -> None:
    """As they come."""
    host.penalties.failed("192.0.2.7", b"x", "192.0.2.7:1", "unknown")
    assert limits(host)["addresses with a penalty"][1] == "1"


def test_descriptors_are_those_of_the_process(host: Host) -> None:
    """There is no setting for them."""
    if os.name != "posix":
        pytest.skip("Windows tells neither")
    setting, used, _most = limits(host)["descriptors"]
    assert setting == "-"
    assert int(used) > 3


def test_jobs_are_there_where_jobs_are(host: Host) -> None:
    """Those that run, and those that wait."""
    assert "jobs" not in limits(host)
    host.keep_jobs()
    assert limits(host)["jobs"] == ["threads.jobs", "0", str(host.config.threads.jobs)]


def test_every_setting_that_is_named_is_one(host: Host) -> None:
    """Whoever wants more looks it up."""
    host.keep_jobs()
    for setting, *_ in limits(host).values():
        if setting != "-":
            table, _, key = setting.partition(".")
            assert hasattr(getattr(Config(), table), key), setting
