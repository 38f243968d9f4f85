"""Many clients at once: every reply correct and in order, nobody lost, nothing logged that should not be."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.stress import Load, Plan, Target
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from tests.conftest import ServerFactory
from tests.integration.program import ROOT, Program
from tests.integration.running import client_context, eventually

_LINE = re.compile(r"\S+ (?P<event>\S+) .*?(?: reason=(?P<reason>\S+))?(?: commands=\d+)?(?: count=(?P<count>\d+))?")


def events(log: str) -> Counter[tuple[str, str]]:
    """Count the events of an activity log by kind and reason, those included that it counted instead of listing."""
    found: Counter[tuple[str, str]] = Counter()
    for line in log[: log.rfind("\n") + 1].splitlines():  # the last line may be in the making
        match = _LINE.fullmatch(line)
        assert match is not None, line
        found[match["event"], match["reason"] or ""] += int(match["count"] or 1)
    return found


@pytest.mark.usefixtures("unmeasured")  # coverage makes each command three times as dear
@pytest.mark.parametrize("commands", [10, pytest.param(500, marks=pytest.mark.long)])
def test_200_clients_with_many_commands_each(certificates: Path, tmp_path: Path, commands: int) -> None:
    """Up to 100,000 mixed commands over TLS: each reply is the right one, and the log has every command."""
    plan = Plan(clients=200, commands=commands)
    data = tmp_path / "data"
    log = data / "server_log.txt"
    data.mkdir(mode=0o700)
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        token = Tokens(storage).create("stress", Role.ADMIN).reveal()
    with Program(certificates, data) as program:
        outcome = Load(Target("localhost", program.port, client_context(certificates / "ca.pem"), token), plan).run()
        eventually(lambda: log.read_text(encoding="utf-8").count(" disconnected ") == plan.clients, 120)
    assert not outcome.errors
    assert (outcome.replies, outcome.connections) == (200 * commands, 200)
    assert program.stderr() == "stopping …\n"
    assert events(log.read_text(encoding="utf-8")) == {
        ("connected", ""): 200,
        ("authentication", ""): 200,
        ("command", ""): 200 + 200 * commands,
        ("disconnected", "peer-closed"): 200,
    }


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(Plan(clients=50, commands=200, pipeline=64), id="pipelining"),
        pytest.param(Plan(clients=50, commands=40, per_connection=5), id="churn", marks=pytest.mark.long),
        pytest.param(Plan(clients=50, commands=100, per_connection=25, pipeline=10), id="both", marks=pytest.mark.long),
        pytest.param(Plan(clients=500, commands=2), id="500-newcomers-at-once", marks=pytest.mark.long),
    ],
)
def test_ways_of_coming_and_asking(server: ServerFactory, caplog: pytest.LogCaptureFixture, plan: Plan) -> None:
    """Pipelining clients, clients that come and go, and many newcomers in one moment."""
    patience = {"handshake": "60s", "authentication": "60s"}  # for a busy machine: deadlines are not what this is about
    running = server(timeouts=patience)
    target = Target("localhost", running.port, client_context(running.ca), running.token(Role.ADMIN))
    with caplog.at_level(logging.WARNING):
        outcome = Load(target, plan).run()
        eventually(lambda: not len(running.server.sessions))  # or the last ones to leave are told of the drain
        running.stop()
    assert not outcome.errors
    assert outcome.replies == plan.clients * plan.commands
    assert outcome.connections == plan.clients * (plan.commands // (plan.per_connection or plan.commands))
    assert not caplog.records
    found = events((running.data / "server_log.txt").read_text(encoding="utf-8"))
    assert found["connected", ""] == found["disconnected", "peer-closed"] == outcome.connections
    assert found["command", ""] == outcome.connections + outcome.replies


@pytest.mark.parametrize("program", [["benchmarks/stress.py"], ["-m", "benchmarks.stress"]], ids=["file", "module"])
@pytest.mark.long
def test_the_program_says_how_it_went(program: list[str]) -> None:
    """It makes a server of its own, and its exit code says whether all was well."""
    argv = [sys.executable, *program, "--clients", "3", "--commands", "20", "--json"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["commands"], summary["connections"], summary["errors"]) == (60, 3, {})


def test_the_load_finds_a_wrong_reply(server: ServerFactory) -> None:
    """A generator that cannot fail would prove nothing: with a refused token every client fails."""
    running = server()
    target = Target("localhost", running.port, client_context(running.ca), "scs_wrong")
    outcome = Load(target, Plan(clients=2, commands=5)).run()
    assert (outcome.replies, sum(outcome.errors.values())) == (0, 2)
    assert "WRONGPASS" in str(outcome.errors)
