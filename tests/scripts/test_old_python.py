"""An old Python gets an explanation, not a SyntaxError."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OLD = ("2.7", "3.6", "3.7", "3.8", "3.9", "3.10")
ENTRIES = ("scripts/quickstart.py", "scripts/test.py")


def interpreter(release: str) -> str | None:
    """A real interpreter of that release, from the path or from pyenv."""
    candidates = [shutil.which(f"python{release}")]
    candidates += [str(path) for path in Path.home().glob(f".pyenv/versions/{release}.*/bin/python")]
    for candidate in filter(None, candidates):
        probe = subprocess.run([candidate, "--version"], capture_output=True, check=False)
        if probe.returncode == 0:
            return candidate
    return None


@pytest.mark.parametrize(("release", "entry"), [*zip(OLD, ENTRIES * 3, strict=True)])
def test_old_python_is_told_which_one_to_use(release: str, entry: str, tmp_path: Path) -> None:
    """It names the release that is needed, its own, and the suitable one that the machine has."""
    old = interpreter(release)
    if old is None:
        pytest.skip(f"no Python {release} on this machine")
    (tmp_path / "python3.12").symlink_to(shutil.which("true") or "/bin/true")
    done = subprocess.run(
        [old, entry, "-x"], cwd=ROOT, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    expected = rf"Python 3\.11 or newer is needed; this is {release}\.\d+\. Try: python3\.12 {entry} -x\n"
    assert re.fullmatch(expected, done.stderr)


def test_broken_launcher_is_not_recommended(tmp_path: Path) -> None:
    """A python3.12 that does not run, as a version switcher leaves it, is not the one to try."""
    old = next(filter(None, map(interpreter, OLD)), None)
    if old is None:
        pytest.skip("no Python older than 3.11 on this machine")
    (tmp_path / "python3.12").symlink_to(shutil.which("false") or "/bin/false")
    done = subprocess.run(
        [old, ENTRIES[0]], cwd=ROOT, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert "Install one with your system's packages" in done.stderr


@pytest.mark.parametrize("name", [*ENTRIES, "scripts/_refuse_old_python.py"])
def test_entry_needs_no_new_syntax(name: str) -> None:
    """The files an old Python reads hold nothing that it cannot parse, also where none is here to try."""
    tree = ast.parse((ROOT / name).read_text("ascii"), feature_version=(3, 7))
    newer = (ast.JoinedStr, ast.AnnAssign, ast.FunctionDef, ast.NamedExpr, ast.Starred, ast.Match)
    assert not [node for node in ast.walk(tree) if isinstance(node, newer)]


@pytest.mark.parametrize("entry", ENTRIES)
def test_new_python_is_let_in(entry: str) -> None:
    """This Python gets the help of the command."""
    done = subprocess.run([sys.executable, entry, "--help"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert f"usage: python3 {entry}" in done.stdout
