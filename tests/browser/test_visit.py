"""A short visit: what everything else in this room goes into, once and quickly."""

from __future__ import annotations

from secure_server.auth.principal import Role
from tests.browser.console_commands import Steer
from tests.browser.visitor import Visitor
from tests.integration.running import Running, eventually


def test_a_short_visit(visitor: Visitor, served: Running) -> None:
    """In by a token, a form, the line, a message, a kick, back, and out; the browser complains of nothing."""
    visitor.allowed.append("WebSocket connection to")
    visitor.sign_in(served.token())
    assert served.token().split("_")[2] not in visitor.kept()
    visitor.go("#/run/WIPE?disk=sda")
    visitor.text("A link filled this form").wait_for()
    assert Steer.ran == []
    visitor.button("Run").click()
    visitor.page.get_by_role("dialog").get_by_role("button", name="Run").click()
    visitor.ended("WIPE sda").get_by_text("wiped sda").wait_for()
    visitor.go("#/")
    visitor.type("COUNT 2")
    visitor.run("COUNT 2").get_by_text("number 0").wait_for()
    Steer.go.release(2)
    visitor.ended("COUNT 2").get_by_text("number 1").wait_for()
    with served.resp(served.token(Role.ADMIN)) as admin:
        admin.ask("BROADCAST", "Tea is ready.")
        visitor.page.get_by_role("log", name="Messages").get_by_text("Tea is ready.").wait_for()
        (number,) = [
            found.number for found in served.server.sessions if found.principal and found.principal.name == "user"
        ]
        admin.ask("KICK", str(number), "--reason", "Tea")
    visitor.says("Disconnected")
    visitor.button("Connect again").click()
    visitor.connected()
    visitor.button("Account: user").click()
    visitor.button("Sign out").click()
    visitor.asked_for_token()
    eventually(lambda: not list(served.server.sessions))
