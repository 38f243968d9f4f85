"""SERVER METRICS: what Prometheus reads, as its own library reads it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from secure_protocol.resp_replies import ReplyDecoder
from secure_server.auth.principal import Role
from secure_server.commands.builtin.server.readiness import hindrances
from secure_server.limits.bans import Kind, Target
from secure_server.session.session import Session
from tests.secure_server.host import Host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """The server without its sockets."""
    with Host(tmp_path) as running:
        yield running


def text(host: Host, admin: Session, *flags: str) -> str:
    """Ask over RESP3."""
    decoder = ReplyDecoder()
    decoder.feed(host.call(admin, "SERVER", "METRICS", *flags))
    (found,) = decoder.decode()
    return cast("str", found)


class Read:
    """What a reader makes of it: each value by its name and labels."""

    def __init__(self, exposition: str) -> None:
        self.families: list[Metric] = list(read_text(exposition))
        self._values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float | None:
        """Return a value; None where it is not told."""
        return self._values.get((f"secure_server_{name}", frozenset(labels.items())))

    def of(self, name: str) -> float:
        """Return the value of a family that is not only ours."""
        return self._values[name, frozenset()]


def read(host: Host, admin: Session) -> Read:
    """Ask and read."""
    return Read(text(host, admin))


def test_what_was_done_is_in_it(host: Host) -> None:
    """By command and outcome, by transport and role; short ways counted like long ones."""
    admin, ada, stranger = host.program(3, "root", Role.ADMIN), host.program(2), host.session()
    for _ in range(5):
        host.call(ada, "PING")
    host.call(ada, "KICK", "1")
    host.call(ada, "NONSENSE")
    host.statistics.login(accepted=True)
    host.statistics.login(accepted=False)
    host.statistics.connected("tls", handshake=True)
    host.statistics.handshake_failed()
    found = read(host, admin)
    assert found("commands_total", command="PING", outcome="ok") == 5
    assert found("commands_total", command="KICK", outcome="ok") == 0
    assert found("commands_total", command="KICK", outcome="NOPERM") == 1
    assert found("commands_total", command="?", outcome="ERR") == 1
    assert found("commands_total", command="HELLO", outcome="ok") == 2
    assert found("sessions", transport="tls", role="admin") == 1
    assert found("sessions", transport="tls", role="user") == 1
    assert found("sessions", transport="tls", role="nobody") == 1
    assert (found("clients"), found("strangers")) == (2, 1)
    assert found("authentications_total", outcome="accepted") == 1
    assert found("authentications_total", outcome="refused") == 1
    assert found("handshakes_total", outcome="succeeded") == 1
    assert found("handshakes_total", outcome="failed") == 1
    assert found("connections_total") == 1
    assert found("received_bytes_total") == host.sessions.traffic()[0]
    assert not stranger.closing


def test_times_are_cumulative(host: Host) -> None:
    """From the statistics' own steps, so each bound is one of theirs; all of them are in the last."""
    admin = host.program(3, "root", Role.ADMIN)
    who = admin.who(admin.principal)
    for seconds in (0.00005, 0.0001, 0.001, 0.001, 3.0, 100_000.0):
        host.statistics.command(who, "WORK", "", ran=True, seconds=seconds)
    found = read(host, admin)

    def bucket(le: str) -> float | None:
        return found("command_duration_seconds_bucket", command="WORK", le=le)

    assert [bucket(le) for le in ("6.4e-05", "0.000128", "0.001024", "1.048576", "4.194304")] == [1, 2, 4, 4, 5]
    assert (bucket("4294.967296"), bucket("+Inf")) == (5, 6)
    assert found("command_duration_seconds_count", command="WORK") == 6
    assert found("command_duration_seconds_sum", command="WORK") == pytest.approx(100_003.00215)
    bounds = [
        float(sample.labels["le"])
        for family in found.families
        for sample in family.samples
        if sample.name.endswith("_bucket") and sample.labels["command"] == "WORK"
    ]
    assert bounds == sorted(bounds)
    assert found("command_duration_seconds_count", command="KICK") is None  # never ran, so it has no times


def test_what_is_bounded_has_its_bound_beside_it(host: Host) -> None:
    """And what may go wrong has a family, whether it did or not."""
    host.keep_jobs()
    host.banning.bans.add([Target(Kind.USER, "eve")], until=None, by="root")
    host.penalties.failed("192.0.2.7", b"wrong", "192.0.2.7:1", "unknown")
    found = read(host, host.program(3, "root", Role.ADMIN))
    assert found("clients_max") == host.config.limits.max_clients
    assert found("strangers_max") == host.config.limits.max_unauthenticated
    assert found("workers", pool="users") == host.config.threads.workers
    assert found("workers_running", pool="users") == 1  # this one
    assert (found("queue_waiting", pool="users"), found("queue_waiting_max", pool="users")) == (0, 1000)
    assert found("workers_stuck", pool="users") == 0
    assert (found("jobs", state="running"), found("jobs", state="waiting")) == (0, 0)
    assert found("jobs_running_max") == host.config.threads.jobs
    assert (found("bans"), found("penalties")) == (1, 1)
    assert found("certificate_not_after_timestamp_seconds") == datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    assert (found("certificate_update_failed"), found("log_lines_lost")) == (0, 0)
    assert (found("ready"), found("draining")) == (1, 0)
    assert found.of("process_cpu_seconds_total") > 0
    assert found.of("process_start_time_seconds") == pytest.approx(host.services.since)


