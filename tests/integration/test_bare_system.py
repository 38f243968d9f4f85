"""Server, client and quickstart where nothing is that POSIX alone has: modules, functions, signals, Unix sockets."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.peers import PATIENCE_SECONDS
from tests.integration.program import ROOT, Program

BARE = Path(__file__).parent / "bare_system"
SECONDS = 6 * PATIENCE_SECONDS
"""For quickstart, which runs a dozen programs one after the other; only a failing test waits for it."""
QUICKSTART = """
import sys
from pathlib import Path
from scripts import _environment, _quickstart
from scripts._installation import Installation
own = Path(sys.argv[1])
_environment.ensure = lambda progress: Path(sys.executable)
_quickstart.Installation = lambda python: Installation(python, certs=own / "certs", data=own / "data")
sys.exit(_quickstart.main(["--port", sys.argv[2]]))
"""

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is started from here on finds a bare system."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(BARE), str(ROOT))))
    for variable in ("SECURE_CLIENT_TOKEN", "SECURE_SERVER_DATA_DIR"):
        monkeypatch.delenv(variable, raising=False)


def run(*argv: str) -> str:
    """Run a program of ours to its end; what it says on stdout."""
    done = subprocess.run(
        [sys.executable, "-m", *argv], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_system_is_bare() -> None:
    """Else the other tests here would prove nothing."""
    code = "import fcntl"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "No module named 'fcntl'" in done.stderr or "None in sys.modules" in done.stderr
    code = "import os, select, signal, socket; print(*(hasattr(*what) for what in ((os, 'getuid'), (select, 'epoll'), "
    code += "(signal, 'SIGHUP'), (socket, 'AF_UNIX'))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False False False\n"


def test_a_server_and_a_client_run(certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates, a token, commands, a revocation, the trail; without an admin socket, and by select."""
    data = tmp_path / "data"
    run("secure_server", "certs", "ensure", "--dir", str(tmp_path / "certs"))
    token = run("secure_server", "token", "create", "ada", "--role", "admin", "--quiet", "--data-dir", str(data))
    (tmp_path / "token").write_text(token, encoding="ascii")
    monkeypatch.setenv("SECURE_CLIENT_HOME", str(tmp_path / "home"))
    client = ("secure_client", "--ca", str(tmp_path / "certs" / "ca.pem"), "--token-file", str(tmp_path / "token"))
    with Program(tmp_path / "certs", data) as program:
        program.says("there are no Unix sockets here, so no admin socket; use a token of role admin")
        program.says("`select`, by which this system watches them, takes ")
        said = run(*client, f"localhost:{program.port}", "-c", "ECHO here", "-c", "WHOAMI", "-c", "TOKEN CREATE bob")
        assert re.fullmatch(r"ECHO: here\nada \(admin\)\nscs_\w+\n", said)
        run("secure_server", "token", "revoke", "bob", "--data-dir", str(data))
        said = run("secure_server", "admin", f"localhost:{program.port}", *client[1:], "-c", "CLIENTS", "--json")
        assert '"tls"' in said
        refused = subprocess.run(
            [sys.executable, "-m", "secure_server", "admin", "--data-dir", str(data), "-c", "PING"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert refused.returncode == 3
        assert "in `secure-server admin -p PROFILE`." in refused.stderr
    assert program.process.returncode == 0
    assert "Traceback" not in program.stderr()
    assert "Intact." in run("secure_server", "audit", "verify", "--data-dir", str(data))


@pytest.mark.long
def test_quickstart_runs(tmp_path: Path) -> None:
    """All of its transcript but the list of clients, for which there is no way in."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    done = subprocess.run(
        [sys.executable, "-c", QUICKSTART, str(tmp_path), port],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    asked = [line for line in done.stdout.splitlines() if re.match(r"(admin)?> ", line)]
    assert asked == ["> ECHO hello", "> TIME", "> NONSENSE", "> EXIT"]
    assert "there are no Unix sockets here" in done.stdout
