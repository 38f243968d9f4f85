"""The console: commands by form and by line, what they answer, jobs."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.browser.chromium import PATIENCE_MS
from tests.browser.conftest import Visit
from tests.browser.console_commands import EVIL, Steer
from tests.browser.visitor import Visitor
from tests.integration.running import Running, eventually
from tests.terminal.fault_proxy import FaultProxy

pytestmark = pytest.mark.long

LOST = ("WebSocket connection to", "ERR_CONNECTION_REFUSED")


@pytest.fixture
def user(visitor: Visitor, served: Running) -> Visitor:
    """Somebody who is signed in."""
    visitor.sign_in(served.token())
    return visitor


# Finding a command


def test_commands_are_found_by_their_words(user: Visitor) -> None:
    """In name, summary and group; one that is chosen has a form."""
    search = user.page.get_by_role("searchbox", name="Search the commands")
    search.fill("clock moment")
    user.page.get_by_text("Tell a moment.").wait_for()
    assert user.main().get_by_role("link").count() == 1
    search.fill("nothing that there is")
    user.text("No command matches.").wait_for()
    search.fill("machin")
    search.press("Enter")
    user.page.get_by_role("heading", name="MACHINES", exact=True).wait_for()
    user.button("Run").click()
    user.ended("MACHINES").get_by_role("cell", name="gamma").wait_for()


# Forms


def test_a_form_has_every_type_of_argument(user: Visitor) -> None:
    """Each as what suits it; the server gets what was chosen."""
    user.go("#/run/DEPLOY")
    form = user.main().locator("form")
    form.get_by_label("service").select_option("web")
    form.get_by_label("target").select_option("production")
    form.get_by_label("tickets").fill("AB-1\nCD-2")
    form.get_by_label("lines").fill("7")
    form.get_by_label("share").fill("0.25")
    form.get_by_label("wait").fill("90s")
    form.get_by_label("not-before").fill("2026-01-31T12:00:00")
    form.get_by_role("checkbox", name="force").check()
    user.button("Run").click()
    answer = user.page.get_by_role("article").first
    answer.get_by_text("web production ('AB-1', 'CD-2') 7 0.25 90 2026-01-31T12:00:00+00:00 True").wait_for()


def test_a_form_holds_what_the_catalogue_says(user: Visitor) -> None:
    """What is missing or out of bounds is not sent; what only the server can tell, it tells."""
    user.go("#/run/DEPLOY")
    form = user.main().locator("form")
    user.button("Run").click()
    assert form.get_by_label("service").evaluate("(one) => one.validity.valueMissing")
    form.get_by_label("service").select_option("web")
    form.get_by_label("lines").fill("1001")
    user.button("Run").click()
    assert form.get_by_label("lines").evaluate("(one) => one.validity.rangeOverflow")
    form.get_by_label("lines").fill("")
    form.get_by_label("tickets").fill("no ticket")
    user.button("Run").click()
    user.text("target stands").or_(user.text("stands behind target")).wait_for()
    form.get_by_label("target").select_option("staging")
    user.button("Run").click()
    user.page.get_by_role("article").first.get_by_text("tickets: no ticket").wait_for()


def test_a_secret_is_kept_nowhere(user: Visitor, served: Running) -> None:
    """Neither shown nor in the address, nor in the history, and gone from the form when it was sent."""
    user.go("#/run/UNLOCK")
    code = user.main().get_by_label("code")
    assert code.get_attribute("type") == "password"
    code.fill("hunter2hunter2")
    user.button("Run").click()
    user.page.get_by_role("article").get_by_text("unlocked").wait_for()
    user.go("#/")
    user.type("UNLOCK hunter2hunter2")
    eventually(lambda: Steer.ran == ["unlock 14", "unlock 14"])
    assert "hunter2hunter2" not in user.kept()
    assert "hunter2hunter2" not in served.log()
    user.type(f"ECHO {served.token()}")  # a slip
    user.page.get_by_role("article").first.get_by_text("ECHO").first.wait_for()
    assert user.page.evaluate("() => JSON.stringify({ ...localStorage, ...sessionStorage })").count("scs_") == 0


def test_a_file_is_sent_as_it_is(user: Visitor, tmp_path: Path) -> None:
    """Every byte, and as many as the server takes."""
    dump = tmp_path / "dump.bin"
    dump.write_bytes(bytes(range(256)) * 1000)
    user.go("#/run/TAKE-IN")
    user.main().locator("input[type=file]").set_input_files(dump)
    user.button("Run").click()
    user.page.get_by_role("article").get_by_text(f"256000 bytes, {sum(range(256)) * 1000}").wait_for()


def test_what_does_harm_is_asked_about(user: Visitor) -> None:
    """Naming the server and what it is done to; Escape and Cancel run nothing, from the line as from the form."""
    user.go("#/run/WIPE")
    user.text("may do harm").first.wait_for()
    user.main().get_by_label("disk").fill("sda")
    question = user.page.get_by_role("dialog", name=f"Wipe sda on localhost:{user.origin.rpartition(':')[2]}?")
    for way in ("Escape", "Cancel"):
        user.button("Run").click()
        question.wait_for()
        if way == "Escape":
            user.page.keyboard.press("Escape")
        else:
            question.get_by_role("button", name="Cancel").click()
        question.wait_for(state="detached")
    assert Steer.ran == []
    user.button("Run").click()
    question.get_by_role("button", name="Run").click()
    user.ended("WIPE sda").get_by_text("wiped sda").wait_for()
    user.go("#/")
    user.type("WIPE sda")
    question.wait_for()
    assert Steer.ran == ["wipe sda"]


# Links


def test_a_link_fills_a_form_and_runs_nothing(user: Visitor, served: Running) -> None:
    """Nor does it fill a secret, nor what the command has not."""
    user.go("#/run/WIPE?disk=sda")
    user.text("A link filled this form").wait_for()
    assert user.main().get_by_label("disk").input_value() == "sda"
    user.go("#/run/DEPLOY?service=worker&tickets=A-1&tickets=B-2&force=yes&shown=1&nothing=1")
    form = user.main().locator("form")
    assert form.get_by_label("service").input_value() == "worker"
    assert form.get_by_label("tickets").input_value() == "A-1\nB-2"
    assert form.get_by_role("checkbox", name="force").is_checked()
    user.go("#/run/UNLOCK?code=1234")
    user.text("were left out").wait_for()
    assert user.main().get_by_label("code").input_value() == ""
    user.page.keyboard.press("Escape")
    assert Steer.ran == []
    assert not re.search("name=(WIPE|DEPLOY|UNLOCK)", served.log())


def test_a_form_gives_a_link_to_itself(user: Visitor) -> None:
    """With what was filled in, to the clipboard."""
    user.context.grant_permissions(["clipboard-read", "clipboard-write"])
    user.go("#/run/WIPE")
    user.main().get_by_label("disk").fill("s d&a")
    user.button("Copy link").click()
    user.text("The link is copied").wait_for()
    link = user.page.evaluate("() => navigator.clipboard.readText()")
    assert link in (f"{user.origin}/#/run/WIPE?disk={quote('s d&a')}", f"{user.origin}/#/run/WIPE?disk=s+d%26a")


# The line


def test_the_line_completes_and_remembers(user: Visitor) -> None:
    """By Tab and by the arrows, as the terminal does; the history by the arrows, also after a reload."""
    line = user.line()
    line.press_sequentially("mach")
    user.page.get_by_role("option", name="MACHINES").first.wait_for()
    line.press("Tab")
    eventually(lambda: line.input_value().strip().upper() == "MACHINES")
    line.press("Enter")
    user.ended("MACHINES")
    line.press_sequentially("DEPLOY w")
    user.page.get_by_role("option", name="worker").wait_for()
    line.press("ArrowDown")
    line.press("ArrowDown")
    line.press("Enter")
    eventually(lambda: line.input_value().startswith("DEPLOY w") and line.input_value().endswith(" "))
    user.text("DEPLOY web|worker [staging").first.wait_for()  # the hint
    line.press("Escape")
    line.press("Escape")
    assert line.input_value() == ""
    line.press("ArrowUp")
    assert line.input_value().strip().upper() == "MACHINES"
    line.press("ArrowDown")
    assert line.input_value() == ""


def test_the_line_says_what_is_wrong(user: Visitor) -> None:
    """In the server's own words, as text."""
    user.type(f"NOTHING {EVIL}")
    user.page.get_by_role("article").first.get_by_text("Unknown command.").wait_for()
    user.type("DEPLOY nowhere")
    user.ended("DEPLOY nowhere", "failed").get_by_text("nowhere is not one of").wait_for()


