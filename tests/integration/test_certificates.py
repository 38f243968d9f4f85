"""Another certificate under a running server: nobody notices but those who look."""

from __future__ import annotations

import itertools
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from secure_client import Client
from secure_client.errors import CertificateError
from secure_server.auth.principal import Role
from secure_server.pki.ensure import Request, ensure
from secure_server.pki.rollover import Step
from tests.integration.peers import RespPeer
from tests.integration.running import Running, connect, eventually

SELDOM = {"watch": "1d"}
"""For tests that reload by other means."""


@pytest.fixture
def certs(certificates: Path, tmp_path: Path) -> Path:
    """A certificate directory that a test may change."""
    return Path(shutil.copytree(certificates, tmp_path / "certs"))


@contextmanager
def serving(certs: Path, tmp_path: Path, **tls: object) -> Iterator[Running]:
    """Run a server on that directory."""
    with Running(certs, tmp_path / "data", {"tls": tls}) as running:
        yield running


def served(running: Running) -> bytes:
    """Return what a newcomer is served: DER."""
    with connect(running.port, running.ca) as sock:
        return sock.getpeercert(binary_form=True) or b""


def reissued(certs: Path) -> bytes:
    """Make another certificate for the same key, and return the file's content."""
    (certs / "server.pem").unlink()
    ensure(Request(certs))
    return (certs / "server.pem").read_bytes()


def replace(path: Path, content: bytes) -> None:
    """Put other content in a file's place at once, as those do who know how."""
    beside = path.with_name(f"{path.name}.new")
    beside.write_bytes(content)
    beside.replace(path)


