"""Tokens in a real server: who may come from where, how often and how fast; and changes that act, and last."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from secure_protocol.replies import ErrorReply
from secure_protocol.token import Token
from secure_server.auth.principal import Role
from secure_server.auth.rate import parse_rate
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_record import TokenRecord
from secure_server.auth.tokens import Tokens
from secure_server.cli.token import token as group
from secure_server.server import DATABASE
from tests.conftest import ServerFactory
from tests.integration.peers import BUSY_SECONDS, PATIENCE_SECONDS, RespPeer, TextPeer
from tests.integration.program import ROOT, Program
from tests.integration.running import Running, client_context, eventually, logged

ELSEWHERE = "127.0.0.2"
"""Another address of this machine, where the system has it without asking (Linux has, macOS has not)."""
"""As many as the promise of a second is for."""
WORK = """
import sys
from pathlib import Path
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens

with SQLiteTokenStorage(Path(sys.argv[1])) as storage:
    tokens, number = Tokens(storage), 0
    while True:
        number += 1
        old = tokens.create(f"{sys.argv[2]}-{number}")
        print("made", old.id, flush=True)
        new = tokens.rotate(f"{sys.argv[2]}-{number}", 100)
        print("graced", old.id, flush=True)
        print("made", new.id, flush=True)
        tokens.revoke(new.id)
        print("revoked", new.id, flush=True)
