"""Client certificates over real TLS: who is asked for one, whom it stands for, and what ends that."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from secure_client import Client
from secure_client.errors import (
    AuthenticationError,
    ClientCertificateError,
    ClientError,
    RevokedError,
    TokenWantedError,
)
from secure_server.auth.principal import Role
from secure_server.auth.revoked_certificates import RevokedCertificates
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.cli.certs import certs
from secure_server.pki import profile
from secure_server.pki.ensure import Request, ensure
from secure_server.pki.names import client_host
from secure_server.pki.store import CertificateDirectory
from secure_server.server import DATABASE
from secure_server.starting import StartError
from tests.conftest import ServerFactory
from tests.integration.conftest import Start
from tests.integration.peers import BUSY_SECONDS, PATIENCE_SECONDS, RespPeer, TextPeer
from tests.integration.running import Running, eventually, logged

ALICE = {"alice": {"role": "operator"}}


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of somebody else."""
    directory = tmp_path_factory.mktemp("strangers")
    ensure(Request(directory, clients=("alice",)))
    return directory


def tls(running: Running, pki: Path, name: str | None, *, ca: Path | None = None) -> ssl.SSLSocket:
    """Connect, showing the certificate of that client."""
    context = ssl.create_default_context(cafile=str((ca or pki) / "ca.pem"))
    if name is not None:
        context.load_cert_chain(pki / f"client-{name}.pem", pki / f"client-{name}-key.pem")
    sock = socket.create_connection(("127.0.0.1", running.port), PATIENCE_SECONDS)
    return context.wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False)


def client(running: Running, pki: Path, name: str | None, *, theirs: Path | None = None, token: str = "") -> Client:
    """Our own client, showing the certificate of that name."""
    own = theirs or pki
    return Client(
        f"localhost:{running.port}",
        ca=pki / "ca.pem",
        certificate=None if name is None else own / f"client-{name}.pem",
        key=None if name is None else own / f"client-{name}-key.pem",
        token=token or None,
    )


def refused(made: Client) -> ClientError:
    """How it fails, and that it does not go on trying."""
    with pytest.raises(ClientError) as caught:
        made.connect()
    return caught.value


def issue(pki: Path, directory: Path, name: str, now: datetime) -> None:
    """Make another certificate for a name, as if it were `now`."""
    files = CertificateDirectory(pki)
    ca, ca_key, key = files.read_certificate("ca.pem").value, files.read_key("ca-key.pem").value, profile.generate_key()
    assert ca is not None
    assert ca_key is not None
    hosts = (client_host(name),)
    made = profile.issue_leaf(key.public_key(), name, hosts, profile.Purpose.CLIENT, ca=ca, ca_key=ca_key, now=now)
    CertificateDirectory(directory).write_certificate(f"client-{name}.pem", made)
    CertificateDirectory(directory).write_key(f"client-{name}-key.pem", key)


def ends(peer: TextPeer | RespPeer) -> str:
    """What the server says at the end, as one text."""
    with peer:
        return " ".join(map(str, peer.rest()))


@contextmanager
def revocations(running: Running) -> Iterator[RevokedCertificates]:
    """As another process has them."""
    with SQLiteTokenStorage(running.data / DATABASE) as storage:
        yield RevokedCertificates(storage)


def test_a_mapped_certificate_stands_in_for_a_token(start: Start, pki: Path) -> None:
    """The session is authenticated from the start, has a client's place, and the log says by what."""
    running = start("optional", ALICE)
    with TextPeer(tls(running, pki, "alice")) as peer:
        assert peer.ask("WHOAMI") == "alice (operator)"
        assert (running.server.sessions.clients, running.server.sessions.strangers) == (1, 0)
    with RespPeer(tls(running, pki, "alice")) as program:
        hello = program.ask("HELLO", "3", "SETNAME", "build")
        assert isinstance(hello, dict)
        assert (hello["user"], hello["user-role"]) == ("alice", "operator")
    logged(running, r"authentication session=\d+ principal=alice .* outcome=accepted certificate=[0-9a-f]{16}\b")
    eventually(lambda: running.server.sessions.clients == 0)
    eventually(lambda: running.server.sessions.strangers == 0)


def test_our_client_needs_no_token_then(start: Start, pki: Path) -> None:
    """The library's session is the certificate's."""
    with client(start("required", ALICE), pki, "alice") as made:
        assert made.execute("WHOAMI") == "alice (operator)"