def test_its_labels_are_bounded(host: Host) -> None:
    """No name, address or token of anybody is one."""
    host.program(2, "ada")
    host.call(host.program(2, "bob"), "KICK", "1")
    found = read(host, host.program(3, "root", Role.ADMIN))
    labels = {label for family in found.families for sample in family.samples for label in sample.labels}
    assert labels == {"command", "outcome", "le", "transport", "role", "pool", "version"}
    exposition = text(host, host.program(3, "admin", Role.ADMIN))
    assert not {"ada", "bob", "root"} & {
        value for family in read_text(exposition) for sample in family.samples for value in sample.labels.values()
    }


def test_names_are_as_prometheus_wants_them(host: Host) -> None:
    """Each family once, with its help; counters end in `_total`, and no unit but the base ones."""
    found = read(host, host.program(3, "root", Role.ADMIN))
    names = [family.name for family in found.families]
    assert len(names) == len(set(names))
    for family in found.families:
        assert family.documentation.endswith("."), family.name
        assert family.name.startswith(("secure_server_", "process_")), family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
        assert not family.name.endswith(("_milliseconds", "_ms", "_kilobytes", "_percent")), family.name


def test_the_documentation_has_them_all(host: Host) -> None:
    """And no others; its table is what alerts and dashboards are made from."""
    host.keep_jobs()
    told = {family.name for family in read(host, host.program(3, "root", Role.ADMIN)).families}
    page = (Path(__file__).parents[5] / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith(("| `secure_server_", "| `process_"))]
    named = {name for row in rows for name in re.findall(r"`((?:secure_server|process)_[a-z_]+)`", row.split(" | ")[0])}
    of_the_trail = {name for name in named if name.startswith("secure_server_audit_")}
    assert len(of_the_trail) == 3  # which this host has not
    assert {name.removesuffix("_total") for name in named - of_the_trail} == {
        name.removesuffix("_total") for name in told
    }
    alerts = set(re.findall(r"\b(?:secure_server|process)_[a-z_]+", page.partition("## Alerts")[2]))
    assert alerts <= named


def test_openmetrics_are_the_same(host: Host) -> None:
    """By the strict reader of that format, which wants them in order and to their end."""
    admin = host.program(3, "root", Role.ADMIN)
    host.call(admin, "PING")
    exposition = text(host, admin, "--openmetrics")
    assert exposition.endswith("# EOF\n")
    found: list[Metric] = list(read_openmetrics(exposition))  # type: ignore[no-untyped-call] # it has no types
    strict = {family.name for family in found}
    plain = {family.name for family in read(host, admin).families}
    assert {name.removesuffix("_info") for name in plain} == {name.removesuffix("_info") for name in strict}


def test_people_may_read_them(host: Host) -> None:
    """In text, too."""
    lines = host.ask(host.local(), "SERVER METRICS").splitlines()
    assert "# TYPE secure_server_clients gauge" in lines
    assert lines[-1] == "."


def test_without_the_package(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what installs it."""
    monkeypatch.delitem(sys.modules, "secure_server.commands.builtin.server.families", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answer = host.ask(host.local(), "SERVER METRICS")
    assert answer == (
        "ERROR: UNAVAILABLE Metrics need a package that is missing: pip install 'secure-command-server[metrics]'\n"
    )


def test_it_is_for_administrators_alone(host: Host) -> None:
    """What others do is in it."""
    assert "NOPERM" in host.ask(host.user("op", Role.OPERATOR), "SERVER METRICS")


def test_why_clients_should_not_come(host: Host) -> None:
    """A word and a sentence for each; nothing while all is well."""
    assert hindrances(host.services) == {}
    unusable = replace(host.services, unusable=lambda: "gone", suspends=lambda: True)
    assert list(hindrances(unusable)) == ["storage", "audit"]
    host.draining.begin(10.0, 5)
    host.today = datetime(2027, 1, 2, tzinfo=UTC)
    assert list(hindrances(host.services)) == ["draining", "certificate"]
    host.today = datetime(2025, 12, 31, tzinfo=UTC)
    assert list(hindrances(host.services)) == ["draining", "certificate"]
    assert read(host, host.program(3, "root", Role.ADMIN))("ready") == 0