"""
"""Changes tokens until it is killed, and says of each change that it was made."""


def connect_from(address: str, running: Running) -> ssl.SSLSocket:
    """Connect from an address of this machine that is not the usual one."""
    try:
        sock = socket.create_connection(("127.0.0.1", running.port), PATIENCE_SECONDS, source_address=(address, 0))
    except OSError as error:
        pytest.skip(f"this system has no {address}: {error}")
    return client_context(running.ca).wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False)


def make(running: Running, *options: str) -> str:
    """Make a token through the running server, and return it."""
    with running.resp(running.token(Role.ADMIN)) as admin:
        made = admin.ask("TOKEN", "CREATE", *options)
    assert isinstance(made, str | bytes), made
    return Token.parse(made if isinstance(made, str) else made.decode()).reveal()


def test_a_token_for_one_login_made_in_the_running_server(server: ServerFactory) -> None:
    """`TOKEN CREATE … --once` is what `secure-server token create … --once` is: it lets in once."""
    running = server()
    token = make(running, "ada", "--once")
    with running.text(None) as first, running.text(None) as second:
        assert first.ask(f"AUTH {token}") == "OK"
        assert second.ask(f"AUTH {token}") == "ERROR: WRONGPASS The token was refused."
        assert first.ask("WHOAMI") == "ada (user)"


def records(data: Path) -> dict[str, TokenRecord]:
    """What is in the database, by id."""
    with SQLiteTokenStorage(data / DATABASE) as storage:
        return {record.id: record for record in storage.load_all()}


def test_a_token_is_refused_outside_its_networks(server: ServerFactory) -> None:
    """On every way in, and the peer learns no more than of a wrong secret; the log has the reason."""
    running = server(penalties={"exempt": ["127.0.0.0/8"]})
    token = make(running, "ada", "--networks", f"{ELSEWHERE}/32")
    for words in (("AUTH", token), ("AUTH", "ada", token), ("HELLO", "3", "AUTH", "ada", token)):
        with running.resp(None) as peer:
            refused = peer.ask(*words)
            assert isinstance(refused, ErrorReply)
            assert (refused.code, refused.text) == ("WRONGPASS", "The token was refused.")
    logged(running, rf"refused wrong-network token={Token.parse(token).id}")
    with TextPeer(connect_from(ELSEWHERE, running)) as peer:
        assert peer.ask(f"AUTH {token}") == "OK"


def test_a_tokens_sessions_are_bounded(server: ServerFactory) -> None:
    """The second of one is told when to come again; when the first has left, it gets in."""
    running = server()
    token = make(running, "ada", "--max-sessions", "1")
    with running.text(token) as first:
        with running.text(None) as second:
            assert second.ask(f"AUTH {token}") == (
                "ERROR: THROTTLED The token has as many sessions as it may; retry-after=5"
            )
            assert second.rest()[0].startswith("ERROR: CLOSED reason=too-many retry-after=5 ")
        assert first.ask("PING") == "PONG"
        first.leave()
    eventually(lambda: running.server.sessions.clients == 0)
    running.text(token).close()


def test_a_pipelined_flood_is_held_to_its_rate(server: ServerFactory) -> None:
    """The burst is answered, the rest is told when to come again; the session lives, and so do all others."""
    running = server()
    token = make(running, "ada", "--rate", "1/m:20")
    with running.resp(token) as flood, running.resp() as other:
        for _ in range(100):
            flood.request("PING")
        replies = [flood.reply() for _ in range(100)]
        assert replies[:19] == ["PONG"] * 19  # HELLO was before the rate: it is what found out about it
        refused = replies[-1]
        assert isinstance(refused, ErrorReply)
        assert refused.code == "THROTTLED"
        assert 0 < int(refused.text.rpartition("retry-after=")[2]) <= 60
        assert other.ask("PING") == "PONG"
        assert flood.ask("QUIT") == "OK"
    running.text(token).close()  # to come in is not held back either


@pytest.mark.parametrize("count", [1_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_changes_beside_the_server_act_within_a_second(server: ServerFactory, count: int) -> None:
    """Among many tokens, on every way in, for live sessions too; also while a tenth was purged."""
    running = server(timeouts={"authentication": "60s"})  # who comes early waits for the purge of a busy machine
    with closing(sqlite3.connect(running.data / DATABASE)) as db, db:
        db.executemany(
            "INSERT INTO tokens (id, name, role, digest, created, expires, changed)"
            " VALUES (?, ?, 'user', ?, 1, ?, (SELECT generation + 1 FROM change))",
            ((f"{n:010}", f"n{n}", bytes(32), 4e9 if n % 10 else 2.0) for n in range(count)),
        )
        db.execute("UPDATE change SET generation = generation + 1")
    running.server._entrance.watch.step()
    words = (("AUTH", "{}"), ("AUTH", "ada", "{}"), ("HELLO", "3", "AUTH", "ada", "{}"))
    with SQLiteTokenStorage(running.data / DATABASE) as storage:
        tokens = Tokens(storage)
        for number, way in enumerate(words):
            token = tokens.create("ada", rate=parse_rate("1000/s"))
            began = time.monotonic()
            eventually(lambda token=token: running.server._authenticator.state(token.id) is not None)  # type: ignore[misc] # bound default
            assert time.monotonic() - began < 1 + BUSY_SECONDS
            with running.resp(None) as live, running.resp(None) as late:
                reply = live.ask(*(word.format(token.reveal()) for word in way))
                assert not isinstance(reply, ErrorReply), reply
                if purging := number == 1:
                    assert len(tokens.purge()) >= count // 10
                began = time.monotonic()
                tokens.revoke(token.id)
                told = live.rest()
                assert time.monotonic() - began < (
                    PATIENCE_SECONDS if purging else 1 + BUSY_SECONDS
                )  # up to 10,000 changes at once
                assert "revoked" in str(told) if "HELLO" in way else told == []  # over RESP2 the end is all
                refused = late.ask(*(word.format(token.reveal()) for word in way))
                assert isinstance(refused, ErrorReply)
                assert refused.code == "WRONGPASS"


def test_a_change_through_the_server_acts_before_its_answer(server: ServerFactory) -> None:
    """Made, it is good; revoked, it is not: with the very next request, and without a pause between."""
    running = server(penalties={"exempt": ["127.0.0.0/8"]})
    with running.resp(running.token(Role.ADMIN)) as admin:
        for number in range(5):
            token = make(running, f"ada{number}")
            with running.resp(None) as peer, running.resp(None) as late:
                assert peer.ask("AUTH", token) == "OK"
                revoked = admin.ask("TOKEN", "REVOKE", f"ada{number}")
                assert revoked == [f"revoked {Token.parse(token).id} ada{number}"]
                assert isinstance(late.ask("AUTH", token), ErrorReply)
                peer.rest()


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets here")
def test_the_command_line_asks_a_running_server_for_live_sessions(server: ServerFactory) -> None:
    """Through its admin socket; without a server, or with a socket that nobody serves any more, they are unknown.

    An old token is said to be used no more only where the server was asked.
    """
    running = server()

    def told(*command: str) -> list[dict[str, object]]:
        done = CliRunner().invoke(group, [*command, "--json", "--data-dir", str(running.data)])
        assert done.exit_code == 0, done.stderr
        found = json.loads(done.stdout)
        assert isinstance(found, list)
        return found

    def sessions(*command: str) -> dict[object, object]:
        return {item["name"]: item["sessions"] for item in told(*command)}

    def still_used(name: str) -> list[object]:
        return [item["still_used"] for item in told("show", name)]

    with running.text(), running.text(), running.text(running.token(Role.OPERATOR)):
        assert sessions("list") == {"user": 2, "operator": 1, "admin": 0}
        assert sessions("show", "user") == {"user": 2}
        rotated = CliRunner().invoke(group, ["rotate", "operator", "--quiet", "--data-dir", str(running.data)])
        running.server._entrance.watch.step()
        running.text(rotated.stdout.strip()).close()
        assert still_used("operator") == [True, None]  # a session from before the rotation
    eventually(lambda: still_used("operator") == [False, None])
    running.stop()
    assert still_used("operator") == [None, None]
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    with closing(socket.socket(socket.AF_UNIX)) as left_over:
        left_over.bind(str(running.data / "admin.sock"))
    assert sessions("list") == {"user": None, "operator": None, "admin": None}


def test_a_killed_process_loses_no_change_that_it_acknowledged(tmp_path: Path) -> None:
    """Killed at any moment, again and again: all that was said to be made, shortened or revoked is so."""
    data = tmp_path / "data"
    lines = 0
    for kill, most in enumerate((1, 2, 7, 23, 60)):
        with subprocess.Popen(
            [sys.executable, "-c", WORK, str(data / DATABASE), f"n{kill}"],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        ) as worker:  # fmt: skip
            assert worker.stdout is not None
            said = [worker.stdout.readline() for _ in range(most)]
            if sys.platform == "win32":
                pytest.skip("POSIX only")
            worker.send_signal(signal.SIGKILL)
            said += [line for line in worker.stdout if line.endswith("\n")]
        kept = records(data)
        for what, token_id in map(str.split, said):
            record = kept[token_id]
            assert what != "revoked" or record.revoked is not None
            assert what != "graced" or record.expires is not None
        lines += len(said)
    assert lines >= 93


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets here")
def test_a_killed_server_loses_no_change_that_it_acknowledged(certificates: Path, tmp_path: Path) -> None:
    """Every token that it answered is in the store, and good once it runs again."""
    data = tmp_path / "data"
    with Program(certificates, data) as program:
        if sys.platform == "win32":
            pytest.skip("POSIX only")
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(data / "admin.sock"))
        with RespPeer(sock) as admin:
            for number in range(50):
                admin.request("TOKEN", "CREATE", f"n{number}")
            answers = [admin.reply() for _ in range(7)]
            program.process.kill()
            try:
                while True:
                    answers.append(admin.reply())
            except (EOFError, ConnectionError):
                pass
        program.process.wait(PATIENCE_SECONDS)
    made = [Token.parse(answer.decode() if isinstance(answer, bytes) else str(answer)) for answer in answers]
    assert {token.id for token in made} <= records(data).keys()
