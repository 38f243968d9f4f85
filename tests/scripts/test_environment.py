"""`.venv`: made once, refreshed when its contents change, made anew when it cannot be trusted."""

import errno
import importlib.util
import io
import json
import os
import shutil
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts import _environment
from scripts._environment import EnvironmentUnavailableError, Stamp, ensure
from scripts._progress import Progress


def installs(checkout: Path) -> int:
    """How many times pip was called."""
    calls = checkout / "pip-calls"
    return len(calls.read_text().splitlines()) if calls.exists() else 0


def test_first_run_makes_and_installs(checkout: Path) -> None:
    """A fresh checkout gets an environment, and pip is asked for the pinned packages and the project."""
    python = ensure(Progress(), checkout)
    assert python == checkout / ".venv" / "bin" / "python"
    assert (checkout / "pip-calls").read_text().endswith("-r requirements.txt -e .\n")


def test_on_musl_what_has_no_wheel_for_it_is_left_out(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has a C++ library to build it with, and all else works without."""
    monkeypatch.setattr(_environment, "ON_MUSL", True)
    (checkout / "requirements.txt").write_text("click==8.1.0\ngoogle-re2==1.1; x\nrich==15\n")
    ensure(Progress(), checkout)
    assert (checkout / "pip-calls").read_text().endswith("-r .venv/requirements.txt -e .\n")
    assert (checkout / ".venv" / "requirements.txt").read_text() == "click==8.1.0\nrich==15\n"


def test_second_run_does_nothing(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """When nothing changed, nothing is installed and nothing is said."""
    ensure(Progress(), checkout)
    capsys.readouterr()
    ensure(Progress(), checkout)
    assert installs(checkout) == 1
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_changed_source_installs_into_the_same_environment(checkout: Path, name: str) -> None:
    """New requirements are installed over the old; what a person added stays."""
    ensure(Progress(), checkout)
    (checkout / ".venv" / "added").touch()
    with (checkout / name).open("a") as source:
        source.write("# changed\n")
    ensure(Progress(), checkout)
    assert installs(checkout) == 2
    assert (checkout / ".venv" / "added").exists()


def spoil_interpreter(environment: Path) -> None:
    """As after the system's Python was upgraded or removed."""
    (environment / "bin" / "python").unlink()
    (environment / "bin" / "python").symlink_to("/nonexistent/python")


def spoil_pip(environment: Path) -> None:
    """As after a careless removal."""
    shutil.rmtree(next(environment.glob("lib/*/site-packages/pip")))


def spoil_stamp(field: str, value: object) -> Callable[[Path], None]:
    """As after an interrupted run, another Python, or a move."""

    def spoil(environment: Path) -> None:
        file = environment / "made-from.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {field: value}))

    return spoil


def replace_by_file(environment: Path) -> None:
    """As somebody's mistake."""
    shutil.rmtree(environment)
    environment.write_text("?")


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(spoil_interpreter, id="interpreter gone"),
        pytest.param(spoil_pip, id="pip gone"),
        pytest.param(spoil_stamp("complete", False), id="interrupted"),  # noqa: FBT003 - a JSON value
        pytest.param(spoil_stamp("python", "cpython-27"), id="other Python"),
        pytest.param(spoil_stamp("place", "/elsewhere/.venv"), id="moved"),
        pytest.param(replace_by_file, id="a file"),
    ],
)
def test_environment_that_cannot_be_trusted_is_made_anew(
    checkout: Path, spoil: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Broken, half-made, moved or made by another Python: thrown away, and the next run is content."""
    ensure(Progress(), checkout)
    leftover = checkout / ".venv" / "leftover"
    leftover.touch()
    spoil(checkout / ".venv")
    ensure(Progress(), checkout)
    assert "Making .venv" in capsys.readouterr().err
    assert not leftover.exists()
    ensure(Progress(), checkout)
    assert installs(checkout) == 2


def test_linked_environment_is_unlinked_not_emptied(checkout: Path, tmp_path: Path) -> None:
    """A `.venv` that is a link to somewhere unusable costs the link, never what it points to."""
    (tmp_path / "precious").mkdir()
    (checkout / ".venv").symlink_to(tmp_path / "precious")
    ensure(Progress(), checkout)
    assert (tmp_path / "precious").is_dir()
    assert not (checkout / ".venv").is_symlink()


def test_environment_made_by_a_person_is_kept(checkout: Path) -> None:
    """An environment without a stamp that works is installed into."""
    venv.EnvBuilder().create(checkout / ".venv")
    (checkout / ".venv" / "mine").touch()
    ensure(Progress(), checkout)
    assert (checkout / ".venv" / "mine").exists()
    assert Stamp.read(checkout / ".venv") == Stamp.wanted(checkout)


def test_failed_install_keeps_what_worked(checkout: Path) -> None:
    """Without a network, new requirements fail, and going back to the old ones needs no network either."""
    ensure(Progress(), checkout)
    before = (checkout / "requirements.txt").read_text()
    (checkout / "requirements.txt").write_text("click==9999\n")
    (checkout / "pip-fails").write_text("ERROR: No matching distribution found for click==9999")
    with pytest.raises(EnvironmentUnavailableError, match=r"click==9999\n.*lacks the package named above"):
        ensure(Progress(), checkout)
    (checkout / "requirements.txt").write_text(before)
    ensure(Progress(), checkout)
    assert installs(checkout) == 2


def test_failed_install_into_a_persons_environment_does_not_condemn_it(checkout: Path) -> None:
    """A failure leaves no stamp by which the next run would throw a person's environment away."""
    venv.EnvBuilder().create(checkout / ".venv")
    (checkout / "pip-fails").write_text("ERROR: something new")
    with pytest.raises(EnvironmentUnavailableError, match="its last lines, above, say why"):
        ensure(Progress(), checkout)
    assert Stamp.read(checkout / ".venv") is None


def test_interrupted_install_ends_pip_and_recovers(checkout: Path) -> None:
    """Ctrl-C during the installation leaves no pip behind, and the next run starts afresh."""
    (checkout / "pip-interrupts").touch()
    with pytest.raises(KeyboardInterrupt):
        ensure(Progress(), checkout)
    with pytest.raises(ProcessLookupError):
        os.kill(int((checkout / "pip-pid").read_text()), 0)
    (checkout / "pip-interrupts").unlink()
    ensure(Progress(), checkout)
    assert Stamp.read(checkout / ".venv") == Stamp.wanted(checkout)


def test_unreadable_stamp_is_no_stamp(checkout: Path) -> None:
    """Whatever stands in the stamp's file, reading it raises nothing."""
    environment = checkout / ".venv"
    environment.mkdir()
    for junk in ("", "null", "[]", '{"python": 1}', "\0"):
        (environment / "made-from.json").write_text(junk)
        assert Stamp.read(environment) is None


def test_second_run_at_once_waits(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs never install at once: the second says that it waits, and goes on when the first has ended."""
    monkeypatch.setattr(_environment, "LOCK_POLL", 0.001)
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    import fcntl  # noqa: PLC0415 - POSIX only

    first = os.open(checkout, os.O_RDONLY)
    fcntl.flock(first, fcntl.LOCK_EX)

    class Witness(Progress):
        """Ends the first run once the second says that it waits."""

        def say(self, text: str) -> None:
            super().say(text)
            if "waiting" in text:
                assert installs(checkout) == 0
                os.close(first)

    ensure(Witness(output := io.StringIO()), checkout)
    assert output.getvalue().startswith("Another run is installing into .venv; waiting for it.\n")
    assert installs(checkout) == 1


def test_without_locks_it_installs_all_the_same(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has none of this kind."""
    monkeypatch.setitem(sys.modules, "fcntl", None)  # as Python notes what cannot be imported
    ensure(Progress(), checkout)
    assert installs(checkout) == 1


def test_wait_for_the_other_run_is_bounded(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that never ends is named instead of waited for without end."""
    monkeypatch.setattr(_environment, "LOCK_TIMEOUT", 0.0)
    monkeypatch.setattr(_environment, "LOCK_POLL", 0.001)
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    import fcntl  # noqa: PLC0415 - POSIX only

    first = os.open(checkout, os.O_RDONLY)
    fcntl.flock(first, fcntl.LOCK_EX)
    with pytest.raises(EnvironmentUnavailableError, match="Another run still holds"):
        ensure(Progress(), checkout)
    os.close(first)


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_missing_part_of_python_is_named(checkout: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Where the system packages venv apart, the message names the package to install; nothing is made."""
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else found(name))
    with pytest.raises(EnvironmentUnavailableError, match=rf"{module} missing.*apt-get install python3-venv"):
        ensure(Progress(), checkout)
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "The disk is full"),
        (errno.EACCES, "may not write in the checkout"),
        (errno.EIO, "Remove"),
    ],
)
def test_system_errors_are_explained(checkout: Path, monkeypatch: pytest.MonkeyPatch, number: int, advice: str) -> None:
    """What the file system refuses becomes a sentence with a remedy."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number), str(checkout / ".venv"))

    monkeypatch.setattr(_environment, "_make_anew", refuse)
    with pytest.raises(EnvironmentUnavailableError, match=advice):
        ensure(Progress(), checkout)


def test_stamp_names_this_python(checkout: Path) -> None:
    """Another release or ABI of Python never shares an environment with this one."""
    assert Stamp.wanted(checkout).python == sys.implementation.cache_tag + getattr(sys, "abiflags", "")
