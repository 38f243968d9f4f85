"""What guessing costs, over real TLS: from the first wrong token to the client that waits and gets in."""

from __future__ import annotations

import time

import pytest

from secure_client import Client
from secure_client.errors import ConnectError
from secure_protocol.token import Token
from secure_server.auth.principal import Role
from tests.conftest import ServerFactory
from tests.integration.peers import TextPeer
from tests.integration.running import ELSEWHERE, Running, connect_from, logged

SETTINGS = {"first": "1s", "minimum": "4s", "most": "60s"}
"""The third refused credential is felt, for four seconds."""


def guess(running: Running, times: int) -> None:
    """Show so many different tokens that were never made, each on a connection of its own."""
    for _ in range(times):
        with running.text(None) as peer:
            assert peer.ask(f"AUTH {Token.generate().reveal()}") == "ERROR: WRONGPASS The token was refused."


def test_guessing_locks_the_address_out_and_an_admin_lets_it_in(server: ServerFactory) -> None:
    """The right token is no way round it, other addresses notice nothing, and the admin learns why."""
    running = server(penalties={**SETTINGS, "first": "100s", "minimum": "200s", "most": "600s"})
    admin = running.resp(running.token(Role.ADMIN))
    guess(running, 2)
    with running.text(None) as peer:
        answer = peer.ask(f"AUTH {running.token()}")
        assert answer.startswith("ERROR: THROTTLED Too many refused credentials came from your address; retry-after=")
        assert 190 <= int(answer.rpartition("=")[2]) <= 200
        assert peer.rest() == []
    with admin:
        listed = admin.ask("PENALTY", "LIST")
        assert isinstance(listed, list)
        assert len(listed) == 1
        explained = str(admin.ask("PENALTY", "EXPLAIN", "127.0.0.1"))
        assert explained.startswith("127.0.0.1 is refused until ")
        assert "because 2 different credentials from it were refused" in explained
        with TextPeer(connect_from(ELSEWHERE, running)) as other:
            assert other.ask(f"AUTH {running.token()}") == "OK"
        assert admin.ask("PENALTY", "CLEAR", "127.0.0.1") == "Cleared: 1."
    with running.text() as peer:
        assert peer.ask("PING") == "PONG"
    logged(running, "authentication .*penalty retry-after=")


def test_our_client_comes_back_when_it_was_told_to(server: ServerFactory) -> None:
    """No sooner: a try in between would be one more refused."""
    running = server(penalties={"first": "500ms", "minimum": "1s", "most": "60s"})
    guess(running, 2)
    began = time.monotonic()
    with Client(f"localhost:{running.port}", token=running.token(), ca=running.ca) as client:
        assert client.execute("PING") == "PONG"
    assert time.monotonic() - began > 0.5  # what was left of the second when it was told, at the very least
    assert running.log().count("refused penalty") == 1


def test_our_client_does_not_wait_longer_than_it_takes_to_connect(server: ServerFactory) -> None:
    """It says when to come again instead of hanging."""
    running = server(penalties={"first": "100s", "minimum": "200s", "most": "600s"})
    guess(running, 2)
    with pytest.raises(ConnectError) as caught:
        Client(f"localhost:{running.port}", token=running.token(), ca=running.ca).connect()
    assert "(THROTTLED: Too many refused credentials came from your address). Try again in " in str(caught.value)
    assert caught.value.retry_after is not None
    assert 190 <= caught.value.retry_after <= 200
