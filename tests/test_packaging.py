"""What is handed on: the source distribution holds what git holds, the wheel the packages, and both say whose it is.

setuptools builds them, without a network, from a copy of what git holds with strays of all kinds beside it.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest

from secure_server import __version__

pytestmark = pytest.mark.long  # each of pip's builds takes its seconds

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("secure_client", "secure_protocol", "secure_server")
SECONDS = 120.0
"""For one build, which takes one or two."""
EGG_INFO = "secure_command_server.egg-info"
STRAYS = (
    # keys and data, where runs put them and where they were left by mistake
    *("certs/ca.pem", "certs/ca-key.pem", "certs/old-20260101/server-key.pem", "certs/notes.md", "certs/client.key"),
    *("data/tokens.db", "data/server_log.txt", "data/audit-2026-01.jsonl", "data/quickstart/token", "token"),
    *("server-key.pem", "docs/server-key.pem", "examples/ops/server-key.pem", "examples/ops/data/tokens.db"),
    *("examples/ops/data/README.md", "secure_server/pki/ca-key.pem", "tests/integration/client-key.pem", ".env"),
    # what programs of the project, of others and of the house leave behind
    *("benchmarks/results/results.md", "benchmarks/results/results.json", "benchmarks/results/echo.svg"),
    *("examples/node/node_modules/redis/README.md", "examples/node/node_modules/redis/package.json"),
    *("examples/node/node_modules/redis/dist/index.js", "examples/node/node_modules/redis/build.py"),
    *("examples/Hello.class", ".venv/pyvenv.cfg", ".venv/lib/python3/site-packages/click/__init__.py"),
    *(".coverage", ".coverage.host.12.abc", "htmlcov/index.html", ".hypothesis/examples/ab/cd", ".ruff_cache/0.1/1"),
    *(".mypy_cache/3.11/secure_server.data.json", ".pytest_cache/README.md", "tests/__pycache__/conftest.pyc"),
    *("secure_server/__pycache__/server.cpython-311.pyc", "scripts/__pycache__/test.cpython-311.pyc"),
    # earlier builds, editors, desktops
    *("build/lib/secure_server/gone.py", "dist/secure_command_server-0.0.9.tar.gz", f"{EGG_INFO}/gone.json"),
    *("secure_server/server.py.orig", "README.md~", "docs/.DS_Store", ".vscode/settings.json", "TODO.md", "setup.log"),
)  # fmt: skip
BUILD = "import sys, setuptools.build_meta as backend; getattr(backend, sys.argv[1])(sys.argv[2])"


def build(hook: str, source: Path, into: Path) -> tuple[Path, str]:
    """Let setuptools build from a directory; return the distribution and what was said about it."""
    into.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-I", "-c", BUILD, hook, str(into)],
        cwd=source, env=environment, capture_output=True, encoding="utf-8", timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (distribution,) = into.iterdir()
    return distribution, done.stdout + done.stderr


def unpack(distribution: Path, into: Path) -> Path:
    """Unpack a source distribution, and return the one directory that is in it."""
    with tarfile.open(distribution) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # releases before 3.11.4 lack filters
        archive.extractall(into)  # noqa: S202 - we built it
    (root,) = into.iterdir()
    return root


def held(root: Path) -> set[str]:
    """The files of an unpacked source distribution, without those that setuptools writes."""
    names = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    return {name for name in names - {"PKG-INFO", "setup.cfg"} if not name.startswith(f"{EGG_INFO}/")}


@pytest.fixture(scope="module")
def tracked() -> frozenset[str]:
    """The files of this checkout that git holds."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a checkout with its .git, to know what belongs into a distribution")
    if shutil.which("git") is None:
        pytest.skip("needs the git program, to know what belongs into a distribution")
    argv = ["git", "ls-files", "-z"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=SECONDS, check=False)
    if done.returncode != 0:
        pytest.skip(f"git does not tell what it holds: {done.stderr.strip()}")
    return frozenset(name for name in done.stdout.split("\0") if (ROOT / name).is_file())


