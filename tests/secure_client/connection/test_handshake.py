"""The mutual handshake from the client's side: whom it believes, and what it says of whom it does not."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from secure_client.client import Client
from secure_client.core.endpoint import Endpoint
from secure_client.core.greeting import greet
from secure_client.core.login import Login
from secure_client.core.scram import MOST_ITERATIONS
from secure_client.errors import AuthenticationError, CertificateError, SetupError
from secure_protocol.replies import ErrorReply, Status
from secure_protocol.resp_encoding import encode
from secure_protocol.token import Token
from tests.secure_client.certificates import Authority, Pair
from tests.secure_client.scripted_server import Peer, ScriptedServer

NOT_SAID = "Your token was not given away"


def requests_of(server: ScriptedServer) -> list[list[str]]:
    """Have the server keep all that it is asked before HELLO, too."""
    seen: list[list[str]] = []
    answer = server._answer

    def noting(peer: Peer, request: list[str]) -> bool:
        seen.append(request)
        return answer(peer, request)

    server._answer = noting  # type: ignore[method-assign]
    return seen


def answering(server: ScriptedServer, *replies: object) -> None:
    """Have the server answer AUTH with these instead."""
    left = list(replies)

    def script(peer: Peer, _arguments: list[str]) -> bool:
        peer.socket.sendall(encode(left.pop(0)))
        return True

    server._shake_hands = script  # type: ignore[method-assign, assignment]


def refused(client: Client) -> Exception:
    """Return why it does not connect."""
    with pytest.raises((AuthenticationError, CertificateError)) as caught, client:
        pytest.fail("it connected")
    return caught.value


def test_the_token_never_crosses_the_wire(server: ScriptedServer, authority: Authority, token: Token) -> None:
    """By default. Its id does: it is public."""
    seen = requests_of(server)
    with Client(server.address, token=token, ca=authority.ca) as client:
        assert client.execute("ECHO", "x") == "x"
    assert [request[0] for request in seen[:3]] == ["AUTH", "AUTH", "HELLO"]
    assert token.id in seen[0][2]
    assert not any(token.secret in word for request in seen for word in request)


def test_each_connection_is_proved_anew(server: ScriptedServer, authority: Authority, token: Token) -> None:
    """Also the one that replaces a broken one, without a word from the user."""
    seen = requests_of(server)
    with Client(server.address, token=token, ca=authority.ca) as client:
        server.cut()
        assert client.execute("ECHO", "x") == "x"
    proofs = [request[2] for request in seen if request[0] == "AUTH"]
    assert len(proofs) == len(set(proofs)) == 4


def test_bearer_is_there_for_who_asks(server: ScriptedServer, authority: Authority, token: Token) -> None:
    """And a server that knows nothing else will do then."""
    server.mutual = False
    with Client(server.address, token=token, ca=authority.ca, mechanism="bearer") as client:
        assert client.execute("ECHO", "x") == "x"
    with pytest.raises(ValueError, match="telepathy"):
        Client(server.address, token=token, mechanism="telepathy")


@pytest.mark.parametrize(
    "reply",
    [
        ErrorReply("WRONGPASS", "Not a token."),
        ErrorReply("NOMECHANISM", "This server does not take it."),
        ErrorReply("ERR", "Unknown command."),
    ],
)
def test_there_is_no_downgrade(server: ScriptedServer, authority: Authority, token: Token, reply: ErrorReply) -> None:
    """A server that says it cannot is not shown the token; the error says what its owner may do about it."""
    answering(server, reply)
    seen = requests_of(server)
    error = refused(Client(server.address, token=token, ca=authority.ca))
    assert isinstance(error, AuthenticationError)
    assert "does not take the mutual handshake" in str(error)
    assert "--mechanism bearer" in str(error)
    assert not any(token.secret in word for request in seen for word in request)


def test_a_server_that_does_not_know_the_token_is_refused(
    server: ScriptedServer, authority: Authority, token: Token
) -> None:
    """It lets everybody in, to hear their commands; its certificate is good, but it cannot prove itself."""
    seen = requests_of(server)
    shake = server._shake_hands
    server.tokens = {Token(token.id, Token.generate().secret).reveal()}

    def pretend(peer: Peer, arguments: list[str]) -> bool:
        if peer.exchange is None:
            return shake(peer, arguments)
        peer.socket.sendall(b"$46\r\nv=" + b"A" * 43 + b"=\r\n")
        return True

    server._shake_hands = pretend  # type: ignore[method-assign]
    error = refused(Client(server.address, token=token, ca=authority.ca))
    assert isinstance(error, CertificateError)
    assert "could not prove that it knows your token" in str(error)
    assert NOT_SAID in str(error)
    assert "HELLO" not in [request[0] for request in seen]


def test_a_relay_is_called_one(server: ScriptedServer, authority: Authority, token: Token) -> None:
    """What the server's refusal means is said plainly."""
    server._pem = authority.issue("another").certificate.read_text(encoding="ascii")
    answer = ErrorReply("WRONGPASS", "Alguém está entre nós: e=channel-bindings-dont-match")
    shake = server._shake_hands

    def tell(peer: Peer, arguments: list[str]) -> bool:
        if peer.exchange is None:
            return shake(peer, arguments)
        peer.socket.sendall(f"-{answer.code} {answer.text}\r\n".encode())
        return False

    server._shake_hands = tell  # type: ignore[method-assign]
    error = refused(Client(server.address, token=token, ca=authority.ca))
    assert isinstance(error, CertificateError)
    assert str(error).startswith(f"Somebody stands between you and {server.address}")
    assert NOT_SAID in str(error)


