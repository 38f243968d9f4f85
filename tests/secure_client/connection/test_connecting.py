"""The first connection: what can be wrong with it, each told apart, by the library and its messages."""

from __future__ import annotations

import contextlib
import datetime as dt
import gc
import select
import socket
import ssl
import struct
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from secure_client import (
    AuthenticationError,
    BannedError,
    CertificateError,
    Client,
    ClientCertificateError,
    ClientError,
    ConnectError,
    EndedByServerError,
    Endpoint,
    RevokedError,
    SetupError,
    enrolment,
)
from secure_client.connection.thread import LinkThread
from secure_client.connection.tls import TlsTransport, make_context
from secure_client.core.login import Login
from secure_client.core.trust import Trust
from secure_protocol.replies import ErrorReply, Push
from secure_protocol.resp_encoding import encode
from secure_protocol.token import Token
from secure_server.net.tls import server_context
from tests.secure_client.certificates import Authority, Pair
from tests.secure_client.scripted_server import PATIENCE, Peer, ScriptedServer

HOUR = dt.timedelta(hours=1)


def refused(client: Client) -> ClientError:
    """Connect in vain; return why."""
    with pytest.raises(ClientError) as failure, client:
        pytest.fail("it connected")
    return failure.value


def test_a_server_that_is_not_there(authority: Authority) -> None:
    """Names the address and the reason, and asks the right question."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = refused(Client(f"127.0.0.1:{unused.getsockname()[1]}", ca=authority.ca))
    assert type(error) is ConnectError
    assert str(error).endswith("connection refused. Is the server running, and is this its address?")
    assert error.exit_code == 3


def test_a_host_that_is_not_there(authority: Authority) -> None:
    """A typo is said to be one."""
    error = refused(Client("nowhere.invalid", ca=authority.ca))
    assert type(error) is ConnectError
    assert "there is no host `nowhere.invalid`" in str(error)


def test_a_server_that_does_not_answer(authority: Authority) -> None:
    """The deadline holds for the handshake too."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = refused(Client(f"127.0.0.1:{silent.getsockname()[1]}", ca=authority.ca, connect_timeout=0.2))
    assert type(error) is ConnectError
    assert "no answer in time" in str(error)


@pytest.mark.skipif(sys.platform == "win32", reason="SO_LINGER as POSIX packs it")
def test_a_line_that_is_reset_before_tls_is_closed(authority: Authority) -> None:
    """By whoever opened it, not by the collector: `wrap_socket` of CPython before 3.13 leaves that to it."""
    with socket.create_server(("127.0.0.1", 0)) as listener, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        plain = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        select.select([plain], [], [], PATIENCE)  # until it is here
        with pytest.raises(ConnectionResetError):
            TlsTransport.over(plain, make_context(Trust(ca=authority.ca)), "localhost", lambda *_: True, 0.0)
        gc.collect()
    assert [str(warning.message) for warning in said] == []


def test_a_server_that_is_silent_after_the_handshake(pair: Pair, authority: Authority, token: Token) -> None:
    """The deadline holds for authentication too."""
    with ScriptedServer(pair, token=token) as server:
        server._greet = lambda *_: True  # type: ignore[method-assign]  # never answers HELLO
        error = refused(Client(server.address, token=token, ca=authority.ca, connect_timeout=0.3))
    assert "did not answer in time" in str(error)


@contextlib.contextmanager
def without_tls() -> Iterator[str]:
    """A server that answers one who comes, and none after; its address."""
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def answer() -> None:
            peer, _ = plain.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                with contextlib.suppress(ConnectionResetError):
                    peer.recv(65536)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"127.0.0.1:{plain.getsockname()[1]}"
        thread.join(PATIENCE)


def test_a_server_without_tls(authority: Authority) -> None:
    """Said as what it is, not in OpenSSL's words."""
    with without_tls() as address:
        error = refused(Client(address, ca=authority.ca))
    assert "does not speak TLS" in str(error)


def test_the_first_try_is_told_however_soon_the_next_one_follows(authority: Authority) -> None:
    """Which would be waited for in vain here."""
    with without_tls() as address:
        login = Login(Endpoint.parse(address), trust=Trust(ca=authority.ca))
        link = LinkThread(login, uniform=lambda _low, _high: 0.0, connect_timeout=1.0)
        with pytest.raises(ConnectError, match="does not speak TLS"):
            link.connect()


def test_a_refused_token(server: ScriptedServer, authority: Authority) -> None:
    """Exit code 4, the code of the protocol, and never the token."""
    token = Token.generate()
    error = refused(Client(server.address, token=token, ca=authority.ca))
    assert type(error) is AuthenticationError
    assert error.exit_code == 4
    assert "was refused by localhost" in str(error)
    assert "WRONGPASS" in str(error)
    assert token.secret not in str(error)


