"""How the connection stands, always seen; and how the page comes back by itself, or is told why it may not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from secure_server.auth.principal import Role
from tests.browser.conftest import Visit
from tests.browser.console_commands import EVIL
from tests.browser.visitor import Visitor
from tests.integration.peers import RespPeer
from tests.integration.running import Running, eventually
from tests.terminal.fault_proxy import FaultProxy

pytestmark = pytest.mark.long

LOST = ("WebSocket connection to", "ERR_CONNECTION_REFUSED")
"""What Chromium itself says of a connection that cannot be made."""


@pytest.fixture
def away(visit: Visit, served: Running, proxy: FaultProxy) -> Visitor:
    """Somebody who is signed in by a network that fails on request."""
    visitor = visit(proxy.port)
    visitor.allowed += LOST
    visitor.open()
    visitor.sign_in(served.token())
    return visitor


@pytest.fixture
def here(visitor: Visitor, served: Running) -> Visitor:
    """Somebody who is signed in."""
    visitor.allowed += LOST
    visitor.sign_in(served.token())
    return visitor


@pytest.fixture
def admin(served: Running) -> Iterator[RespPeer]:
    """An administrator."""
    with served.resp(served.token(Role.ADMIN)) as peer:
        yield peer


def sessions(running: Running, name: str = "user") -> list[int]:
    """Return the numbers of somebody's sessions."""
    return [found.number for found in running.server.sessions if found.principal and found.principal.name == name]


def test_a_line_that_breaks_is_made_anew(away: Visitor, served: Running, proxy: FaultProxy) -> None:
    """Without a question, as who it was."""
    (before,) = sessions(served)
    proxy.cut()
    eventually(lambda: sessions(served) not in ([before], []))
    away.connected()


def test_it_is_said_while_there_is_none(away: Visitor, served: Running, proxy: FaultProxy) -> None:
    """With when the next try is, and a way to try now."""
    away.stop_the_clock()
    proxy.down()
    away.says("Reconnecting")
    away.page.get_by_text("Next try in").wait_for()
    proxy.up()
    away.button("Try now").click()
    away.connected()
    away.page.get_by_text("Next try in").wait_for(state="hidden")


@pytest.mark.parametrize("sign", ["online", "visibilitychange"])
def test_it_is_tried_at_once_when_the_machine_wakes_up(
    away: Visitor, served: Running, proxy: FaultProxy, sign: str
) -> None:
    """However long the next try is away."""
    away.stop_the_clock()  # so that only the sign can have it tried
    proxy.down()
    away.says("Reconnecting")
    proxy.up()
    before = sessions(served)
    target = "document" if sign == "visibilitychange" else "window"
    away.page.evaluate(f"() => {target}.dispatchEvent(new Event('{sign}'))")
    eventually(lambda: sessions(served) not in (before, []))
    away.connected()


def test_it_comes_back_after_a_restart(here: Visitor, served: Running) -> None:
    """Of the server, which said that it drains."""
    served.restart()
    eventually(lambda: len(sessions(served)) == 1)
    here.connected()


def test_it_comes_back_after_a_drain(here: Visitor, served: Running, admin: RespPeer) -> None:
    """When the server said; nobody is asked for a token."""
    assert "Draining" in str(admin.ask("SERVER", "DRAIN", "--retry-after", "1s"))
    here.says("Reconnecting")
    admin.ask("SERVER", "DRAIN", "--cancel")
    here.connected()


def test_who_is_kicked_is_told_why_and_stays_away(here: Visitor, served: Running, admin: RespPeer) -> None:
    """Until its person wants to come back."""
    (number,) = sessions(served)
    admin.ask("KICK", str(number), "--reason", f"Lunch {EVIL}")
    here.says("Disconnected")
    here.text("An administrator").first.wait_for()
    here.text(f"Lunch {EVIL}").first.wait_for()
    assert sessions(served) == []
    here.button("Connect again").click()
    here.connected()


def test_who_is_revoked_is_told_so(here: Visitor, served: Running) -> None:
    """And is asked for another token."""
    served.revoke("user")
    here.text("revoked").first.wait_for()
    here.sign_in(served.token(Role.OPERATOR))


def test_a_message_is_shown_and_can_be_read_again(here: Visitor, admin: RespPeer) -> None:
    """Who says it, and what; as text, whatever it holds."""
    admin.ask("BROADCAST", f"Tea {EVIL}")
    notice = here.page.get_by_role("log", name="Messages")
    notice.get_by_text(f"Tea {EVIL}").wait_for()
    notice.get_by_text("admin", exact=True).wait_for()
    notice.get_by_role("button", name="Close").click()
    notice.get_by_text("Tea").wait_for(state="detached")
    here.page.get_by_role("button", name="Messages: 1 new").click()
    again = here.page.get_by_role("dialog", name="Messages")
    again.get_by_text(f"Tea {EVIL}").wait_for()
    here.page.keyboard.press("Escape")
    again.wait_for(state="detached")
    here.button("Messages").wait_for()
