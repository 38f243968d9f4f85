"""What administrators do at the page: look at clients, end and ban them, let people in, see what happens."""

from __future__ import annotations

import pytest

from secure_server.auth.principal import Role
from tests.browser import axe
from tests.browser.conftest import Visit
from tests.browser.console_commands import EVIL
from tests.browser.test_looks import OVERFLOWING, PHONE, SMALL, WIDE
from tests.browser.visitor import Visitor
from tests.integration.running import Running, eventually
from tests.terminal.fault_proxy import FaultProxy

pytestmark = pytest.mark.long

VIEWS = {
    "clients": "127.0.0.1:",
    "closed": "Nothing|127.0.0.1:|No clients",
    "tokens": "active",
    "bans": "Nobody is banned.",
    "certificates": "localhost",
    "audit": "started",
    "log": "principal=",
    "events": "Nothing has happened yet.|ok",
    "statistics": "up for",
    "configuration": "limits.max_clients",
    "health": "takes everybody in",
}
"""What each shows, as a regular expression."""


@pytest.fixture(scope="module")
def axe_core(pytestconfig: pytest.Config) -> str:
    """The program that looks."""
    return axe.source(pytestconfig)


@pytest.fixture
def admin(visitor: Visitor, served: Running) -> Visitor:
    """An administrator who is signed in."""
    visitor.sign_in(served.token(Role.ADMIN))
    visitor.page.get_by_role("navigation").get_by_role("link", name="Clients").wait_for()
    return visitor


def shows(visitor: Visitor, pattern: str) -> None:
    """Wait until the view says this."""
    visitor.page.wait_for_function(
        "(pattern) => new RegExp(pattern).test(document.querySelector('main').innerText)", arg=pattern
    )


@pytest.mark.parametrize(("viewport", "scheme"), [(PHONE, "light"), (WIDE, "dark")])
def test_everybody_can_use_every_view(
    visit: Visit, served: Running, axe_core: str, viewport: dict[str, int], scheme: str
) -> None:
    """On a phone by day, and on a wide screen by night: nothing is cut, and nobody kept out."""
    visitor = visit(reduced_motion="reduce", viewport=viewport, color_scheme=scheme)
    visitor.open()
    visitor.sign_in(served.token(Role.ADMIN))
    with served.resp(served.token(Role.OPERATOR)) as operator:
        number = operator.ask("CLIENT", "ID")
        for view, pattern in {**VIEWS, f"clients/{number}": "Last commands|last_used"}.items():
            visitor.go(f"#/admin/{view}")
            shows(visitor, pattern)
            assert visitor.page.evaluate(OVERFLOWING) == [], view
            assert viewport is not PHONE or visitor.page.evaluate(SMALL) == [], view
            assert axe.findings(visitor.page, axe_core) == [], view


def test_a_client_is_kicked_with_a_reason(admin: Visitor, served: Running) -> None:
    """The question names whom and the server; the list shows who is left, by itself."""
    with served.resp() as peer:
        number = peer.ask("CLIENT", "ID")
        admin.go("#/admin/clients?filter=user%3Duser")
        row = admin.main().get_by_role("row").filter(has=admin.page.get_by_role("link", name=str(number), exact=True))
        row.get_by_role("button", name="Kick").click()
        question = admin.page.get_by_role("dialog", name=f"Kick: localhost:{served.port}")
        question.get_by_label("reason").fill("back at noon")
        question.get_by_role("button", name="Kick").click()
        question.wait_for(state="detached")
        row.wait_for(state="detached")
        shows(admin, "Nothing matches.")
    eventually(lambda: "reason=kicked" in served.log())


def test_whom_a_filter_chooses_is_shown_before_they_are_kicked(admin: Visitor, served: Running) -> None:
    """Who comes after that is not meant."""
    with served.resp(), served.resp():
        admin.go("#/admin/clients?filter=user%3Duser")
        shows(admin, "2 rows")
        admin.button("Kick by filter").click()
        admin.page.get_by_role("dialog").get_by_role("button", name="Kick by filter").click()
        question = admin.page.get_by_role("dialog", name=f"Close these connections to localhost:{served.port}?")
        question.get_by_role("cell", name="user").first.wait_for()
        with served.resp() as late:
            question.get_by_role("button", name="Run").click()
            shows(admin, "1 row")
            assert late.ask("PING") == "PONG"


def test_somebody_is_let_in_by_a_link(admin: Visitor, visit: Visit, served: Running) -> None:
    """It is shown once, and kept nowhere; whoever opens it is asked to save the token."""
    admin.go("#/admin/tokens")
    admin.button("Invite by a link").click()
    form = admin.page.get_by_role("dialog")
    form.get_by_label("name").fill("carol")
    form.get_by_role("button", name="Invite by a link").click()
    link = admin.page.get_by_role("textbox", name="The link to sign in").input_value()
    assert link.startswith(f"{admin.origin}/#enroll=")
    admin.page.keyboard.press("Escape")  # which closes nothing that cannot be seen again
    admin.button("I have it").click()
    admin.main().get_by_role("cell", name="carol").wait_for()
    assert link.rpartition("=")[2] not in admin.kept()
    carol = visit()
    carol.open(link.partition("/")[2].rpartition("/")[2])
    carol.page.get_by_role("heading", name="Save your token").wait_for()


