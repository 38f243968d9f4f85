"""The program `secure-server run` as its operator meets it: start, errors at the start, signals, the end."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from secure_protocol.replies import Push
from secure_server.auth.principal import Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.pki.ensure import Request, ensure
from secure_server.pki.errors import VerificationFailedError
from tests.integration import program as in_process
from tests.integration.peers import PATIENCE_SECONDS, RespPeer
from tests.integration.program import ROOT, Program, arguments
from tests.integration.running import NOBODY, connect, eventually

CLIENTS = 24
PIPELINE = 20


@pytest.fixture
def certs(certificates: Path, tmp_path: Path) -> Path:
    """A certificate directory of this test's own."""
    return Path(shutil.copytree(certificates, tmp_path / "certs"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory."""
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def token(data: Path) -> str:
    """A token of role user in `data`."""
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        return Tokens(storage).create("user", Role.USER).reveal()


def hammer(peer: RespPeer, started: threading.Barrier, outcomes: list[object]) -> None:
    """Send and check pipelined ECHOs until the server ends the connection; note how it did."""
    try:
        started.wait()
        number = 0
        while True:
            words = [str(number + step) for step in range(PIPELINE)]
            for word in words:
                peer.request("ECHO", word)
            for word in words:
                reply = peer.reply()
                if isinstance(reply, Push):
                    outcomes.append((reply, peer.rest()))
                    peer.leave()
                    return
                assert reply == word
            number += PIPELINE
    except Exception as error:  # noqa: BLE001 - whatever it was is the test's finding
        outcomes.append(error)


def test_sigterm_under_load_resets_nobody(certs: Path, data: Path, token: str) -> None:
    """Every client is answered in order, then told `draining`, then sees an orderly end; the exit code is 0."""
    outcomes: list[object] = []
    with Program(certs, data) as program:
        peers = [RespPeer(connect(program.port, certs / "ca.pem")) for _ in range(CLIENTS)]
        for peer in peers:
            peer.hello(token)
        started = threading.Barrier(CLIENTS + 1)
        threads = [threading.Thread(target=hammer, args=(peer, started, outcomes)) for peer in peers]
        for thread in threads:
            thread.start()
        started.wait()
        program.terminate()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        assert program.process.wait(PATIENCE_SECONDS) == 0
        assert "Traceback" not in program.stderr()
    for peer in peers:
        peer.close()
    farewell = Push("closed", ("draining", 1, "The server is shutting down."))
    assert outcomes == [(farewell, [])] * CLIENTS


def newcomer(port: int, ca: Path, token: str, outcomes: list[object]) -> None:
    """Come, ask and go again and again until nobody listens any more; note what was neither that nor orderly."""
    while True:
        try:
            with RespPeer(connect(port, ca)) as peer:
                peer.hello(token)
                peer.ask("PING")
                peer.leave()
        except ConnectionRefusedError:
            return
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, EOFError, AssertionError, BrokenPipeError):
            continue  # an orderly end: in the handshake, before a reply, or `CLOSED reason=draining` instead of one
        except OSError as error:
            outcomes.append(error)


def test_sigterm_resets_no_newcomer(certs: Path, data: Path, token: str) -> None:
    """Those still in their handshake, or not yet accepted, see an orderly end, too."""
    outcomes: list[object] = []
    with Program(certs, data) as program:
        arguments_ = (program.port, certs / "ca.pem", token, outcomes)
        threads = [threading.Thread(target=newcomer, args=arguments_) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        eventually(lambda: (data / "server_log.txt").read_text(encoding="utf-8").count(" connected ") > CLIENTS)
        program.terminate()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        assert program.process.wait(PATIENCE_SECONDS) == 0
    # Between the last accept and the listener's close the kernel may take in one more, whom nobody can greet.
    assert len(outcomes) <= 1, outcomes


def test_sighup_gives_newcomers_the_new_certificate(certs: Path, data: Path, token: str) -> None:
    """Connections that are there go on as they are; a broken pair changes nothing but stderr."""
    ca, config = certs / "ca.pem", data.with_name("seldom.toml")
    config.write_text('[tls]\nwatch = "1d"\n', encoding="utf-8")  # SIGHUP alone is what reloads here
    with (
        Program(certs, data, "--config", str(config)) as program,
        RespPeer(connect(program.port, ca)) as old,
    ):
        old.hello(token)

        def served() -> bytes | None:
            with connect(program.port, ca) as sock:
                return sock.getpeercert(binary_form=True)

        before = served()
        (certs / "server.pem").unlink()
        ensure(Request(certs))
        assert served() == before
        program.reload("certificate reloaded: SHA-256 ")
        after = served()
        assert after != before
        assert old.ask("PING") == "PONG"
        shutil.copy(ca, certs / "server.pem")
        program.reload("the certificate was not reloaded: ")
        program.says("does not belong to the key")
        assert served() == after
        assert old.ask("PING") == "PONG"


def missing(certs: Path, _data: Path) -> None:
    """No certificate."""
    (certs / "server.pem").unlink()


def mismatched(certs: Path, _data: Path) -> None:
    """Certificate and key of two pairs."""
    shutil.copy(certs / "ca-key.pem", certs / "server-key.pem")


def expired(certs: Path, _data: Path) -> None:
    """A certificate of long ago, and no key to renew it with."""
    shutil.rmtree(certs)
    with contextlib.suppress(VerificationFailedError):
        ensure(Request(certs), now=datetime.now(UTC) - timedelta(days=500))
    (certs / "ca-key.pem").unlink()


def garbled(certs: Path, _data: Path) -> None:
    """A key that is none."""
    (certs / "server-key.pem").write_text("-----BEGIN NONSENSE-----\n", encoding="ascii")


def no_database(_certs: Path, data: Path) -> None:
    """A token database that is none."""
    (data / "tokens.db").write_bytes(b"this is not a database, whatever its name says " * 99)


def cut(_certs: Path, data: Path) -> None:
    """A token database that was cut to nothing while the power failed."""
    (data / "tokens.db").write_bytes(b"")


START_ERRORS = [
    (missing, r"The certificate .*server\.pem is missing; run .*certs ensure|.*generate_certs\.py"),
    (mismatched, r"does not belong to the key .*; run "),
    (expired, r"expired on \d{4}-\d\d-\d\d; run "),
    (garbled, r"is not a readable PEM private key; run "),
    (no_database, r"tokens\.db"),
    (cut, r"tokens\.db is not a token database or is damaged; restore it from a backup or move it away"),
]


def refused(argv: list[str]) -> str:
    """Run a server that cannot start, and return what it says: one line, no traceback, exit code 2."""
    # Unmeasured: another user cannot write this user's coverage data, and coverage would complain on stderr.
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(
        argv, cwd=ROOT, env=unmeasured, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(("spoil", "sentence"), START_ERRORS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_server_that_cannot_start_says_why_and_what_to_do(
    certs: Path, data: Path, spoil: Callable[[Path, Path], None], sentence: str
) -> None:
    """One sentence on stderr, with the command that mends it, and exit code 2."""
    spoil(certs, data)
    assert re.search(sentence, refused(arguments(certs, data)))


def test_a_taken_port_is_told(certs: Path, data: Path) -> None:
    """Whoever has it keeps it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Cannot listen on 127.0.0.1:{port}: Address already in use. Choose another with --host or --port" in (
            refused(arguments(certs, data, port))
        )


def test_a_second_server_on_the_same_data_is_refused(certs: Path, data: Path, token: str) -> None:
    """The first goes on."""
    with Program(certs, data) as program:
        assert "Another server runs in" in refused(arguments(certs, data))
        with RespPeer(connect(program.port, certs / "ca.pem")) as peer:
            peer.hello(token)
            assert peer.ask("PING") == "PONG"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[listen]\nport = 70000\n", "listen.port"),
        ("[listen]\nprot = 5000\n", "unknown key listen.prot"),
        ("[listen\n", "not valid TOML"),
        ("[timeouts]\nidle = 'soon'\n", "timeouts.idle"),
    ],
)
def test_a_bad_configuration_names_the_key(data: Path, text: str, sentence: str) -> None:
    """Which key, what was found, what is allowed."""
    config = data / "config.toml"
    config.write_text(text, encoding="utf-8")
    assert sentence in in_process.refused("--config", str(config))


