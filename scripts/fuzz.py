"""Feeds the codecs whatever atheris comes up with, for a bounded time: `python scripts/fuzz.py [--seconds 60]`.

Beside the tests, which try the same invariant with hypothesis: this goes deeper, and takes as long as it is given.
It begins with tests/fuzz/corpus. Exit code 0: nothing found; 1: an input that breaks the invariant, kept and named;
2: atheris is missing.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SEEDS = ROOT / "tests" / "fuzz" / "corpus"
WORDS = SEEDS.with_name("codecs.dict")
HARNESS = "tests.fuzz.atheris_codecs"
INPUT_BYTES = 4096
"""The longest input: longer ones are slower, and hold no shape that these do not."""
INPUT_SECONDS = 5
"""One input that takes longer is a finding: something is not linear."""
MEMORY_MB = 1024
"""Likewise one that makes the process this large."""
SPARE_SECONDS = 60.0
"""For the start and the last input, beyond the time given; then the run is ended from outside."""

MISSING = (
    "atheris is not installed. It has wheels for Linux and some versions of Python: "
    "{python} -m pip install atheris, in an environment of its own if you like; this script needs nothing else "
    "but hypothesis and pytest."
)


def seed(corpus: Path) -> None:
    """Write the seeds as the harness reads them: a byte that chooses limits and cuts, then the bytes of a peer."""
    for path in SEEDS.glob("*.bin"):
        for chosen in range(3):
            (corpus / f"{path.stem}-{chosen}").write_bytes(bytes([chosen]) + path.read_bytes()[: INPUT_BYTES - 1])


def fuzz(seconds: int, findings: Path) -> int:
    """Run the harness in a process of its own, and return its exit code.

    Args:
        seconds: how long.
        findings: a directory for an input that breaks the invariant.
    """
    findings.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-corpus-") as corpus:
        seed(Path(corpus))
        argv = [
            *(sys.executable, "-m", HARNESS, corpus),
            f"-max_total_time={seconds}",
            f"-dict={WORDS}",
            f"-max_len={INPUT_BYTES}",
            f"-timeout={INPUT_SECONDS}",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-artifact_prefix={findings}{os.sep}",
            "-print_final_stats=1",
        ]
        return subprocess.run(argv, cwd=ROOT, timeout=seconds + SPARE_SECONDS, check=False).returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a program.

    Args:
        arguments: instead of the process' own.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description="Fuzz the codecs with atheris, for a bounded time.")
    parser.add_argument("--seconds", type=int, default=60, help="how long (60)")
    parser.add_argument("--findings", type=Path, default=ROOT / "build" / "fuzz", help="where a finding is kept")
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("atheris") is None:
        print(MISSING.format(python=sys.executable), file=sys.stderr)
        return 2
    if fuzz(options.seconds, options.findings):
        print(f"The invariant of {HARNESS} does not hold; the input is in {options.findings}.", file=sys.stderr)
        return 1
    print(f"Nothing found in {options.seconds} s.")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    from secure_client import streams

    streams.run(lambda: sys.exit(main()))
