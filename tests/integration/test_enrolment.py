"""Enrolment in one line: the real server, over real TLS, and the real client program."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from secure_client import enrolment as steps
from secure_client.cli.main import main
from secure_client.core.login import Mechanism
from secure_client.core.trust import Trust
from secure_client.enrolment import Enrolled, Wish, enrol
from secure_client.errors import AuthenticationError, ConnectError, SetupError
from secure_client.profiles.profiles import Profiles
from secure_protocol.enrolment import Enrolment
from secure_protocol.token import Token
from secure_server.auth.principal import Role, TokenUse
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_record import TokenRecord, TokenState
from secure_server.auth.tokens import Tokens
from secure_server.server import DATABASE
from tests.conftest import ServerFactory
from tests.integration.peers import PATIENCE_SECONDS, TextPeer
from tests.integration.program import ROOT, Program
from tests.integration.running import Running, connect, eventually
from tests.secure_client.certificates import Authority, Pair
from tests.secure_client.profiles.test_keyrings import Backend

Result = subprocess.CompletedProcess[str]

KEYRING = """
import json, os, pathlib
FILE = pathlib.Path(os.environ["FAKE_KEYRING"])
def _all(): return json.loads(FILE.read_text()) if FILE.exists() else {}
def get_password(service, name): return _all().get(service + " " + name)
def set_password(service, name, secret): FILE.write_text(json.dumps(_all() | {service + " " + name: secret}))
def delete_password(service, name):
    FILE.write_text(json.dumps({key: secret for key, secret in _all().items() if not key.endswith(name)}))
"""
"""A package `keyring` for the program to find: a file, since a test has no desktop."""


def pin_of(ca: Path) -> bytes:
    """The fingerprint of the CA."""
    return x509.load_pem_x509_certificate(ca.read_bytes()).fingerprint(hashes.SHA256())


def make(running: Running, name: str = "ada", use: TokenUse = TokenUse.ENROLMENT, within: float = 3600.0) -> Enrolment:
    """A line for this server, as an administrator makes it beside it; known to the server."""
    with SQLiteTokenStorage(running.data / DATABASE) as storage:
        token = Tokens(storage).create(name, Role.OPERATOR, use=use, within=within)
    running.server._entrance.watch.step()
    return Enrolment("localhost", running.port, pin_of(running.ca), token)


def records(running: Running) -> list[TokenRecord]:
    """The tokens of `ada`, oldest first."""
    with SQLiteTokenStorage(running.data / DATABASE) as storage:
        return [item for item in storage.load_all() if item.name == "ada"]


def states(running: Running) -> list[str]:
    """How they stand."""
    return [item.state(item.created + 1) for item in records(running)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the client saves."""
    monkeypatch.setenv("SECURE_CLIENT_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SECURE_CLIENT_TOKEN", raising=False)
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setattr(steps, "AGAIN_SECONDS", 0.0)
    return tmp_path / "home"


def client(home: Path, *arguments: str, stdin: str = "", **environment: str) -> Result:
    """Run the program."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("LANG", "LC_ALL")}
    return subprocess.run(
        [sys.executable, "-m", "secure_client", *arguments],
        input=stdin,
        cwd=home.parent,
        env=inherited | {"SECURE_CLIENT_HOME": str(home), "PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_SECONDS * 2,
        check=False,
    )


Run = Callable[..., Result]


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the program's own entry point in this process, with nothing on stdin: a start takes half a second."""
    monkeypatch.chdir(home.parent)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))

    def program(*arguments: str) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert isinstance(end.value.code, int)
        return Result(arguments, end.value.code, *capsys.readouterr())

    return program


def here(enrolment: Enrolment, name: str = "work", **options: object) -> Enrolled:
    """Enrol in this process."""
    return enrol(Wish(enrolment, name, **options), Profiles(), lambda _: None)  # type: ignore[arg-type]  # as Wish has it