def test_an_unmapped_certificate_is_asked_for_besides_a_token(start: Start, pki: Path) -> None:
    """Bob's opens the door and no more: he must say who he is."""
    running = start("required", ALICE)
    with TextPeer(tls(running, pki, "bob")) as peer:
        logged(running, r"connected .* cipher=\S+ certificate=[0-9a-f]{16}\b")
        assert peer.ask("WHOAMI") == "ERROR: NOAUTH Authentication required: AUTH <token>."
        assert peer.ask(f"AUTH {running.token()}") == "OK"
        assert peer.ask("WHOAMI") == "user (user)"
    error = refused(client(running, pki, "bob"))
    assert type(error) is TokenWantedError
    assert "takes your client certificate, and wants a token besides" in str(error)
    with client(running, pki, "bob", token=running.token()) as made:
        assert made.execute("WHOAMI") == "user (user)"


def test_optional_lets_tokens_in_without(start: Start, pki: Path) -> None:
    """Whoever shows none authenticates as ever."""
    running = start("optional", ALICE)
    with client(running, pki, None, token=running.token()) as made:
        assert made.execute("WHOAMI") == "user (user)"


def test_on_tls_1_2_too(start: Start, pki: Path) -> None:
    """Where the configuration allows that version; there the handshake itself tells who lacks a certificate."""
    running = start("required", ALICE, tls={"client_certificates": "required", "minimum": "1.2"})
    context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with running.tcp() as sock, pytest.raises(ssl.SSLError):
        context.wrap_socket(sock, server_hostname="localhost")
    context.load_cert_chain(pki / "client-alice.pem", pki / "client-alice-key.pem")
    with TextPeer(context.wrap_socket(running.tcp(), server_hostname="localhost")) as peer:
        assert peer.ask("WHOAMI") == "alice (operator)"


def test_off_asks_for_none(server: ServerFactory, pki: Path) -> None:
    """A client that has one all the same needs its token."""
    running = server(certs_dir=str(pki))
    with client(running, pki, "alice", token=running.token()) as made:
        assert made.execute("WHOAMI") == "user (user)"


def test_required_refuses_who_shows_none(start: Start, pki: Path) -> None:
    """Told at the first read, once, with what to do: on TLS 1.3 the client's own handshake succeeds before."""
    running = start("required", ALICE)
    error = refused(client(running, pki, None, token=running.token()))
    assert type(error) is ClientCertificateError
    assert error.exit_code == 4
    assert "requires a client certificate: give one with --cert and --key" in str(error)
    logged(running, "refused .* reason=handshake-failed PEER_DID_NOT_RETURN_A_CERTIFICATE")
    assert running.log().count("handshake-failed") == 1
    running.stop()
    assert '"refused"' in next(running.data.glob("audit-*.jsonl")).read_text(encoding="utf-8")
    eventually(lambda: running.server.sessions.strangers == 0)


@pytest.mark.parametrize("wanted", ["optional", "required"])
def test_a_certificate_of_another_ca_is_refused(start: Start, pki: Path, strangers: Path, wanted: str) -> None:
    """Whatever name it bears, and with a good token, too; the client says what to do and does not try again."""
    running = start(wanted, ALICE)
    error = refused(client(running, pki, "alice", theirs=strangers, token=running.token()))
    assert type(error) is ClientCertificateError
    assert f"does not accept the client certificate {strangers / 'client-alice.pem'}: it does not trust" in str(error)
    logged(running, "reason=handshake-failed CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate")
    assert running.log().count("handshake-failed") == 1


def test_a_certificate_that_expired_before(start: Start, pki: Path, tmp_path: Path) -> None:
    """The handshake refuses it, and our client says so."""
    issue(pki, tmp_path, "alice", datetime.now(UTC) - profile.LEAF_LIFETIME)
    error = refused(client(start("optional", ALICE), pki, "alice", theirs=tmp_path))
    assert type(error) is ClientCertificateError
    assert "client-alice.pem: it has expired; ask" in str(error)


def test_a_servers_certificate_is_none_for_a_client(start: Start, pki: Path, tmp_path: Path) -> None:
    """Its extended key usage says what it is for."""
    for kind in ("", "-key"):
        (tmp_path / f"client-alice{kind}.pem").write_bytes((pki / f"server{kind}.pem").read_bytes())
    error = refused(client(start("optional"), pki, "alice", theirs=tmp_path))
    assert type(error) is ClientCertificateError
    assert "it is not made for clients" in str(error)