@pytest.fixture(scope="module")
def built(tracked: frozenset[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The source distribution of a checkout full of strays, and what setuptools said."""
    (wanted,) = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    found = [item.version for item in importlib.metadata.distributions(name="setuptools")]
    if not found or int(found[0].partition(".")[0]) < int(wanted.removeprefix("setuptools>=")):
        pytest.skip(f"needs {wanted}, to build with; found {', '.join(found) or 'none'}")
    home = tmp_path_factory.mktemp("packaging")
    checkout = home / "a checkout"
    for name in (*tracked, *STRAYS):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
    for name in tracked:
        shutil.copy(ROOT / name, checkout / name)
    for name in STRAYS:
        assert name not in tracked
        (checkout / name).write_text("stray\n", encoding="utf-8")
    listed = "\n".join([*tracked, *STRAYS])  # as an earlier build may have it, and setuptools takes it up again
    (checkout / EGG_INFO / "SOURCES.txt").write_text(listed, encoding="utf-8")
    return build("build_sdist", checkout, home / "source distribution")


@pytest.fixture(scope="module")
def unpacked(built: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked; do not change what is in it."""
    return unpack(built[0], tmp_path_factory.mktemp("unpacked"))


@pytest.fixture(scope="module")
def wheel(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.Path]:
    """The wheel that the source distribution makes."""
    home = tmp_path_factory.mktemp("wheel")
    shutil.copytree(unpacked, home / "source")
    with zipfile.ZipFile(build("build_wheel", home / "source", home / "wheel")[0]) as archive:
        yield zipfile.Path(archive)


def test_the_source_distribution_holds_what_git_holds(tracked: frozenset[str], unpacked: Path) -> None:
    """All that a packager needs, whatever lies in the checkout: nothing of it, and above all no key, gets in."""
    names = held(unpacked)
    assert not tracked - names, f"MANIFEST.in leaves out {', '.join(sorted(tracked - names))}"
    assert not names - tracked, f"MANIFEST.in takes strays in: {', '.join(sorted(names - tracked))}"


def test_files_are_handed_on_as_they_are(tracked: frozenset[str], unpacked: Path) -> None:
    """Byte by byte, and programs can be run."""
    for name in tracked & held(unpacked):
        ours, theirs = ROOT / name, unpacked / name
        assert theirs.read_bytes() == ours.read_bytes(), name
        assert os.access(theirs, os.X_OK) == os.access(ours, os.X_OK), name


def test_no_line_of_the_manifest_is_without_files(built: tuple[Path, str]) -> None:
    """What was moved or removed is not asked for any more."""
    assert not re.findall(r".*no (?:files|directories) found matching.*", built[1])


def test_the_source_distribution_makes_itself_again(unpacked: Path, tmp_path: Path) -> None:
    """Whoever unpacks, mends and packs it loses nothing; a clean tree, in which nothing was built, gives the same."""
    shutil.copytree(unpacked, tmp_path / "clean", ignore=shutil.ignore_patterns(EGG_INFO, "PKG-INFO", "setup.cfg"))
    again = unpack(build("build_sdist", tmp_path / "clean", tmp_path / "again")[0], tmp_path / "unpacked")
    assert held(again) == held(unpacked)


def test_the_source_distribution_knows_itself(unpacked: Path) -> None:
    """Uninstalled, in its own directory, programs still find their version and what they are started by."""
    (distribution,) = importlib.metadata.distributions(path=[str(unpacked)])
    assert distribution.version == __version__
    assert {entry.name for entry in distribution.entry_points} >= {"secure-client", "secure-server"}


def test_the_wheel_holds_the_packages_alone(tracked: frozenset[str], wheel: zipfile.Path) -> None:
    """Their modules, the marks that they are typed, the compiled catalogs, and the man pages; no tests, no sources."""
    information = f"secure_command_server-{__version__}.dist-info"
    described = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt", "licenses/LICENSE"}
    ours = {name for name in tracked if name.startswith(tuple(f"{package}/" for package in PACKAGES))}
    wanted = {name for name in ours if not name.endswith((".po", ".pot"))}
    assert {f"{package}/py.typed" for package in PACKAGES} < wanted
    assert {name.partition("/")[0] for name in wanted if name.endswith(".mo")} == {"secure_client", "secure_server"}
    names = {name for name in wheel.root.namelist() if not name.endswith("/")}
    data = f"secure_command_server-{__version__}.data/data/share/man/man1"
    manual = {f"{data}/{Path(name).name}" for name in tracked if name.startswith("docs/man/")}
    assert f"{data}/secure-client.1" in manual
    assert names == wanted | {f"{information}/{name}" for name in described} | manual


@pytest.mark.parametrize("kind", ["source distribution", "wheel"])
def test_both_say_whose_it_is_and_for_whom(kind: str, unpacked: Path, wheel: zipfile.Path) -> None:
    """What a package index shows and searches: licence, authors, kinds, words, and the README as the page."""
    (information,) = (item for item in wheel.iterdir() if item.name.endswith(".dist-info"))
    data = (information / "METADATA").read_bytes() if kind == "wheel" else (unpacked / "PKG-INFO").read_bytes()
    metadata = message_from_bytes(data)
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert f"Copyright (c) 2026 {metadata['Author']}\n" in (information / "licenses" / "LICENSE").read_text("utf-8")
    assert metadata["Author"] == "Secure command server authors"
    assert "tls" in metadata["Keywords"].split(",")
    assert metadata["Description-Content-Type"].startswith("text/markdown")
    assert data.decode().partition("\n\n")[2] == (ROOT / "README.md").read_text(encoding="utf-8")
    classifiers = metadata.get_all("Classifier", [])
    assert "Typing :: Typed" in classifiers
    assert not [item for item in classifiers if item.startswith("License ::")], "License-Expression stands in for these"
    releases = re.findall(r"Python :: (3\.\d+)$", "\n".join(classifiers), re.MULTILINE)
    assert f">={releases[0]}" == metadata["Requires-Python"]
