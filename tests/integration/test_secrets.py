"""No secret leaks: every path is walked, good, bad and crashed, and everything that is left behind is searched."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import textwrap
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from secure_client import Client, ClientError
from secure_client.core.endpoint import Endpoint
from secure_client.core.login import Login
from secure_protocol.enrolment import Enrolment
from secure_protocol.token import Token
from secure_server.cli import main
from tests.integration.peers import RespPeer, TextPeer
from tests.integration.program import ROOT, Program
from tests.integration.running import connect
from tests.terminal.screen import Screen

MODULE = '''
from secure_server.commands import Context, command


@command("CRASH")
def crash(context: Context, word: str) -> str:
    """Fail, and quote what was given."""
    raise ValueError(f"cannot take {word!r}")


@command("SECRETCRASH", secret=True)
def secret_crash(context: Context, word: str) -> str:
    """The same, and say that the argument is a secret."""
    raise ValueError(f"cannot take {word!r}")


@command("CRASHINLINE", inline=True)
def crash_inline(context: Context, word: str) -> str:
    """The same on the I/O thread."""
    raise ValueError(f"cannot take {word!r}")
'''
"""Commands of somebody who did not think of secrets."""

CONFIG = """
[tls]
client_certificates = "optional"
[certificates.alice]
role = "user"
"""
"""A client certificate is a way in, too."""

KEYS = ("ca-key.pem", "server-key.pem", "client-alice-key.pem")
SCALAR = slice(48, 88)
"""Where a P-256 key in PKCS#8 has its secret number, in base64; what is before is the same in all, behind it public."""
SAVED = ("profiles.json", "profiles.toml")
"""Files whose purpose is to hold a token."""


class Evidence:
    """What was seen on the way, beside the files."""

    def __init__(self, *secrets: str) -> None:
        self.secrets = secrets
        self.seen: dict[str, str] = {}
        self.arguments: set[str] = set()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Evidence:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()

    def note(self, place: str, text: str) -> None:
        """Keep what a place shows."""
        self.seen[place] = self.seen.get(place, "") + text

    def note_files(self, directory: Path, *but: str) -> None:
        """Keep what every file below a directory holds, but those whose purpose is to hold a token."""
        for path in sorted(directory.rglob("*")):
            if path.is_file() and path.name not in but:
                self.note(str(path.relative_to(directory)), path.read_bytes().decode("latin-1"))

    def leaks(self) -> list[str]:
        """The places in which any part of a secret of 12 characters stands."""
        places = {**self.seen, "process arguments": "\0".join(self.arguments)}
        parts = [secret[start : start + 12] for secret in self.secrets for start in range(0, len(secret) - 11, 8)]
        return [place for place, text in places.items() if any(part in text for part in parts)]

    def _look(self) -> None:
        """Read the arguments of every process, as any user of the machine can, again and again."""
        while not self._over.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):  # it has ended meanwhile
                    self.arguments.add(path.read_bytes().decode("latin-1"))


class Place:
    """A server of its own process, with commands that crash, and where its things are."""

    def __init__(self, root: Path, certificates: Path) -> None:
        self.root = root
        self.certificates = certificates
        self.data = root / "data"
        self.home = root / "home"
        self.environment = {**os.environ, "SECURE_CLIENT_HOME": str(self.home), "LC_ALL": "C.UTF-8"}
        self.outputs: list[str] = []

    def run(self, *words: str, token: str = "", stdin: str = "") -> str:
        """Run one of the project's programs and return what it wrote."""
        environment = {**self.environment, **({"SECURE_CLIENT_TOKEN": token} if token else {})}
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=ROOT,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout + done.stderr

    def server(self, *words: str) -> str:
        """Run `secure-server` on the data directory; in this process, for each start of another takes half a second."""
        done = CliRunner().invoke(main, [*words, "--data-dir", str(self.data)])
        return done.output + "".join(traceback.format_exception(done.exception) if done.exception else ())

    def admin(self, *commands: str) -> str:
        """Run commands in the running server, as its administrator."""
        return self.server("admin", *(word for command in commands for word in ("-c", command)))

    def line(self) -> Enrolment:
        """Make an enrolment line that is good once."""
        words = ("token", "create", "bia", "--enroll", "--once", "--quiet", "--certs-dir", str(self.certificates))
        return Enrolment.parse(shlex.split(self.server(*words))[-1])

    def keys(self) -> list[str]:
        """The secret numbers of the private keys, as their files have them."""
        texts = [(self.certificates / name).read_text(encoding="ascii") for name in KEYS]
        return ["".join(text.splitlines()[1:-1])[SCALAR] for text in texts]


@pytest.fixture
def place(tmp_path: Path, pki: Path) -> Place:
    """A data directory, a home, certificates that may be changed, a configuration and a module of commands."""
    made = Place(tmp_path, Path(shutil.copytree(pki, tmp_path / "certs")))
    made.data.mkdir(mode=0o700)
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "careless.py").write_text(textwrap.dedent(MODULE), encoding="utf-8")
    return made


@pytest.fixture
def token(place: Place) -> Token:
    """Whose secret nobody may find."""
    return Token.parse(place.server("token", "create", "alice", "--quiet"))


@pytest.fixture
def line(place: Place) -> Enrolment:
    """What somebody is sent to enrol with; its port is not the server's yet."""
    return place.line()


@pytest.fixture
def running(place: Place, token: Token, line: Enrolment) -> Iterator[Program]:
    """The server, which knows both from its start."""
    options = ("--config", str(place.root / "config.toml"), "--commands", str(place.root / "careless.py"))
    with Program(place.certificates, place.data, *options) as program:
        yield program


def wrong(token: Token) -> Token:
    """The same id, and all of the secret but its end: a credential that is refused and nearly the right one."""
    return Token(token.id, token.secret[:-1] + ("0" if token.secret[-1] != "0" else "1"))


def by_text(program: Program, ca: Path, token: Token) -> None:
    """What a person may type, rightly, wrongly, and in the wrong place."""
    whole, almost = token.reveal(), wrong(token).reveal()
    before = (
        f"AUTH {almost}",
        f"AUTH {whole[:-1]}",
        f"AUTH alice {almost}",
        f"AUTH {whole} {whole} {whole}",
        f"AUHT {whole}",
        f"AUTH '{whole}",
        f"{whole}",
        f"HELLO 3 AUTH alice {almost}",
        f"HELLO 9 AUTH alice {whole}",
        f"HELLO 3 AUTH alice {whole} SETNAME 'a b'",
        f"AUTH SCRAM-SHA-256-PLUS {whole}",
        f"AUTH SCRAM-SHA-256-PLUS p=tls-server-end-point,,n={whole},r=x",
        "AUTH \x00\x1b[31m" + whole,
        "AUTH " + whole * 80,
    )
    for line in before:
        with TextPeer(connect(program.port, ca)) as peer:
            peer.ask(line)
    after = (
        f"AUTH {whole}",
        f"ECHO {whole}",
        f"AUHT {whole}",
        f"CRASH {whole}",
        f"SECRETCRASH {whole}",
        f"CRASHINLINE {whole}",
        f"CRASH {whole} {whole}",
        f"HELP {whole}",
        f"CLIENT SETNAME {whole}",
        f"CLIENT KILL ADDR {whole}",
        f"LANG {whole}",
        f"COMPLETE CRASH {whole}",
        f"PENALTY EXPLAIN {whole}",
        f"TOKEN SHOW {whole}",
        f"BROADCAST {whole}",
    )
    with TextPeer(connect(program.port, ca)) as peer:
        assert peer.ask(f"AUTH {whole}") == "OK"
        for line in after:
            peer.send(line.encode() + b"\n")
        peer.send(b"EXIT\n")
        assert "internal-error" not in " ".join(peer.rest())