def test_the_list_of_commands_holds(start: Start, pki: Path) -> None:
    """`allow` is the same data as a token's."""
    running = start("optional", {"alice": {"role": "admin", "allow": ["time"]}})
    with TextPeer(tls(running, pki, "alice")) as peer:
        assert peer.ask("ECHO x").startswith("ERROR: NOPERM ECHO is not on the list")
        assert re.match(r"\d{4}-", peer.ask("TIME"))


def test_the_networks_hold(start: Start, pki: Path) -> None:
    """From elsewhere the peer is told why, in the protocol: TLS stands already."""
    running = start("optional", {"alice": {"role": "user", "networks": ["192.0.2.0/24"]}})
    error = refused(client(running, pki, "alice"))
    assert type(error) is AuthenticationError
    assert "The client certificate may not be used from your address" in str(error)
    with RespPeer(tls(running, pki, "alice")) as peer:
        said = peer.ask("PING")  # over RESP2 it can be told as an answer alone
        assert str(said) == "ERROR: CLOSED reason=auth-failed The client certificate may not be used from your address."
        assert peer.rest() == []
    logged(running, "authentication .* outcome=refused wrong-network certificate=")
    inside = start("optional", {"alice": {"role": "user", "networks": ["192.0.2.0/24", "127.0.0.0/8"]}})
    with client(inside, pki, "alice") as made:
        assert made.execute("PING") == "PONG"


def test_who_shows_a_token_besides_is_whoever_it_says(start: Start, pki: Path) -> None:
    """An explicit word weighs more than what the transport brings along; once, and `RESET` leads back."""
    running = start("optional", ALICE)
    with TextPeer(tls(running, pki, "alice")) as peer:
        assert peer.ask("AUTH hunter2").startswith("ERROR: WRONGPASS")
        assert peer.ask("WHOAMI") == "alice (operator)"
        assert peer.ask(f"AUTH {running.token(Role.ADMIN)}") == "OK"
        assert peer.ask("WHOAMI") == "admin (admin)"
        assert peer.ask(f"AUTH {running.token()}").startswith("ERROR: Already authenticated as admin")
        assert running.server.sessions.clients == 1
        assert peer.ask("RESET") == "RESET"
        assert peer.ask("WHOAMI") == "alice (operator)"
        assert (running.server.sessions.clients, running.server.sessions.strangers) == (1, 0)
    eventually(lambda: running.server.sessions.clients == 0)
    eventually(lambda: running.server.sessions.strangers == 0)


def test_a_full_server_tells_a_certificates_holder(start: Start, pki: Path) -> None:
    """`limits.max_clients` counts certificates, too, and nobody's place is lost over it."""
    running = start("optional", ALICE, limits={"max_clients": 1})
    with TextPeer(tls(running, pki, "alice")) as first:
        assert first.ask("PING") == "PONG"
        with RespPeer(tls(running, pki, "alice")) as second:
            said = second.ask("PING")
            assert str(said) == "ERROR: CLOSED reason=too-many retry-after=5 Too many clients."
            assert second.rest() == []
        eventually(lambda: running.server.sessions.strangers == 0)
        assert first.ask("PING") == "PONG"


def test_revoking_ends_what_lives_and_refuses_what_comes(start: Start, pki: Path) -> None:
    """As another process does it: mapped or asked besides a token, within a second; others notice nothing."""
    running = start("optional", ALICE)
    with TextPeer(tls(running, pki, "bob")) as bob, revocations(running) as revocation:
        assert bob.ask(f"AUTH {running.token()}") == "OK"
        alice = RespPeer(tls(running, pki, "alice"))
        assert isinstance(alice.ask("HELLO", "3"), dict)
        began = time.monotonic()
        revocation.revoke("alice")
        said = ends(alice)
        assert time.monotonic() - began < 1 + BUSY_SECONDS
        assert "'revoked'" in said
        assert "The client certificate was revoked." in said
        error = refused(client(running, pki, "alice"))
        assert type(error) is RevokedError
        assert "Your access was revoked" in str(error)
        assert "The client certificate was revoked" in str(error)
        assert type(refused(client(running, pki, "alice", token=running.token()))) is RevokedError
        assert bob.ask("PING") == "PONG"
        revocation.revoke("bob")
        assert bob.rest() == ["ERROR: CLOSED reason=revoked The client certificate was revoked."]
        logged(running, "authentication .* outcome=refused revoked certificate=")
        revocation.restore("alice")
    eventually(lambda: _connects(running, pki))