def test_one_line_and_the_client_is_in(server: ServerFactory, home: Path, certificates: Path, run: Run) -> None:
    """What the administrator's command prints is pasted; what was done is said; the profile works; no secret shows."""
    running = server()
    made = subprocess.run(
        [sys.executable, "-m", "secure_server", "token", "create", "ada", "--enroll", "--once", "--role", "operator",
         "--port", str(running.port), "--certs-dir", str(certificates), "--data-dir", str(running.data)],
        cwd=ROOT, capture_output=True, encoding="utf-8", check=True,
    )  # fmt: skip
    _, *arguments = shlex.split(made.stdout)
    url = Enrolment.parse(arguments[-1])
    running.server._entrance.watch.step()
    done = client(home, *arguments, "--name", "work", "--no-keyring")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert f"Enrolled at 127.0.0.1:{running.port} as ada (operator)." in done.stderr
    assert url.pin.hex() in done.stderr
    assert "Connect with: secure-client work" in done.stderr
    assert "scs_" not in done.stderr
    assert [path.stat().st_mode & 0o777 for path in home.iterdir()] == [0o600, 0o600]
    assert states(running) == ["spent", "active"]
    assert url.token.secret not in (home / "profiles.json").read_text(encoding="utf-8")
    told = run("work", "-c", "WHOAMI")
    assert told.stdout == "ada (operator)\n", told.stderr

    again = run(*arguments, "--name", "work")
    assert again.returncode == 2
    assert "There is a profile `work` already, and nothing was sent" in again.stderr
    used = run(*arguments, "--name", "other")
    assert used.returncode == 4
    assert "was used already, has expired or was revoked. Nothing was saved. Ask the administrator" in used.stderr
    assert url.token.secret not in again.stderr + used.stderr
    assert list(Profiles().load()) == ["work"]


