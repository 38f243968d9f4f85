"""The examples of docs/http.md, run by curl as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ServerFactory
from tests.integration import example_commands, job_commands
from tests.integration.job_commands import Steer
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.running import Running

PAGE = Path(__file__).resolve().parents[2] / "docs" / "http.md"
EXAMPLES = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
"""Each a command behind `$ `, with what it prints below."""
ABRIDGED = "…"
"""Stands in the page for what differs, or is long."""
BASH, CURL = shutil.which("bash"), shutil.which("curl")

pytestmark = [
    pytest.mark.skipif(CURL is None, reason="there is no curl"),
    pytest.mark.skipif(BASH is None, reason="there is no bash"),
]


@pytest.fixture
def served(server: ServerFactory) -> Iterator[Running]:
    """A server that serves HTTP, with the commands of the examples."""
    Steer.forget()
    running = server(web={"enabled": True})
    running.server.registry.load([example_commands, job_commands])
    yield running
    Steer.released.set()


def prompts(example: str) -> Iterator[tuple[str, str]]:
    """Yield each command with what it prints."""
    for part in re.split(r"^\$ ", example, flags=re.MULTILINE)[1:]:
        said, _, printed = part.replace("\\\n", "").partition("\n")
        yield said, printed


def test_the_page_has_examples() -> None:
    """Of each way to be answered."""
    text = "".join(EXAMPLES)
    for word in (
        "application/json",
        "text/event-stream",
        "text/plain",
        "respond-async",
        "Idempotency-Key",
        "/v1/jobs/",
    ):
        assert word in text or word in PAGE.read_text(encoding="utf-8")
    assert len(EXAMPLES) >= 4


def test_the_examples_are_so(served: Running, tmp_path: Path) -> None:
    """In the order of the page, each in a shell with the page's own function and variables."""
    assert BASH is not None
    head = f"set -e\nTOKEN={served.token()}\ncd {tmp_path}\n"
    (tmp_path / "ca.pem").write_bytes(served.ca.read_bytes())
    for said, printed in (pair for example in EXAMPLES for pair in prompts(example)):
        if said.startswith("call()"):
            head += said.replace("localhost:5000", f"localhost:{served.port}").replace("certs/ca.pem", "ca.pem") + "\n"
            continue
        done = subprocess.run(
            [BASH, "-c", head + said], capture_output=True, text=True, timeout=PATIENCE_SECONDS * 2, check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        assert done.returncode == 0, (said, done.stderr)
        pattern = re.escape(printed).replace(re.escape(ABRIDGED), ".*?")
        assert re.fullmatch(pattern, done.stdout.replace("\r\n", "\n"), re.DOTALL), (said, done.stdout)
