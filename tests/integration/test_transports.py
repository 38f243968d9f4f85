"""What every transport does alike: each scenario is one test, run over all those that have it."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_protocol.replies import ErrorReply, Push
from secure_protocol.resp_requests import encode_request
from secure_protocol.token import Token
from secure_server.auth.principal import Role
from tests.integration import memory_transport, slow_commands
from tests.integration.bystander import bystander
from tests.integration.peers import BUSY_SECONDS, PATIENCE_SECONDS, RespPeer, TextPeer
from tests.integration.running import eventually, logged
from tests.integration.slow_commands import Seen
from tests.integration.transports import Reachable, Transport, over_all, over_those_with_strangers

AT_MOST_SECONDS = 1.0 + BUSY_SECONDS
"""Within which an ended session is told."""
REQUESTS = 1_000
LISTENERS = 30
MESSAGES = 50
HIGH_WATER = 65_536
WORD = b"x" * 50_000
CANCELLED = ErrorReply("CANCELLED", "The command was cancelled.")
DRAINING = Push("closed", ("draining", 1, "The server is shutting down."))

Serve = Callable[..., Reachable]
"""`serve(limits={"max_clients": 1}, …)`: tables and keys as in the configuration file."""


@pytest.fixture
def serve(certificates: Path, tmp_path: Path) -> Iterator[Serve]:
    """Start a server with all transports, and with commands that take their time."""
    Seen.forget()
    with contextlib.ExitStack() as started:

        def start(**overrides: object) -> Reachable:
            server = started.enter_context(Reachable(certificates, tmp_path / "data", overrides))
            server.server.registry.load([slow_commands])
            return server

        yield start
        Seen.released.set()


def number_of(peer: RespPeer) -> int:
    """Return the number of a peer's session."""
    return int(str(peer.ask("CLIENT", "ID")))


def occupy(peer: RespPeer) -> None:
    """Have a peer's command run until the test lets it go."""
    peer.request("HOLD")
    assert Seen.started.wait(PATIENCE_SECONDS)


@over_those_with_strangers
def test_an_admin_of_another_network_is_an_operator(serve: Serve, transport: Transport) -> None:
    """Whatever carries the session; what comes over no network has none to be of."""
    server = serve(admin={"networks": ["10.0.0.0/8"]})
    over_a_network = transport.name != "memory"
    with RespPeer(transport.connect(server)) as peer:
        told = peer.hello(server.token(Role.ADMIN))
        assert told["user-role"] == ("operator" if over_a_network else "admin")
        answer = peer.ask("KICK", "99999")
        assert isinstance(answer, ErrorReply)
        assert ("admin.networks" in answer.text) is over_a_network


@over_those_with_strangers
def test_login(serve: Serve, transport: Transport) -> None:
    """A stranger takes a stranger's place and gets in with the right token alone, in each codec."""
    server = serve()
    wrong = Token.generate()
    with TextPeer(transport.connect(server)) as person, RespPeer(transport.connect(server)) as program:
        assert person.ask("PING") == "ERROR: NOAUTH Authentication required: AUTH <token>."
        assert person.ask(f"AUTH {wrong.reveal()}") == "ERROR: WRONGPASS The token was refused."
        refused = program.ask("HELLO", "3", "AUTH", "default", wrong.reveal())
        assert refused == ErrorReply("WRONGPASS", "The token was refused.")
        assert server.server.sessions.strangers == 2
        assert person.ask(f"AUTH {server.token()}") == "OK"
        assert program.hello(server.token())["user"] == "user"
        assert server.server.sessions.strangers == 0
        assert (person.ask("PING"), program.ask("PING")) == ("PONG", "PONG")
    logged(server, f"authentication .* outcome=refused unknown token={wrong.id}")
    logged(server, "authentication .* principal=user .* outcome=accepted")
    eventually(lambda: not len(server.server.sessions))
    assert (server.server.sessions.strangers, server.server.sessions.clients) == (0, 0)


