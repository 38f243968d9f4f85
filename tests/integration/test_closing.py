"""A session that somebody ends: closed within a second, told the reason, also in the middle of a command."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from secure_protocol.replies import Push
from secure_server.auth.principal import Role
from secure_server.commands.command import ATTRIBUTE, command
from secure_server.commands.context import Context
from tests.conftest import ServerFactory
from tests.integration.peers import PATIENCE_SECONDS, RespPeer
from tests.integration.running import Running, eventually

AT_MOST_SECONDS = 1.0


@pytest.fixture
def running(server: ServerFactory) -> Running:
    """A server."""
    return server(threads={"workers": 2}, timeouts={"drain": "300ms"})


@pytest.fixture
def started(running: Running) -> Iterator[threading.Event]:
    """Give the server a command WAIT, which blocks its worker until the test is over; set once it runs."""
    runs, over = threading.Event(), threading.Event()

    @command("WAIT")
    def wait(_context: Context) -> str:
        runs.set()
        over.wait(PATIENCE_SECONDS)
        return "waited"

    running.server.registry.add(getattr(wait, ATTRIBUTE)[0])
    yield runs
    over.set()


def kick(running: Running, number: int) -> None:
    """As an administrator would."""
    with running.resp(running.token(Role.ADMIN)) as admin:
        assert str(admin.ask("KICK", str(number), "go", "home")).startswith(f"Kicked client {number} (mortal, ")


def revoke(running: Running, _number: int) -> None:
    """As another process would."""
    running.revoke("mortal")


ENDINGS = [
    pytest.param(kick, None, ("kicked", -1, "go home"), id="kick"),
    pytest.param(revoke, None, ("revoked", -1, "The token was revoked."), id="revoke"),
    pytest.param(None, 1.0, ("expired", -1, "The token expired."), id="expire"),
]
"""What ends the session, or the token's life in seconds; and what the session is told."""


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "in-a-command"])
@pytest.mark.parametrize(("end", "lifetime", "farewell"), ENDINGS)
def test_an_ended_session_is_told_why_within_a_second(
    running: Running,
    started: threading.Event,
    end: Callable[[Running, int], None] | None,
    lifetime: float | None,
    farewell: tuple[object, ...],
    *,
    busy: bool,
) -> None:
    """One push with the reason, then an orderly end, while other sessions go on."""
    made = time.monotonic()
    token = running.new_token("mortal", lifetime=lifetime)
    with running.resp() as other, RespPeer(running.tls()) as peer:
        number = int(str(peer.hello(token.reveal())["id"]))
        if busy:
            peer.request("WAIT")
            assert started.wait(PATIENCE_SECONDS)
        began = time.monotonic()
        if end is not None:
            end(running, number)
        assert peer.rest() == [Push("closed", farewell)]
        allowed = AT_MOST_SECONDS if lifetime is None else made + lifetime + AT_MOST_SECONDS - began
        assert time.monotonic() - began < allowed
        assert other.ask("PING") == "PONG"
    eventually(lambda: f"disconnected session={number} " in running.log())
    assert f"reason={farewell[0]}" in running.log()


@pytest.mark.parametrize("ending", ["revoked", "expired"])
def test_an_ended_token_does_not_come_back(running: Running, ending: str) -> None:
    """Whoever was closed for its token is refused when it tries again, without being told which it was."""
    token = running.new_token("mortal", lifetime=1.0 if ending == "expired" else None)
    with RespPeer(running.tls()) as peer:
        peer.hello(token.reveal())
        if ending == "revoked":
            running.revoke("mortal")
        peer.rest()
    with running.resp(token=None) as again:
        refused = again.ask("HELLO", "3", "AUTH", "default", token.reveal())
        assert str(refused) == "ERROR: WRONGPASS The token was refused."
    assert f"outcome=refused {ending} token={token.id}" in running.log()


def test_text_and_old_redis_clients_are_told_in_a_line(running: Running) -> None:
    """Where there are no pushes the reason is an error with stable keys."""
    with running.text() as person, running.resp(version=2) as program, running.resp(running.token(Role.ADMIN)) as admin:
        assert admin.ask("CLIENT", "KILL", "USER", "user") == 2
        assert person.rest() == ["ERROR: CLOSED reason=kicked Closed by an administrator."]
        (error,) = program.rest()
        assert str(error) == "ERROR: CLOSED reason=kicked Closed by an administrator."


def test_stopping_answers_what_runs_and_tells_everybody(running: Running, started: threading.Event) -> None:
    """A drain waits for commands as long as it may, then tells those, too; nobody is reset."""
    with running.resp() as idle, running.resp() as busy, running.text(token=None) as stranger:
        busy.request("WAIT")
        assert started.wait(PATIENCE_SECONDS)
        stopping = threading.Thread(target=running.stop)
        stopping.start()
        for peer in (idle, busy):
            (farewell,) = peer.rest()
            assert farewell == Push("closed", ("draining", 1, "The server is shutting down."))
            peer.leave()
        assert "reason=draining" in "".join(stranger.rest())
        stranger.leave()
        stopping.join()
