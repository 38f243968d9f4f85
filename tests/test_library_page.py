"""docs/library.md: each of its examples runs as it stands, against a real server."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from secure_server.commands import Context, command
from secure_server.testing import CommandServer

PAGE = Path(__file__).parent.parent / "docs" / "library.md"
EXAMPLES = re.findall(
    r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
)
BLOCKS = {
    title: block for title, text in EXAMPLES for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
}


@command("COUNT-DOWN", summary="Count down", job=True)
def count_down(context: Context, start: int) -> Iterator[str]:
    """Count down."""
    for number in range(start, 0, -1):
        context.progress(1 - number / start, "counting")
        yield str(number)


@command("GREET", summary="Greet somebody", role="operator")
def greet(_context: Context, name: str) -> str:
    """Greet somebody."""
    return f"Hello, {name}"


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`my_commands`, as an author has them in a module."""
    module = ModuleType("my_commands")
    for one in (count_down, greet):
        monkeypatch.setattr(one, "__module__", "my_commands")
        setattr(module, one.__name__, one)
    monkeypatch.setitem(sys.modules, "my_commands", module)
    return module


@pytest.fixture
def where(commands: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server with the page's commands, its token in the environment, and `certs` where the page looks for it."""
    (tmp_path / "server").mkdir()
    with CommandServer(tmp_path / "server", [commands]) as server:
        shutil.copytree(server.ca.parent, tmp_path / "certs")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("SECURE_CLIENT_TOKEN", server.token("admin"))
        yield server.address


PRINTED = {
    "A client": ["hello"],
    "Types": [r"hello \S+T\S+ \('.*'\)"],
    "Many commands": ["'one'", r"CommandFailed\('ERR', 'Unknown command\..*'\)", "'two'"],
    "Long answers": [
        rf"{part} (?:Progress\(.*\)|None)" for part in (3, 2, 1)
    ],  # a part may be there before its progress
    "Jobs": ["0 3", "1 2", "2 1", "OK", "1 COUNT-DOWN.* done", "OK"],
    "News": ["None"],
    "asyncio": [r"\['a', 'b'\]", "2", "1", "0 2", "1 1"],
    "A server inside a program": [r"127\.0\.0\.1:\d+"],
}


def test_each_example_is_known() -> None:
    """One that is added is tested, too."""
    assert {*PRINTED, "Tests of your commands"} == set(BLOCKS)


@pytest.mark.parametrize("title", PRINTED)
def test_an_example_runs(title: str, where: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As it stands, but for the port; and prints what it should."""
    first = "" if title == "A client" else BLOCKS["A client"].partition("with ")[0]
    exec(compile(first + "import my_commands\n" + BLOCKS[title].replace("localhost:5000", where), title, "exec"), {})  # noqa: S102 - the page's own
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(PRINTED[title]), lines
    for line, form in zip(lines, PRINTED[title], strict=True):
        assert re.fullmatch(form, line), (form, line)


COMMANDS = """
from secure_server.commands import Context, command

@command("GREET", summary="Greet somebody", role="operator")
def greet(context: Context, name: str) -> str:
    return f"Hello, {name}"
"""


@pytest.mark.long
def test_the_fixture_is_found_by_a_suite_of_its_own(tmp_path: Path) -> None:
    """Which has nothing of ours but what is installed; its own commands and tests."""
    (tmp_path / "my_commands.py").write_text(COMMANDS, encoding="utf-8")
    (tmp_path / "test_mine.py").write_text(BLOCKS["Tests of your commands"], encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr
