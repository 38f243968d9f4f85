"""A browser, a server that serves it, and what both said where a test fails."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.browser import chromium, console_commands
from tests.browser.visitor import Visitor
from tests.integration.running import Running
from tests.terminal.fault_proxy import FaultProxy

Visit = Callable[..., Visitor]
"""`visit()`, `visit(port=proxy.port, viewport={"width": 390, "height": 844}, color_scheme="dark")`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip all of this room where no browser can be driven."""
    if why := chromium.missing():
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def home(certificates: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the browser finds that it trusts our CA."""
    return chromium.trusting(tmp_path_factory.mktemp("home"), certificates / "ca.pem")


@pytest.fixture(scope="module")
def driver(pytestconfig: pytest.Config) -> Iterator[chromium.Driver]:
    """Playwright's Chromium."""
    with chromium.driver(pytestconfig) as started:
        yield started


@pytest.fixture(scope="module")
def browser(driver: chromium.Driver, home: Path) -> Iterator[chromium.Browser]:
    """A browser, for the tests of one file: each visits with a memory of its own."""
    started = driver.launch(**chromium.options(home))
    yield started
    started.close()


class Console(Running):
    """A server with the page, and commands to try it with, also after a restart."""

    def _make(self) -> None:
        super()._make()
        self.server.registry.load([console_commands])


@pytest.fixture
def served(certificates: Path, tmp_path: Path) -> Iterator[Running]:
    """A server for browsers; what its commands noted before is forgotten."""
    console_commands.Steer.forget()
    with Console(certificates, tmp_path / "console", {"web": {"enabled": True}}) as running:
        yield running


@pytest.fixture
def proxy(served: Running) -> Iterator[FaultProxy]:
    """The network between the page and the server."""
    with FaultProxy(served.port) as started:
        yield started


@pytest.fixture
def visits() -> list[Visitor]:
    """Those of this test."""
    return []


@pytest.fixture
def visit(browser: chromium.Browser, served: Running, proxy: FaultProxy, visits: list[Visitor]) -> Iterator[Visit]:
    """Sit down at a browser of one's own; in the end the browser must have had nothing to complain of.

    Server and network stay until the browser is closed: that they go would be a complaint.
    """

    def sit_down(port: int = 0, **options: object) -> Visitor:
        context = browser.new_context(**{"locale": "en-GB", "timezone_id": "Europe/Lisbon", **options})
        visits.append(Visitor(context, f"https://localhost:{port or served.port}"))
        return visits[-1]

    yield sit_down
    complaints = [complaint for one in visits for complaint in one.complaints()]
    for one in visits:
        one.page.context.close()
    assert not complaints, complaints


@pytest.fixture
def visitor(visit: Visit) -> Visitor:
    """Somebody at the page's door."""
    sitting = visit()
    sitting.open()
    return sitting


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what was on the page, and in the browser's console, where a test failed."""
    report = yield
    if report.when == "call" and report.failed and isinstance(item, pytest.Function):
        visits, place = item.funcargs.get("visits"), item.funcargs.get("tmp_path")
        if isinstance(visits, list) and isinstance(place, Path):
            for number, one in enumerate(visits):
                report.sections.append((f"browser {number}", _seen(one, place / f"page{number}.png")))
    return report


def _seen(visitor: Visitor, picture: Path) -> str:
    lines = [f"at {visitor.page.url}", *visitor.said[-30:]]
    try:
        lines += [f"picture: {visitor.picture(picture)}", visitor.page.locator("body").aria_snapshot(timeout=2000)]
    except Exception as error:  # noqa: BLE001 - whatever keeps us from looking must not hide the failure
        lines.append(f"no picture: {error}")
    return "\n".join(lines)
