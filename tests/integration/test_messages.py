"""Messages over real connections: to many at once, from threads of a handler's own, beside replies."""

from __future__ import annotations

import threading

from secure_protocol.replies import Push
from secure_server.auth.principal import Role
from secure_server.commands.command import Command, command
from secure_server.commands.context import Context
from secure_server.commands.facade import ServerFacade
from tests.conftest import ServerFactory
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.running import Running

LISTENERS = 30
MESSAGES = 50


def add(running: Running, handler: Command) -> None:
    """Add a command of the test's own to a running server."""
    running.server.registry.add(handler)


def test_a_command_may_go_on_telling_after_its_reply(server: ServerFactory) -> None:
    """It keeps `context.server` for a thread of its own; replies and messages reach the client whole and apart."""
    running = server()
    threads: list[threading.Thread] = []

    def tell(kept: ServerFacade, number: int) -> None:
        for step in range(MESSAGES):
            assert kept.notify(number, f"step {step}")

    @command("WATCH", role=Role.USER)
    def watch(context: Context) -> str:
        threads.append(threading.Thread(target=tell, args=(context.server, context.session.number)))
        threads[-1].start()
        return "watching"

    add(running, watch.__command__[0])  # type: ignore[attr-defined] # set by the decorator
    with running.resp(running.token(Role.ADMIN)) as peer:
        peer.request("WATCH")
        for _ in range(MESSAGES):
            peer.request("PING")
        replies = [peer.reply() for _ in range(1 + 2 * MESSAGES)]
        threads[0].join(PATIENCE_SECONDS)
    pushes = [reply.items[1] for reply in replies if isinstance(reply, Push)]
    assert pushes == [f"step {step}" for step in range(MESSAGES)]
    assert [reply for reply in replies if not isinstance(reply, Push)] == ["watching", *["PONG"] * MESSAGES]


def test_a_person_is_told_between_replies(server: ServerFactory) -> None:
    """A text connection that asked for it gets a line; one that did not gets none."""
    running = server()
    with running.text() as opted, running.text() as other, running.resp(running.token(Role.ADMIN)) as admin:
        assert opted.ask("NOTIFY on") == "OK"
        assert admin.ask("BROADCAST", "--role", "user", "lunch\n\x1b[2J") == 1
        assert opted.line() == "message admin lunch\\x0a\\x1b[2J"
        assert opted.ask("PING") == "PONG"
        assert other.ask("PING") == "PONG"