# Answers


def test_answers_are_shown_as_what_they_are(user: Visitor) -> None:
    """A table that sorts, a moment, a tree, and an empty table's own sentence."""
    user.type("MACHINES")
    table = user.ended("MACHINES").get_by_role("table")
    names = table.locator("tbody tr td:first-child, tbody tr th:first-child")
    assert [name.split("\n")[-1] for name in names.all_inner_texts()] == ["beta", "alpha", "gamma"]
    table.get_by_role("columnheader").get_by_role("button", name="load").click()
    assert [name.split("\n")[-1] for name in names.all_inner_texts()] == ["alpha", "beta", "gamma"]
    table.get_by_role("columnheader").get_by_role("button", name="load").click()
    assert [name.split("\n")[-1] for name in names.all_inner_texts()] == ["gamma", "beta", "alpha"]
    user.type("NO-MACHINES")
    user.ended("NO-MACHINES").get_by_text("There are no machines.").wait_for()
    user.type("CLOCK")
    assert "2023" in user.ended("CLOCK").inner_text()
    user.type("TREE")
    tree = user.ended("TREE")
    for word in ("disks", "sda", "names"):
        tree.get_by_text(word, exact=True).first.wait_for()


def test_a_stream_is_told_as_it_comes_and_can_be_cancelled(user: Visitor) -> None:
    """With how far it is; what came stays."""
    user.type("COUNT 4")
    run = user.run("COUNT 4")
    run.get_by_text("number 0").wait_for()
    run.get_by_role("progressbar").wait_for()
    Steer.go.release()
    run.get_by_text("number 1").wait_for()
    run.get_by_text("counting 1").wait_for()
    assert run.get_by_role("progressbar").evaluate("(one) => one.value") == pytest.approx(0.25)
    run.get_by_role("button", name="Cancel").click()
    user.ended("COUNT 4", "cancelled").get_by_text("number 1").wait_for()
    assert Steer.cancelled.wait(PATIENCE_MS / 1000)
    user.type("COUNT 1")
    Steer.go.release()
    user.ended("COUNT 1").get_by_text("number 0").wait_for()


