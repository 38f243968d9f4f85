"""What QUIC in the client is made of: aioquic's private names, the check of certificates, and the flow of bytes."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from cryptography import x509

pytest.importorskip("aioquic", reason="needs aioquic, which the extra `quic` has")

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StreamDataReceived

from secure_client.connection import quic_certificate, quic_flow
from secure_client.connection.quic_flow import ALPN, GOODBYE, KEEPALIVE, PATIENCE, Flow
from secure_client.connection.quic_library import WINDOW_BYTES, Connection
from secure_client.connection.tls import explain, make_context
from secure_client.core.endpoint import Endpoint
from secure_client.core.trust import Trust
from tests.secure_client.certificates import HOUR, Authority, Pair

ADDRESS = ("192.0.2.1", 5000)
CLIENT = ("192.0.2.2", 40_000)


class Server:
    """A server of aioquic's, without a socket."""

    def __init__(self, pair: Pair, alpn: str = ALPN) -> None:
        self._configuration = QuicConfiguration(is_client=False, alpn_protocols=[alpn])
        self._configuration.load_cert_chain(pair.certificate, pair.key)
        self.quic: QuicConnection | None = None
        self.came = b""
        self.ended: ConnectionTerminated | None = None

    def take(self, datagram: bytes, now: float) -> None:
        """Take a datagram of the client's; the first one names the connection."""
        if self.quic is None:
            destination = datagram[6 : 6 + datagram[5]]
            self.quic = QuicConnection(
                configuration=self._configuration, original_destination_connection_id=destination
            )
        self.quic.receive_datagram(datagram, CLIENT, now)
        event: QuicEvent | None
        while (event := self.quic.next_event()) is not None:
            if isinstance(event, StreamDataReceived):
                self.came += event.data

    @property
    def closed(self) -> tuple[int, str] | None:
        """The code and the reason with which the client ended it."""
        assert self.quic is not None
        end = self.quic._close_event
        return None if end is None else (end.error_code, end.reason_phrase)


class Ends:
    """A flow and a server, and the time that both go by."""

    def __init__(self, flow: Flow, server: Server) -> None:
        self.flow = flow
        self.server = server
        self.now = 0.0
        self.lost = False

    def go(self, seconds: float = 0.5) -> None:
        """Let datagrams go back and forth for so long."""
        for _step in range(int(seconds / 0.01)):
            self.now += 0.01
            self.flow.tick(self.now)
            for datagram in self.flow.datagrams(self.now):
                if not self.lost:
                    self.server.take(datagram, self.now)
            quic = self.server.quic
            if quic is None or self.lost:
                continue
            timer = quic.get_timer()
            if timer is not None and timer <= self.now:
                quic.handle_timer(self.now)
            for datagram, _address in quic.datagrams_to_send(self.now):
                self.flow.take(datagram, self.now)


def believe(_shown: Sequence[x509.Certificate]) -> None:
    """Believe anything."""


Make = Callable[..., Ends]


@pytest.fixture
def make(authority: Authority) -> Make:
    """Make both ends, the handshake over."""

    def made(alpn: str = ALPN, verify: Callable[[Sequence[x509.Certificate]], None] = believe) -> Ends:
        both = Ends(Flow(ADDRESS, "localhost", verify, 0.0), Server(authority.issue("quic"), alpn))
        both.go()
        return both

    return made


# -- aioquic's private names ------------------------------------------------------------------------------------------


def test_the_private_names_of_the_library_are_there(make: Make) -> None:
    """A newer aioquic that has them no more is noticed here, and not by users."""
    both = make()
    connection = both.flow._connection
    for name in ("_local_max_streams_bidi", "_local_max_streams_uni", "_streams", "_close_event", "_close_pending"):
        assert hasattr(connection, name), name
    assert callable(QuicConnection._write_stream_limits)
    assert connection._write_stream_limits.__func__ is not QuicConnection._write_stream_limits  # type: ignore[attr-defined]  # a method has it
    assert len(connection.certificates) == 1
    both.lost = True
    both.flow.write(b"12345", both.now)
    assert connection.unacknowledged == 5
    assert hasattr(connection._streams[0].receiver, "highest_offset")
    assert hasattr(connection._streams[0], "max_stream_data_local")