@over_all
def test_its_name_is_shown(serve: Serve, transport: Transport) -> None:
    """In both lists, and in the log."""
    server = serve()
    with transport.resp(server) as peer, server.resp(server.token(Role.ADMIN)) as admin:
        number = number_of(peer)
        table = admin.ask("CLIENTS", "ID", str(number))
        assert isinstance(table, list)
        assert [row["transport"] for row in table] == [transport.name]
        assert f" transport={transport.name} " in str(admin.ask("CLIENT", "LIST", "ID", str(number)))
    logged(server, f"connected session={number} .*transport={transport.name}")


@over_all
def test_pipeline(serve: Serve, transport: Transport) -> None:
    """A thousand requests in one go are answered whole and in their order."""
    with transport.resp(serve()) as peer:
        words = [f"number {number}" for number in range(REQUESTS)]
        peer.send(b"".join(encode_request([b"ECHO", word.encode()]) for word in words))
        assert [peer.reply() for _ in words] == words
        assert peer.ask("PING") == "PONG"


@over_all
def test_stream(serve: Serve, transport: Transport) -> None:
    """Each value as it is produced, progress between them, then the generator's return value."""
    with transport.resp(serve()) as peer:
        peer.request("COUNT", "2", "value")
        got = [peer.reply() for _ in range(5)]
    assert [item for item in got if isinstance(item, Push) and item.kind == "stream"] == [
        Push("stream", (".line 1",)),
        Push("stream", (".line 2",)),
    ]
    assert Push("progress", (1.0, "step 2")) in got
    assert got[-1] == "the end"


@over_all
def test_cancel(serve: Serve, transport: Transport) -> None:
    """It acts on arrival, although a PING waits before it; replies keep the order of requests."""
    with transport.resp(serve()) as peer:
        peer.request("FOREVER")
        assert Seen.started.wait(PATIENCE_SECONDS)
        peer.request("PING")
        peer.request("CANCEL")
        assert [peer.reply() for _ in range(3)] == [CANCELLED, "PONG", 1]
        assert Seen.cancelled.is_set()
        assert peer.ask("CANCEL") == 0


@over_all
def test_push(serve: Serve, transport: Transport) -> None:
    """Thirty clients, fifty messages: none is lost, doubled or out of order, and the admin is told how many."""
    server = serve()
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(transport.resp(server)) for _ in range(LISTENERS)]
        admin = stack.enter_context(server.resp(server.token(Role.ADMIN)))
        sent = [f"number {number}" for number in range(MESSAGES)]
        assert [admin.ask("BROADCAST", text) for text in sent] == [LISTENERS] * MESSAGES
        for listener in listeners:
            assert [listener.reply() for _ in sent] == [Push("message", ("admin", text)) for text in sent]
            assert listener.ask("PING") == "PONG"


@over_all
def test_the_end_of_what_is_asked(serve: Serve, transport: Transport) -> None:
    """In text it ends nothing: the command runs on, its answer and the others come, then the server's own end."""
    server = serve()
    with transport.text(server) as peer:
        peer.send(b"WAIT\nPING\n")
        peer.finish()
        assert peer.rest() == ["ERROR: TIMEOUT The command took too long and was ended.", "PONG"]
    logged(server, "disconnected .* reason=peer-closed")


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "in-a-command"])
@over_all
def test_kick(serve: Serve, transport: Transport, *, busy: bool) -> None:
    """One push with the administrator's words, then an orderly end, within a second, while other sessions go on."""
    server = serve()
    admin_token = server.token(Role.ADMIN)
    with transport.resp(server) as other, transport.resp(server) as peer, server.resp(admin_token) as admin:
        number = number_of(peer)
        if busy:
            occupy(peer)
        began = time.monotonic()
        assert str(admin.ask("KICK", str(number), "go", "home")).startswith(f"Kicked client {number} (")
        assert peer.rest() == [Push("closed", ("kicked", -1, "go home"))]
        assert time.monotonic() - began < AT_MOST_SECONDS
        assert other.ask("PING") == "PONG"
    logged(server, f"disconnected session={number} .* reason=kicked")


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "in-a-command"])
@pytest.mark.parametrize(
    ("lifetime", "reason", "told"),
    [(None, "revoked", "The token was revoked."), (1.0, "expired", "The token expired.")],
    ids=["revoked", "expired"],
)
@over_those_with_strangers
def test_revoke(
    serve: Serve, transport: Transport, lifetime: float | None, reason: str, told: str, *, busy: bool
) -> None:
    """Whose token ends, by another process or by itself, is told within a second, while other sessions go on."""
    server = serve()
    made = time.monotonic()
    token = server.new_token("mortal", lifetime=lifetime)
    with transport.resp(server) as other, transport.resp(server, token.reveal()) as peer:
        number = number_of(peer)
        if busy:
            occupy(peer)
        ends = time.monotonic() if lifetime is None else made + lifetime
        if lifetime is None:
            server.revoke("mortal")
        assert peer.rest() == [Push("closed", (reason, -1, told))]
        assert time.monotonic() - ends < AT_MOST_SECONDS
        assert other.ask("PING") == "PONG"
    logged(server, f"disconnected session={number} .* reason={reason}")


