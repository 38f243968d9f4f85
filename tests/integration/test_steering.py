"""An administrator sees and steers a server that is full, whose workers are all busy, and that drains."""

from __future__ import annotations

import contextlib

import pytest

from secure_protocol.replies import ErrorReply
from tests.conftest import ServerFactory
from tests.integration.peers import RespPeer, TextPeer
from tests.integration.running import Running, eventually
from tests.integration.test_admin_socket import unix

WORKERS = 2
ASKED = (
    *("CLIENTS --sort -idle", "CLIENTS --closed", "CLIENTS --count", "CLIENT LIST", "CLIENT SHOW 1", "TOKENS"),
    *(
        "SERVER STATS",
        "SERVER TOP",
        "SERVER LIMITS",
        "SERVER SLOW",
        "SERVER METRICS",
        "SERVER WHY 192.0.2.7",
        "SERVER LOG-LEVEL",
        "SERVER DOCTOR",
    ),
    *("SERVER AUDIT --limit 1", "AUDIT", "CONFIG SHOW limits", "CONFIG SET limits.max_clients 3", "CONFIG DIFF"),
    *("BAN LIST", "BAN ADD user=eve --for 1h", "BAN REMOVE user=eve", "PENALTY LIST", "PREVIEW DRAIN", "JOBS user=eve"),
    *("BROADCAST hello --to role=user", "SERVER BACKUP", "INFO all"),
)
"""What an administrator may ask for."""


def crowd(running: Running, peers: contextlib.ExitStack) -> None:
    """Fill a server: each place is taken, each worker runs a command that does not end, and more of them wait."""
    for number in range(2 * WORKERS):
        peers.enter_context(running.resp(running.new_token(f"user{number}").reveal())).request("FOLLOW")
    workers = running.server._workers
    eventually(lambda: workers.running == WORKERS and workers.waiting == WORKERS)


@pytest.fixture
def full(server: ServerFactory) -> Running:
    """A server with as few places as there will be clients, and fewer workers."""
    return server(
        limits={"max_clients": 2 * WORKERS},
        threads={"workers": WORKERS, "spare": 0},
        commands={"FOLLOW": {"run": ["tail", "-f", "/dev/null"], "timeout": "10m"}},
    )


@pytest.mark.parametrize("draining", [False, True], ids=["full", "draining"])
def test_everything_can_be_asked_of_a_full_server(full: Running, *, draining: bool) -> None:
    """And of one that drains, whose clients stay, for their commands are not answered."""
    with contextlib.ExitStack() as peers, RespPeer(unix(full)) as admin:
        crowd(full, peers)
        if draining:
            answer = admin.ask("SERVER", "DRAIN", "--within", "10m")
            assert str(answer).startswith(f"Draining: clients that have to leave: {2 * WORKERS}, at the latest in ")
        for line in ASKED:
            answer = admin.ask(*line.split())
            assert not isinstance(answer, ErrorReply), line
            assert answer != b"", line
        assert full.server.sessions.clients == 2 * WORKERS, "none was closed for it"


def test_a_full_server_is_watched_and_made_room_in(full: Running) -> None:
    """Whoever is kicked is seen to go, a newcomer finds its place, and who is banned finds none."""
    with contextlib.ExitStack() as peers, TextPeer(unix(full)) as admin, TextPeer(unix(full)) as watching:
        crowd(full, peers)
        watching.send(b"SERVER WATCH event=close user=user0 --limit 1\n")
        eventually(lambda: len(full.server._watching._watchers) == 1)
        assert admin.ask("KICK user=user0 --ban 1h").startswith("Kicked clients: 1: ")
        assert " close " in watching.line()
        banned = full.new_token("user9").reveal()
        admin.ask("BAN ADD user=user9 --reason lunch")
        with full.resp(token=None) as newcomer:
            assert "BANNED" in str(newcomer.ask("AUTH", banned))
        with full.resp(full.new_token("guest").reveal()) as newcomer:
            assert newcomer.ask("PING") == "PONG"