def test_bans_are_made_and_taken_back(admin: Visitor, served: Running) -> None:
    """What was written into one is text."""
    admin.go("#/admin/bans")
    admin.button("Ban").click()
    form = admin.page.get_by_role("dialog")
    form.get_by_label("what").fill("user=eve")
    form.get_by_label("reason").fill(EVIL)
    form.get_by_role("button", name="Ban").click()
    admin.main().get_by_role("cell", name=EVIL).wait_for()
    admin.main().get_by_label("An address, or a user's name").fill("eve")
    admin.main().get_by_role("button", name="Explain").first.click()
    admin.page.get_by_role("dialog").get_by_text("user=eve is banned for good").wait_for()
    admin.page.keyboard.press("Escape")
    admin.button("Remove").click()
    admin.page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    shows(admin, "Nobody is banned.")


def test_what_is_refused_is_said_where_it_was_asked(admin: Visitor) -> None:
    """And the dialog stays, to mend it."""
    admin.go("#/admin/bans")
    admin.button("Ban").click()
    form = admin.page.get_by_role("dialog")
    form.get_by_label("what").fill("nobody")
    form.get_by_role("button", name="Ban").click()
    form.get_by_role("alert").wait_for()
    assert form.get_by_label("what").input_value() == "nobody"


def test_a_server_is_drained_and_takes_everybody_in_again(admin: Visitor, served: Running) -> None:
    """What would happen is shown before."""
    admin.go("#/admin/health")
    admin.button("Drain").click()
    admin.page.get_by_role("dialog").get_by_role("button", name="Drain").click()
    admin.page.get_by_role("dialog", name=f"Drain localhost:{served.port}?").get_by_role("button", name="Run").click()
    shows(admin, "This server is draining")
    admin.button("Take everybody in again").click()
    admin.page.get_by_role("dialog").get_by_role("button", name="Take everybody in again").click()
    shows(admin, "takes everybody in")


def test_a_filter_is_kept_in_the_address_and_a_wrong_one_explained(admin: Visitor, served: Running) -> None:
    """So that a view can be come back to."""
    admin.go("#/admin/clients")
    field = admin.main().get_by_label("Filter")
    with served.resp():
        field.fill("user=user")
        field.press("Enter")
        shows(admin, r"\b1 row\b")
    assert "filter=user%3Duser" in admin.page.url
    field.fill("colour=blue")
    field.press("Enter")
    shows(admin, "Unknown filter COLOUR")


def test_a_row_that_is_drawn_anew_keeps_the_focus(admin: Visitor, served: Running) -> None:
    """Of a list that is looked at by the keyboard, and changes by itself."""
    with served.resp() as peer:
        admin.go("#/admin/clients?filter=user%3Duser")
        button = admin.main().get_by_role("button", name="Kick", exact=True)
        button.focus()
        for _ in range(3):
            peer.ask("TIME")
        shows(admin, "TIME")
        assert button.evaluate("(one) => one === document.activeElement")


def test_nobody_is_asked_once_the_view_is_left(admin: Visitor, served: Running) -> None:
    """Neither by a stream nor by a list that looks again and again."""
    admin.go("#/admin/events")
    admin.button("Stop").wait_for()
    admin.go("#/admin/clients")
    eventually(lambda: "name=CANCEL outcome=ok" in served.log())
    eventually(lambda: served.log().count("name=CLIENTS") > 1)
    admin.go("#/")
    admin.main().get_by_role("link", name="CLOCK").wait_for()
    before = served.log().count("name=CLIENTS")
    admin.page.wait_for_timeout(3000)  # longer than between two looks
    assert served.log().count("name=CLIENTS") == before


def test_what_is_followed_goes_on_after_the_line_broke(visit: Visit, served: Running, proxy: FaultProxy) -> None:
    """What was shown stays, and what comes then is added."""
    visitor = visit(proxy.port)
    visitor.allowed += ("WebSocket connection to",)
    visitor.open()
    visitor.sign_in(served.token(Role.ADMIN))
    visitor.go("#/admin/events?filter=user%3Duser")
    shows(visitor, "Nothing has happened yet")
    with served.resp() as peer:

        def told(command: str) -> bool:
            peer.ask(command)
            return bool(visitor.main().get_by_role("cell", name=command).count())

        eventually(lambda: told("TIME"))
        proxy.cut()
        visitor.connected()
        eventually(lambda: told("WHOAMI"))
        assert visitor.main().get_by_role("cell", name="TIME").count() > 0


def test_others_see_nothing_of_it(visitor: Visitor, served: Running) -> None:
    """Neither in the navigation nor at its addresses."""
    visitor.sign_in(served.token(Role.OPERATOR))
    visitor.main().get_by_role("link", name="CLOCK").wait_for()
    assert visitor.page.get_by_role("navigation").get_by_role("link", name="Clients").count() == 0
    visitor.go("#/admin/clients")
    shows(visitor, "no command CLIENTS")


def test_an_administrator_from_elsewhere_is_told_so(visit: Visit, served: Running) -> None:
    """Why there is nothing to administer, and which setting would change that."""
    served.configure(admin={"networks": []})
    with served.resp(served.token(Role.ADMIN)) as peer:
        peer.ask("CONFIG", "RELOAD")
    visitor = visit()
    visitor.open()
    visitor.sign_in(served.token(Role.ADMIN))
    visitor.page.get_by_role("navigation").get_by_role("link", name="Administration").click()
    shows(visitor, "admin.networks")
