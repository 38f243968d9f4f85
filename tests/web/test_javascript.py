"""The page's own tests, in JavaScript: run by node, and its types checked by TypeScript."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import packages

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
STATIC = Path("secure_server", "web", "static")
SECONDS = 120.0
"""For one file of tests, which takes a second or two."""
TYPESCRIPT = {"typescript": "typescript@5.9"}
STRICT = {
    "allowJs": True,
    "checkJs": True,
    "strict": True,
    "noEmit": True,
    "noUnusedLocals": True,
    "noImplicitReturns": True,
    "target": "es2022",
    "module": "es2022",
    "moduleResolution": "bundler",
    "lib": ["es2023", "dom", "dom.iterable"],
    "types": [],
}


@functools.cache
def without_node() -> str:
    """Return why nothing can be run by node; empty where it can."""
    if shutil.which("node") is None:
        return "needs node: apt-get install nodejs"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < packages.OLDEST_NODE:
        return f"needs Node.js {packages.OLDEST_NODE} or newer; found {version}"
    return ""


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A copy of the page and its tests whose files node takes for modules: in the page's directory nothing says so."""
    if why := without_node():
        pytest.skip(why)
    shutil.copytree(ROOT / STATIC, tmp_path / STATIC)
    shutil.copytree(HERE, tmp_path / "tests" / "web", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", sorted(path.name for path in HERE.glob("*.test.js")))
@pytest.mark.usefixtures("unmeasured")
def test_unit(modules: Path, name: str) -> None:
    """Each file of tests passes."""
    argv = ["node", "--test", "--test-reporter=tap", f"tests/web/{name}"]
    done = subprocess.run(argv, cwd=modules, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert "# pass 0" not in done.stdout


@pytest.mark.long
@pytest.mark.usefixtures("unmeasured")
def test_types(pytestconfig: pytest.Config, modules: Path) -> None:
    """Comments say which types there are, and TypeScript finds nothing that contradicts them."""
    place = packages.node_packages(packages.kept(pytestconfig), TYPESCRIPT)
    project = modules / "tsconfig.json"
    project.write_text(json.dumps({"compilerOptions": STRICT, "include": [f"{STATIC.as_posix()}/**/*.js"]}), "utf-8")
    argv = ["node", str(place / "node_modules" / "typescript" / "bin" / "tsc"), "--project", str(project)]
    done = subprocess.run(argv, cwd=modules, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout
