"""`python -m secure_server run` as a process of its own."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self
from unittest import mock

from click.testing import CliRunner

from secure_server import signals
from secure_server.cli import main
from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.running import eventually

ROOT = Path(__file__).parents[2]


def arguments(certificates: Path, data: Path, port: int = 0) -> list[str]:
    """Return the command that runs a server."""
    options = ["--port", str(port), "--certs-dir", str(certificates), "--data-dir", str(data)]
    return [sys.executable, "-m", "secure_server", "run", *options]


def refused(*options: str, **environment: str) -> str:
    """Have `secure-server run` refuse to start, in this process; return what it says: one line, and exit code 2.

    A process of its own takes a second; `test_program` shows that it does the same.
    """
    with mock.patch.object(signals, "catch"), mock.patch("secure_server.cli.run.Console", logging.StreamHandler):
        ended = CliRunner().invoke(main, ["run", *options], env=environment, prog_name="secure-server")
    assert (ended.exit_code, ended.stdout) == (2, ""), ended.output
    (line,) = ended.stderr.splitlines()
    return line


class Program:
    """A started server; ended with SIGTERM on leaving the `with`, if it has not ended before.

    Args:
        certificates: the certificate directory.
        data: the data directory.
        options: further ones for the command line.
        before: what the shell does before it becomes the program, such as `ulimit -n 200`; nothing needs none.

    Attributes:
        port: where it listens.
    """

    def __init__(self, certificates: Path, data: Path, *options: str, before: str = "") -> None:
        argv = [*arguments(certificates, data), *options]
        if before:
            argv = ["/bin/sh", "-c", f'{before}; exec "$@"', "sh", *argv]
        self._stderr = data.with_name(f"{data.name}-stderr.txt")
        with self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                argv,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("listening on 127.0.0.1:"), self.stderr()
        self.port = int(line.rpartition(":")[2])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Send SIGTERM and wait for the end; once more is fine."""
        with self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE_SECONDS)

    def terminate(self) -> None:
        """Send SIGTERM, and go on."""
        self.process.send_signal(signal.SIGTERM)

    def reload(self, sentence: str) -> None:
        """Send SIGHUP, and wait until stderr says `sentence` once more than before."""
        before = self.stderr().count(sentence)
        if sys.platform == "win32":
            raise NotImplementedError("POSIX only")
        self.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.stderr().count(sentence) == before + 1)

    def says(self, sentence: str) -> None:
        """Wait until stderr has `sentence`: a thread of its own writes there, after what was answered, or before."""
        eventually(lambda: sentence in self.stderr())

    def stderr(self) -> str:
        """Return what it wrote so far; of what it may still say, `says`."""
        return self._stderr.read_text(encoding="utf-8")
