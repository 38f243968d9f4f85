"""Every check of the project, in order, whatever the earlier ones gave; then one table of them all."""

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts import _environment
from scripts._progress import Progress

CHECK_TIMEOUT = 3600.0  # seconds for one command; the whole suite takes minutes, so this one hangs
PARALLEL = ("--numprocesses=auto", "--maxprocesses=4", "--dist=worksteal")
"""Of the whole suite: as many processes as tests/conftest.py says, each taking from the others what it has time for.
Most tests wait for a handshake or a terminal, so more than four gain nothing and cost memory."""
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
"""Not passed on. Images of build machines set it; then each of the hundreds of processes that tests start would compile
the project once more, which doubles what a server's start takes."""
INTERRUPTED = 130  # exit code after Ctrl-C: 128 + SIGINT, as shells count
LONG = "--long"
"""The whole suite, what proves more by taking longer, and whether all of it is reached."""
HELP = """usage: python3 scripts/test.py [--long | PYTEST ARGUMENTS]

Makes .venv if needed, then runs ruff check, ruff format --check, mypy (for Windows and macOS, too)
and pytest; with --long also the tests that prove more by taking longer (marked `long`), and coverage,
which costs as much again as what it measures. Arguments go to pytest (paths start from the checkout).
Exits 0 if every check passed.

  python3 scripts/test.py                           everything that takes minutes
  python3 scripts/test.py --long                    everything
  python3 scripts/test.py tests/secure_protocol -x  the checks, and these tests until one fails
"""


@dataclasses.dataclass(frozen=True)
class Check:
    """A name and the commands, each a Python module with arguments, that must all exit 0.

    They run one after the other until one fails; or ``at_once``, where none needs another and all use one core.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    at_once: bool = False


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a check, and how many seconds it took."""

    name: str
    passed: bool
    seconds: float


ELSEWHERE = ("win32", "darwin")
"""Systems that nobody runs the suite on; the types tell at least what is not there. Each has a cache of its own, for
one that is shared is of use to nobody. Anew, the three take 20 s of CPU each; with their caches, a few for all."""
TYPES = (("mypy",), *(("mypy", "--platform", name, "--cache-dir", f".mypy_cache/{name}") for name in ELSEWHERE))
STATIC = (
    Check("ruff check", (("ruff", "check"),)),
    Check("ruff format", (("ruff", "format", "--check"),)),
    Check("mypy", TYPES, at_once=True),
)


def checks(pytest_arguments: Sequence[str]) -> tuple[Check, ...]:
    """Return what to run; coverage is judged with `LONG` alone, for its tracer doubles the CPU of what it looks at."""
    arguments = list(pytest_arguments)
    if arguments == [LONG]:
        suite = (("coverage", "erase"), ("coverage", "run", "-m", "pytest", *PARALLEL, LONG))
        reached = Check("coverage", (("coverage", "combine", "--quiet"), ("coverage", "report")))
        return (*STATIC, Check("pytest", suite), reached)
    return (*STATIC, Check("pytest", (("pytest", *(arguments or PARALLEL)),)))


def run(check: Check, python: Path, root: Path) -> Outcome:
    """Run a check's commands, their output going where ours goes."""
    print(f"\n=== {check.name} ===", flush=True)
    started = time.monotonic()
    commands = [[str(python), "-m", *command] for command in check.commands]
    if check.at_once:
        with ThreadPoolExecutor(len(commands)) as threads:
            passed = all(list(threads.map(lambda command: _succeeds(command, root), commands)))  # a list: wait for all
    else:
        passed = all(_succeeds(command, root) for command in commands)
    seconds = time.monotonic() - started
    print(f"=== {check.name}: {'ok' if passed else 'FAILED'} ({seconds:.1f} s)", flush=True)
    return Outcome(check.name, passed, seconds)


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return the closing table, a line for each check."""
    width = max(len(outcome.name) for outcome in outcomes)
    return "\n".join(
        f"{outcome.name:<{width}}  {'ok' if outcome.passed else 'FAILED':<6}  {outcome.seconds:>7.1f} s"
        for outcome in outcomes
    )


def main(arguments: Sequence[str]) -> int:
    """Set up, run every check, and return the exit code."""
    if list(arguments) in (["--help"], ["-h"]):
        print(HELP, end="")
        return 0
    try:
        python = _environment.ensure(Progress())
        outcomes = [run(check, python, _environment.ROOT) for check in checks(arguments)]
    except _environment.EnvironmentUnavailableError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run the same command again to start over.", file=sys.stderr)
        return INTERRUPTED
    print(f"\n{summary(outcomes)}", flush=True)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def _succeeds(command: list[str], root: Path) -> bool:
    environment = {name: value for name, value in os.environ.items() if name != NO_BYTECODE}
    try:
        return subprocess.run(command, cwd=root, env=environment, timeout=CHECK_TIMEOUT, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        print(f"{' '.join(command[1:])} did not end within {CHECK_TIMEOUT:.0f} s.", flush=True)
        return False
