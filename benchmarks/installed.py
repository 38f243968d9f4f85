"""The programs as a user has them: from their wheel, in a virtual environment of its own, byte code compiled.

In a development install, an import finder is loaded at each start of Python, also of one that does nothing: ratios to
that would flatter.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.children import ROOT, ChildError, LackingError, finished

INSTALL_SECONDS = 600.0
"""For pip, which gets what the package needs; on a busy machine three minutes were seen."""
PACKAGES = ("secure_protocol", "secure_server", "secure_client")
NEEDED = ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
"""What a wheel is made from beside the packages."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A virtual environment that holds the wheel.

    Attributes:
        programs: the directory of `python`, `secure-client` and `secure-server`.
    """

    programs: Path

    def argv(self, program: str, *arguments: str) -> list[str]:
        """Return the argv of one of its programs."""
        return [str(self.programs / program), *arguments]


def install(directory: Path) -> Installed:
    """Make the wheel of this tree and install it, with what it needs.

    Args:
        directory: an empty one.

    Raises:
        LackingError: it cannot be made here; says why.
    """
    source, made = directory / "source", directory / "venv"
    source.mkdir()
    for name in PACKAGES:  # a copy, for setuptools builds beside what it builds from
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in NEEDED:
        shutil.copy(ROOT / name, source / name)
    programs = Path(sysconfig.get_path("scripts", "venv", {"base": str(made), "platbase": str(made)}))
    try:
        finished([sys.executable, "-m", "venv", str(made)], name="python -m venv", env=environment())
        pip = [str(programs / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install", str(source)]
        finished(pip, name="pip install", env=environment(), seconds=INSTALL_SECONDS)
    except ChildError as error:
        raise LackingError(f"the wheel could not be installed, which needs venv, pip and an index: {error}") from error
    return Installed(programs)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of such a program: nothing but what was installed is imported."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**inherited, "LC_ALL": "C.UTF-8", **(more or {})}