def test_a_line_is_good_the_moment_it_was_made(
    server: ServerFactory, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script pastes faster than the server looks at what was made beside it."""
    running = server()
    look = running.server._entrance.watch.step
    with monkeypatch.context() as unnoticed:
        unnoticed.setattr(running.server._entrance.watch, "step", lambda: None)

        def sleep(_seconds: float) -> None:
            unnoticed.undo()
            look()

        monkeypatch.setattr("secure_client.enrolment.time.sleep", sleep)
        assert here(make(running)).session.user == "ada"


def test_a_line_with_the_token_itself(server: ServerFactory, home: Path) -> None:
    """Pasted on stdin, so that no argument shows it; it may be used again elsewhere."""
    running = server()
    url = make(running, use=TokenUse.LASTING)
    done = client(home, "enroll", "-", "--no-keyring", stdin=f"secure-client enroll '{url.reveal()}'\n")
    assert done.returncode == 0, done.stderr
    assert Profiles().load()["localhost"].token == url.token.reveal()
    here(url, "again")
    assert states(running) == ["active"]


@pytest.mark.parametrize("arguments", [("scs://x", "token=scs_EXAMPLE000_hunter2"), ("scs://x:1?ca=hunter2",), ()])
def test_a_bad_line_is_not_repeated(home: Path, run: Run, arguments: tuple[str, ...]) -> None:
    """One sentence, exit code 2."""
    done = run("enroll", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "hunter2" not in done.stderr
    assert not home.exists()


@pytest.mark.parametrize("end", ["expired", "revoked"])
def test_a_line_that_is_no_longer_good(server: ServerFactory, home: Path, end: str) -> None:
    """Said as that, with what to do; nothing is saved."""
    running = server()
    url = make(running)
    if end == "expired":
        running.server._authenticator._clock = lambda: records(running)[0].created + 3600
    else:
        running.revoke("ada")
        running.server._entrance.watch.step()
    with pytest.raises(AuthenticationError, match=r"has expired or was revoked\. Nothing was saved"):
        here(url)
    assert not home.exists()


class Impostor:
    """A TLS server under another CA, which hands a CA certificate out and notes what it is sent.

    Args:
        pair: its certificate.
        ca: what it hands out.
        connections: how many it takes.
    """

    def __init__(self, pair: Pair, ca: Path, connections: int) -> None:
        self.received = b""
        self._ca = ca.read_bytes()
        self._connections = connections
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair.certificate, pair.key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        for _ in range(self._connections):
            plain, _address = self._listener.accept()
            with contextlib.suppress(ssl.SSLError), self._context.wrap_socket(plain, server_side=True) as sock:
                while data := sock.recv(4096):
                    self.received += data
                    sock.sendall(b"$%d\r\n%s\r\n" % (len(self._ca), self._ca))

    def end(self) -> bytes:
        """Return all that it was sent."""
        self._thread.join(PATIENCE_SECONDS)
        self._listener.close()
        return self.received


@pytest.fixture
def impostor(tmp_path: Path) -> Impostor:
    """Somebody between the client and the server."""
    authority = Authority(tmp_path / "impostor")
    return Impostor(authority.issue("server"), authority.ca, 1)


def test_a_wrong_pin_is_a_hard_stop(server: ServerFactory, home: Path, run: Run, impostor: Impostor) -> None:
    """It explains itself; the impostor was sent three letters; the line can still be used."""
    running = server()
    url = make(running)
    fake = Enrolment("localhost", impostor.port, url.pin, url.token)
    done = run("enroll", fake.reveal())
    assert done.returncode == 3
    assert done.stderr.startswith(f"STOPPED: the CA certificate of localhost:{impostor.port} is not the one")
    assert "Neither the token nor anything else was sent, and nothing was saved." in done.stderr
    assert impostor.end() == b"*1\r\n$2\r\nCA\r\n"
    assert not home.exists()
    here(url)


def test_an_impostor_with_the_right_ca_gets_no_further(server: ServerFactory, home: Path, tmp_path: Path) -> None:
    """The CA certificate is public: whoever repeats it must still have a certificate under it."""
    running = server()
    url = make(running)
    other = Impostor(Authority(tmp_path / "impostor").issue("server"), running.ca, 2)
    with pytest.raises(ConnectError):
        here(Enrolment("localhost", other.port, url.pin, url.token))
    assert other.end() == b"*1\r\n$2\r\nCA\r\n"
    assert not home.exists()


class Crash(BaseException):
    """The program dies."""


@pytest.mark.parametrize("step", ["_save", "_complete"])
def test_after_a_crash_the_same_line_works(
    server: ServerFactory, home: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Between the exchange and the first login, before or after saving: the line is not used up, no token is left."""
    running = server()
    url = make(running)

    def crash(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as broken:
        broken.setattr(steps, step, crash)
        with pytest.raises(Crash):
            here(url)
    assert states(running) == ["active", "active"]
    here(url)
    assert states(running) == ["spent", "active"]
    assert Profiles().load()["work"].enrolment is None


def test_after_a_crash_behind_the_first_login_the_same_line_says_so(
    server: ServerFactory, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line is spent then, and the profile is good: pasting it again finds that out."""
    running = server()
    url = make(running)
    add = Profiles.add
    with monkeypatch.context() as broken:

        def crash(profiles: Profiles, name: str, profile: object) -> None:
            if profile.enrolment is None:  # type: ignore[attr-defined]  # a Profile
                raise Crash
            add(profiles, name, profile)  # type: ignore[arg-type]  # as above

        broken.setattr(Profiles, "add", crash)
        with pytest.raises(Crash):
            here(url)
    assert states(running) == ["spent", "active"]
    assert here(url).session.user == "ada"
    assert states(running) == ["spent", "active"]


def test_of_two_who_paste_the_same_line_one_gets_in(
    server: ServerFactory, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other is told, and what it had saved is gone, or what was there before is back."""
    running = server()
    other, url = make(running, "bob"), make(running)
    here(other)
    before, files = Profiles().load(), sorted(home.iterdir())
    complete = steps._complete

    def slow(*arguments: object) -> Enrolled:
        monkeypatch.setattr(steps, "_complete", complete)
        here(url, "faster")
        Profiles().remove("faster")
        return complete(*arguments)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(steps, "_complete", slow)
    with pytest.raises(AuthenticationError, match="was used already"):
        here(url, replace=True)
    assert (Profiles().load(), sorted(home.iterdir())) == (before, files)


def test_a_taken_name_is_refused_before_anything_is_sent(server: ServerFactory, home: Path) -> None:
    """`--force` replaces it; the line was not touched."""
    running = server()
    here(make(running, "bob"))
    url = make(running)
    for name in ("work", "no name"):
        with pytest.raises(SetupError):
            here(url, name)
    assert states(running) == ["active"]
    assert here(url, replace=True).session.user == "ada"


def test_a_place_that_cannot_be_written_leaves_the_line_good(
    server: ServerFactory, home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A sentence; after mending it the same line works."""
    running = server()
    url = make(running)
    home.write_text("a file where the directory should be", encoding="ascii")
    with pytest.raises(SetupError, match="Cannot"):
        here(url)
    home.unlink()
    here(url)


def test_the_token_goes_into_the_keyring(
    server: ServerFactory, home: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the package is installed and works; the profile names it; removing the profile removes it."""
    running = server()
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "keyring.py").write_text(KEYRING, encoding="ascii")
    environment = {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path / 'modules'}",
        "FAKE_KEYRING": str(tmp_path / "keyring.json"),
    }
    done = client(home, "enroll", make(running).reveal(), "--name", "work", **environment)
    assert done.returncode == 0, done.stderr
    assert "Token:   in the system's keyring" in done.stderr
    assert "scs_" not in (home / "profiles.json").read_text(encoding="utf-8")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    monkeypatch.delitem(sys.modules, "keyring")
    assert run("work", "-c", "WHOAMI").stdout == "ada (operator)\n"
    assert "in the keyring" in run("profile", "list").stdout
    assert "scs_" in (tmp_path / "keyring.json").read_text(encoding="ascii")
    assert run("profile", "remove", "work").returncode == 0
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert (tmp_path / "keyring.json").read_text(encoding="ascii") == "{}"


def test_a_replaced_profile_leaves_nothing_in_the_keyring(
    server: ServerFactory, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--force` forgets the token that nobody asks for any more."""
    ring = Backend()
    monkeypatch.setitem(sys.modules, "keyring", ring)
    running = server()
    here(make(running, "bob"))
    profile = here(make(running), replace=True).profile
    assert [token_id for _, token_id in ring.kept] == [profile.keyring]


def test_a_keyring_that_fails_is_done_without(
    server: ServerFactory, home: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token goes into the profile, and a note says so."""
    running = server()
    monkeypatch.setitem(sys.modules, "keyring", Backend(RuntimeError("locked")))
    done = run("enroll", make(running).reveal())
    assert done.returncode == 0, done.stderr
    assert "The system's keyring does not work (RuntimeError)" in done.stderr
    assert Profiles().load()["localhost"].token is not None


def test_a_server_that_takes_bearer_tokens_alone(server: ServerFactory, home: Path) -> None:
    """The mechanism is chosen by whoever enrols, and saved; nothing falls back to it."""
    running = server(authentication={"mechanisms": "bearer"})
    url = make(running)
    with pytest.raises(AuthenticationError):
        here(url)
    assert here(url, mechanism=Mechanism.BEARER).profile.mechanism is Mechanism.BEARER


def test_with_the_ca_in_a_file_nobody_is_asked_for_it(server: ServerFactory, home: Path, tmp_path: Path) -> None:
    """It is compared with the pin all the same."""
    running = server()
    url = make(running)
    with pytest.raises(ConnectError, match="STOPPED: the CA"):
        here(url, trust=Trust(Authority(tmp_path / "other").ca))
    with pytest.raises(SetupError, match="Cannot read the CA file"):
        here(url, trust=Trust(tmp_path / "nowhere"))
    here(url, trust=Trust(running.ca))


def test_a_second_root_is_saved_too(server: ServerFactory, home: Path, tmp_path: Path) -> None:
    """While one root follows another the client gets both, so that it connects throughout."""
    running = server()
    second = Authority(tmp_path / "second").ca.read_text(encoding="ascii")
    served = running.server._served
    served.identity = served.identity._replace(ca_pem=running.ca.read_bytes() + second.encode())
    profile = here(make(running)).profile
    assert profile.ca is not None
    assert Path(profile.ca).read_text(encoding="ascii") == running.ca.read_text(encoding="ascii") + second


def test_a_server_without_a_ca_says_so(server: ServerFactory, home: Path) -> None:
    """Its certificate is somebody else's; the line can still be used with --ca."""
    running = server()
    url = make(running)
    served = running.server._served
    served.identity = served.identity._replace(ca_pem=b"")
    with pytest.raises(ConnectError, match="gives out no CA certificate, it answered: ERR This server has no CA"):
        here(url)
    here(url, trust=Trust(running.ca))


def test_no_kill_makes_a_spent_token_good_again(certificates: Path, tmp_path: Path) -> None:
    """The server dies the moment it let somebody in by a token for one login; the next server refuses it."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with SQLiteTokenStorage(data / DATABASE) as storage:
        token = Tokens(storage).create("ci", use=TokenUse.ONCE)
    with Program(certificates, data) as program, TextPeer(connect(program.port, certificates / "ca.pem")) as peer:
        assert peer.ask(f"AUTH {token.reveal()}") == "OK"
        if sys.platform == "win32":
            pytest.skip("POSIX only")
        program.process.send_signal(signal.SIGKILL)
        program.process.wait(PATIENCE_SECONDS)
    with Program(certificates, data) as program, TextPeer(connect(program.port, certificates / "ca.pem")) as peer:
        assert peer.ask(f"AUTH {token.reveal()}") == "ERROR: WRONGPASS The token was refused."


def test_of_many_connections_that_race_one_gets_in(server: ServerFactory) -> None:
    """Real sockets, one token, one OK; the session goes on, and is closed when the token is revoked."""
    running = server()
    token: Token = make(running, use=TokenUse.ONCE).token
    peers = [running.text(None) for _ in range(8)]
    for peer in peers:
        peer.send(f"AUTH {token.reveal()}\n".encode())
    answers = [peer.line() for peer in peers]
    assert sorted(answers) == ["ERROR: WRONGPASS The token was refused."] * 7 + ["OK"]
    winner = peers[answers.index("OK")]
    assert winner.ask("ECHO on") == "ECHO: on"
    eventually(lambda: running.server._authenticator.state(token.id) is TokenState.SPENT)
    assert winner.ask("ECHO and on") == "ECHO: and on"
    running.revoke("ada")
    assert "reason=revoked" in winner.line()
    for peer in peers:
        peer.close()


@pytest.mark.skipif(os.name != "posix", reason="pexpect drives a POSIX terminal")
def test_on_a_terminal_the_line_is_asked_for_and_not_shown(server: ServerFactory, home: Path) -> None:
    """Pasted whole, as it came; nothing of it is echoed, and Ctrl-C at the question leaves nothing."""
    import pexpect  # noqa: PLC0415 - for POSIX alone

    running = server()
    url = make(running)
    argv = ["-m", "secure_client", "enroll", "--no-keyring"]
    environment = os.environ | {"SECURE_CLIENT_HOME": str(home), "PYTHONPATH": str(ROOT), "LC_ALL": "C"}
    for answer, status in (("\x03", 130), (f"secure-client enroll '{url.reveal()}'", 0)):
        terminal = pexpect.spawn(sys.executable, argv, timeout=PATIENCE_SECONDS, env=environment, encoding="utf-8")
        terminal.expect_exact("Enrolment URL (hidden): ")
        assert not home.exists()
        terminal.sendline(answer) if status == 0 else terminal.send(answer)
        told = terminal.read()
        terminal.close()
        assert terminal.exitstatus == status, told
        assert "scs_" not in told
    assert Profiles().load()["localhost"].token is not None


@pytest.mark.usefixtures("home")
def test_the_running_server_makes_the_line_as_well(server: ServerFactory) -> None:
    """The one that `secure-server token create --enroll` prints, good once, and no token for what cannot be."""
    running = server()
    with running.text(running.token(Role.ADMIN)) as root:
        assert root.ask("TOKEN CREATE ada --host x").startswith("ERROR: --host and --port are for --enroll and --web.")
        assert root.ask("TOKEN CREATE ada --enroll --within 1h").startswith("ERROR: --within is for --enroll --once")
        assert "is an URL" in root.ask("TOKEN CREATE ada --enroll --host https://x")
        assert records(running) == []
        line = root.ask("TOKEN CREATE ada --enroll --once --within 1h --host localhost")
    program, verb, url = shlex.split(line)
    assert (program, verb) == ("secure-client", "enroll")
    made = Enrolment.parse(url)
    assert (made.host, made.port, made.pin) == ("localhost", running.port, pin_of(running.ca))
    (record,) = records(running)
    assert (record.use, round((record.expires or 0) - record.created)) == (TokenUse.ENROLMENT, 3600)
    here(made)
    assert states(running) == ["spent", "active"]
