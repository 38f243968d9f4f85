"""The mutual handshake over real TLS: the real client, the real server, and who tries to stand between them."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from scramp import ScramClient

from secure_client import Client
from secure_client.errors import AuthenticationError, CertificateError
from secure_protocol.scram import BINDING, MECHANISM
from secure_protocol.token import Token
from tests.conftest import ServerFactory
from tests.integration.peers import PATIENCE_SECONDS, RespPeer, TextPeer
from tests.integration.running import Running, client_context, eventually, logged
from tests.secure_client.certificates import Authority, Pair


class Relay:
    """Ends the client's TLS with a certificate of its own, and carries what it hears to the server and back.

    Args:
        pair: its certificate, which the client's CA vouches for.
        target: the server's port.
        ca: whom to believe of the server.
    """

    def __init__(self, pair: Pair, target: int, ca: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pair.certificate, pair.key)
        self._ca = ca
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.heard = bytearray()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Wait until its one connection has ended."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            raw, _ = self._listener.accept()
            raw.settimeout(PATIENCE_SECONDS)
            with self._context.wrap_socket(raw, server_side=True) as client, self._dial() as server:
                while data := client.recv(65536):  # the protocol takes turns, as far as they get
                    self.heard += data
                    server.sendall(data)
                    client.sendall(server.recv(65536))

    def _dial(self) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self._ca))
        sock = socket.create_connection(("127.0.0.1", self._target), PATIENCE_SECONDS)
        return context.wrap_socket(sock, server_hostname="localhost")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A CA that signs what it should not."""
    return Authority(tmp_path / "authority")


@pytest.fixture
def directory(authority: Authority, tmp_path: Path) -> Path:
    """A certificate directory that this CA filled."""
    made = tmp_path / "certs"
    made.mkdir()
    fill(made, authority.issue("server"), authority)
    return made


def fill(directory: Path, pair: Pair, authority: Authority) -> None:
    """Put a certificate where the server looks for it."""
    shutil.copy(authority.ca, directory / "ca.pem")
    shutil.copy(pair.certificate, directory / "server.pem")
    shutil.copy(pair.key, directory / "server-key.pem")


@pytest.fixture
def running(directory: Path, tmp_path: Path) -> Iterator[Running]:
    """A server with that certificate."""
    with Running(directory, tmp_path / "data", {}) as started:
        yield started


def prove(peer: TextPeer | RespPeer, token: Token) -> object:
    """Go through the handshake by hand, as docs/protocol.md has it; return the server's last word."""
    assert isinstance(peer.socket, ssl.SSLSocket)
    scram = ScramClient([MECHANISM], token.id, token.secret, (BINDING, peer.socket))

    def say(message: str) -> object:
        if isinstance(peer, TextPeer):
            return peer.ask(f"AUTH {MECHANISM} {message}")
        return peer.ask("AUTH", MECHANISM, message)

    scram.set_server_first(say(scram.get_client_first()))
    answer = say(scram.get_client_final())
    if isinstance(answer, str) and answer.startswith("v="):
        scram.set_server_final(answer)  # raises where it proves nothing
    return answer


def test_our_client_proves_itself_and_the_server_does(running: Running) -> None:
    """With nothing said of a mechanism; the log has the id alone."""
    with Client(f"localhost:{running.port}", token=running.token(), ca=running.ca) as client:
        assert client.execute("WHOAMI") == "user (user)"
    logged(running, "accepted token=")
    assert Token.parse(running.token()).secret not in running.log()


@pytest.mark.parametrize("codec", ["text", "resp"])
def test_a_client_written_from_the_page_gets_in(running: Running, codec: str) -> None:
    """On either codec."""
    token = Token.parse(running.token())
    with running.text(None) if codec == "text" else running.resp(None) as peer:
        assert str(prove(peer, token)).startswith("v=")
        assert peer.ask("PING") == "PONG"


def test_a_relay_with_a_mis_issued_certificate_is_refused(running: Running, authority: Authority) -> None:
    """Its certificate is good for the name and signed by the right CA: only the handshake finds it out."""
    relay = Relay(authority.issue("relay"), running.port, running.ca)
    try:
        with (
            pytest.raises(CertificateError) as caught,
            Client(f"localhost:{relay.port}", token=running.token(), ca=running.ca),
        ):
            pytest.fail("it connected")
    finally:
        relay.stop()
    assert str(caught.value).startswith(f"Somebody stands between you and localhost:{relay.port}")
    logged(running, r"refused channel-bindings-dont-match token=")
    assert Token.parse(running.token()).secret.encode() not in relay.heard


def test_a_connection_is_bound_to_what_it_was_served(running: Running, directory: Path, authority: Authority) -> None:
    """One that began before a reload goes on with the old certificate, and one that comes after has the new one."""
    token = Token.parse(running.token())
    with running.text(None) as before:
        old = running.server.certificate.fingerprint
        fill(directory, authority.issue("renewed"), authority)
        running.server.reload()
        assert running.server.certificate.fingerprint != old
        with running.text(None) as after:
            assert str(prove(after, token)).startswith("v=")
        assert str(prove(before, token)).startswith("v=")
        assert before.ask("PING") == "PONG"


def test_a_handshake_that_a_reload_overtakes_is_bound_to_what_it_shows(
    running: Running, directory: Path, authority: Authority
) -> None:
    """TLS began before the reload and is finished after it: with the old certificate, so that is what counts."""
    sock = running.tcp()
    eventually(lambda: len(running.server._reach.tls._handshakes._open) == 1)
    fill(directory, authority.issue("renewed"), authority)
    running.server.reload()
    with TextPeer(client_context(running.ca).wrap_socket(sock, server_hostname="localhost")) as peer:
        assert str(prove(peer, Token.parse(running.token()))).startswith("v=")


def test_a_wrong_token_is_refused_as_before(running: Running) -> None:
    """The same sentence and exit code as of a token that is shown."""
    for mechanism in ("scram", "bearer"):
        with (
            pytest.raises(AuthenticationError, match="The token was refused by") as caught,
            Client(f"localhost:{running.port}", token=Token.generate(), ca=running.ca, mechanism=mechanism),
        ):
            pytest.fail("it connected")
        assert caught.value.exit_code == 4


def test_a_server_may_insist(server: ServerFactory) -> None:
    """On the handshake, or on the token: the client's error says which, and it changes nothing by itself."""
    strict, plain = (server(authentication={"mechanisms": mechanisms}) for mechanisms in ("scram", "bearer"))
    with Client(f"localhost:{strict.port}", token=strict.token(), ca=strict.ca) as client:
        assert client.execute("PING") == "PONG"
    with Client(f"localhost:{plain.port}", token=plain.token(), ca=plain.ca, mechanism="bearer") as client:
        assert client.execute("PING") == "PONG"
    for running, mechanism, words in (
        (strict, "bearer", "by the mutual handshake alone: leave out --mechanism bearer"),
        (plain, "scram", "does not take the mutual handshake"),
    ):
        with (
            pytest.raises(AuthenticationError, match=words),
            Client(f"localhost:{running.port}", token=running.token(), ca=running.ca, mechanism=mechanism),
        ):
            pytest.fail("it connected")


def test_a_revoked_token_ends_a_session_that_was_proved(running: Running) -> None:
    """As on every other way in."""
    token = running.new_token("guest")
    with running.text(None) as peer:
        prove(peer, token)
        running.revoke("guest")
        assert "reason=revoked" in peer.line()
