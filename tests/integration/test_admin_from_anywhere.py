"""The admin shell over TLS, with an admin's token: the same shell, and it says where one is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from secure_client.profiles.profiles import Profile, Profiles
from secure_server.auth.principal import Role
from tests.conftest import ServerFactory
from tests.integration.running import Running
from tests.terminal.screen import Screen

SIZES = pytest.mark.parametrize(("rows", "columns"), [(24, 80), (50, 200)])
ADMIN = [sys.executable, "-m", "secure_server", "admin"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the shell keeps its files."""
    return tmp_path / "home"


def save(home: Path, running: Running, ca: Path, name: str = "prod") -> None:
    """Save the server, with an admin's token."""
    token = running.token(Role.ADMIN)
    Profiles(home).add(name, Profile(endpoint=f"localhost:{running.port}", ca=str(ca), token=token))


def run(home: Path, *arguments: str, token: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program without a terminal."""
    environment = {**os.environ, "SECURE_CLIENT_HOME": str(home), "SECURE_CLIENT_TOKEN": token}
    argv = [*ADMIN, *arguments]
    return subprocess.run(
        argv,
        env=environment,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@SIZES
@pytest.mark.parametrize(
    ("locale", "connected", "kicked"),
    [
        ("C", "connected", "Kicked client {} (user, 127.0.0.1:"),
        ("pt_BR", "conectado", "Cliente {} desconectado (user,"),
    ],
)
@pytest.mark.usefixtures("unmeasured")
def test_a_profile_leads_to_the_same_shell(
    server: ServerFactory,
    certificates: Path,
    home: Path,
    rows: int,
    columns: int,
    locale: str,
    connected: str,
    kicked: str,
) -> None:
    """The prompt has the profile's name, the toolbar who one is and where; and one may what an admin may."""
    running = server()
    save(home, running, certificates / "ca.pem")
    environment = {"SECURE_CLIENT_HOME": str(home), "LC_ALL": locale}
    with Screen([*ADMIN, "-p", "prod"], environment, rows=rows, columns=columns) as screen:
        screen.wait(lambda: screen.typing == "admin prod>")
        screen.wait(lambda: f"admin@localhost:{running.port}" in screen.toolbar and connected in screen.toolbar)
        with running.text() as peer:
            number = max(session.number for session in running.server.sessions)
            screen.type(f"kick {number} lunch\r")
            screen.wait(kicked.format(number))
            assert peer.line() == "ERROR: CLOSED reason=kicked lunch"
        screen.type("exit\r")
        assert screen.ended() == 0


@SIZES
@pytest.mark.usefixtures("unmeasured")
def test_outside_the_networks_one_is_told_why_there_is_so_little(
    server: ServerFactory, certificates: Path, home: Path, rows: int, columns: int
) -> None:
    """Before the first command; then each names the setting. The admin socket is not concerned."""
    running = server(admin={"networks": ["10.0.0.0/8"]})
    save(home, running, certificates / "ca.pem")
    with Screen([*ADMIN, "prod"], {"SECURE_CLIENT_HOME": str(home)}, rows=rows, columns=columns) as screen:
        screen.wait(lambda: "You have the role admin, but act as operator from here:" in " ".join(screen.lines))
        screen.wait(lambda: screen.typing == "admin prod>")
        screen.type("kick 1\r")
        screen.wait(lambda: "setting admin.networks lets you;" in " ".join(screen.text.split()))
    local = run(home, "--data-dir", str(running.data), "-c", "WHOAMI")
    assert local.stdout.endswith("(admin)\n")


def test_commands_run_over_an_address_and_a_token_file(server: ServerFactory, certificates: Path, home: Path) -> None:
    """As with `secure-client`; the session calls itself as on the socket."""
    running = server()
    token = home.parent / "token"
    token.write_text(running.token(Role.ADMIN), encoding="ascii")
    where = (f"localhost:{running.port}", "--ca", str(certificates / "ca.pem"), "--token-file", str(token))
    done = run(home, *where, "-c", "WHOAMI", "-c", "CLIENTS client-name=admin-shell", "--json")
    assert done.returncode == 0, done.stderr
    assert "admin (admin)" in done.stdout
    assert '"transport":"tls"' in done.stdout.replace(" ", "")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("-p", "nowhere", "-c", "PING"), 2, "There is no profile `nowhere`"),
        (("-p", "a", "b:1"), 2, "Give -p PROFILE or a server, not both."),
        (("--token-file", "x"), 2, "--ca and --token-file are for a server elsewhere"),
        (("localhost:1", "-c", "PING"), 4, "No token for localhost:1"),
    ],
)
def test_what_cannot_be_is_one_sentence(home: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    """And the exit code that the command line promises."""
    done = run(home, *arguments)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_server_here_it_is_said_how_to_reach_another(home: Path, tmp_path: Path) -> None:
    """Besides how to start one."""
    done = run(home, "--data-dir", str(tmp_path / "none"), "-c", "PING")
    assert done.returncode == 3
    assert "or a server elsewhere with -p PROFILE or HOST:PORT." in done.stderr
