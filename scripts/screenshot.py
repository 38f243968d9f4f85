"""Takes the README's picture of the page: `python scripts/screenshot.py [--to docs/web.png]`.

It starts a real server with a few commands, signs in with Chromium, runs some of them, and looks. It needs Chromium and
certutil (apt-get install chromium libnss3-tools), and installs Playwright beside the tests' other packages.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent

if TYPE_CHECKING:
    from tests.browser.visitor import Visitor

PICTURE = ROOT / "docs" / "web.png"
MOST_BYTES = 200_000
"""What a picture in the repository may have."""
WIDTH, HEIGHT = 1200, 760
CONFIGURATION = """
[web]
enabled = true

[commands]
modules = ["{commands}"]

[commands.DISK]
run = ["df", "-h", "--output=target,size,used,avail,pcent", "{{path}}"]
arguments.path = {{ choices = ["/", "/srv", "/var"], default = "/", summary = "mount point" }}
summary = "Disk usage"
idempotent = true
"""


@contextmanager
def serving(place: Path) -> Iterator[tuple[str, str]]:
    """Run a server in a directory; gives its address and a token."""
    from scripts._server import DEFAULT_PORT, choose_port  # noqa: PLC0415 - of the checkout alone

    program, data, certs = [sys.executable, "-m", "secure_server"], place / "data", place / "certs"
    places = ["--certs-dir", str(certs), "--data-dir", str(data)]
    environment = os.environ | {"LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)}
    subprocess.run([*program, "certs", "ensure", "--dir", str(certs)], check=True, capture_output=True, env=environment)
    make = [*program, "token", "create", "alice", "--role", "operator", "--quiet", "--data-dir", str(data)]
    token = subprocess.run(make, check=True, capture_output=True, text=True, env=environment).stdout.strip()
    (place / "server.toml").write_text(CONFIGURATION.format(commands=ROOT / "scripts" / "_shown.py"), "utf-8")
    run = [*program, "run", "--port", str(choose_port(DEFAULT_PORT)), "--config", str(place / "server.toml"), *places]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True, env=environment, cwd=place) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            line = process.stdout.readline()
            yield f"https://localhost:{int(line.rpartition(':')[2])}", token
        finally:
            process.terminate()


def take(to: Path) -> None:
    """Take the picture."""
    from tests import packages  # noqa: PLC0415 - as above
    from tests.browser import chromium  # noqa: PLC0415 - as above
    from tests.browser.visitor import Visitor  # noqa: PLC0415 - as above

    kept = ROOT / ".pytest_cache" / "d" / "foreign"
    kept.mkdir(parents=True, exist_ok=True)
    sys.path.append(str(packages.python_packages(kept, chromium.DRIVER)))
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - installed by now

    with tempfile.TemporaryDirectory(prefix="screenshot-") as name, serving(Path(name)) as (origin, token):
        home = chromium.trusting(Path(name) / "home", Path(name) / "certs" / "ca.pem")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(**chromium.options(home))
            context = browser.new_context(
                viewport={"width": WIDTH, "height": HEIGHT},
                locale="en-GB",
                color_scheme="light",
                reduced_motion="reduce",
            )
            visitor = Visitor(context, origin)
            visitor.open()
            visitor.sign_in(token)
            show(visitor)
            visitor.page.screenshot(path=to)
            browser.close()


def show(visitor: Visitor) -> None:
    """Have on the page what it is for: tables, and a job that goes on."""
    visitor.type("DEPLOY staging")
    visitor.run("DEPLOY staging").get_by_text("migrating the database").first.wait_for()
    visitor.type("SERVICES")
    visitor.ended("SERVICES")


def main(arguments: Sequence[str]) -> int:
    """Take it, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python scripts/screenshot.py", description="Takes the picture of the page.")
    parser.add_argument("--to", type=Path, default=PICTURE, help="where to (default: docs/web.png)")
    to = parser.parse_args(arguments).to
    sys.path.insert(0, str(ROOT))
    from tests.browser import chromium  # noqa: PLC0415 - as above

    if why := chromium.missing():
        print(why, file=sys.stderr)
        return 1
    take(to)
    print(f"{to}: {to.stat().st_size} bytes")
    return int(to.stat().st_size > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
