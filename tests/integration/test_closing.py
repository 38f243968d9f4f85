"""After the end of a token or of a session: who is let in again, and how it is told where there are no pushes."""

from __future__ import annotations

import pytest

from secure_server.auth.principal import Role
from tests.conftest import ServerFactory
from tests.integration.peers import RespPeer
from tests.integration.running import Running, eventually


@pytest.fixture
def running(server: ServerFactory) -> Running:
    """A server."""
    return server()


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


def test_text_is_told_in_a_line_and_old_redis_clients_where_they_wait(running: Running) -> None:
    """Where there are no pushes the reason is an error with stable keys; RESP2 gets it as an answer, or not at all."""
    with (
        running.text() as person,
        running.resp(version=2) as idle,
        running.resp(version=2) as waiting,
        running.resp(running.token(Role.ADMIN)) as admin,
    ):
        waiting.send(b"*2\r\n$4\r\nECHO\r\n")
        eventually(lambda: any(session._intake.unanswered for session in running.server.sessions))
        assert admin.ask("CLIENT", "KILL", "USER", "user") == 3
        assert person.rest() == ["ERROR: CLOSED reason=kicked Closed by an administrator."]
        assert idle.rest() == []
        (error,) = waiting.rest()
        assert str(error) == "ERROR: CLOSED reason=kicked Closed by an administrator."
