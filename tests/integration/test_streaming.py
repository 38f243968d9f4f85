"""Commands that take their time: streamed, cancelled, out of time, unread, abandoned."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from secure_protocol.reasons import CloseReason
from secure_protocol.replies import ErrorReply, Push
from secure_protocol.resp_requests import encode_request
from secure_server.auth.principal import Role
from secure_server.session.call import ROOM_BYTES
from tests.conftest import ServerFactory
from tests.integration import slow_commands
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.running import Running, eventually
from tests.integration.slow_commands import LINE, Seen


@pytest.fixture
def running(server: ServerFactory) -> Iterator[Running]:
    """A server with commands that take their time."""
    Seen.forget()
    started = server(timeouts={"write": "5s"})
    started.server.registry.load([slow_commands])
    yield started
    Seen.released.set()  # lets the stubborn one go


def test_resp3_without_a_value_ends_with_ok(running: Running) -> None:
    """And the next request is answered after it."""
    with running.resp() as peer:
        peer.request("COUNT", "0")
        assert peer.reply() == "OK"
        assert peer.ask("PING") == "PONG"


def test_resp2_gets_an_array(running: Running) -> None:
    """Where a push cannot be told from a reply, the values are collected."""
    with running.resp(version=2) as peer:
        assert peer.ask("COUNT", "2") == [".line 1", ".line 2"]
        refused = peer.ask("FLOOD")
        assert isinstance(refused, ErrorReply)
        assert "RESP3" in refused.text
        assert Seen.closed.wait(PATIENCE_SECONDS)
        assert peer.ask("PING") == "PONG"


def test_text_gets_lines_and_a_dot(running: Running) -> None:
    """Dot-stuffed as every reply of several lines."""
    with running.text() as peer:
        peer.send(b"COUNT 2\nPING\n")
        assert peer.lines() == [".line 1", ".line 2"]
        assert peer.line() == "PONG"


@pytest.mark.parametrize(("end", "text"), [("fail", "It broke."), ("bug", "Internal error, reference ")])
def test_an_error_ends_the_stream(running: Running, end: str, text: str) -> None:
    """What came stays; the error is the reply, and in text the line `.` still ends it. No exception text is told."""
    with running.text() as lines, running.resp() as peer:
        lines.send(f"COUNT 1 {end}\n".encode())
        first, error = lines.lines()
        assert first == ".line 1"
        assert error.startswith(f"ERROR: {text}")
        peer.request("COUNT", "1", end)
        got = [peer.reply() for _ in range(3)]
        assert isinstance(got[-1], ErrorReply)
        assert got[-1].text.startswith(text)
        assert "secret" not in error + got[-1].text


def test_cancel_in_the_same_packet_acts_too(running: Running) -> None:
    """However early it comes, it ends the command that it follows."""
    with running.resp() as peer:
        peer.send(encode_request([b"FOREVER"]) + encode_request([b"CANCEL"]))
        cancelled = peer.reply()
        assert isinstance(cancelled, ErrorReply)
        assert cancelled.code == "CANCELLED"
        assert peer.reply() == 1


def test_cancel_in_text(running: Running) -> None:
    """A person types CANCEL while a stream runs; the stream ends with the error and the line `.`."""
    with running.text() as peer:
        peer.send(b"FLOOD\n")
        assert Seen.started.wait(PATIENCE_SECONDS)
        peer.send(b"CANCEL\nPING\n")
        *streamed, last = peer.lines()
        assert set(streamed) == {LINE}
        assert last == "ERROR: CANCELLED The command was cancelled."
        assert (peer.line(), peer.line()) == ("1", "PONG")


def test_a_command_out_of_time_is_told_and_answered(running: Running) -> None:
    """TIMEOUT is the reply; the handler sees that it should stop."""
    with running.resp() as peer:
        late = peer.ask("WAIT")
        assert isinstance(late, ErrorReply)
        assert late.code == "TIMEOUT"
        assert Seen.cancelled.wait(PATIENCE_SECONDS)
        assert peer.ask("PING") == "PONG"


def test_a_handler_that_does_not_listen_is_left_behind(running: Running) -> None:
    """After its grace the peer is answered without it, and what it returns at last is heard by nobody."""
    with running.resp() as peer:
        late = peer.ask("WAIT", "--stubborn")
        assert isinstance(late, ErrorReply)
        assert late.code == "TIMEOUT"
        Seen.released.set()
        assert peer.ask("PING") == "PONG"
        assert peer.ask("ECHO", "x") == "x"


def test_a_peer_that_leaves_ends_its_command(running: Running) -> None:
    """The handler sees it, so nothing runs for nobody."""
    with running.resp() as peer:
        peer.request("FOREVER")
        assert Seen.started.wait(PATIENCE_SECONDS)
        # A reset, as from a program that was killed: who ends its side in order still waits for the answer.
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert Seen.cancelled.wait(PATIENCE_SECONDS)


def test_a_program_that_ends_its_side_has_gone(running: Running) -> None:
    """A RESP client that closes in order leaves no command running for nobody."""
    with running.resp() as peer:
        peer.request("FOREVER")
        assert Seen.started.wait(PATIENCE_SECONDS)
        peer.leave()
    assert Seen.cancelled.wait(PATIENCE_SECONDS)


def test_long_commands_never_lock_the_administrator_out(server: ServerFactory) -> None:
    """Users may keep every worker busy; whoever is to end that still lists them and kicks them."""
    Seen.forget()
    started = server(threads={"workers": 1})
    started.server.registry.load([slow_commands])
    with started.resp() as user, started.resp(started.token(Role.ADMIN)) as admin:
        user.request("FOREVER")
        assert Seen.started.wait(PATIENCE_SECONDS)
        clients = admin.ask("CLIENTS")
        assert isinstance(clients, list)
        (busy,) = [row["id"] for row in clients if row["last"] == "FOREVER"]
        assert str(admin.ask("KICK", str(busy))).startswith("Kicked client")
        assert Seen.cancelled.wait(PATIENCE_SECONDS)


def test_who_is_kicked_loses_its_command(running: Running) -> None:
    """The handler is told at once, not after its work."""
    with running.resp() as peer:
        peer.request("FOREVER")
        assert Seen.started.wait(PATIENCE_SECONDS)
        running.server.sessions.close(lambda session: session.busy, CloseReason.KICKED)
        assert peer.rest() == [Push("closed", ("kicked", -1, "Closed by an administrator."))]
    assert Seen.cancelled.wait(PATIENCE_SECONDS)


def test_a_slow_reader_pauses_the_generator(running: Running) -> None:
    """Nobody reads, so production stops within room, high water and the sockets' buffers; reading resumes it."""
    with running.resp() as peer:
        peer.request("FLOOD")
        assert Seen.started.wait(PATIENCE_SECONDS)
        session = next(session for session in running.server.sessions if session.busy)
        high_water = 256 * 1024
        eventually(lambda: len(session.output) >= high_water)
        seen = []

        def paused() -> bool:
            seen.append(Seen.produced)
            return len(seen) > 20 and len(set(seen[-20:])) == 1

        eventually(paused)
        assert len(session.output) <= high_water + ROOM_BYTES + 2 * len(LINE)
        before = Seen.produced
        for _ in range(10_000):
            if Seen.produced > before:
                break
            peer.reply()
        assert Seen.produced > before
