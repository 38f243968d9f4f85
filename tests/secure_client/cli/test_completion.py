"""`secure-client completion`: what real shells put on the line, without a server."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from secure_client.catalogue import Catalogue
from secure_client.cli import kept_commands
from secure_client.core.endpoint import Endpoint
from secure_protocol.description import ArgumentDescription, CommandDescription
from tests.terminal.screen import Screen
from tests.terminal.test_repl import ENTER

ROOT = Path(__file__).parents[3]
COMMANDS = Catalogue(
    [
        CommandDescription("PING"),
        CommandDescription("SERVICE RESTART", arguments=(ArgumentDescription("name", choices=("web", "worker")),)),
        CommandDescription("SERVICE STATUS"),
        CommandDescription("DEPLOY", arguments=(ArgumentDescription("force", type="bool", flag=True, optional=True),)),
    ]
)
HARNESS = """
eval "$(secure-client completion bash)"
COMP_LINE=$1
COMP_POINT=${#COMP_LINE}
compopt() { echo "compopt $*"; }
_secure_client_completion secure-client
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two profiles, and the commands of one of them."""
    monkeypatch.setenv("SECURE_CLIENT_HOME", str(tmp_path))
    saved = '{"work": {"endpoint": "example.org:5000"}, "home": {"endpoint": "localhost:7000", "default": true}}'
    (tmp_path / "profiles.json").write_text(saved, encoding="utf-8")
    (tmp_path / "profiles.json").chmod(0o600)
    kept_commands.keep(Endpoint.parse("example.org:5000"), COMMANDS)
    program = tmp_path / "bin" / "secure-client"
    program.parent.mkdir()
    start = f'PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} -m secure_client "$@"'
    program.write_text(f"#!/bin/sh\n{start}\n", encoding="utf-8")
    program.chmod(0o755)
    return tmp_path


def surroundings(home: Path) -> dict[str, str]:
    """The environment of a shell that has the program."""
    own = {"SECURE_CLIENT_HOME": str(home), "HOME": str(home), "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
    return {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", **own}


def said(home: Path, *argv: str) -> list[str]:
    """The lines that a shell writes, which skips the test where it is not there."""
    if shutil.which(argv[0]) is None:
        pytest.skip(f"needs {argv[0]}")
    done = subprocess.run(argv, capture_output=True, text=True, env=surroundings(home), timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split("\n")[:-1]


def bash(home: Path, line: str) -> list[str]:
    """What bash's function says for a line with the cursor at its end."""
    return said(home, "bash", "--norc", "-c", HARNESS, "bash", line)


def fish(home: Path, line: str) -> list[str]:
    """What fish offers for a line with the cursor at its end."""
    program = f"secure-client completion fish | source; complete -C {shlex.quote(line)}"
    return [offered.partition("\t")[0] for offered in said(home, "fish", "--no-config", "-c", program)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("secure-client pro", ["profile"]),
        ("secure-client wo", ["work"]),
        ("secure-client localhost:70", ["7000"]),
        ("secure-client profile sh", ["show"]),
        ("secure-client profile remove h", ["home"]),
        ("secure-client --js", ["--json"]),
        ("secure-client -p ", ["work", "home"]),
        ("secure-client work -c pi", ["PING"]),
        ("secure-client example.org:5000 -c pi", ["PING"]),
        ("secure-client -p work -c 'SERVICE RESTART w", ["SERVICE RESTART web", "SERVICE RESTART worker"]),
        ('secure-client work -c "SERVICE ', ["SERVICE RESTART", "SERVICE STATUS"]),
        (r"secure-client work -c SERVICE\ ST", [r"SERVICE\ STATUS"]),
        ("secure-client work -c 'DEPLOY --", ["DEPLOY --force"]),
        ("secure-client home -c P", [""]),
        ("secure-client nowhere:x -c P", [""]),
    ],
)
def test_bash_completes(home: Path, line: str, found: list[str]) -> None:
    """Options, subcommands, servers, and commands of the server that the line names."""
    assert bash(home, line) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("secure-client pro", ["profile"]),
        ("secure-client localhost:70", ["localhost:7000"]),
        ("secure-client profile remove h", ["home"]),
        ("secure-client --js", ["--json"]),
        ("secure-client -p ", ["home", "work"]),
        ("secure-client work -c pi", ["PING"]),
        ("secure-client -p work -c 'SERVICE RESTART w", ["SERVICE RESTART web", "SERVICE RESTART worker"]),
        (r"secure-client work -c SERVICE\ ST", ["SERVICE STATUS"]),
        ("secure-client home -c P", []),
    ],
)
def test_fish_completes(home: Path, line: str, found: list[str]) -> None:
    """The same, in its own way."""
    assert fish(home, line) == found


@pytest.mark.long
@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("pro", "profile"),
        ("localhost:70", "localhost:7000"),
        ("profile remove h", "profile remove home"),
        ("--js", "--json"),
        ("work -c pi", "work -c PING"),
        ("work -c 'DEPLOY --", "work -c 'DEPLOY --force'"),
        (r"work -c SERVICE\ ST", r"work -c SERVICE\ STATUS"),
        ("-p work -c 'SERVICE RESTART w", "SERVICE RESTART web SERVICE RESTART worker"),
    ],
)
def test_zsh_completes(home: Path, typed: str, shown: str) -> None:
    """A real one at a real terminal, in which Tab is pressed."""
    if shutil.which("zsh") is None:
        pytest.skip("needs zsh")
    with Screen(["zsh", "-f", "-i"], surroundings(home)) as screen:
        screen.type("PS1='> '; autoload -Uz compinit; compinit -u -D; ")
        screen.type("eval \"$(secure-client completion zsh)\"; clear; echo rea''dy" + ENTER)
        screen.wait("ready")
        screen.wait(lambda: screen.typing == ">")
        screen.type(f"secure-client {typed}\t")
        screen.wait(shown if shown.startswith("SERVICE") else f"> secure-client {shown}")


def test_what_is_damaged_completes_nothing_and_says_nothing(home: Path) -> None:
    """Somebody is typing."""
    for path in (home / "commands").glob("*.json"):
        path.write_bytes(b'{"')
    assert bash(home, "secure-client work -c P") == [""]
    (home / "profiles.json").write_bytes(b"{")
    assert bash(home, "secure-client work -c P") == [""]


def test_only_what_changed_is_written_and_so_many_are_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A private file for each server."""
    monkeypatch.setattr(kept_commands, "MOST_FILES", 2)
    (path,) = (home / "commands").glob("*.json")
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.stat().st_ino
    kept_commands.keep(Endpoint.parse("example.org:5000"), COMMANDS)
    assert path.stat().st_ino == before
    os.utime(path, (0, 0))
    for port in (1, 2):
        kept_commands.keep(Endpoint.parse(f"localhost:{port}"), COMMANDS)
    assert len(list((home / "commands").iterdir())) == 2
    assert not path.exists()
