"""The project's own virtual environment, ``.venv``: made when missing, refreshed when its contents changed.

A stamp inside says what a finished environment was made from. It is marked incomplete before anything
changes, so an interrupted run leaves an environment that the next run makes anew.
"""

import contextlib
import dataclasses
import errno
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

from scripts import _pip
from scripts._progress import Progress

ROOT = Path(__file__).resolve().parent.parent
RECIPE = 1  # raise it when this file installs differently: every environment is then refreshed
SOURCES = ("requirements.txt", "pyproject.toml")
LOCK_TIMEOUT = _pip.INSTALL_TIMEOUT  # seconds; as long as the other run may take to install
LOCK_POLL = 0.2  # seconds between two looks at the lock
PROBE_TIMEOUT = 30.0  # seconds; an interpreter answers in a fraction of one, a sleeping disk takes longer
ON_MUSL = "musl" in (sysconfig.get_config_var("SOABI") or "")  # Alpine Linux and the like
NOT_FOR_MUSL = "google-re2"  # no wheel, and building one takes a C++ library; only commands with patterns need it
_TAG = "sys.implementation.cache_tag + getattr(sys, 'abiflags', '')"


class EnvironmentUnavailableError(Exception):
    """The environment could not be made; the text says what is wrong and what to do."""


@dataclasses.dataclass(frozen=True)
class Stamp:
    """What an environment was made from.

    Args:
        python: interpreter and ABI, such as ``cpython-312``.
        place: absolute path of the environment, since one does not survive being moved.
        contents: SHA-256 of what says what to install.
        complete: whether the installation reached its end.
    """

    python: str
    place: str
    contents: str
    complete: bool

    @classmethod
    def wanted(cls, root: Path) -> "Stamp":
        """Return the stamp that a finished environment of the checkout ``root`` has under this Python."""
        digest = hashlib.sha256(str(RECIPE).encode())
        for name in SOURCES:
            digest.update((root / name).read_bytes() + b"\0")
        tag = sys.implementation.cache_tag + getattr(sys, "abiflags", "")
        return cls(python=tag, place=str(root / ".venv"), contents=digest.hexdigest(), complete=True)

    @classmethod
    def read(cls, environment: Path) -> "Stamp | None":
        """Return the stamp in ``environment``; ``None`` if there is none, or none that can be read."""
        try:
            return cls(**json.loads(_stamp_file(environment).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, environment: Path, *, complete: bool) -> None:
        """Leave this stamp in ``environment``; a reader sees the old one or the new one, never a part."""
        stamp = dataclasses.replace(self, complete=complete)
        draft = _stamp_file(environment).with_suffix(".new")
        draft.write_text(json.dumps(dataclasses.asdict(stamp)), "utf-8")
        draft.replace(_stamp_file(environment))


def ensure(progress: Progress, root: Path = ROOT) -> Path:
    """Make ``.venv`` hold what the checkout needs, and return its interpreter; quick when it already does.

    Args:
        progress: is told each step that takes time.
        root: the checkout.

    Raises:
        EnvironmentUnavailableError: it could not be made; nothing half-made will be used by a later run.
    """
    try:
        with _only_run(root, progress):
            return _ensure_alone(progress, root)
    except _pip.PipError as error:
        raise EnvironmentUnavailableError(str(error)) from error
    except OSError as error:
        raise EnvironmentUnavailableError(_explain_os_error(error, root)) from error


def _ensure_alone(progress: Progress, root: Path) -> Path:
    environment = root / ".venv"
    python = _python(environment)
    wanted = Stamp.wanted(root)
    found = Stamp.read(environment)
    usable = _is_usable(environment, found, wanted)
    if usable and found == wanted:
        return python
    if not usable:
        with progress.step(f"Making .venv with Python {sys.version.split()[0]}"):
            _make_anew(environment, wanted)
    wanted.write(environment, complete=False)
    try:
        _install(python, root, progress)
    except _pip.PipError:
        if usable:  # pip puts back what it found; so shall the stamp, lest a good environment be thrown away
            _restore(found, environment)
        raise
    wanted.write(environment, complete=True)
    return python


def _install(python: Path, root: Path, progress: Progress) -> None:
    with progress.step("Installing the project and its packages into .venv"):
        _pip.install(python, ["-r", _requirements(root), "-e", "."], root=root, progress=progress)


def _requirements(root: Path) -> str:
    """Return the list of what to install, as seen from the checkout: all of it, or what can be had here."""
    if not ON_MUSL:
        return "requirements.txt"
    lines = (root / "requirements.txt").read_text("utf-8").splitlines(keepends=True)
    here = root / ".venv" / "requirements.txt"
    here.write_text("".join(line for line in lines if not line.startswith(NOT_FOR_MUSL)), "utf-8")
    return str(here.relative_to(root))


def _restore(found: Stamp | None, environment: Path) -> None:
    if found:
        found.write(environment, complete=True)
    else:
        _stamp_file(environment).unlink()


def _stamp_file(environment: Path) -> Path:
    return environment / "made-from.json"


def _is_usable(environment: Path, found: Stamp | None, wanted: Stamp) -> bool:
    """Whether to install into what is there; without a stamp, a person made it, and it may well be good."""
    if found and (not found.complete or (found.python, found.place) != (wanted.python, wanted.place)):
        return False
    try:
        probe = subprocess.run(
            [_python(environment), "-I", "-c", f"import sys, pip; print({_TAG})"],
            capture_output=True,
            encoding="utf-8",
            timeout=PROBE_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return probe.stdout.strip() == wanted.python


def _python(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _make_anew(environment: Path, wanted: Stamp) -> None:
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        raise EnvironmentUnavailableError(_explain_missing(missing))
    import venv  # noqa: PLC0415 - some systems package it apart; by now it is known to be there

    if environment.is_symlink() or environment.is_file():
        environment.unlink()
    elif environment.exists():
        shutil.rmtree(environment)
    environment.mkdir()
    wanted.write(environment, complete=False)
    try:
        venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(environment)
    except subprocess.CalledProcessError as error:
        output = (error.output or b"").decode("utf-8", "replace")
        raise EnvironmentUnavailableError(f"{output.strip()}\n{_explain_missing(['ensurepip'])}") from error


@contextlib.contextmanager
def _only_run(root: Path, progress: Progress) -> Iterator[None]:
    """Hold the checkout's lock; the kernel frees it whatever becomes of this process."""
    if sys.platform == "win32" or importlib.util.find_spec("fcntl") is None:  # nothing keeps two runs apart there
        yield
        return
    deadline = time.monotonic() + LOCK_TIMEOUT
    descriptor = os.open(root, os.O_RDONLY)
    try:
        waiting = False
        while not _lock(descriptor):
            if not waiting:
                progress.say("Another run is installing into .venv; waiting for it.")
                waiting = True
            if time.monotonic() > deadline:
                raise EnvironmentUnavailableError(
                    "Another run still holds .venv. End it (`ps ax | grep scripts/`) and run this again."
                )
            time.sleep(LOCK_POLL)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    if sys.platform != "win32":
        import fcntl  # noqa: PLC0415 - the caller has looked whether it is there

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _explain_missing(modules: list[str]) -> str:
    release = f"{sys.version_info.major}.{sys.version_info.minor}"
    return (
        f"This Python ({sys.executable}) cannot make a virtual environment: {' and '.join(modules)} missing "
        f"or broken. Debian, Ubuntu: `sudo apt-get install python3-venv` (or python{release}-venv); "
        "elsewhere: your system's complete Python 3 package, or one from python.org. Then run this again."
    )


def _explain_os_error(error: OSError, root: Path) -> str:
    what = f"{error.strerror}: {error.filename}" if error.filename else str(error)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"The disk is full ({what}). Free some 300 MB and run this again."
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return (
            f"This user may not write in the checkout ({what}). Give it to them "
            f"(`sudo chown -R $USER {root}`) or make a checkout of your own, and run this again."
        )
    return f"The environment could not be made ({what}). Remove {root / '.venv'} and run this again."