def test_a_certificate_that_expires_meanwhile(start: Start, pki: Path, tmp_path: Path) -> None:
    """Its live session ends, with a reason of its own."""
    running = start("optional", ALICE)  # first: starting takes its time, and the certificate's runs
    for seconds in (2, 5, 15):  # a busy machine may take longer to connect than the certificate has
        theirs = tmp_path / str(seconds)
        theirs.mkdir()
        issue(pki, theirs, "alice", datetime.now(UTC) - profile.LEAF_LIFETIME + timedelta(seconds=seconds))
        with contextlib.suppress(ssl.SSLError), TextPeer(tls(running, theirs, "alice", ca=pki)) as alice:
            if alice.ask("WHOAMI") == "alice (operator)":
                assert ends(alice) == "ERROR: CLOSED reason=expired The client certificate expired."
                return
    pytest.fail("it never got in")


def _connects(running: Running, pki: Path) -> bool:
    try:
        with client(running, pki, "alice") as made:
            return made.execute("WHOAMI") == "alice (operator)"
    except RevokedError:
        return False


def test_what_was_made_after_the_revocation_is_good(start: Start, pki: Path, tmp_path: Path) -> None:
    """And what was made before it is not, also if it was never seen."""
    running = start("optional", ALICE)
    with SQLiteTokenStorage(running.data / DATABASE) as storage:
        RevokedCertificates(storage, clock=lambda: time.time() - 5).revoke("alice")
    for name, ago in (("newer", 0), ("older", 20)):
        (tmp_path / name).mkdir()
        issue(pki, tmp_path / name, "alice", datetime.now(UTC) - timedelta(seconds=ago))
    eventually(lambda: "alice" in running.server._entrance.certificates._authenticator._barred)
    assert type(refused(client(running, pki, "alice", theirs=tmp_path / "older"))) is RevokedError
    with client(running, pki, "alice", theirs=tmp_path / "newer") as made:
        assert made.execute("WHOAMI") == "alice (operator)"


def test_a_lost_certificate_and_its_successor(start: Start, pki: Path, tmp_path: Path) -> None:
    """The operator's way, beside a running server: revoke, make another, and only that one gets in."""
    directory = tmp_path / "certs"
    shutil.copytree(pki, directory)
    lost = tmp_path / "lost"
    shutil.copytree(pki, lost)
    running = start("required", ALICE, certs_dir=str(directory))
    with TextPeer(tls(running, directory, "alice")) as alice:
        assert alice.ask("PING") == "PONG"
        options = ["--dir", str(directory), "--data-dir", str(running.data)]
        assert CliRunner().invoke(certs, ["revoke", "alice", *options]).exit_code == 0
        assert alice.rest() == ["ERROR: CLOSED reason=revoked The client certificate was revoked."]
    assert CliRunner().invoke(certs, ["ensure", "--client", "alice", *options[:2]]).exit_code == 0
    assert type(refused(client(running, directory, "alice", theirs=lost))) is RevokedError
    with client(running, directory, "alice") as made:
        assert made.execute("WHOAMI") == "alice (operator)"


def test_admins_revoke_through_the_server(start: Start, pki: Path, tmp_path: Path) -> None:
    """`CERT REVOKE`, `REVOKED` and `RESTORE`; others may not. The files go: none is renewed."""
    certs = Path(shutil.copytree(pki, tmp_path / "certs"))
    running = start("optional", ALICE, certs_dir=str(certs))
    with RespPeer(tls(running, pki, None)) as admin, TextPeer(tls(running, pki, "alice")) as alice:
        admin.hello(running.token(Role.ADMIN))
        assert alice.ask("CERT REVOKE bob").startswith("ERROR: NOPERM")
        assert admin.ask("CERT", "REVOKED") == []
        said = str(admin.ask("CERT", "REVOKE", "alice"))
        assert re.fullmatch(r"Revoked: certificates of alice made until \S+T\S+; sessions: 1\.", said)
        assert alice.rest() == ["ERROR: CLOSED reason=revoked The client certificate was revoked."]
        assert [path.parent.name[:4] for path in certs.rglob("client-alice*.pem")] == ["old-", "old-"]
        listed = admin.ask("CERT", "REVOKED")
        assert isinstance(listed, list)
        assert [row["name"] for row in listed] == ["alice"]
        assert admin.ask("COMPLETE", "CERT", "RESTORE", "") == ["alice"]
        assert admin.ask("CERT", "RESTORE", "alice") == "Restored: certificates of alice."
        assert "No certificates of alice are revoked" in str(admin.ask("CERT", "RESTORE", "alice"))
        assert "A common name is 1 to 64 characters" in str(admin.ask("CERT", "REVOKE", "a" * 65))
        eventually(lambda: _connects(running, pki))


