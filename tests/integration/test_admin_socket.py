"""The admin socket: for the server's own user alone, without a token, and beside every limit for clients."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from secure_protocol.replies import ErrorReply
from secure_server.auth.principal import Role
from secure_server.net.listener import LOOK_SECONDS
from tests.conftest import ServerFactory
from tests.integration.peers import RespPeer, TextPeer
from tests.integration.running import NOBODY, Running, eventually

if sys.platform == "win32":
    pytest.skip("there are no Unix sockets here", allow_module_level=True)

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets here")


def unix(running: Running) -> socket.socket:
    """Connect to the admin socket."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(str(running.data / "admin.sock"))
    except BaseException:
        sock.close()
        raise
    return sock


def test_the_socket_is_closed_to_others_and_needs_no_token(server: ServerFactory) -> None:
    """Mode 0600 in a directory of mode 0700; whoever is let in is an admin, in both codecs."""
    running = server()
    path = running.data / "admin.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(running.data.stat().st_mode) == 0o700
    with TextPeer(unix(running)) as person, RespPeer(unix(running)) as program, running.text():
        assert person.ask("WHOAMI").endswith("(admin)")
        person.send(b"CLIENTS USER user\n")
        assert len(person.lines()) == 2
        reply = program.ask("HELLO", "3", "SETNAME", "shell")
        assert isinstance(reply, dict)
        assert reply["user-role"] == "admin"
    running.stop()
    assert not path.exists()


def test_an_administrator_gets_in_when_the_server_is_full(server: ServerFactory) -> None:
    """At `max_clients` a newcomer is told when to come back, and the admin socket still works and can make room."""
    running = server(limits={"max_clients": 2})
    with running.resp() as first, running.resp(), TextPeer(unix(running)) as admin:
        with running.resp(token=None) as newcomer:
            refused = newcomer.ask("AUTH", running.token())
            assert isinstance(refused, ErrorReply)
            assert (refused.code, refused.text) == ("THROTTLED", "Too many clients; retry-after=5")
            assert newcomer.rest() == []
        number = first.ask("CLIENT", "ID")
        assert admin.ask(f"KICK {number}").startswith(f"Kicked client {number} ")
        first.rest()
        with running.resp() as newcomer:
            assert newcomer.ask("PING") == "PONG"


def test_silent_admin_connections_lock_nobody_out(server: ServerFactory) -> None:
    """A script that forgets to close its connections exhausts nothing: the longest idle gives way, and is told why."""
    running = server(limits={"max_admin_clients": 3})
    with ExitStack() as opened:
        silent = [opened.enter_context(TextPeer(unix(running))) for _ in range(3)]
        for peer in reversed(silent):
            assert peer.ask("PING") == "PONG"
        for _ in range(2):
            assert opened.enter_context(TextPeer(unix(running))).ask("PING") == "PONG"
        for peer in silent[1:]:
            (closed,) = peer.rest()
            assert closed == "ERROR: CLOSED reason=idle Gave way to a newer connection to the admin socket."
        assert silent[0].ask("PING") == "PONG"
        eventually(lambda: running.server.sessions.on_admin_socket == 3)


def is_there(running: Running) -> bool:
    """Whether somebody listens at the admin socket: it has its name a moment before that."""
    try:
        unix(running).close()
    except OSError:
        return False
    return True


def test_an_admin_socket_that_was_deleted_comes_back(server: ServerFactory) -> None:
    """By itself; and at once at SIGHUP, which the program answers by `reload`."""
    running = server()
    path = running.data / "admin.sock"
    path.unlink()
    eventually(lambda: is_there(running))
    with TextPeer(unix(running)) as admin:
        assert admin.ask("PING") == "PONG"
    path.unlink()
    running.server.reload()
    eventually(lambda: is_there(running), LOOK_SECONDS / 2)
    with TextPeer(unix(running)) as admin:
        assert admin.ask("PING") == "PONG"


def test_a_token_does_not_help_against_role(server: ServerFactory) -> None:
    """Over TLS the admin's commands need the admin's role."""
    running = server()
    with running.text(running.token(Role.OPERATOR)) as peer:
        assert peer.ask("CLIENTS") == "ERROR: NOPERM CLIENTS needs the role admin; you are operator."


ASK_AS_NOBODY = f"""
import os, socket, sys
os.setuid({NOBODY})
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(5)
sock.connect(sys.argv[1])
try:
    sock.sendall(b"WHOAMI\\n")
except BrokenPipeError:
    pass
try:
    print(sock.recv(100))
except ConnectionResetError:
    print(b"")
"""


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root, to be somebody else")
def test_another_user_is_refused_even_where_the_file_lets_it_in(certificates: Path, public: Path) -> None:
    """The kernel's word on who is there counts, not only the mode of the file."""
    with Running(certificates, public / "data", {}) as running:
        path = running.data / "admin.sock"
        argv = [sys.executable, "-c", ASK_AS_NOBODY, str(path)]
        kept_out = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert "PermissionError" in kept_out.stderr
        running.data.chmod(0o755)
        path.chmod(0o666)
        assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "b''\n"
        eventually(lambda: f"address=unix reason=auth-failed uid={NOBODY}" in running.log())
