"""The fuzzing run: its seeds, its bound, what it says; with a stand-in for atheris that tries the seeds alone."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import fuzz

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60.0

STAND_IN = """
import contextlib, pathlib, sys

instrument_imports = lambda include: contextlib.nullcontext()

def Setup(argv, one_input):
    global run, options
    run, options = one_input, argv[1:]

def Fuzz():
    corpus = [path for path in pathlib.Path(options[0]).iterdir()]
    print(f"{len(corpus)} seeds", *options[1:])
    for path in corpus:
        run(path.read_bytes())
    run(b"")
"""
"""Runs every seed once, where atheris would go on from them."""


def run(tmp_path: Path, *arguments: str, breaking: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script with the stand-in, and after `breaking` what it tests."""
    (tmp_path / "atheris.py").write_text(STAND_IN + breaking, encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "fuzz.py"), *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_every_seed_holds_the_harness_invariant(tmp_path: Path) -> None:
    """The harness itself runs, in each of its ways, and the time given is passed on."""
    done = run(tmp_path, "--seconds", "7", "--findings", str(tmp_path / "found"))
    assert done.returncode == 0, done.stdout + done.stderr
    count = 3 * len(list(fuzz.SEEDS.glob("*.bin")))
    assert done.stdout.startswith(f"{count} seeds -max_total_time=7 ")
    assert done.stdout.endswith("Nothing found in 7 s.\n")


def test_a_finding_is_told(tmp_path: Path) -> None:
    """When the invariant does not hold the exit code says so, and the sentence where the input is."""
    breaking = "\nimport secure_protocol.resp_requests as codec\ncodec.RespRequestDecoder.decode = lambda *_: [[]]\n"
    done = run(tmp_path, "--findings", str(tmp_path / "found"), breaking=breaking)
    assert done.returncode == 1
    assert "AssertionError" in done.stderr
    assert f"does not hold; the input is in {tmp_path / 'found'}." in done.stderr


def test_where_atheris_is_missing_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command is for this very interpreter."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert fuzz.main(["--seconds", "1"]) == 2
    assert f"{sys.executable} -m pip install atheris" in capsys.readouterr().err


def test_seeds_keep_within_the_longest_input(tmp_path: Path) -> None:
    """Each comes in every way the first byte chooses, cut to what atheris takes."""
    fuzz.seed(tmp_path)
    written = list(tmp_path.iterdir())
    assert {path.read_bytes()[0] for path in written} == {0, 1, 2}
    assert max(path.stat().st_size for path in written) == fuzz.INPUT_BYTES