AS_NOBODY = f"""
import encodings.idna, os, sys
import secure_server.cli.run  # what is needed is imported first: that user may not read this Python
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
secure_server.cli.run.run(sys.argv[1:])
"""


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="needs root, to run as another user")
def test_an_unreadable_key_is_told(certificates: Path, public: Path) -> None:
    """A server that runs as another user than the key's owner says so, and nothing of the key."""
    certs = Path(shutil.copytree(certificates, public / "certs"))
    certs.chmod(0o755)
    data = public / "data"
    data.mkdir()
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    os.chown(data, NOBODY, NOBODY)
    _, _, _, _, *options = arguments(certs, data)
    assert "server-key.pem cannot be read by this user; run the server as the file's owner" in (
        refused([sys.executable, "-c", AS_NOBODY, *options])
    )


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="SIGHUP")
def test_what_the_server_warns_of_is_in_its_log_which_may_be_moved(
    certificates: Path, data: Path, tmp_path: Path
) -> None:
    """Why a command cannot be run, which its peer was not told; and SIGHUP lets go of a log that was moved."""
    config, log = tmp_path / "config.toml", data / "server_log.txt"
    with SQLiteTokenStorage(data / "tokens.db") as storage:
        admin = Tokens(storage).create("ada", Role.ADMIN).reveal()
    config.write_text('[commands.GONE]\nrun = ["/nowhere/gone"]\n', encoding="utf-8")
    with Program(certificates, data, "--config", str(config)) as program:
        with RespPeer(connect(program.port, certificates / "ca.pem")) as peer:
            peer.hello(admin)
            assert "the server's log says why" in str(peer.ask("GONE"))
        why = " log level=ERROR source=secure_server.commands GONE cannot be run: "
        eventually(lambda: why in log.read_text(encoding="utf-8"))
        assert "there is no program /nowhere/gone here" in log.read_text(encoding="utf-8")
        log.rename(log.with_suffix(".1"))
        program.reload("certificate reloaded")
        eventually(log.exists)
