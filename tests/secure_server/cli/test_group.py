"""The program `secure-server` as a group of commands."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from secure_protocol.token import Token
from secure_server import __version__
from secure_server.cli import _COMMANDS, main


def test_help_and_version() -> None:
    """Every command with its sentence, `-h` too."""
    shown = CliRunner().invoke(main, ["-h"])
    assert shown.exit_code == 0
    assert all(
        name in shown.output and sentence.split(".")[0][:30] in shown.output for name, sentence in _COMMANDS.items()
    )
    assert CliRunner().invoke(main, ["--version"]).output == f"secure-server, version {__version__}\n"


@pytest.mark.parametrize("name", sorted(_COMMANDS))
def test_every_command_is_there(name: str) -> None:
    """Each is imported when called, and shows its own help."""
    shown = CliRunner().invoke(main, [name, "--help"])
    assert shown.exit_code == 0, shown.output
    assert f"Usage: main {name}" in shown.output


@pytest.mark.parametrize(
    "words", [["{}"], ["token", "{}"], ["token", "create", "a", "--role", "{}"], ["certs", "show", "{}"]]
)
def test_a_mistake_does_not_repeat_a_token(words: list[str]) -> None:
    """A usage error quotes what was typed; of a token in a wrong place, its public id alone."""
    token = Token.generate()
    shown = CliRunner().invoke(main, [word.format(token.reveal()) for word in words])
    assert shown.exit_code == 2
    assert f"scs_{token.id}_…" in shown.output
    assert token.secret[:4] not in shown.output


def test_an_unknown_command_is_a_usage_error() -> None:
    """Exit code 2, and the word."""
    shown = CliRunner().invoke(main, ["dance"])
    assert (shown.exit_code, "dance" in shown.output) == (2, True)
    assert isinstance(main, click.Group)


def test_a_command_does_not_import_what_others_need() -> None:
    """`token` starts without the server."""
    code = "import sys, secure_server.cli as c; c.main(['token', '--help'], standalone_mode=False);"
    code += "sys.exit('secure_server.server' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_it_runs_as_a_module() -> None:
    """`python -m secure_server`."""
    done = subprocess.run(
        [sys.executable, "-m", "secure_server", "--version"], capture_output=True, text=True, timeout=30, check=True
    )
    assert __version__ in done.stdout
