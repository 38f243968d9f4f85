"""Workers through the whole server: who keeps them, who is let in, and what ends when nobody is there any more."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_protocol.reasons import CloseReason
from secure_server.auth.principal import Role
from secure_server.dispatch.workers import LONG_SECONDS
from tests.conftest import ServerFactory
from tests.integration import slow_commands
from tests.integration.peers import PATIENCE_SECONDS, RespPeer
from tests.integration.running import Running, eventually, logged
from tests.integration.slow_commands import Seen

FOLLOWERS = 8
"""Sessions of one token that each follow a log; as many as there are workers."""


def alive(pid: int) -> bool:
    """Whether that process still runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def follow(running: Running, peers: contextlib.ExitStack, token: str, count: int) -> list[RespPeer]:
    """Have sessions of one token ask for what does not end."""
    followers = [peers.enter_context(running.resp(token)) for _ in range(count)]
    for peer in followers:
        peer.request("FOLLOW")
    return followers


def test_one_token_leaves_workers_to_others(server: ServerFactory) -> None:
    """However many sessions it has, each with a command that does not end."""
    running = server(commands={"FOLLOW": {"run": ["tail", "-f", "/dev/null"]}, "HELLO-THERE": {"run": ["echo", "hi"]}})
    other = running.new_token("other").reveal()
    with contextlib.ExitStack() as peers:
        follow(running, peers, running.token(), 2 * FOLLOWERS)
        eventually(lambda: running.server._workers.running == 5)
        with running.text(other) as person:
            person.send(b"HELLO-THERE\n")
            assert person.lines() == ["hi"]
        assert running.server._workers.waiting == 2 * FOLLOWERS - 5


@pytest.mark.long
def test_eight_that_follow_a_log_keep_nobody_waiting(server: ServerFactory) -> None:
    """Not even their own token's other commands, once they have run for so long; and COMPLETE has a deadline."""
    running = server(commands={"FOLLOW": {"run": ["tail", "-f", "/dev/null"]}, "HELLO-THERE": {"run": ["echo", "hi"]}})
    with contextlib.ExitStack() as peers, running.text() as person:
        follow(running, peers, running.token(), FOLLOWERS)
        workers = running.server._workers
        eventually(lambda: workers.running + workers.beside == FOLLOWERS, LONG_SECONDS + PATIENCE_SECONDS)
        person.socket.settimeout(LONG_SECONDS + PATIENCE_SECONDS)
        assert person.ask("COMPLETE EC") in ("ECHO", ".ECHO")
        assert person.line() == "."
        person.send(b"HELLO-THERE\n")
        assert person.lines() == ["hi"]
        assert workers.beside >= FOLLOWERS - 5


def kick(running: Running) -> None:
    """Close the session as an administrator does."""
    running.server.sessions.close(lambda session: session.busy, CloseReason.KICKED)


def revoke(running: Running) -> None:
    """End its token as another process does."""
    running.revoke("user")


@pytest.mark.parametrize("end", [kick, revoke])
@pytest.mark.parametrize("version", [2, 3])
def test_a_program_ends_with_its_session_though_its_peer_reads_nothing(
    server: ServerFactory, tmp_path: Path, end: Callable[[Running], None], version: int
) -> None:
    """Its output fills all there is, and the last words wait behind it; it is not kept alive by that."""
    pid = tmp_path / "pid"
    script = f"echo $$ > {pid}; while :; do echo {'x' * 1000}; done" if version == 3 else f"echo $$ > {pid}; sleep 100"
    running = server(commands={"FLOOD": {"run": ["sh", "-c", script]}}, timeouts={"write": "1h"})
    with running.resp(version=version) as peer:
        peer.request("FLOOD")
        eventually(lambda: pid.exists() and pid.read_text().strip() != "")
        child = int(pid.read_text())
        if version == 3:
            session = next(session for session in running.server.sessions if session.busy)
            eventually(lambda: len(session.output) >= session.high_water)
        assert alive(child)
        end(running)
        eventually(lambda: not alive(child))
        logged(running, r"command .* name=FLOOD outcome=CLOSED")


@pytest.mark.long
def test_a_handler_that_never_ends_is_on_record_when_the_server_stops(server: ServerFactory) -> None:
    """Stopping waits for it so long and no longer, and nothing that ran goes without a record."""
    Seen.forget()
    running = server(timeouts={"drain": "0s"})
    running.server.registry.load([slow_commands])
    with running.resp() as peer:
        peer.request("HOLD")
        assert Seen.started.wait(PATIENCE_SECONDS)
        running.stop()
    (trail,) = running.data.glob("audit-*.jsonl")
    assert re.search(r'"outcome":"CLOSED".*"command":"HOLD"', trail.read_text(encoding="utf-8"))


def test_a_handler_that_never_ends_is_seen(server: ServerFactory) -> None:
    """Answered, on record, counted, and its only worker replaced; when it ends, that is on record, too."""
    Seen.forget()
    running = server(threads={"workers": 1})
    running.server.registry.load([slow_commands])
    with running.resp() as peer, running.resp(running.token(Role.ADMIN)) as admin:
        late = peer.ask("WAIT", "--stubborn")
        assert "TIMEOUT" in repr(late)
        logged(running, r"command .* name=WAIT outcome=TIMEOUT")
        assert peer.ask("COUNT", "0") == "OK", "another worker stands in"
        assert "stuck_commands:1" in str(admin.ask("INFO", "workers"))
        Seen.released.set()
        logged(running, r"command .* name=WAIT outcome=late")
        eventually(lambda: "stuck_commands:0" in str(admin.ask("INFO", "workers")))