def test_a_hundred_thousand_lines_stay_smooth(user: Visitor, served: Running) -> None:
    """Those that are seen are on the page; all can be copied, scrolled through and saved."""
    user.type("PRINT 100000")
    user.ended("PRINT 100000")
    output = user.page.get_by_role("log", name="Output")
    output.get_by_text("line 99999 of 100000", exact=True).wait_for()
    nodes = "() => document.querySelectorAll('*').length"
    assert user.page.evaluate(nodes) < 2000
    output.evaluate("(one) => { one.scrollTop = 0; }")
    output.get_by_text("line 0 of 100000", exact=True).wait_for()
    frames = """async (one) => {
      const times = [];
      let before = performance.now();
      for (let at = 0; at < 60; at++) {
        one.scrollTop += 5000;
        await new Promise(requestAnimationFrame);
        times.push(performance.now() - before);
        before = performance.now();
      }
      return times.sort((a, b) => a - b)[30];
    }"""
    assert output.evaluate(frames) < 50  # milliseconds a frame, in the middle of them
    assert user.page.evaluate(nodes) < 2000
    with user.page.expect_download() as saved:
        user.run("PRINT 100000").get_by_role("button", name="Download").click()
    text = Path(saved.value.path()).read_text(encoding="utf-8")
    assert text.splitlines() == [f"line {number} of 100000" for number in range(100_000)]


# Lost connections


def test_nothing_is_sent_twice_that_may_have_run(visit: Visit, served: Running, proxy: FaultProxy) -> None:
    """It is said, and left to its person."""
    visitor = visit(proxy.port)
    visitor.allowed += LOST
    visitor.open()
    visitor.sign_in(served.token())
    visitor.type("ONCE")
    visitor.run("ONCE").get_by_text("begun").wait_for()
    proxy.cut()
    said = visitor.ended("ONCE", "failed")
    said.get_by_text("how the command ended is not known").wait_for()
    visitor.connected()
    visitor.type("PING")
    visitor.ended("PING").get_by_text("PONG").wait_for()
    assert Steer.ran == ["once"]


# Jobs


def test_a_job_goes_on_without_its_connection(visit: Visit, served: Running, proxy: FaultProxy) -> None:
    """And is followed again, without a part that is missing or twice."""
    visitor = visit(proxy.port)
    visitor.allowed += LOST
    visitor.open()
    visitor.sign_in(served.token())
    visitor.type("BUILD shop")
    run = visitor.run("BUILD shop")
    run.get_by_text("shop step 0").wait_for()
    proxy.cut()
    Steer.go.release(3)
    visitor.ended("BUILD shop").get_by_text("shop is built").first.wait_for()
    lines = run.get_by_role("log", name="Output").inner_text().split("\n")
    assert [line for line in lines if line.strip()] == ["shop step 0", "shop step 1", "shop step 2", "shop is built"]
    assert Steer.ran == ["build shop"]


