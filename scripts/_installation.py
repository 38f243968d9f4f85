"""The project's own programs as quickstart runs them, and where they keep things: all inside the checkout."""

import dataclasses
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts import _environment

PROGRAM_TIMEOUT = 30.0  # seconds for a program that answers and ends; each takes about one, CI machines longer
PROFILE = "quickstart"  # the client's saved server, and the token's name


class StepFailedError(Exception):
    """A step of quickstart went wrong; the text says which, what was expected and what came."""


@dataclasses.dataclass(frozen=True)
class Installation:
    """Where an installed checkout keeps its certificates and data.

    Args:
        python: interpreter of the environment that holds the project.
        certs: directory of certificates.
        data: directory of the server's data; quickstart's own lie in ``quickstart`` and ``client`` there.
        root: the checkout, current directory of every program.
    """

    python: Path
    certs: Path = Path("certs")
    data: Path = Path("data")
    root: Path = _environment.ROOT

    @property
    def own(self) -> Path:
        """Quickstart's directory: the token and the server's output."""
        return self.root / self.data / "quickstart"

    @property
    def token_file(self) -> Path:
        """The secret that the client presents, readable by this user alone."""
        return self.own / "token"

    @property
    def client_home(self) -> Path:
        """The client's profiles, kept out of the user's home."""
        return self.root / self.data / "client"

    def environment(self) -> dict[str, str]:
        """Return the environment for the programs: this user's, with the profiles in the checkout."""
        # A token in the user's environment would be presented instead of the profile's, another server be configured.
        others = ("SECURE_CLIENT_TOKEN", "SECURE_SERVER_CONFIG")
        inherited = {name: value for name, value in os.environ.items() if name not in others}
        return inherited | {"SECURE_CLIENT_HOME": str(self.client_home)}

    def server(self, *arguments: str) -> list[str]:
        """Return the argv of ``secure-server``."""
        return [str(self.python), "-m", "secure_server", *arguments]

    def client(self, *arguments: str) -> list[str]:
        """Return the argv of ``secure-client``."""
        return [str(self.python), "-m", "secure_client", *arguments]

    def admin(self, command: str) -> list[str]:
        """Return the argv that runs one command of the admin shell."""
        return self.server("admin", "--data-dir", str(self.data), "-c", command)

    def run(self, argv: Sequence[str], extra: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, without a terminal, and return what it wrote.

        Args:
            argv: from `server`, `client` or `admin`.
            extra: further environment variables.

        Raises:
            StepFailedError: it did not end within ``PROGRAM_TIMEOUT``.
        """
        try:
            return subprocess.run(
                argv,
                cwd=self.root,
                env=self.environment() | dict(extra or {}),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=PROGRAM_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise StepFailedError(f"{typed(argv)}: did not end within {PROGRAM_TIMEOUT:.0f} s.") from error

    def require(self, argv: Sequence[str]) -> str:
        """Run a program that must succeed, and return its stdout.

        Raises:
            StepFailedError: it did not; the text has its exit code and stderr.
        """
        done = self.run(argv)
        if done.returncode != 0:
            raise StepFailedError(
                f"{typed(argv)}: expected exit code 0; came {done.returncode}.\n{done.stderr.strip()}"
            )
        return done.stdout


def typed(argv: Sequence[str]) -> str:
    """Return a program's argv as a person would type it in the checkout."""
    name = argv[2].replace("_", "-")
    return shlex.join([f".venv/bin/{name}", *argv[3:]])


def private_file(path: Path, text: str) -> Path:
    """Write a file anew that this user alone can read, and return its path."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return path