def test_a_token_that_cannot_be_one_is_not_sent(server: ScriptedServer, authority: Authority, token: Token) -> None:
    """Its checksum shows a typo before anything goes out."""
    wrong = token.reveal()[:-1] + ("a" if token.reveal()[-1] != "a" else "b")
    with pytest.raises(AuthenticationError, match="checksum") as failure:
        Client(server.address, token=wrong, ca=authority.ca)
    assert token.secret not in str(failure.value)


def test_the_token_shows_in_no_repr(server: ScriptedServer, token: Token) -> None:
    """Nor in that of what holds it."""
    client = Client(server.address, token=token)
    assert token.secret not in repr(client.login)
    client.close()


@pytest.mark.parametrize(
    ("refusal", "kind", "words"),
    [
        (ErrorReply("NOAUTH", "Authentication required."), AuthenticationError, "wants a token"),
        (ErrorReply("NOPERM", "Not from here."), AuthenticationError, "NOPERM"),
        (ErrorReply("NOPROTO", "unsupported protocol version"), ConnectError, "does not speak this client's protocol"),
        (ErrorReply("DRAINING", "Going down."), ConnectError, "Try again later"),
        (ErrorReply("THROTTLED", "Too many. retry-after=3600"), ConnectError, "Try again in 3600 s"),
        (ErrorReply("BANNED", "You are banned: noise"), BannedError, r"keeps you out \(You are banned: noise\)\.$"),
        (
            ErrorReply("BANNED", "You are banned until 9.; retry-after=86400"),
            BannedError,
            r"\(You are banned until 9\)",
        ),
        (Push("closed", ("revoked", -1, "It was revoked.")), RevokedError, "was revoked"),
        (Push("closed", ("expired", -1, "")), RevokedError, "has expired"),
        (Push("closed", ("auth-failed", -1, "")), AuthenticationError, "did not let you in"),
        (Push("closed", ("kicked", -1, "Bye")), EndedByServerError, r"administrator .* \(Bye\)"),
        (
            ErrorReply("CLOSED", "reason=too-many retry-after=3600 Too many."),
            EndedByServerError,
            r"too-many \(Too many\)",
        ),
        (Push("closed", ()), EndedByServerError, "no reason given"),
    ],
)
def test_what_a_server_says_to_newcomers(
    server: ScriptedServer, authority: Authority, token: Token, refusal: ErrorReply, kind: type[ClientError], words: str
) -> None:
    """Each is its own error, in a sentence."""
    server.refusal = refusal
    client = Client(server.address, token=token, ca=authority.ca, reconnect=False)
    with pytest.raises(kind, match=words), client:
        pytest.fail("it connected")


def test_a_newcomer_comes_again_when_told_to(server: ScriptedServer, authority: Authority, token: Token) -> None:
    """Within the timeout, also without reconnecting: `-c` works on a server that is just busy."""
    greet = server._greet

    def busy_once(*arguments: object) -> bool:
        server._greet = greet  # type: ignore[method-assign]
        arguments[0].socket.sendall(b"-THROTTLED Busy. retry-after=0\r\n")  # type: ignore[attr-defined]
        return False

    server._greet = busy_once  # type: ignore[assignment]
    with Client(server.address, token=token, ca=authority.ca, reconnect=False) as client:
        assert client.execute("ECHO", "x") == "x"


@pytest.mark.parametrize(
    ("make", "host", "words"),
    [
        (lambda own, _other: own.issue("else", ("elsewhere.test",)), "localhost", "not made out to `localhost`"),
        (lambda own, _other: own.issue("else", ("elsewhere.test",)), "127.0.0.1", "not made out to `127.0.0.1`"),
        (lambda own, _other: own.issue("old", begins=-2 * HOUR, ends=-HOUR), "localhost", "has expired"),
        (lambda own, _other: own.issue("new", begins=HOUR, ends=2 * HOUR), "localhost", "not valid yet"),
        (lambda _own, other: other.issue("server"), "localhost", "not vouched for by"),
        (lambda own, _other: own.issue("client", client=True), "localhost", "was not accepted"),
    ],
    ids=["name", "address", "expired", "early", "stranger", "purpose"],
)
def test_a_certificate_that_proves_nothing(
    authority: Authority, tmp_path: Path, make: Callable[[Authority, Authority], Pair], host: str, words: str
) -> None:
    """It is never accepted; the message says what is wrong with it and what to do. The token is not sent."""
    with ScriptedServer(make(authority, Authority(tmp_path / "other"))) as server:
        error = refused(Client(f"{host}:{server.port}", token=Token.generate(), ca=authority.ca))
        assert server.sessions == 0
    assert type(error) is CertificateError
    assert words in str(error)
    assert error.exit_code == 3


def test_the_system_store_is_named_when_it_was_used(server: ScriptedServer, token: Token) -> None:
    """Without a CA file nobody knows the server's CA; the message says where was looked."""
    error = refused(Client(server.address, token=token))
    assert type(error) is CertificateError
    assert "this system's trust store" in str(error)
    assert "--ca" in str(error)