class Load:
    """Clients that stay and clients that come and go, each asking without a pause and checking every answer.

    Args:
        running: the server.
        staying: connections that last.
        coming: threads that connect anew for each request.
    """

    def __init__(self, running: Running, staying: int, coming: int) -> None:
        self._running = running
        self._over = threading.Event()
        self.requests = itertools.count()
        self.errors: list[str] = []
        self.seen: set[bytes] = set()
        self.answered = 0
        self._lock = threading.Lock()
        self._threads = [
            *(threading.Thread(target=self._work, args=(self._stay,)) for _ in range(staying)),
            *(threading.Thread(target=self._work, args=(self._come_and_go,)) for _ in range(coming)),
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(20)

    def _work(self, behave: Callable[[], None]) -> None:
        try:
            behave()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the test is about
            self.errors.append(repr(error))

    def _stay(self) -> None:
        with self._running.resp() as peer:
            while not self._over.is_set():
                self._ask(peer)

    def _come_and_go(self) -> None:
        while not self._over.is_set():
            with self._running.resp() as peer:
                self.seen.add(peer.socket.getpeercert(binary_form=True))  # type: ignore[attr-defined] # it is TLS
                self._ask(peer)
                peer.leave()

    def _ask(self, peer: RespPeer) -> None:
        text = f"request {next(self.requests)}"
        reply = peer.ask("ECHO", text)
        if reply not in (text, text.encode()):
            self.errors.append(f"{text}: {reply!r}")
        with self._lock:
            self.answered += 1


@pytest.mark.parametrize("reloads", [20, pytest.param(100, marks=pytest.mark.long)])
def test_many_reloads_under_load_lose_no_request(certs: Path, tmp_path: Path, reloads: int) -> None:
    """Every request of every client is answered, with its own answer, while two certificates change places."""
    contents = [(certs / "server.pem").read_bytes(), reissued(certs)]
    with serving(certs, tmp_path, **SELDOM) as running:
        with Load(running, staying=3, coming=3) as load:
            for number in range(reloads):
                before = load.answered
                replace(certs / "server.pem", contents[number % 2])
                reload = running.server._served.reload("test")
                assert reload.outcome == "reloaded", reload
                eventually(lambda before=before: load.answered > before or bool(load.errors))  # type: ignore[misc] # bound default
            eventually(lambda: len(load.seen) == 2 or bool(load.errors))
        assert load.errors == []
        assert load.answered >= reloads
        assert len(load.seen) == 2
        log = running.log()
    assert "handshake-failed" not in log
    assert "internal-error" not in log


def test_a_changed_file_is_taken_up_by_itself(certs: Path, tmp_path: Path) -> None:
    """A look at the files is enough; those who are connected go on with what they were served."""
    with serving(certs, tmp_path, watch="20ms") as running, running.resp() as old:
        before = served(running)
        reissued(certs)
        eventually(lambda: served(running) != before)
        assert old.ask("PING") == "PONG"
        assert old.socket.getpeercert(binary_form=True) == before  # type: ignore[attr-defined] # it is TLS


def test_an_administrator_sees_and_steers_it(certs: Path, tmp_path: Path) -> None:
    """CERT RELOAD answers old → new or why not; CERT SHOW counts who still uses the old one, as long as they do."""
    with serving(certs, tmp_path, **SELDOM) as running, running.resp(running.token(Role.ADMIN)) as admin:
        first = running.server.certificate.fingerprint
        good = reissued(certs)
        user = running.resp()
        answer = str(admin.ask("CERT", "RELOAD"))
        second = running.server.certificate.fingerprint
        assert f"{first} → {second}" in answer
        (certs / "server.pem").write_bytes(b"x")
        refused = admin.ask("CERT", "RELOAD")
        assert "is not a readable PEM certificate" in str(refused)
        replace(certs / "server.pem", good)
        with running.resp():
            rows = admin.ask("CERT", "SHOW")
            assert isinstance(rows, list)
            assert [(row["state"], row["fingerprint"], row["sessions"]) for row in rows] == [
                ("present", second, 1),
                ("former", first, 2),
            ]
            assert rows[0]["names"].startswith("localhost, 127.0.0.1")
            assert rows[0]["renewal"] < rows[0]["expires"]
        user.leave()
        eventually(lambda: admin.ask("CERT", "SHOW")[1]["sessions"] == 1)  # type: ignore[index] # a table


def test_clients_with_either_root_connect_throughout_a_rollover(certs: Path, tmp_path: Path) -> None:
    """Before, during and after it, with the bundled client: the server takes up each step by itself."""
    roots = {"old": tmp_path / "old.pem", "both": tmp_path / "both.pem", "new": tmp_path / "new.pem"}
    shutil.copy(certs / "ca.pem", roots["old"])
    with serving(certs, tmp_path, watch="20ms") as running:

        def connects(root: str) -> bool:
            try:
                with Client(f"localhost:{running.port}", token=running.token(), ca=roots[root]) as client:
                    return client.execute("PING") == "PONG"
            except CertificateError:
                return False

        assert connects("old")
        ensure(Request(certs, rollover=Step.BEGIN))
        shutil.copy(certs / "ca.pem", roots["both"])
        new = (certs / "ca.pem").read_bytes().partition(b"-----END CERTIFICATE-----\n")
        roots["new"].write_bytes(new[0] + new[1])
        eventually(lambda: connects("new"))
        assert connects("old")
        assert connects("both")
        assert running.server._served.identity.ca_pem == roots["both"].read_bytes()
        ensure(Request(certs, rollover=Step.FINISH))
        eventually(lambda: not connects("old"))
        assert connects("both")
        assert connects("new")


def test_a_name_that_is_not_ascii(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificate, DNS and client mean the same host by `straße.internal`, and not `strasse.internal` (UTS 46)."""
    certs = tmp_path / "named"
    ensure(Request(certs, hosts=("straße.internal",)))
    asked: list[object] = []
    looked_up = socket.getaddrinfo

    def resolve(host: object, port: int, **options: int) -> object:
        asked.append(host)
        return looked_up("127.0.0.1", port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with (
        serving(certs, tmp_path) as running,
        Client(f"straße.internal:{running.port}", token=running.token(Role.USER), ca=running.ca) as client,
    ):
        assert client.execute("PING") == "PONG"
    assert asked[-1] == b"xn--strae-oqa.internal"