def by_program(program: Program, ca: Path, token: Token) -> None:
    """What a Redis client sends, and bytes that are no request."""
    whole = token.reveal()
    with RespPeer(connect(program.port, ca)) as peer:
        peer.hello(whole)
        assert str(peer.ask("CRASH", whole)).startswith("ERROR: Internal error, reference ")
        peer.ask("RESET")
        peer.ask("AUTH", wrong(token).reveal())
    for garbage in (f"*2\r\n$4\r\nAUTH\r\n$9\r\n{whole}\r\n", f"*2\r\n$4\r\nAUTH\r\n${whole}\r\n", f"*{whole}\r\n"):
        with RespPeer(connect(program.port, ca)) as peer:
            peer.send(garbage.encode())
            peer.rest()
    with connect(program.port, ca) as sock:  # cut in the middle of a token
        sock.sendall(b"AUTH " + whole[:30].encode())


def by_our_client(place: Place, program: Program, token: Token, evidence: Evidence) -> None:
    """The client program: good and bad tokens, from every source, in a terminal and without one."""
    address, ca = f"localhost:{program.port}", str(place.certificates / "ca.pem")
    whole, options = token.reveal(), ["--ca", str(place.certificates / "ca.pem")]
    file = place.root / "token"
    file.touch(0o600)
    file.write_text(whole, encoding="ascii")
    certificate = [str(place.certificates / f"client-alice{end}.pem") for end in ("", "-key")]
    by_certificate = ["--cert", certificate[0], "--key", certificate[1], "-c", "WHOAMI"]
    with ThreadPoolExecutor(2) as pool:
        good, others = [], []
        for mechanism in ("scram", "bearer"):
            words = ["secure_client", address, *options, "--mechanism", mechanism, "-c", "WHOAMI"]
            good.append(pool.submit(place.run, *words, token=whole))
            others.append(pool.submit(place.run, *words, token=wrong(token).reveal()))
            others.append(pool.submit(place.run, *words, "--json", token=whole[:-1]))
        good.append(pool.submit(place.run, "secure_client", address, *options, *by_certificate))
        others.append(pool.submit(place.run, "secure_client", address, *options, *by_certificate[:2], "-c", "PING"))
        others.append(
            pool.submit(place.run, "secure_client", address, *options, "-c", f"CRASH {token.id}", token=whole)
        )
        others.append(pool.submit(place.run, "secure_client", "localhost:1", *options, "-c", "PING", token=whole))
    for run in (*good, *others):
        evidence.note("client", run.result())
    assert [run.result() for run in good] == ["alice (user)\n"] * 3
    evidence.note(
        "client", place.run("secure_client", "profile", "add", "work", address, *options, "--token-file", str(file))
    )
    evidence.note("client", place.run("secure_client", "profile", "list"))
    evidence.note("client", place.run("secure_client", "work", stdin=f"WHOAMI\nAUTH {whole}\nTIME\n"))
    argv = [sys.executable, "-m", "secure_client", "work"]
    with Screen(argv, {"SECURE_CLIENT_HOME": str(place.home)}, columns=140) as screen:
        screen.wait("secure>")
        for line in ("ECHO hello", f"AUTH {whole}", f"echo {whole}"):
            screen.type(line)
            screen.wait(line.split()[0])
            evidence.note("the line while it is typed", screen.text)
            screen.type("\r")
            screen.wait(lambda: screen.typing == "secure>")
        screen.type("\x04")
        assert screen.ended() == 0
    login = Login(Endpoint("localhost", program.port), token=token)
    client = Client(address, token=whole, ca=ca)
    with client:
        client.execute("PING")
        objects = (login, token, client, client.status, client.login, vars(client), vars(client._link))
        evidence.note("reprs", "\n".join(map(repr, objects)))
    refused = Client(address, token=wrong(token).reveal(), ca=ca)
    with pytest.raises(ClientError) as caught, refused:
        refused.execute("PING")
    evidence.note("reprs", f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}")


