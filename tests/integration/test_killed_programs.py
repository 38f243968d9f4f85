"""Programs that are killed at any moment leave directories that work, and lose nothing that they told."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from secure_server.cli import main
from tests.integration.program import ROOT

ROUNDS = 24
START_SECONDS, MOST_SECONDS = 0.2, 1.2
"""When a program is killed: from before it does anything to after its end, on most machines."""


def done(*words: str | Path) -> str:
    """Run a program, which succeeds; return what it said."""
    ended = CliRunner().invoke(main, [str(word) for word in words])
    assert ended.exit_code == 0, (words, ended.output)
    return ended.output


@pytest.mark.long
def test_what_was_told_holds_whenever_a_program_is_killed(tmp_path: Path) -> None:
    """Tokens revoked stay so, the trail is one chain, certificates come into order, a backup that is there is whole."""
    chance = random.Random(7)  # noqa: S311 - no secret, and the same moments each time
    data, certs = ("--data-dir", tmp_path / "data"), ("--certs-dir", tmp_path / "certs")
    done("token", "create", "base", *data)
    done("certs", "ensure", *certs)
    for number in range(ROUNDS):
        copy, revoked = tmp_path / f"copy{number}", f"r{number}"
        done("token", "create", revoked, *data)
        done("backup", tmp_path / f"whole{number}", *data, *certs)
        turns: list[list[str | Path]] = [
            ["token", "rotate", "base", *data],
            ["token", "revoke", revoked, *data],
            ["backup", copy, *data, *certs],
            ["restore", tmp_path / f"whole{number}", *data, *certs, "--force"],
            ["certs", "rollover", *certs],
            ["certs", "rollover", "--finish", *certs],
        ]
        words = turns[number % len(turns)]
        argv = [sys.executable, "-m", "secure_server", *map(str, words)]
        with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:
            try:
                told, _ = program.communicate(timeout=chance.uniform(START_SECONDS, MOST_SECONDS))
            except subprocess.TimeoutExpired:
                program.kill()
                told, _ = program.communicate()
        if words[0] == "restore" and program.returncode:
            done(*words)
        if told.startswith(b"revoked"):
            assert '"active"' not in done("token", "show", revoked, "--json", *data)
        if (copy / "backup.json").exists():
            done("restore", copy, "--data-dir", copy / "new", "--certs-dir", copy / "new-certs")
        done("audit", "verify", *data)
        done("certs", "ensure", *certs)