@pytest.mark.parametrize(
    "make",
    [
        lambda _nonce: Status("OK"),
        lambda _nonce: 7,
        lambda _nonce: {"r": "x"},
        lambda _nonce: "v=AAAA",
        lambda _nonce: "e=unknown-user",
        lambda _nonce: "r=somebody-elses,s=c2FsdHNhbHRzYWx0,i=4096",
        lambda nonce: f"r={nonce},s=c2FsdHNhbHRzYWx0,i=4096",
        lambda nonce: f"r={nonce}x,s=c2FsdHNhbHRzYWx0,i=1",
        lambda nonce: f"r={nonce}x,s=c2FsdHNhbHRzYWx0,i={MOST_ITERATIONS + 1}",
        lambda nonce: f"r={nonce}x,s=c2FsdHNhbHRzYWx0,i={'9' * 5000}",
        lambda nonce: f"r={nonce}x,s=c2FsdHNhbHRzYWx0,i=4096,x=\udcff",
        lambda nonce: f"m=must,r={nonce}x,s=c2FsdHNhbHRzYWx0,i=4096",
    ],
)
def test_nonsense_for_a_first_answer_is_refused(pair: Pair, make: Callable[[str], object]) -> None:
    """Nothing a server says makes the client count for ever, or believe it."""
    login = Login(Endpoint(), token=Token.generate())
    greeting = greet(login, ssl.PEM_cert_to_DER_cert(pair.certificate.read_text(encoding="ascii")))
    nonce = next(greeting)[2].rpartition("r=")[2]
    with pytest.raises(CertificateError, match="could not prove"):
        greeting.send(make(nonce))


def test_without_tls_there_is_no_handshake() -> None:
    """A token does not go over a Unix socket, not even proved: there is no certificate to bind it to."""
    with pytest.raises(SetupError, match="has no TLS"):
        next(greet(Login(Endpoint(path=Path("/run/x")), token=Token.generate()), None))


def program(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `secure-client` with a configuration of its own."""
    return subprocess.run(
        [sys.executable, "-m", "secure_client", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(home), "XDG_CONFIG_HOME": str(home)},
        check=False,
    )


def test_a_profile_says_whether_the_token_may_be_shown(
    pair: Pair, authority: Authority, token: Token, token_file: Path, tmp_path: Path
) -> None:
    """Only then, or on the command line; the option has the last word."""
    with ScriptedServer(pair, token=token) as server:
        server.mutual = False
        common = (server.address, "--ca", str(authority.ca), "--token-file", str(token_file))
        assert program(tmp_path, "profile", "add", "careful", *common).returncode == 0
        assert program(tmp_path, "profile", "add", "old", *common, "--mechanism", "bearer").returncode == 0
        done = program(tmp_path, "careful", "-c", "ECHO x")
        assert (done.returncode, done.stdout) == (4, "")
        assert "--mechanism bearer" in done.stderr
        assert program(tmp_path, "old", "-c", "ECHO x").stdout == "ECHO: x\n"
        assert program(tmp_path, "careful", "--mechanism", "bearer", "-c", "ECHO x").stdout == "ECHO: x\n"
        assert program(tmp_path, "old", "--mechanism", "scram", "-c", "ECHO x").returncode == 4
    assert program(tmp_path, "careful", "--mechanism", "telepathy").returncode == 2