@over_all
def test_drain(serve: Serve, transport: Transport) -> None:
    """Whoever waits for nothing is told at once; what runs is answered first."""
    server = serve(timeouts={"drain": f"{PATIENCE_SECONDS}s"})
    with transport.resp(server) as idle, transport.text(server) as person, transport.resp(server) as busy:
        assert person.ask("PING") == "PONG"
        occupy(busy)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        assert idle.rest() == [DRAINING]
        assert person.rest() == ["ERROR: CLOSED reason=draining retry-after=1 The server is shutting down."]
        Seen.released.set()
        assert busy.rest() == ["released", DRAINING]
    stopping.join()
    assert server.log().count("reason=draining") == 3


@over_all
def test_a_drain_is_bounded(serve: Serve, transport: Transport) -> None:
    """It waits for commands as long as it may, then tells those, too; nobody is reset."""
    server = serve(timeouts={"drain": "300ms"})
    with transport.resp(server) as busy, server.text(token=None) as stranger:
        occupy(busy)
        assert stranger.ask("PING").startswith("ERROR: NOAUTH ")
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        assert busy.rest() == [DRAINING]
        busy.leave()
        assert "reason=draining" in "".join(stranger.rest())
        stranger.leave()
        Seen.released.set()
        stopping.join()


@over_those_with_strangers
def test_idle(serve: Serve, transport: Transport) -> None:
    """Whoever asks nothing for too long is told so."""
    server = serve(timeouts={"idle": "300ms"})
    with transport.resp(server) as peer:
        assert peer.rest() == [Push("closed", ("idle", -1, "Closed after too long without a command."))]
    logged(server, "disconnected .* reason=idle")


@over_all
def test_slow_consumer(serve: Serve, transport: Transport) -> None:
    """Who asks and never reads is itself not read while much waits for it, so memory stays bounded, and then closed."""
    server = serve(timeouts={"write": "500ms"}, limits={"output_high_water": HIGH_WATER})
    with bystander(server), transport.resp(server) as peer:
        number = number_of(peer)
        session = next(item for item in server.server.sessions if item.number == number)
        most = ahead = 0
        request, unsent = encode_request([b"ECHO", WORD]), b""
        peer.socket.settimeout(0.05)

        def closed() -> bool:
            nonlocal most, ahead, unsent
            unsent = unsent or request
            with contextlib.suppress(TimeoutError, ssl.SSLWantWriteError, ConnectionError, ssl.SSLEOFError):
                unsent = unsent[peer.socket.send(unsent) :]
            most = max(most, len(session.output))
            ahead = max(ahead, session.activity.received - session.activity.sent)
            return session.close_reason is not None

        eventually(closed, 3 * PATIENCE_SECONDS)  # what the system holds for the peer is filled first
    assert 0 < most < HIGH_WATER + len(WORD) + 100
    assert ahead < 4 * HIGH_WATER  # the replies that wait, and what is read of a request; else it would be megabytes
    logged(server, f"disconnected session={number} .* reason=slow-consumer")


def test_a_transport_is_less_than_a_hundred_lines() -> None:
    """One that brings no more than a transport must: all else is the house's."""
    path = Path(memory_transport.__file__)
    assert len(path.read_text(encoding="utf-8").splitlines()) < 100
