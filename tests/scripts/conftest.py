"""What the tests of scripts/ share: an import path, and an environment made in no time."""

import shutil
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = Path(__file__).parent / "stand_in"
if str(ROOT) not in sys.path:  # scripts/ is run, never installed
    sys.path.insert(0, str(ROOT))


class QuickBuilder(venv.EnvBuilder):
    """Makes real environments, but with the stand-in for pip, which needs neither seconds nor a network."""

    def __init__(self, **_: object) -> None:
        super().__init__(symlinks=True)

    def post_setup(self, context: object) -> None:
        """Put the stand-in where pip would be."""
        packages = next(Path(context.env_dir).glob("lib/python3*/site-packages"))  # type: ignore[attr-defined]  # typeshed: a bare SimpleNamespace before 3.12
        shutil.copytree(STAND_IN / "pip", packages / "pip")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout that can be installed, with nothing in it to install."""
    monkeypatch.setattr("venv.EnvBuilder", QuickBuilder)
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "requirements.txt").write_text("click==8.1.0\n")
    (root / "pyproject.toml").write_text("[project]\n")
    return root


@pytest.fixture(autouse=True)
def _unmeasured(unmeasured: None) -> None:
    """These are about the scripts; how the programs run is measured in their own tests."""