def test_a_client_certificate(authority: Authority, pair: Pair, token: Token, tmp_path: Path) -> None:
    """Where the server asks for one: none and a wrong one are told apart, the right one connects (TLS 1.3: late)."""
    own = authority.issue("me", ("me.client.internal",), client=True)
    strange = Authority(tmp_path / "other").issue("me", ("me.client.internal",), client=True)
    with ScriptedServer(pair, token=token, client_ca=authority.ca) as server:
        without = refused(Client(server.address, token=token, ca=authority.ca))
        assert type(without) is ClientCertificateError
        assert "requires a client certificate" in str(without)
        wrong = refused(
            Client(server.address, token=token, ca=authority.ca, certificate=strange.certificate, key=strange.key)
        )
        assert type(wrong) is ClientCertificateError
        assert f"does not accept the client certificate {strange.certificate}: it does not trust" in str(wrong)
        right = Client(server.address, token=token, ca=authority.ca, certificate=own.certificate, key=own.key)
        with right as client:
            assert client.execute("ECHO", "x") == "x"


def test_files_that_cannot_be_used(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    """Missing, empty and mismatched files: a sentence that names them."""
    empty = tmp_path / "empty.pem"
    empty.write_text("", encoding="ascii")
    other = authority.issue("another")
    for trust, words in (
        (Trust(ca=tmp_path / "none.pem"), "There is no CA file"),
        (Trust(ca=empty), "no certificate in PEM form"),
        (Trust(ca=tmp_path), "Is a directory|no certificate in PEM form|Cannot read"),
        (Trust(certificate=tmp_path / "none.pem"), "is not there"),
        (Trust(certificate=empty), "do not hold a certificate"),
        (Trust(certificate=pair.certificate, key=other.key), "do not belong together"),
    ):
        with pytest.raises(SetupError, match=words):
            make_context(trust)


def test_the_context_verifies_strictly(authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TLS 1.3, chain and name, RFC 5280's rules on every Python; and SSLKEYLOGFILE writes no keys."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    context = make_context(Trust(ca=authority.ca))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.hostname_checks_common_name
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
    assert context.keylog_filename is None


def test_the_group_of_keys_is_guessed(authority: Authority, pair: Pair) -> None:
    """The server's first answer ends the handshake; a wrong guess would have it ask for another first."""
    serving = server_context(pair.certificate, pair.key, "1.3")
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = make_context(Trust(ca=authority.ca)).wrap_bio(down, up, server_hostname="localhost")
    server = serving.wrap_bio(up, down, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    with pytest.raises(ssl.SSLWantReadError):
        server.do_handshake()
    client.do_handshake()
    server.do_handshake()
    assert server.cipher() == client.cipher()


def test_the_language_is_asked_for(server: ScriptedServer, authority: Authority, token: Token) -> None:
    """Right after authentication; and the session's facts are known then."""
    server.hello["user"] = "ana\x1b[31m"
    with Client(server.address, token=token, ca=authority.ca, language="pt_BR", name="me") as client:
        session = client.status.session
    assert server.language == "pt_BR"
    assert session is not None
    assert (session.id, session.user, session.role, session.server) == (1, "ana\\x1b[31m", "user", "scripted 1")


@pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets in Python there")
def test_a_unix_socket_needs_no_tls_and_no_token(tmp_path: Path) -> None:
    """As the admin shell connects."""
    path = tmp_path / "admin.sock"
    with ScriptedServer(None, path=path) as server:
        with Client(Endpoint(path=path)) as client:
            assert client.execute("ECHO", "x") == "x"
        assert server.sessions == 1
    path.unlink()
    error = refused(Client(Endpoint(path=path)))
    assert "no such file" in str(error)
    assert "Is the server running" in str(error)


def test_the_server_sees_an_orderly_end(server: ScriptedServer, authority: Authority, token: Token) -> None:
    """close_notify and FIN, never a reset, also with a reply still on its way."""
    endings: list[object] = []
    converse = server._converse

    def watch(peer: object) -> None:
        try:
            converse(peer)  # type: ignore[arg-type]
            endings.append("end")
        except OSError as error:
            endings.append(error)
            raise

    server._converse = watch  # type: ignore[method-assign]
    with Client(server.address, token=token, ca=authority.ca) as client:
        assert client.execute("ECHO", "x") == "x"
        client.submit(["ECHO", "y" * 100_000])
    server.wait_for(lambda: endings)
    assert endings == ["end"]


class Flooding(ScriptedServer):
    """Sends news without end instead of an answer."""

    def _converse(self, peer: Peer) -> None:
        while True:
            peer.socket.sendall(encode(Push("message", ("eve", "x")), 3) * 1000)


def test_a_server_that_tells_news_instead_of_who_it_is(pair: Pair, authority: Authority, token: Token) -> None:
    """It is given up, not listened to for ever: nor by who enrols, to whom it may be anybody."""
    with Flooding(pair, token=token) as server:
        error = refused(Client(server.address, token=token, ca=authority.ca))
        assert "sent a reply that nothing had asked for" in str(error)
        with pytest.raises(ConnectError, match="sent a reply that nothing had asked for"):
            enrolment._ask_stranger(Endpoint("localhost", server.port))
