"""Addresses within the page: whatever stands there is text, fills at most, and never runs anything."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.browser.console_commands import EVIL
from tests.browser.visitor import Visitor
from tests.integration.running import Running

pytestmark = pytest.mark.long

ODD = (
    f"#/{EVIL}",
    f"#/{quote(EVIL)}",
    f"#/jobs/{quote(EVIL)}",
    f"#/run/{quote(EVIL)}?{quote(EVIL)}={quote(EVIL)}",
    "#/run/%E0%A4%A",
    "#/%",
    "#/run/__proto__",
    "#/jobs/constructor",
    "#/jobs/99999999999999999999999999",
    "#/jobs/-1",
    "#/admin/toString",
    "#javascript:pwned++",
    f"#{EVIL}",
    "#/run/QUIT?__proto__=x",
)


def test_a_link_that_is_none_leads_to_the_door(visitor: Visitor) -> None:
    """Which says so; a blank page would say nothing."""
    for link in ("%E0%A4%A", "%", EVIL, quote(EVIL), "scs_x"):
        visitor.page.goto("about:blank")
        visitor.open(f"#enroll={link}")
        visitor.page.get_by_role("heading", name="This link does not work").wait_for()
        assert "enroll" not in visitor.page.url
        assert visitor.page.evaluate("() => sockets.length") == 0
        assert visitor.complaints() == [], link


def test_odd_addresses_are_text(visitor: Visitor, served: Running) -> None:
    """They show that there is nothing, or something else; the page goes on."""
    visitor.sign_in(served.token())
    for address in ODD:
        visitor.go(address)
        visitor.main().get_by_role("heading").first.wait_for()
        assert visitor.complaints() == [], address
    visitor.go("#/nothing/here")
    visitor.page.get_by_role("heading", name="There is nothing at this address.").wait_for()
    visitor.page.get_by_role("link", name="To the commands").click()
    visitor.page.get_by_role("heading", name="Commands").wait_for()
    visitor.page.go_back()
    visitor.page.get_by_role("heading", name="There is nothing at this address.").wait_for()


def test_an_address_survives_signing_in(visitor: Visitor, served: Running) -> None:
    """Who was sent a link within the page finds what it shows behind the door."""
    visitor.page.goto("about:blank")
    visitor.open("#/nothing/here")
    visitor.sign_in(served.token())
    visitor.page.get_by_role("heading", name="There is nothing at this address.").wait_for()
