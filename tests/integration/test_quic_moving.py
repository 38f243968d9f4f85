"""A session over QUIC stays while its peer's network changes, and is judged by where the peer is then."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("aioquic", reason="needs aioquic, which the extra `quic` has")

from secure_protocol.replies import ErrorReply, Push
from secure_protocol.token import Token
from secure_server.auth.principal import Role
from tests.conftest import ServerFactory
from tests.integration import slow_commands
from tests.integration.bystander import bystander
from tests.integration.datagram_proxy import DatagramProxy
from tests.integration.peers import BUSY_SECONDS
from tests.integration.quic_peers import QuicPeer, come
from tests.integration.running import ELSEWHERE, Running, eventually, logged
from tests.integration.slow_commands import Seen

MOVES = 20
LINES = 20_000
"""Of a stream that goes on meanwhile: some seconds of it."""
FAR = "127.0.1.1"
"""Outside the networks of the token below; Linux has it without asking."""


@pytest.fixture
def running(server: ServerFactory) -> Iterator[Running]:
    """A server with commands that take their time."""
    Seen.forget()
    started = server(quic={"enabled": True})
    started.server.registry.load([slow_commands])
    yield started
    Seen.released.set()


def address_of(running: Running, number: int) -> str:
    """Return where `CLIENTS` says that a session's peer is."""
    with running.resp(running.token(Role.ADMIN)) as admin:
        table = admin.ask("CLIENTS", "ID", str(number))
    assert isinstance(table, list), table
    (row,) = table
    assert isinstance(row, dict)
    return str(row["address"])


def shown(running: Running, number: int, address: str) -> None:
    """Wait until `CLIENTS` shows a session's peer there."""
    eventually(lambda: address_of(running, number) == address)


def arrived(read: list[object], count: int) -> None:
    """Wait until so many have."""
    eventually(lambda: len(read) >= count)


def text_of(address: tuple[str, int]) -> str:
    """Return it as the server writes it."""
    return f"{address[0]}:{address[1]}"


def moved_to(peer: QuicPeer, source: str) -> str:
    """Have it move, and return where it is; skip the test where this machine has no such address."""
    try:
        return text_of(peer.quic.move(source))
    except OSError as error:
        pytest.skip(f"this system has no {source}: {error}")


def stream_read(peer: QuicPeer, read: list[object]) -> object:
    """Read a command's stream to its end, and return its value."""
    while isinstance(reply := peer.reply(), Push):
        if reply.kind == "stream":
            read += reply.items
    return reply


def test_twenty_moves_are_one_session(running: Running) -> None:
    """From port to port, each shown; the others notice nothing."""
    with bystander(running), come(running) as peer:
        number = peer.number()
        for _ in range(MOVES):
            now = text_of(peer.quic.move())
            assert peer.number() == number
            shown(running, number, now)
        assert peer.quic.closed is None
    log = running.log()
    assert len(re.findall(f" moved session={number} ", log)) == MOVES
    assert len(re.findall(r" connected .*transport=quic", log)) == 1