def by_enrolment(place: Place, line: Enrolment, evidence: Evidence) -> None:
    """A line on standard input: with another CA's fingerprint, good, spent, and with half of its token."""
    assert "Cleared" in place.admin("PENALTY CLEAR all")  # what the wrong credentials before have earned
    pinned = replace(line, pin=bytes(32)).reveal()
    said = [
        place.run("secure_client", "enroll", "-", "--name", "bia", stdin=text)
        for text in (pinned, line.reveal(), line.reveal()[:-20])
    ]
    said.append(place.run("secure_client", "enroll", "-", "--name", "again", stdin=line.reveal()))
    evidence.note("enrolment", "".join(said))
    for text, what in zip(said, ("not the one", "Enrolled at", "Nothing was sent", "was used already"), strict=True):
        assert what in text, text


def by_operator(place: Place, token: Token, evidence: Evidence) -> list[str]:
    """What an operator does with tokens and certificates; returns the secrets of what was made.

    Those are shown once, by the commands that make them, so these answers are no evidence.
    """
    made = [place.server("token", "create", "carol", "--once", "--quiet")]
    made += place.admin("TOKEN CREATE dave", "TOKEN CREATE erin --once", "TOKEN ROTATE dave").split()
    made.append(place.server("token", "rotate", "alice", "--quiet"))
    pasted = token.reveal()  # a secret where a name belongs
    key = place.certificates / "server-key.pem"
    content = key.read_text(encoding="ascii")
    key.write_text(content[:150], encoding="ascii")
    said = place.admin("CERT RELOAD", "CERT SHOW", f"TOKEN CREATE {pasted}", f"TOKEN ROTATE {pasted}", f"KICK {pasted}")
    assert "is not a readable PEM private key" in said
    key.write_text(content, encoding="ascii")
    commands = [
        ("token", "list", "--json"),
        ("token", "show", "alice"),
        ("token", "show", pasted),
        ("token", "create", pasted),
        ("token", "revoke", wrong(token).reveal()),
        ("token", "revoke", "alice"),
        ("audit", "show"),
        ("audit", "show", "--json"),
    ]
    evidence.note("operator", said + "".join(place.server(*words) for words in commands))
    evidence.note("operator", place.admin("TOKENS", "CLIENTS", "PENALTY LIST", "CERT RELOAD"))
    evidence.note("operator", CliRunner().invoke(main, ["certs", "show", "--dir", str(place.certificates)]).output)
    assert "TOKEN CREATE" in evidence.seen["operator"]
    return [Token.parse(text).secret for text in made]


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc, to see the arguments of processes")
@pytest.mark.long
def test_no_secret_is_left_anywhere(place: Place, token: Token, line: Enrolment, running: Program) -> None:
    """Nothing of one in log, audit trail, database, stderr, process arguments, history, answers and reprs."""
    ca = place.certificates / "ca.pem"
    evidence = Evidence(token.secret, line.token.secret, *place.keys())
    with evidence:
        by_text(running, ca, token)
        by_program(running, ca, token)
        by_our_client(place, running, token, evidence)
        by_enrolment(place, replace(line, host="localhost", port=running.port), evidence)
    # Here a secret is an argument: that of an operator who pastes one where a name belongs.
    made = by_operator(place, token, evidence)
    running.stop()
    evidence.secrets += tuple(made)
    assert len(made) == 5
    evidence.note("server stderr", running.stderr())
    evidence.note_files(place.data)
    evidence.note_files(place.home, *SAVED)
    assert "Traceback" in evidence.seen["server stderr"]  # the crashes did crash
    assert "CRASH" in evidence.seen["server_log.txt"]
    assert any("secure_client" in words for words in evidence.arguments)
    assert evidence.leaks() == []
