"""For everybody: whom axe-core would find kept out, narrow screens, both themes, the keyboard alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from secure_server.auth.principal import Role
from tests.browser import axe
from tests.browser.conftest import Visit
from tests.browser.visitor import Visitor, miscopied
from tests.integration.running import Running

pytestmark = pytest.mark.long

Scene = Callable[[Visitor, Running], None]

PHONE = {"width": 390, "height": 844}
TABLET = {"width": 820, "height": 1180}
WIDE = {"width": 1280, "height": 800}

OVERFLOWING = """
() => {
  const page = document.scrollingElement;
  const cut = ({ left, right }) => right > page.clientWidth + 0.5 || left < -0.5;
  const scrolls = (one) =>
    one && (/auto|scroll|hidden|clip/.test(getComputedStyle(one).overflowX) || scrolls(one.parentElement));
  const found = [...document.body.querySelectorAll("*")]
    .filter((one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
    .filter((one) => cut(one.getBoundingClientRect()) && !scrolls(one.parentElement) && !one.closest(".unseen, .skip"))
    .map((one) => one.outerHTML.slice(0, 150));
  return page.scrollWidth > page.clientWidth ? [`the page is ${page.scrollWidth} wide`, ...found] : found;
}
"""
"""What is cut at the side, of what does not scroll by itself."""

SMALL = """
() => [...document.querySelectorAll("button, select, input, textarea, a.button, nav a, summary")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }))
  .filter((one) => !one.closest(".unseen, .skip") && one.tabIndex >= 0)
  .map((one) => (/checkbox|radio/.test(one.type) && one.closest("label")) || one)
  .map((one) => [one.getBoundingClientRect(), one])
  .filter(([{ width, height }]) => width && (height < 43.5 || width < 43.5))
  .map(([{ width, height }, one]) => `${Math.round(width)}x${Math.round(height)} ${one.outerHTML.slice(0, 150)}`)
"""
"""What a finger misses: 44 pixels either way is what it takes."""

FOCUSABLE = """
() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")]
  .filter((one) => one.tabIndex >= 0 && !one.disabled && one.checkVisibility({ visibilityProperty: true }))
  .filter((one) => !one.closest("[inert]"))
  .map((one, number) => { one.dataset.reach = number; return `${number} ${one.outerHTML.slice(0, 120)}`; })
