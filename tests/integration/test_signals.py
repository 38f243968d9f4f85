"""Signals at any moment of a server's life, from the first line of the program to the last, with a shell or without."""

from __future__ import annotations

import contextlib
import math
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest

from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.program import ROOT, Program, arguments
from tests.integration.running import eventually
from tests.terminal.screen import Screen

if sys.platform == "win32":
    pytest.skip("reads in /proc how far a process is", allow_module_level=True)

pytestmark = [
    pytest.mark.usefixtures("unmeasured"),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads in /proc how far a process is"),
]

ROUNDS = 4
MANY = 500
AT_ONCE = 4
"""Servers that start at the same time."""
STARTED = 80
"""Hundredths of a second of CPU by which a server listens, and more."""
ALL = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def catches(pid: int) -> bool:
    """Whether the program has come to its first line: Python by itself does not catch SIGTERM."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


def ticks(pid: int) -> int:
    """CPU that a process took so far, in hundredths of a second: how far it is, whatever else this machine does."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def read_line(stdout: IO[str], done: threading.Event) -> None:
    """Wait for one line, or the end."""
    stdout.readline()
    done.set()


def signalled(certificates: Path, data: Path, seed: int) -> tuple[int, str]:
    """Start a server, send it all three back to back at a moment that the seed chooses; its exit code and stderr."""
    chance = random.Random(seed)  # noqa: S311 - to be the same each time
    order = chance.sample(ALL, len(ALL))
    moment = chance.randrange(STARTED) if seed % 3 else math.inf  # each third when it has nothing to do
    argv = [*arguments(certificates, data), *(["--shell"] if seed % 3 == 2 else [])]
    listening = threading.Event()
    with subprocess.Popen(
        argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            reading = threading.Thread(target=read_line, args=(process.stdout, listening))
            reading.start()
            eventually(lambda: process.poll() is not None or catches(process.pid))
            eventually(lambda: listening.is_set() or ticks(process.pid) >= moment)
            for number in order:
                process.send_signal(number)
            process.wait(PATIENCE_SECONDS)
            reading.join()
            return process.returncode, process.stderr.read()
        finally:
            process.kill()


@pytest.mark.parametrize("seeds", [range(ROUNDS), pytest.param(range(ROUNDS, MANY), marks=pytest.mark.long)])
def test_signals_at_any_moment_end_it_in_order(seeds: range, certificates: Path, tmp_path: Path) -> None:
    """SIGTERM, SIGINT and SIGHUP at once, whatever it is doing, each third time in a shell: exit code 0."""
    with ThreadPoolExecutor(AT_ONCE) as rounds:
        ended = list(rounds.map(lambda seed: signalled(certificates, tmp_path / str(seed) / "data", seed), seeds))
    failed = {seed: end for seed, end in zip(seeds, ended, strict=True) if end[0] != 0 or "Traceback" in end[1]}
    assert failed == {}


def test_more_signals_while_it_drains_change_nothing(certificates: Path, tmp_path: Path) -> None:
    """Neither a second SIGTERM nor a third Ctrl-C cuts the drain short, or shows a traceback."""
    with Program(certificates, tmp_path / "data") as program:
        program.terminate()
        program.says("stopping …")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            program.process.send_signal(number)
        assert program.process.wait(PATIENCE_SECONDS) == 0
        assert "Traceback" not in program.stderr()


@contextlib.contextmanager
def full_pipe() -> Iterator[int]:
    """The end of a pipe into which not a byte goes, for nobody reads the other."""
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"x")
        os.set_blocking(writer, True)
        yield writer
    finally:
        os.close(reader)
        os.close(writer)


def test_it_drains_though_nobody_reads_what_it_says(certificates: Path, tmp_path: Path) -> None:
    """A stderr that is full holds up neither what logs nor the end."""
    with (
        full_pipe() as stderr,
        subprocess.Popen(
            arguments(certificates, tmp_path / "data"), cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("listening on ")
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_SECONDS) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(
    "typed", ["", "clients", pytest.param("\x12cli", marks=pytest.mark.long)], ids=["prompt", "line", "search"]
)
def test_sigterm_ends_the_shell_and_the_server(certificates: Path, tmp_path: Path, typed: str) -> None:
    """Whatever is typed; the terminal shows again what is typed next, and ends lines at Enter."""
    argv = [*arguments(certificates, tmp_path / "data"), "--shell"]
    script = '"$@"; echo "code $?"; stty -a'
    own = {"SECURE_CLIENT_HOME": str(tmp_path / "home")}
    with Screen(["/bin/sh", "-c", script, "sh", *argv], own, columns=140, rows=40) as screen:
        screen.wait("admin>")
        screen.type(typed)
        screen.wait(lambda: typed.strip("\x12") in screen.text)
        shell = screen.child.pid
        (pid,) = Path(f"/proc/{shell}/task/{shell}/children").read_text(encoding="ascii").split()
        os.kill(int(pid), signal.SIGTERM)
        screen.wait("stopping …")
        screen.wait("code 0")
        screen.wait(" icanon")
        assert " echo " in screen.text.replace("\n", " ")
        assert "Traceback" not in screen.text
        assert screen.ended() == 0


@pytest.mark.parametrize("terminal", ["xterm-256color", "dumb"])
def test_ctrl_c_belongs_to_the_shell(certificates: Path, tmp_path: Path, terminal: str) -> None:
    """It clears the line, or ends a command; server and shell stay. SIGTERM ends both."""
    own = {"SECURE_CLIENT_HOME": str(tmp_path / "home"), "TERM": terminal}
    with Screen([*arguments(certificates, tmp_path / "data"), "--shell"], own, columns=140) as screen:
        screen.wait("admin>")
        screen.type("nonsense")
        screen.wait("nonsense")
        screen.type("\x03")
        screen.wait(lambda: screen.text.count("admin>") >= 2 or screen.typing == "admin>")
        screen.type("clients\r")
        screen.wait("CLIENTS")
        os.kill(screen.child.pid, signal.SIGTERM)
        screen.wait("stopping …")
        assert screen.ended() == 0
