"""From where a request comes that a proxy passed on, or says that one did."""

from __future__ import annotations

import pytest

from secure_server.auth.principal import ClientCertificate
from secure_server.session.peer import Peer
from secure_server.web.forwarded import Proxies, is_near
from secure_server.web.message import Question

PROXIES = Proxies(["127.0.0.1", "::1", "10.0.0.0/30", "2001:db8:1::/64"])
CHAIN = "X-Forwarded-For"


def asked(address: str, *headers: tuple[str, str]) -> Question:
    """Ask for the page from an address."""
    peer = Peer(address, transport="tls", netblock="as it was")
    return Question(peer, "GET", "/", "", tuple((name.lower(), value) for name, value in headers))


@pytest.mark.parametrize(
    ("address", "chain", "seen"),
    [
        ("127.0.0.1:40312", "198.51.100.7", "198.51.100.7:40312"),
        ("127.0.0.1:40312", "203.0.113.1, 198.51.100.7", "198.51.100.7:40312"),  # the last one is the proxy's word
        ("127.0.0.1:40312", "127.0.0.1,  198.51.100.7 ", "198.51.100.7:40312"),
        ("10.0.0.2:40312", "198.51.100.7:1234", "198.51.100.7:40312"),
        ("[::1]:40312", "2001:db8::7", "[2001:db8::7]:40312"),
        ("[2001:db8:1::5]:40312", '"[2001:db8::7]:1234"', "[2001:db8::7]:40312"),
        ("127.0.0.1:40312", "[2001:db8::7]", "[2001:db8::7]:40312"),
        ("127.0.0.1:40312", "::ffff:198.51.100.7", "198.51.100.7:40312"),
        # what is no address, or is one of the proxy's own machine, says that there is somebody, and not who
        ("127.0.0.1:40312", "unknown", "0.0.0.0:40312"),
        ("127.0.0.1:40312", "198.51.100.7, unknown", "0.0.0.0:40312"),
        ("127.0.0.1:40312", "198.51.100.7,", "0.0.0.0:40312"),
        ("127.0.0.1:40312", "", "0.0.0.0:40312"),
        ("10.0.0.2:40312", "127.0.0.1", "0.0.0.0:40312"),
        ("127.0.0.1:40312", "::1", "0.0.0.0:40312"),
        ("10.0.0.2:40312", "::ffff:127.0.0.1", "0.0.0.0:40312"),
        ("10.0.0.2:40312", "0.0.0.0", "0.0.0.0:40312"),  # noqa: S104 - nothing listens there
        # others may say what they like: they are where they are, but not on this machine
        ("192.0.2.9:40312", "198.51.100.7", "192.0.2.9:40312"),
        ("192.0.2.9:40312", "127.0.0.1", "192.0.2.9:40312"),
        ("127.0.0.2:40312", "127.0.0.1", "0.0.0.0:40312"),
        ("127.0.0.2:40312", "198.51.100.7", "0.0.0.0:40312"),
    ],
)
def test_the_last_hop_of_a_proxy_counts(address: str, chain: str, seen: str) -> None:
    """And of nobody else's; the port stays the connection's, so that proxy's log and ours can be compared."""
    question = PROXIES.seen(asked(address, (CHAIN, chain)))
    assert (question.peer.address, question.forwarded) == (seen, True)
    assert not is_near(seen)


def test_several_headers_are_one() -> None:
    """In the order in which they came; a client that sends one of its own gains nothing by it."""
    question = PROXIES.seen(asked("127.0.0.1:1", (CHAIN, "203.0.113.1"), (CHAIN, "198.51.100.7")))
    assert question.peer.address == "198.51.100.7:1"


@pytest.mark.parametrize("name", ["Forwarded", "X-Real-IP", "Via"])
def test_other_headers_of_proxies_say_that_there_is_one(name: str) -> None:
    """So who stands behind it is not on this machine, however the proxy is called; what is in it counts for nothing."""
    for address in ("127.0.0.1:1", "[::1]:1", "127.0.0.2:1"):
        question = PROXIES.seen(asked(address, (name, "for=127.0.0.1")))
        assert (question.peer.address, question.forwarded) == ("0.0.0.0:1", True)
    assert PROXIES.seen(asked("192.0.2.9:1", (name, "198.51.100.7"))).peer.address == "192.0.2.9:1"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "192.0.2.9:1", "10.0.0.2:1"])
def test_who_comes_by_no_proxy_is_left_alone(address: str) -> None:
    """A proxy asks for itself, too: whether the server is alive."""
    question = asked(address, ("Host", "localhost"), ("Accept", "*/*"))
    assert PROXIES.seen(question) is question
    assert is_near(address) == address.startswith("127.")


def test_netblock_and_certificate_are_those_of_whom_it_is() -> None:
    """Penalties go by the one; the other is the proxy's, which vouches for nobody."""
    shown = ClientCertificate("proxy", "ab", 0.0, 1.0)
    question = asked("127.0.0.1:1", (CHAIN, "2001:db8::7"))
    mine = Question(Peer("127.0.0.1:1", netblock="127.0.0.1", certificate=shown), "GET", "/", "", question.headers)
    peer = PROXIES.seen(mine).peer
    assert (peer.netblock, peer.certificate) == ("2001:db8::/64", None)
    assert mine.peer.certificate is shown
