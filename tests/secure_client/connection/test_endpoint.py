"""Addresses as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from secure_client import Endpoint, SetupError
from secure_client.core.endpoint import TransportChoice
from secure_protocol.token import Token


@pytest.mark.parametrize(
    ("text", "host", "port", "shown"),
    [
        ("localhost:5001", "localhost", 5001, "localhost:5001"),
        ("box.example", "box.example", 5000, "box.example:5000"),
        ("[::1]:7", "::1", 7, "[::1]:7"),
        ("[::1]", "::1", 5000, "[::1]:5000"),
        ("fe80::1", "fe80::1", 5000, "[fe80::1]:5000"),
        ("straße.internal", "straße.internal", 5000, "straße.internal:5000"),
        ("10.0.0.1:65535", "10.0.0.1", 65535, "10.0.0.1:65535"),
        ("scs+quic://box:7", "box", 7, "scs+quic://box:7"),
        ("scs+quic://[::1]", "::1", 5000, "scs+quic://[::1]:5000"),
    ],
)
def test_the_forms_of_an_address(text: str, host: str, port: int, shown: str) -> None:
    """Each is read, and shown in a form that is read again."""
    endpoint = Endpoint.parse(text)
    assert (endpoint.host, endpoint.port, str(endpoint)) == (host, port, shown)
    assert Endpoint.parse(str(endpoint)) == endpoint


def test_a_unix_socket_has_a_path() -> None:
    """As the admin shell is given one."""
    endpoint = Endpoint.parse("unix:/run/admin.sock")
    assert endpoint.path == Path("/run/admin.sock")
    assert str(endpoint) == "unix:/run/admin.sock"


NO_ADDRESSES = ":5000 a: a:0 a:65536 a:-1 a:x [a]:5 [::1]: [::1]:x ::x a/b unix: u@h a:99999999999999999999 a..b ü..b"
NO_ADDRESSES += " scs+quic:// scs+quic://unix:/a scs+quic://scs+quic://a scs+quic://a/ scs+tls://a"


@pytest.mark.parametrize(
    "text",
    [*NO_ADDRESSES.split(), "", "a b", "\x1b[31m", "a:\uff15"],
)
def test_what_is_no_address_is_told_in_a_sentence(text: str) -> None:
    """Which names the thing, and says how to write it, without control characters."""
    with pytest.raises(SetupError) as failure:
        Endpoint.parse(text)
    assert "\x1b" not in str(failure.value)
    assert str(failure.value).endswith(".")


def test_a_token_is_no_server() -> None:
    """It would be asked of the DNS, under everybody's eyes; the sentence does not repeat it."""
    token = Token.generate()
    with pytest.raises(SetupError, match="That looks like a token") as failure:
        Endpoint.parse(token.reveal())
    assert token.secret[:4] not in str(failure.value)


def test_what_carries_it_may_be_written_with_it() -> None:
    """Or said beside it, but not otherwise."""
    over_quic = Endpoint.parse("scs+quic://box:7")
    assert over_quic.split(None) == (Endpoint("box", 7), TransportChoice.QUIC)
    assert over_quic.split(TransportChoice.QUIC) == (Endpoint("box", 7), TransportChoice.QUIC)
    assert Endpoint("box").split(None) == (Endpoint("box"), None)
    assert Endpoint("box").split(TransportChoice.AUTO) == (Endpoint("box"), TransportChoice.AUTO)
    for other in (TransportChoice.TLS, TransportChoice.AUTO):
        with pytest.raises(SetupError, match=f"`scs\\+quic://box:7` and the transport `{other}` contradict"):
            over_quic.split(other)


def test_a_unix_socket_has_no_quic() -> None:
    """It is told; `auto` takes what there is."""
    local = Endpoint.parse("unix:/run/admin.sock")
    with pytest.raises(SetupError, match="is a socket of this machine, which has no QUIC"):
        local.split(TransportChoice.QUIC)
    assert local.split(TransportChoice.AUTO)[0] == local
