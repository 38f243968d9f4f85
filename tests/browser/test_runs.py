"""What was run, as one goes about the page: other views, other users, fields and lines that the server helps with."""

from __future__ import annotations

import pytest

from secure_server.auth.principal import Role
from tests.browser.conftest import Visit
from tests.browser.console_commands import Steer
from tests.browser.visitor import Visitor
from tests.integration.running import Running, eventually

pytestmark = pytest.mark.long


def signed_in(visit: Visit, served: Running, role: Role = Role.USER) -> Visitor:
    """Return somebody at the page."""
    visitor = visit()
    visitor.open()
    visitor.sign_in(served.token(role))
    return visitor


def test_an_output_stays_where_it_was(visit: Visit, served: Running) -> None:
    """Its end in another view, and in the first one again."""
    user = signed_in(visit, served)
    user.type("PRINT 5000")
    user.ended("PRINT 5000")
    for address in ("#/run/DEPLOY", "#/jobs", "#/"):
        user.go(address)
        if address != "#/jobs":
            user.text("line 4999 of 5000").wait_for()


def test_a_field_offers_what_the_server_knows(visit: Visit, served: Running) -> None:
    """Here the numbers of jobs, with what they are."""
    user = signed_in(visit, served)
    user.type("BUILD shop")
    user.run("BUILD shop").get_by_text("shop step 0").wait_for()
    user.go("#/run/JOB SHOW")
    user.main().get_by_label("job", exact=False).first.click()
    offered = user.page.locator("datalist option")
    eventually(lambda: offered.count() == 1)
    assert offered.get_attribute("value") == "1"
    assert "BUILD" in (offered.text_content() or "")


def test_what_is_kept_is_each_users_own(visit: Visit, served: Running) -> None:
    """Neither the history nor what ran, nor the jobs that were followed, are the next one's."""
    user = signed_in(visit, served)
    user.type("BUILD shop")
    user.run("BUILD shop").get_by_text("shop step 0").wait_for()
    user.reload()
    user.sign_in(served.token(Role.OPERATOR))
    user.line().press("ArrowUp")
    assert user.line().input_value() == ""
    assert user.page.get_by_role("article").count() == 0
    user.button("Account: operator").click()
    user.button("Sign out").click()
    user.sign_in(served.token())
    user.line().press("ArrowUp")
    assert user.line().input_value() == "BUILD shop"


def test_no_secret_is_completed(visit: Visit, served: Running) -> None:
    """The server is told it with its command alone: neither sooner, nor by other words."""
    user = visit()
    sent: list[bytes] = []
    user.page.on("websocket", lambda socket: socket.on("framesent", lambda payload: sent.append(bytes(payload))))
    user.open()
    user.sign_in(served.token())
    line = user.line()
    line.press_sequentially("UNLOC")
    user.page.get_by_role("option", name="UNLOCK").wait_for()
    line.press_sequentially("K hunter2")
    line.press("Tab")
    user.page.wait_for_timeout(400)  # beyond the pause after which anything is asked
    assert any(b"UNLOC" in frame for frame in sent)
    assert not any(b"hunter2" in frame for frame in sent)
    line.press("Enter")
    user.ended("UNLOCK •••").get_by_text("unlocked").wait_for()
    assert [b"hunter2" in frame for frame in sent].count(True) == 1
    assert Steer.ran == ["unlock 7"]


def test_what_is_left_is_followed_anew_at_its_own_place(visit: Visit, served: Running) -> None:
    """From its first part on, and run again from there."""
    user = signed_in(visit, served)
    user.type("BUILD shop")
    user.run("BUILD shop").get_by_text("shop step 0").wait_for()
    user.run("BUILD shop").get_by_role("button", name="Leave it running").click()
    user.ended("BUILD shop", "goes on")
    user.go("#/jobs/1")
    Steer.go.release(3)
    answer = user.ended("Job 1")
    answer.get_by_text("shop step 0").wait_for()
    answer.get_by_text("shop is built").first.wait_for()
    answer.get_by_role("button", name="Run again").click()
    user.run("JOB RERUN 1").get_by_text("shop step 0").wait_for()
    assert Steer.ran == ["build shop"] * 2
    user.go("#/jobs")
    user.page.get_by_label("State").select_option("running")
    eventually(lambda: user.page.get_by_role("row").count() == 2)  # one beside the heading
    Steer.go.release(3)
    user.text("There are no jobs.").wait_for()