def test_nothing_but_our_stream_may_be_opened(make: Make) -> None:
    """A stream of the server's is a fault of it, which ends the connection."""
    both = make()
    quic = both.server.quic
    assert quic is not None
    assert quic._remote_max_streams_bidi == quic._remote_max_streams_uni == 0
    quic._remote_max_streams_bidi = 1  # a server that does not heed it
    quic.send_stream_data(1, b"x")
    both.go()
    assert isinstance(both.flow.error, ConnectionError)
    assert both.server.closed == (4, "Too many streams open")


def test_what_nobody_reads_is_bounded(make: Make) -> None:
    """The server sends a window and no more, until it is read; all of it arrives, and in order."""
    both = make()
    quic = both.server.quic
    assert quic is not None
    both.flow.write(b"go", both.now)
    both.go()
    sent = bytes(range(256)) * 20_000
    quic.send_stream_data(0, sent, end_stream=True)
    both.go(20)
    assert len(both.flow._came) == WINDOW_BYTES
    read = bytearray()
    while (data := both.flow.read()) != b"":
        read += data or b""
        both.go(0.05)
    assert read == sent


def test_what_is_not_acknowledged_is_bounded(make: Make) -> None:
    """The rest waits with whoever has it."""
    both = make()
    both.lost = True
    assert both.flow.write(bytes(1_000_000), both.now) == quic_flow.UNACKNOWLEDGED_BYTES
    both.go()
    assert both.flow.write(b"x", both.now) == 0
    both.lost = False
    both.go(30)
    assert both.flow.write(b"x", both.now) == 1


# -- certificates -----------------------------------------------------------------------------------------------------


def shown(pair: Pair) -> list[x509.Certificate]:
    """Return a certificate as a server shows it."""
    return x509.load_pem_x509_certificates(pair.certificate.read_bytes())


def check(pair: Pair, host: str, trust: Trust) -> None:
    """Check it."""
    quic_certificate.check(shown(pair), host, make_context(trust), trust)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "a.example.org"])
def test_a_good_certificate_is_believed(authority: Authority, host: str) -> None:
    """By name and by address."""
    pair = authority.issue("good", ("localhost", "127.0.0.1", "::1", "*.example.org"))
    check(pair, host, Trust(ca=authority.ca))


@pytest.mark.parametrize(
    ("host", "begins", "ends", "client", "told"),
    [
        ("other.example.org", -HOUR, HOUR, False, "is not made out to `other.example.org`"),
        ("127.0.0.2", -HOUR, HOUR, False, "is not made out to `127.0.0.2`"),
        ("localhost", -2 * HOUR, -HOUR, False, "has expired"),
        ("localhost", HOUR, 2 * HOUR, False, "is not valid yet"),
        ("localhost", -HOUR, HOUR, True, "unsuitable certificate purpose"),
    ],
)
def test_a_bad_one_is_explained_as_over_tls(
    authority: Authority, host: str, begins: dt.timedelta, ends: dt.timedelta, told: str, *, client: bool
) -> None:
    """OpenSSL's own codes lead to the same sentences."""
    pair, trust = authority.issue("bad", begins=begins, ends=ends, client=client), Trust(ca=authority.ca)
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        check(pair, host, trust)
    assert told in str(explain(caught.value, Endpoint(host), trust))


def test_another_authority_is_none(authority: Authority, tmp_path: Path) -> None:
    """Nor is the system's, where none was given."""
    pair = authority.issue("strange")
    for trust in (Trust(ca=Authority(tmp_path / "another").ca), Trust()):
        with pytest.raises(ssl.SSLCertVerificationError) as caught:
            check(pair, "localhost", trust)
        assert "is not vouched for by" in str(explain(caught.value, Endpoint(), trust))