def test_a_job_is_found_again_after_a_reload(user: Visitor, served: Running) -> None:
    """With its whole output, live; and another tab finds it in the list."""
    user.type("BUILD shop")
    user.run("BUILD shop").get_by_text("shop step 0").wait_for()
    user.reload()
    user.sign_in(served.token())
    run = user.run("Job 1")
    run.get_by_text("shop step 0").wait_for()
    Steer.go.release()
    run.get_by_text("shop step 1").wait_for()
    user.page.get_by_role("link", name="Jobs").first.click()
    user.page.get_by_role("cell", name="BUILD").first.click()
    user.page.get_by_role("heading", name="Job 1").first.wait_for()
    assert user.page.url.endswith("#/jobs/1")
    user.text("shop step 1").first.wait_for()
    Steer.go.release(2)
    user.text("shop is built").first.wait_for()


def test_a_job_is_found_again_after_a_restart_of_the_server(user: Visitor, served: Running) -> None:
    """Its output and how it ended, by who is still on the page and by a link."""
    user.allowed += LOST
    user.type("BUILD shop 1")
    user.run("BUILD shop 1").get_by_text("shop step 0").wait_for()
    Steer.go.release()
    user.ended("BUILD shop 1")
    served.restart()
    eventually(lambda: len(list(served.server.sessions)) == 1)
    user.connected()
    user.go("#/jobs/1")
    user.text("shop is built").first.wait_for()
    user.reload()
    user.sign_in(served.token())
    user.text("shop is built").first.wait_for()


def test_a_job_is_cancelled_and_run_again(user: Visitor) -> None:
    """From what shows it."""
    user.type("BUILD shop")
    run = user.run("BUILD shop")
    run.get_by_text("shop step 0").wait_for()
    run.get_by_role("button", name="Cancel").click()
    user.ended("BUILD shop", "cancelled")
    run.get_by_role("button", name="Run again").click()
    user.run("BUILD shop").get_by_text("shop step 0").wait_for()
    Steer.go.release(3)
    user.ended("BUILD shop").get_by_text("shop is built").first.wait_for()
    assert Steer.ran == ["build shop"] * 2


def test_a_job_is_left_and_followed_again(user: Visitor) -> None:
    """It goes on meanwhile."""
    user.type("BUILD shop")
    run = user.run("BUILD shop")
    run.get_by_text("shop step 0").wait_for()
    run.get_by_role("button", name="Leave it running").click()
    user.ended("BUILD shop", "goes on").get_by_role("link", name="Job 1").click()
    user.text("shop step 0").first.wait_for()
    Steer.go.release(3)
    user.text("shop is built").first.wait_for()


# Text is text


def test_what_would_be_html_is_text_everywhere(user: Visitor) -> None:
    """Summaries, groups, arguments, choices, questions, progress, parts, answers, columns, keys, errors, jobs."""
    page = user.page
    page.get_by_text(f"Group {EVIL}").first.wait_for()
    page.get_by_text(f"Summary {EVIL}").first.wait_for()
    user.line().press_sequentially("SPEAK-EVIL <")
    page.get_by_role("option", name="<b>choice</b>").wait_for()
    user.line().fill("")
    user.go("#/run/SPEAK-EVIL")
    page.get_by_text(f"Argument {EVIL}").first.wait_for()
    user.button("Run").click()
    page.get_by_role("dialog", name=f"Really {EVIL}?").get_by_role("button", name="Run").click()
    page.get_by_role("article").first.get_by_text(f"text {EVIL}").wait_for()
    user.go("#/")
    shown = {
        "lines": f"line {EVIL}",
        "table": f"cell {EVIL}",
        "tree": f"key {EVIL}",
        "error": f"Error {EVIL}",
        f'"{EVIL}"': "is not one of",
    }
    for how, text in shown.items():
        user.type(f"SPEAK-EVIL {how}")
        page.get_by_role("dialog").get_by_role("button", name="Run").click()
        page.get_by_role("article").first.get_by_text(text).first.wait_for()
    user.type("STREAM-EVIL")
    user.run("STREAM-EVIL").get_by_text(f"part {EVIL}").wait_for()
    user.run("STREAM-EVIL").get_by_text(f"progress {EVIL}").wait_for()
    Steer.go.release()
    user.ended("STREAM-EVIL")
    user.type("RUN-EVIL")
    user.ended("RUN-EVIL").get_by_text(f"part {EVIL}").wait_for()
    user.go("#/jobs")
    page.get_by_role("cell", name="RUN-EVIL").first.wait_for()
    user.go("#/jobs/1")
    page.get_by_text(f"part {EVIL}").first.wait_for()
    assert page.locator("img[onerror], b").count() == 0
