"""What guessing costs, over real TLS: from the first wrong token to the client that waits and gets in."""

from __future__ import annotations

import time

import pytest

from secure_client import Client
from secure_client.errors import AuthenticationError, ConnectError
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


def test_guessing_is_answered_alike_and_shuts_out_nobody_with_a_good_token(server: ServerFactory) -> None:
    """Users and administrators get in from the address of whoever guesses; the admin learns why, and clears it."""
    running = server(penalties={**SETTINGS, "first": "100s", "minimum": "200s", "most": "600s"})
    guess(running, 2)
    for wrong in (Token.generate().reveal(), "hunter2", f"eve {running.token()}"):
        with running.text(None) as peer:
            answer = peer.ask(f"AUTH {wrong}")
            assert answer.startswith("ERROR: THROTTLED Too many refused credentials came from your address; retry-afte")
            assert 150 <= int(answer.rpartition("=")[2]) <= 200
            assert peer.rest() == []
    with Client(f"localhost:{running.port}", token=running.token(), ca=running.ca) as client:  # by the mutual handshake
        assert client.execute("PING") == "PONG"
    with running.text() as peer, running.resp(running.token(Role.ADMIN)) as admin:
        assert peer.ask("PING") == "PONG"
        listed = admin.ask("PENALTY", "LIST")
        assert isinstance(listed, list)
        assert len(listed) == 1
        explained = str(admin.ask("PENALTY", "EXPLAIN", "127.0.0.1"))
        assert explained.startswith("127.0.0.1 is refused until ")
        assert "because 2 different credentials from it were refused" in explained
        with TextPeer(connect_from(ELSEWHERE, running)) as other:
            assert other.ask(f"AUTH {Token.generate().reveal()}").startswith("ERROR: WRONGPASS ")
        assert admin.ask("PENALTY", "CLEAR", "127.0.0.1") == "Cleared: 1."
    guess(running, 1)
    logged(running, "authentication .*penalty unknown token=.* retry-after=")


def test_our_client_comes_back_when_it_was_told_to(server: ServerFactory) -> None:
    """No sooner: a try in between would be one more refused."""
    running = server(penalties={"first": "500ms", "minimum": "1s", "most": "60s"})
    guess(running, 2)
    began = time.monotonic()
    with pytest.raises(AuthenticationError):  # it is told what is wrong when its address may fail again
        Client(f"localhost:{running.port}", token=Token.generate().reveal(), ca=running.ca).connect()
    assert time.monotonic() - began > 0.5  # what was left of the second when it was told, at the very least
    assert running.log().count("refused penalty") == 1


def test_our_client_does_not_wait_longer_than_it_takes_to_connect(server: ServerFactory) -> None:
    """It says when to come again instead of hanging."""
    running = server(penalties={"first": "100s", "minimum": "200s", "most": "600s"})
    guess(running, 2)
    with pytest.raises(ConnectError) as caught:
        Client(f"localhost:{running.port}", token=Token.generate().reveal(), ca=running.ca).connect()
    assert "(THROTTLED: Too many refused credentials came from your address). Try again in " in str(caught.value)
    assert caught.value.retry_after is not None
    assert 150 <= caught.value.retry_after <= 200