def test_a_stream_in_flight_is_whole(running: Running) -> None:
    """Twenty moves while a command streams, and requests behind it."""
    with come(running) as peer:
        read: list[object] = []
        ends: list[object] = []
        peer.request("COUNT", str(LINES), "value")
        peer.request("ECHO", "behind it")
        reading = threading.Thread(target=lambda: ends.append(stream_read(peer, read)))
        reading.start()
        for move in range(MOVES):
            arrived(read, move * LINES // MOVES // 2)
            peer.quic.move()
        assert not ends
        reading.join()
        assert ends == ["the end"]
        assert read == [f".line {number + 1}" for number in range(LINES)]
        assert peer.reply() == "behind it"
        assert peer.quic.closed is None


def test_a_nat_forgets(running: Running, proxy: DatagramProxy) -> None:
    """The peer does not know of it: again and again in a stream, and while it is silent."""
    with come(running, proxy.port) as peer:
        number = peer.number()
        read: list[object] = []
        ends: list[object] = []
        peer.request("COUNT", str(LINES), "value")
        reading = threading.Thread(target=lambda: ends.append(stream_read(peer, read)))
        reading.start()
        for move in range(MOVES):
            arrived(read, move * LINES // MOVES // 2)
            proxy.rebind()
            peer.quic.ask()  # who only reads says nothing, and the server knows no other way to it
        assert not ends
        reading.join()
        assert ends == ["the end"]
        assert read == [f".line {number + 1}" for number in range(LINES)]
        (now,) = proxy.rebind()
        assert peer.number() == number
        shown(running, number, text_of(now))


def test_on_bad_networks(running: Running, proxy: DatagramProxy) -> None:
    """Moves while every twentieth is lost, the challenge of the new address among them."""
    proxy.lose(0.05)
    with come(running, proxy.port) as peer:
        number = peer.number()
        for _ in range(MOVES):
            peer.quic.move()
            proxy.rebind()
            assert peer.number() == number
    assert len(re.findall(r" connected .*transport=quic", running.log())) == 1


def test_it_is_recorded(running: Running) -> None:
    """In the log and on the trail: who, from where, to where."""
    with come(running) as peer:
        number, was = peer.number(), text_of(peer.quic.getsockname())
        now = moved_to(peer, ELSEWHERE)
        assert peer.number() == number
        shown(running, number, now)
    logged(running, rf" moved session={number} .*{re.escape(now)}.*from={re.escape(was)}")
    running.stop()
    (entry,) = moves(running.data)
    assert (entry["who"], entry["address"], entry["session"]) == ("user", now, number)
    assert was in json.dumps(entry)


def test_a_strangers_moves_are_not_on_the_trail(running: Running) -> None:
    """Which they could fill, and nobody did anything yet; where it logs in is there."""
    with come(running, token=None) as peer:
        for _ in range(MOVES):
            peer.quic.move()
            assert isinstance(peer.ask("PING"), ErrorReply)
        now = text_of(peer.quic.getsockname())
        logged(running, rf" moved .*address={re.escape(now)} ")
        peer.hello(running.token())
    running.stop()
    assert moves(running.data) == []
    assert now in "".join(path.read_text() for path in running.data.glob("audit*.jsonl"))


def moves(data: Path) -> list[dict[str, object]]:
    """Return what the trail says of moves."""
    entries = [json.loads(line) for path in data.glob("audit*.jsonl") for line in path.read_text().splitlines()]
    return [entry for entry in entries if entry.get("event") == "moved"]


def token_of(running: Running, *networks: str) -> str:
    """Make a token that is good in these networks."""
    with running.resp(running.token(Role.ADMIN)) as admin:
        made = admin.ask("TOKEN", "CREATE", "ada", "--networks", ",".join(networks))
    assert isinstance(made, str | bytes), made
    return Token.parse(made if isinstance(made, str) else made.decode()).reveal()


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "in-a-command"])
def test_who_moves_out_of_the_tokens_networks_is_closed(running: Running, *, busy: bool) -> None:
    """With the reason, on the stream and in the code; within them nothing happens."""
    token = token_of(running, "127.0.0.0/30")
    with come(running, token=token) as peer:
        number = peer.number()
        now = moved_to(peer, ELSEWHERE)
        assert peer.number() == number
        shown(running, number, now)
        if busy:
            peer.request("HOLD")
            eventually(Seen.started.is_set)
        began = time.monotonic()
        moved_to(peer, FAR)
        (told,) = peer.rest()
        assert isinstance(told, Push)
        assert told.kind == "closed"
        assert told.items[0] == "auth-failed"
        assert "moved" in str(told.items[2])
        assert time.monotonic() - began < BUSY_SECONDS
        assert peer.quic.end() == (4002, "auth-failed")
    logged(running, f"disconnected session={number} .*reason=auth-failed")


def test_an_admin_who_moves_is_judged_anew(server: ServerFactory) -> None:
    """Outside `admin.networks` it is an operator, and an administrator again when it is back."""
    running = server(quic={"enabled": True}, admin={"networks": ["127.0.0.1/32"]})
    with come(running, token=running.token(Role.ADMIN)) as peer:
        number = peer.number()
        assert isinstance(peer.ask("CLIENTS"), list)
        for source, may in ((ELSEWHERE, False), ("127.0.0.1", True)):
            now = moved_to(peer, source)
            assert peer_asks(peer, "PING") == "PONG"
            shown(running, number, now)
            assert isinstance(peer_asks(peer, "CLIENTS"), ErrorReply) is not may


def peer_asks(peer: QuicPeer, *words: str) -> object:
    """Ask, and return the answer; what is told meanwhile is left out."""
    peer.request(*words)
    while isinstance(reply := peer.reply(), Push):
        pass
    return reply


def test_who_moves_to_where_it_is_banned_is_closed(running: Running) -> None:
    """As whoever is connected from there was when the ban came."""
    with come(running) as peer, running.resp(running.token(Role.ADMIN)) as admin:
        peer.number()
        assert not isinstance(banned := admin.ask("BAN", "ADD", f"address={ELSEWHERE}"), ErrorReply), banned
        moved_to(peer, ELSEWHERE)
        (told,) = peer.rest()
        assert isinstance(told, Push)
        assert told.items[0] == "banned"
        assert peer.quic.end() == (4006, "banned")


def test_penalties_follow(running: Running) -> None:
    """Who fails after a move fails where it has proved to be then."""
    with come(running, token=None) as peer:
        assert isinstance(peer.ask("PING"), ErrorReply)
        moved_to(peer, FAR)
        logged(running, rf" moved .*address={re.escape(FAR)}:")
        assert isinstance(peer.ask("AUTH", Token.generate().reveal()), ErrorReply)
    logged(running, rf" authentication .*address={re.escape(FAR)}:.* outcome=refused")
    assert penalised(running) == {FAR}


def penalised(running: Running) -> set[str]:
    """Return who has failed."""
    with running.resp(running.token(Role.ADMIN)) as admin:
        table = admin.ask("PENALTY", "LIST")
    assert isinstance(table, list), table
    return {str(row["netblock"]) for row in table}