"""
FOCUSED = """
() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const style = getComputedStyle(one);
  const parts = one.type === "datetime-local"; // the browser marks the part of it that has the focus
  const seen = parts || one.matches(":focus-visible") && (style.outlineStyle !== "none" || style.boxShadow !== "none");
  return [one.dataset.reach ?? "", seen, one.outerHTML.slice(0, 120)];
}
"""


def door(visitor: Visitor, _running: Running) -> None:
    """Where nobody is signed in."""
    visitor.asked_for_token()


def shut_door(visitor: Visitor, running: Running) -> None:
    """Where somebody did not get in."""
    visitor.try_token(miscopied(running.token()))
    visitor.page.get_by_role("alert").wait_for()


def console(visitor: Visitor, running: Running) -> None:
    """What an administrator sees first: most of all."""
    visitor.sign_in(running.token(Role.ADMIN))
    visitor.main().get_by_role("link", name="CLOCK").wait_for()  # the commands have come
    visitor.page.get_by_role("navigation").get_by_role("link", name="Jobs").wait_for()


def account(visitor: Visitor, running: Running) -> None:
    """What is said of oneself."""
    console(visitor, running)
    visitor.button("Account: admin").click()
    visitor.button("Sign out").wait_for()


def messages(visitor: Visitor, running: Running) -> None:
    """A notice, and the list of them."""
    console(visitor, running)
    with running.resp(running.token(Role.ADMIN)) as admin:
        admin.ask("BROADCAST", "The machines are restarted at noon. " * 5)
        admin.ask("BROADCAST", "x" * 100)
    visitor.page.get_by_role("button", name="Messages: 2 new").click()
    visitor.page.get_by_role("dialog").wait_for()


def form(visitor: Visitor, running: Running) -> None:
    """Every kind of argument."""
    console(visitor, running)
    visitor.go("#/run/DEPLOY?service=web")
    visitor.text("A link filled this form").wait_for()


def secrets(visitor: Visitor, running: Running) -> None:
    """A form that asks for one."""
    console(visitor, running)
    visitor.go("#/run/UNLOCK")
    visitor.main().get_by_label("code").wait_for()


def file(visitor: Visitor, running: Running) -> None:
    """A form that takes one."""
    console(visitor, running)
    visitor.go("#/run/TAKE-IN")
    visitor.main().get_by_label("dump").first.wait_for()


def question(visitor: Visitor, running: Running) -> None:
    """Before harm is done."""
    console(visitor, running)
    visitor.go("#/run/WIPE?disk=sda")
    visitor.button("Run").click()
    visitor.page.get_by_role("dialog").wait_for()


def answers(visitor: Visitor, running: Running) -> None:
    """A table, a tree, a failure, lines, a stream that goes on, a job."""
    console(visitor, running)
    for line in ("MACHINES", "TREE", "CLOCK"):
        visitor.type(line)
        visitor.ended(line)
    visitor.type("DEPLOY nowhere")
    visitor.ended("DEPLOY nowhere", "failed")
    visitor.type("PRINT 1000")
    visitor.ended("PRINT 1000")
    visitor.type("BUILD shop")
    visitor.run("BUILD shop").get_by_text("shop step 0").wait_for()
    visitor.type(f"ECHO {'x' * 300}")
    visitor.page.get_by_role("article").first.get_by_text("done").wait_for()


def completion(visitor: Visitor, running: Running) -> None:
    """What may follow."""
    console(visitor, running)
    visitor.line().press_sequentially("DEPLOY w")
    visitor.page.get_by_role("option").first.wait_for()


def jobs(visitor: Visitor, running: Running) -> None:
    """All of them."""
    answers(visitor, running)
    visitor.go("#/jobs")
    visitor.page.get_by_role("cell", name="BUILD").first.wait_for()


def job(visitor: Visitor, running: Running) -> None:
    """One of them."""
    answers(visitor, running)
    visitor.go("#/jobs/1")
    visitor.text("shop step 0").first.wait_for()


def nowhere(visitor: Visitor, running: Running) -> None:
    """An address that shows nothing."""
    console(visitor, running)
    visitor.go("#/nowhere")
    visitor.page.get_by_role("heading", name="There is nothing at this address.").wait_for()


SCENES: tuple[Scene, ...] = (
    door,
    shut_door,
    console,
    account,
    messages,
    form,
    secrets,
    file,
    question,
    answers,
    completion,
    jobs,
    job,
    nowhere,
)


@pytest.fixture(scope="session")
def axe_core(pytestconfig: pytest.Config) -> str:
    """The program that looks."""
    return axe.source(pytestconfig)


def look(visit: Visit, running: Running, scene: Scene, axe_core: str, **options: object) -> None:
    """Look at a scene as somebody with these options, and hold that nothing is wrong with it."""
    visitor = visit(reduced_motion="reduce", has_touch=options["viewport"] is PHONE, **options)
    visitor.open()
    scene(visitor, running)
    assert visitor.page.evaluate(OVERFLOWING) == []
    if options["viewport"] is PHONE:
        assert visitor.page.evaluate(SMALL) == []
    assert axe.findings(visitor.page, axe_core) == []


@pytest.mark.parametrize("scene", SCENES)
def test_everybody_can_use_it(visit: Visit, served: Running, scene: Scene, axe_core: str) -> None:
    """On a phone by day."""
    look(visit, served, scene, axe_core, viewport=PHONE, color_scheme="light")


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize(("viewport", "scheme"), [(WIDE, "light"), (WIDE, "dark"), (PHONE, "dark"), (TABLET, "light")])
def test_everybody_can_use_it_elsewhere(
    visit: Visit, served: Running, scene: Scene, axe_core: str, viewport: dict[str, int], scheme: str
) -> None:
    """On larger screens, and by night."""
    look(visit, served, scene, axe_core, viewport=viewport, color_scheme=scheme)


def test_it_speaks_portuguese(visit: Visit, served: Running, axe_core: str) -> None:
    """Where the browser does; longer words are not cut."""
    visitor = visit(locale="pt-BR", viewport=PHONE)
    visitor.open()
    visitor.page.get_by_role("heading", name="Entrar").wait_for()
    assert visitor.page.evaluate("() => document.documentElement.lang") == "pt-BR"
    assert visitor.page.evaluate(OVERFLOWING) == []
    visitor.page.get_by_label("Token", exact=True).fill(served.token())
    visitor.button("Entrar").click()
    visitor.says("Conectado")
    assert visitor.page.evaluate(OVERFLOWING) == []
    assert axe.findings(visitor.page, axe_core) == []


@pytest.mark.parametrize("scene", [scene for scene in SCENES if scene is not completion])
def test_the_keyboard_reaches_everything(visit: Visit, served: Running, scene: Scene) -> None:
    """By Tab, in an order without a trap, and it is seen where it is."""
    visitor = visit(viewport=WIDE)
    visitor.open()
    scene(visitor, served)
    everything = visitor.page.evaluate(FOCUSABLE)
    if visitor.page.get_by_role("dialog").count():
        everything = [
            one for one in everything if visitor.page.locator(f"dialog [data-reach='{one.split()[0]}']").count()
        ]
    reached: dict[str, None] = {}
    for _ in range(2 * len(everything) + 10):
        visitor.page.keyboard.press("Tab")
        focused = visitor.page.evaluate(FOCUSED)
        if focused is None:
            continue
        number, seen, what = focused
        assert seen, f"focused, and not seen to be: {what}"
        reached[number] = None
    assert [one for one in everything if one.split()[0] not in reached] == []


def test_one_signs_in_and_out_by_keyboard(visitor: Visitor, served: Running) -> None:
    """Enter sends a form, Escape closes what was opened, and focus goes back to where it was."""
    visitor.page.keyboard.insert_text(served.token())  # the field has the focus from the start
    visitor.page.keyboard.press("Enter")
    visitor.connected()
    button = visitor.button("Account: user")
    button.focus()
    visitor.page.keyboard.press("Enter")
    visitor.button("Sign out").wait_for()
    visitor.page.keyboard.press("Escape")
    visitor.button("Sign out").wait_for(state="hidden")
    assert button.evaluate("(one) => one === document.activeElement")
    visitor.page.keyboard.press("Enter")
    visitor.button("Sign out").focus()
    visitor.page.keyboard.press("Enter")
    visitor.asked_for_token()


def test_the_line_holds_nobody(visitor: Visitor, served: Running) -> None:
    """Tab completes there; it goes on where nothing may follow, and behind Escape."""
    visitor.sign_in(served.token())
    visitor.line().press_sequentially("nothing-that-there-is")
    visitor.line().press("Tab")
    visitor.page.wait_for_function("() => document.activeElement?.getAttribute('aria-label') === 'Run'")
    visitor.line().fill("DEPLOY ")
    visitor.line().press("End")
    visitor.line().press("Tab")
    visitor.page.get_by_role("option", name="worker").wait_for()
    visitor.line().press("Escape")
    visitor.line().press("Tab")
    assert visitor.button("Run").evaluate("(one) => one === document.activeElement")