def test_a_reload_takes_up_another_ca(server: ServerFactory, pki: Path, strangers: Path, tmp_path: Path) -> None:
    """A bundle of two admits the clients of both; one that cannot be used keeps what was."""
    bundle = tmp_path / "clients.pem"
    bundle.write_bytes((pki / "ca.pem").read_bytes())
    settings = {"client_certificates": "required", "client_ca": str(bundle)}
    running = server(certs_dir=str(pki), tls=settings, certificates=ALICE)
    assert type(refused(client(running, pki, "alice", theirs=strangers))) is ClientCertificateError
    bundle.write_bytes((pki / "ca.pem").read_bytes() + (strangers / "ca.pem").read_bytes())
    running.server.reload()
    for theirs in (pki, strangers):
        with client(running, pki, "alice", theirs=theirs) as made:
            assert made.execute("WHOAMI") == "alice (operator)"
    bundle.write_text("", encoding="ascii")
    running.server.reload()
    with client(running, pki, "alice", theirs=strangers) as made:
        assert made.execute("WHOAMI") == "alice (operator)"


@pytest.mark.parametrize(
    ("ca", "words"),
    [
        ("none.pem", "The CA for client certificates .*none.pem cannot be read .No such file or directory.; name"),
        ("ca-key.pem", "ca-key.pem holds no readable PEM certificates; name the right file in tls.client_ca"),
        ("server.pem", "server.pem holds the certificate CN=.*, which is no CA; tls.client_ca takes those that sign"),
    ],
)
def test_a_ca_that_cannot_be_used_keeps_the_server_from_starting(start: Start, pki: Path, ca: str, words: str) -> None:
    """One sentence says which file, and what to do."""
    with pytest.raises(StartError, match=words):
        start("optional", tls={"client_certificates": "optional", "client_ca": str(pki / ca)})


@pytest.mark.parametrize(
    ("name", "table", "words"),
    [
        ("local:root", {}, r"\[certificates.local:root\]: a name is 1 to 64 letters"),
        ("alice", {"allow": []}, r"\[certificates.alice\]: an allow-list is 1 to"),
        ("alice", {"networks": ["10.0.0.1/8"]}, r"\[certificates.alice\]: 10.0.0.1/8 has host bits set"),
    ],
)
def test_a_table_that_makes_no_sense(start: Start, name: str, table: dict[str, object], words: str) -> None:
    """Nothing starts with it; a name may not pretend to be the admin socket's."""
    with pytest.raises(StartError, match=words):
        start("optional", {name: {"role": "user", **table}})


def test_many_at_once_while_revoking(start: Start, pki: Path) -> None:
    """Whoever connects in the moment of the revocation is ended, too: nobody slips through the gap."""
    running = start("optional", ALICE)
    peers: list[TextPeer] = []
    began, lock = threading.Event(), threading.Lock()

    def connect() -> None:
        for _ in range(10):
            peer = TextPeer(tls(running, pki, "alice"))
            with lock:
                peers.append(peer)
            began.set()

    threads = [threading.Thread(target=connect) for _ in range(4)]
    for thread in threads:
        thread.start()
    began.wait(PATIENCE_SECONDS)
    with revocations(running) as revocation:
        revocation.revoke("alice")
    for thread in threads:
        thread.join()
    told = ["ERROR: CLOSED reason=revoked The client certificate was revoked."]
    for peer in peers:  # of those that were in already, none has said a word by which it could be told
        with peer:
            with suppress(OSError):
                peer.send(b"PING\n")
            assert peer.rest() in ([], told, ["PONG", *told])  # it may be asked before the server has heard of it
    eventually(lambda: running.server.sessions.clients == 0)
    eventually(lambda: running.server.sessions.strangers == 0)
