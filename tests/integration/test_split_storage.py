"""The files of the token database, removed, replaced or overwritten under a running server.

Other programs do that here: a file that this process itself opened and closed would lose SQLite's locks on it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from secure_protocol.replies import ErrorReply, Push
from secure_server.auth.principal import Role
from secure_server.auth.token_watch import TokenWatch
from secure_server.server import DATABASE
from tests.conftest import ServerFactory
from tests.integration.peers import RespPeer
from tests.integration.program import ROOT
from tests.integration.running import Running, eventually

if sys.platform == "win32":
    pytest.skip("no file that somebody has open can be removed there", allow_module_level=True)

NEVER = 3600.0
REMOVALS = [("-wal", "-shm"), ("-wal",), ("-shm",)]
NAMES = ["both", "wal", "shm"]


def remove(running: Running, *endings: str) -> None:
    """Remove some of the files beside the database."""
    subprocess.run(["rm", *(f"{running.data / DATABASE}{ending}" for ending in endings)], check=True)


def copy(source: Path, target: Path) -> None:
    """Write over a file, as `cp` does."""
    subprocess.run(["cp", source, target], check=True)


def token(running: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `secure-server token` as another process."""
    return subprocess.run(
        [sys.executable, "-m", "secure_server", "token", *arguments, "--data-dir", str(running.data)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def lets_in(running: Running, shown: str) -> bool:
    """Whether the server takes a token now."""
    with running.resp(None) as peer:
        return peer.ask("AUTH", shown) == "OK"


@pytest.mark.parametrize(
    "endings",
    [REMOVALS[0], *(pytest.param(one, marks=pytest.mark.long) for one in REMOVALS[1:])],
    ids=NAMES,
)
@pytest.mark.usefixtures("unmeasured")
def test_what_is_changed_after_a_removal_acts_all_the_same(
    server: ServerFactory, endings: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """Revocations end live sessions, what was made is let in, nothing that was there is lost; and it is said."""
    running = server(penalties={"exempt": ["127.0.0.0/8"]})
    early = running.new_token("early")
    with running.text() as live:
        remove(running, *endings)
        assert token(running, "revoke", "user").returncode == 0
        assert "reason=revoked" in live.rest()[0]
    made = token(running, "create", "late", "--quiet").stdout.strip()
    eventually(lambda: lets_in(running, made))
    assert lets_in(running, early.reveal())
    assert "were removed, replaced or overwritten" in caplog.text
    eventually(lambda: "the token database works again" in caplog.text)
    running.stop()
    states = {item["name"]: item["state"] for item in json.loads(token(running, "list", "--json").stdout)}
    assert states == {"user": "revoked", "operator": "active", "admin": "active", "early": "active", "late": "active"}


@pytest.fixture
def stepwise(server: ServerFactory, monkeypatch: pytest.MonkeyPatch) -> Running:
    """A server that looks at its storage when the test says so."""
    at_once = TokenWatch.__init__
    monkeypatch.setattr(at_once, "__defaults__", (NEVER, *(at_once.__defaults__ or ())[1:]))
    return server()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets here")
@pytest.mark.parametrize("endings", REMOVALS, ids=NAMES)
def test_nobody_is_let_in_until_it_is_mended(stepwise: Running, endings: tuple[str, ...]) -> None:
    """Good tokens and wrong ones are told alike, without a penalty; who is in stays in; administrators are told."""
    watch = stepwise.server._entrance.watch
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(stepwise.data / "admin.sock"))
    with stepwise.text() as live, RespPeer(sock) as admin, stepwise.resp(None) as peer:
        admin.ask("HELLO", "3")
        remove(stepwise, *endings)
        watch.step()
        for shown in (stepwise.token(Role.OPERATOR), "scs_wrong"):
            refused = peer.ask("AUTH", shown)
            assert isinstance(refused, ErrorReply)
            assert refused.code == "UNAVAILABLE"
        assert live.ask("PING") == "PONG"
        told = admin.reply()
        assert isinstance(told, Push)
        assert "Nobody can log in, for the token database cannot be trusted" in str(told.items)
        watch.step()
        told = admin.reply()
        assert isinstance(told, Push)
        assert "works again" in str(told.items)
        assert peer.ask("AUTH", stepwise.token(Role.OPERATOR)) == "OK"
        assert admin.ask("PENALTY", "LIST") == []
        assert live.ask("PING") == "PONG"


def replace(source: Path, target: Path) -> None:
    """Put another file in its place, beside what belongs to the old one."""
    subprocess.run(["mv", source, target], check=True)


@pytest.mark.parametrize("put_back", [copy, replace])
def test_an_older_copy_put_back_is_noticed_and_then_holds(
    stepwise: Running, put_back: object, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever does that by hand wants the older state; nothing of the newer one is mixed into it, and it is said."""
    watch, backup = stepwise.server._entrance.watch, stepwise.data / "backup.db"
    copy(stepwise.data / DATABASE, backup)
    stepwise.revoke("user")
    watch.step()
    assert not lets_in(stepwise, stepwise.token())
    assert callable(put_back)
    put_back(backup, stepwise.data / DATABASE)
    watch.step()
    assert watch.split
    assert "were removed, replaced or overwritten" in caplog.text
    watch.step()
    assert not watch.split
    assert lets_in(stepwise, stepwise.token(Role.OPERATOR))
    with stepwise.text():  # its revocation came after the copy
        stepwise.revoke("user")
        watch.step()
    assert not lets_in(stepwise, stepwise.token())


def test_what_is_damaged_lets_nobody_in_until_a_whole_one_is_there(stepwise: Running) -> None:
    """However often it is looked at, and whatever is wrong with it."""
    watch, database = stepwise.server._entrance.watch, stepwise.data / DATABASE
    backup, garbage = stepwise.data / "backup.db", stepwise.data / "garbage"
    copy(database, backup)
    garbage.write_bytes(b"no database at all\n" * 1000)
    half = stepwise.data / "half"
    half.write_bytes(backup.read_bytes()[:8192])
    for wrong in (garbage, half, Path(os.devnull)):
        copy(wrong, database)
        for _ in range(3):
            watch.step()
            assert watch.split
        copy(backup, database)
        for _ in range(2):
            watch.step()
        assert lets_in(stepwise, stepwise.token())


def test_a_removed_database_lets_nobody_in(stepwise: Running) -> None:
    """There is nothing by which anybody could be revoked."""
    backup = stepwise.data / "backup.db"
    copy(stepwise.data / DATABASE, backup)
    remove(stepwise, "", "-wal", "-shm")
    stepwise.server._entrance.watch.step()
    assert not lets_in(stepwise, stepwise.token())
    replace(backup, stepwise.data / DATABASE)
    for _ in range(2):
        stepwise.server._entrance.watch.step()
    assert lets_in(stepwise, stepwise.token())


def test_checkpoints_and_changes_by_others_are_no_split(stepwise: Running) -> None:
    """The file is written to all the time: by the server, by programs beside it, in any order."""
    for number in range(2):
        assert token(stepwise, "create", f"n{number}", "--quiet").returncode == 0
        stepwise.revoke(f"n{number}")
        stepwise.server._entrance.watch.step()
        assert not stepwise.server._entrance.watch.split
        lets_in(stepwise, stepwise.token())