def test_the_systems_authorities_are_believed(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of its file, as OpenSSL finds it."""
    pair = authority.issue("system")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    check(pair, "localhost", Trust())


def test_no_certificate_is_no_proof(authority: Authority) -> None:
    """It is told as an error of the check."""
    trust = Trust(ca=authority.ca)
    with pytest.raises(ssl.SSLCertVerificationError, match="malformed"):
        quic_certificate.check([], "localhost", make_context(trust), trust)


def test_nothing_is_sent_to_who_does_not_prove_who_it_is(make: Make) -> None:
    """The server hears an alert, and that is all."""

    def refuse(_shown: Sequence[x509.Certificate]) -> None:
        raise ssl.SSLCertVerificationError(1, "no")

    both = make(verify=refuse)
    assert isinstance(both.flow.error, ssl.SSLCertVerificationError)
    assert not both.flow.open
    assert both.server.closed == (0x100 + 42, "")
    assert both.server.came == b""


def test_another_protocol_is_none_of_ours(make: Make) -> None:
    """It is not that the server speaks QUIC alone."""
    both = make(alpn="h3")
    assert isinstance(both.flow.error, ssl.SSLError)
    assert not both.flow.open


# -- the flow ---------------------------------------------------------------------------------------------------------


def test_an_idle_session_stays(make: Make) -> None:
    """For longer than either side's idle timeout: something is sent before that, which is no request."""
    both = make()
    both.go(5 * quic_flow.IDLE_TIMEOUT)
    assert both.flow.error is None
    assert both.server.came == b""


def test_an_acknowledgement_ends_the_wait_for_it(make: Make) -> None:
    """It is what moving to another address waits for."""
    both = make()
    both.lost = True
    both.flow.write(b"hello", both.now)
    since = both.flow.unanswered_since
    assert since == both.now
    both.go(2)
    assert both.flow.unanswered_since == since
    both.lost = False
    both.go(5)
    assert both.flow.unanswered_since is None
    assert both.server.came == b"hello"


def test_silence_ends_it(make: Make) -> None:
    """After the keepalive and the patience for an answer to that."""
    both = make()
    both.lost = True
    both.go(KEEPALIVE + PATIENCE - 1)
    assert both.flow.error is None
    both.go(3)
    assert isinstance(both.flow.error, TimeoutError)
    with pytest.raises(TimeoutError):
        both.flow.read()
    with pytest.raises(TimeoutError):
        both.flow.write(b"x", both.now)


def test_the_end_is_in_order(make: Make) -> None:
    """What was written goes first, then the stream's end, then that of the connection."""
    both = make()
    both.flow.write(b"bye", both.now)
    both.flow.end()
    both.go(0.1)
    both.flow.close()
    both.go(0.1)
    assert both.server.came == b"bye"
    assert both.server.closed == (GOODBYE, "goodbye")


def test_the_servers_last_words_come_before_its_end(make: Make) -> None:
    """Also where it ends the connection at once behind them."""
    both = make()
    quic = both.server.quic
    assert quic is not None
    both.flow.write(b"x", both.now)
    both.go()
    quic.send_stream_data(0, b"last words", end_stream=True)
    both.go(0.02)
    quic.close(4005, reason_phrase="kicked\x1b[2J")
    both.go()
    assert both.flow.read() == b"last words"
    assert both.flow.read() == b""
    assert isinstance(both.flow.error, ConnectionError)
    assert str(both.flow.error) == "kicked\\x1b[2J"


def test_the_library_prints_nothing_by_itself() -> None:
    """Python's last resort would write its warnings to the terminal."""
    import logging  # noqa: PLC0415 - of this test alone

    assert any(isinstance(each, logging.NullHandler) for each in logging.getLogger("quic").handlers)
    assert issubclass(Connection, QuicConnection)
