"""The library's connection as we have it, joined to the library's own client in memory: what its private names do."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

pytest.importorskip("aioquic", reason="needs the extra quic")

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, QuicEvent, StreamDataReceived
from aioquic.quic.packet import QuicErrorCode
from aioquic.tls import Epoch

from secure_server.identity.pair import read_pair
from secure_server.quic.library import (
    CONNECTION_ID_BYTES,
    MOST_GAPS,
    MOST_HANDSHAKE_BYTES,
    MOST_IN_FLIGHT,
    MOST_SPOKEN,
    STRANGERS_WINDOW_BYTES,
    STREAM,
    WINDOW_BYTES,
    Connection,
    configuration,
    destination,
)

CLIENT, SERVER = ("192.0.2.7", 4000), ("192.0.2.1", 5000)
ROUNDS = 200
"""Each way, in which all that two have to say to each other is said."""


class Pair:
    """A client of the library's and our connection, and a clock.

    Attributes:
        client, server: these.
        events: what each said, and was not looked at.
    """

    def __init__(self, certificates: Path) -> None:
        settings = QuicConfiguration(alpn_protocols=["secure-command/1"], server_name="localhost")
        settings.load_verify_locations(str(certificates / "ca.pem"))
        self.now = 100.0
        self.address = CLIENT
        self.client = QuicConnection(configuration=settings)
        self.client.connect(SERVER, now=self.now)
        certificate = certificates / "server.pem"
        der = ssl.PEM_cert_to_DER_cert(certificate.read_text()[: certificate.read_text().index("-----END") + 25])
        pair = read_pair(certificate, certificates / "server-key.pem", der)
        original = self.client.original_destination_connection_id
        self.server = Connection(configuration(pair), original, None, lambda connection_id: (2 * connection_id)[:16])
        self.events: list[QuicEvent] = []

    def exchange(self) -> None:
        """Have each hear what the other says, until neither says anything."""
        for _ in range(ROUNDS):
            self.now += 0.01
            up = self.client.datagrams_to_send(self.now)
            for data, _ in up:
                self.server.receive_datagram(data, self.address, self.now)
            down = self.server.datagrams_to_send(self.now) if self.server.begun else []
            for data, _ in down:
                self.client.receive_datagram(data, SERVER, self.now)
            if not up and not down:
                break
        for one in (self.server, self.client):
            while (event := one.next_event()) is not None:
                if one is self.server or isinstance(event, ConnectionTerminated):
                    self.events.append(event)

    @property
    def received(self) -> bytes:
        """What the server has of the stream."""
        return b"".join(event.data for event in self.events if isinstance(event, StreamDataReceived))

    def said(self) -> tuple[int, str] | None:
        """Why our end is over."""
        return None if self.server.over is None else (self.server.over.error_code, self.server.over.reason_phrase)


@pytest.fixture
def pair(certificates: Path) -> Pair:
    """Two that have shaken hands."""
    pair = Pair(certificates)
    pair.exchange()
    assert any(isinstance(event, HandshakeCompleted) for event in pair.events)
    return pair


def test_what_is_known_of_the_peer(pair: Pair) -> None:
    """Where it is, once it answered from there, and what was agreed on."""
    assert (pair.server.begun, pair.server.address, pair.server.cipher) == (True, CLIENT, "TLS_AES_256_GCM_SHA384")
    pair.address = ("198.51.100.9", 4001)
    pair.client.send_stream_data(STREAM, b"x")
    (data, _), *_ = pair.client.datagrams_to_send(pair.now)
    pair.server.receive_datagram(data, pair.address, pair.now)
    assert pair.server.address is None
    pair.exchange()
    assert pair.server.address == pair.address


@pytest.mark.parametrize("window", [STRANGERS_WINDOW_BYTES, WINDOW_BYTES])
def test_a_peer_sends_no_more_than_a_window(pair: Pair, window: int) -> None:
    """And what the session took more, in steps of half a window; a stranger's is small."""
    if window == WINDOW_BYTES:
        pair.server.window = WINDOW_BYTES  # as of the first bytes of one who is known
        assert pair.server.took(0)
        pair.server.send_ping(0)
        pair.exchange()
    pair.client.send_stream_data(STREAM, bytes(4 * WINDOW_BYTES))
    pair.exchange()
    assert len(pair.received) == window
    assert not pair.server.took(window // 2 - 1)
    pair.exchange()
    assert len(pair.received) == window
    assert pair.server.took(1)
    pair.exchange()
    assert len(pair.received) == window + window // 2
    assert pair.said() is None


def test_what_was_sent_is_known_to_have_come(pair: Pair) -> None:
    """The bytes, and the end."""
    assert not pair.server.opened
    assert pair.server.unacknowledged == 0
    pair.client.send_stream_data(STREAM, b"x")
    pair.exchange()
    assert pair.server.opened
    pair.server.send_stream_data(STREAM, bytes(3000))
    assert pair.server.unacknowledged == 3000
    pair.server.end_stream()
    pair.server.end_stream()
    assert not pair.server.delivered
    pair.exchange()
    assert (pair.server.unacknowledged, pair.server.delivered) == (0, True)
    pair.server.close(error_code=4005, reason_phrase="kicked")
    assert pair.said() == (4005, "kicked")
    pair.exchange()
    assert pair.server.datagrams_to_send(pair.now) == []


def test_a_stream_that_is_reset_is_not_ended_as_well(pair: Pair) -> None:
    """Whoever wants no more of it."""
    pair.client.send_stream_data(STREAM, b"x")
    pair.client.stop_stream(STREAM, 0)
    pair.exchange()
    pair.server.end_stream()
    pair.exchange()
    assert pair.server.delivered


@pytest.mark.parametrize("other", [STREAM + 4, 2, 6], ids=["a second", "one way", "another one way"])
def test_another_stream_ends_the_connection(pair: Pair, other: int) -> None:
    """There is one."""
    pair.client._remote_max_streams_bidi = pair.client._remote_max_streams_uni = 100
    pair.client._remote_max_stream_data_uni = WINDOW_BYTES
    pair.client.send_stream_data(other, b"x")
    pair.exchange()
    assert pair.said() == (QuicErrorCode.STREAM_LIMIT_ERROR, "Too many streams open")


def test_a_frame_far_into_the_handshake_takes_no_memory(pair: Pair) -> None:
    """The library would set half a megabyte aside for it."""
    sender = pair.client._crypto_streams[Epoch.ONE_RTT].sender
    sender._buffer_start = sender._buffer_stop = sender.highest_offset = MOST_HANDSHAKE_BYTES
    sender.write(b"x")
    pair.exchange()
    assert pair.said() == (QuicErrorCode.CRYPTO_BUFFER_EXCEEDED, "The handshake is too long")


def test_each_connection_id_has_a_token_that_is_told_again(pair: Pair) -> None:
    """Also of those that come later: by it a peer knows that we have forgotten it."""
    known = [pair.client._peer_cid, *pair.client._peer_cid_available]
    assert len(known) > 2
    pair.client.change_connection_id()
    pair.exchange()
    known.append(pair.client._peer_cid_available[-1])
    assert [one.stateless_reset_token for one in known] == [2 * one.cid for one in known]


def test_gaps_are_few(pair: Pair) -> None:
    """For each frame the library looks through all of them."""
    pair.client.send_stream_data(STREAM, b"x")
    pair.exchange()
    sender = pair.client._streams[STREAM].sender
    gaps = 0
    while pair.said() is None and gaps < 2 * MOST_GAPS:
        gaps += 1
        sender.write(b"xy")
        start = sender._buffer_stop - 2
        sender._pending.subtract(start, start + 1)  # each second byte is never sent
        pair.exchange()
    assert pair.said() == (QuicErrorCode.PROTOCOL_VIOLATION, "There are too many gaps")
    assert MOST_GAPS < gaps < MOST_GAPS + 3


def test_who_acknowledges_nothing_makes_us_keep_little(pair: Pair) -> None:
    """What only says what came is forgotten; nothing that was to come is, and all that comes is still acknowledged."""
    sent = pair.server._spaces[Epoch.ONE_RTT].sent_packets
    for turn in range(4 * MOST_SPOKEN):
        pair.client._loss._cc.bytes_in_flight = 0  # or the library would wait for what never comes
        pair.client.send_ping(turn)
        for data, _ in pair.client.datagrams_to_send(pair.now):
            pair.server.receive_datagram(data, pair.address, pair.now)
        pair.now += 0.001
        assert pair.server.datagrams_to_send(pair.now)
        assert len(sent) <= MOST_SPOKEN + 1
    pair.client.send_stream_data(STREAM, b"word")
    pair.exchange()
    pair.server.send_stream_data(STREAM, b"answer")
    pair.exchange()
    assert pair.received == b"word"
    assert pair.server.unacknowledged == 0


def test_little_is_under_way_at_once(pair: Pair) -> None:
    """However much a peer acknowledges."""
    pair.client.send_stream_data(STREAM, b"x")
    pair.exchange()
    for _ in range(20):
        pair.server.send_stream_data(STREAM, bytes(100_000))
        pair.exchange()
    pair.server.datagrams_to_send(pair.now)
    assert pair.server._loss.congestion_window == MOST_IN_FLIGHT


def test_whose_a_datagram_is(pair: Pair) -> None:
    """Its first bytes say so, long or short, and whatever else it is."""
    fresh = QuicConnection(configuration=pair.client.configuration)
    fresh.connect(SERVER, now=pair.now)
    (data, _), *_ = fresh.datagrams_to_send(pair.now)
    assert destination(data) == fresh.original_destination_connection_id
    pair.client.send_ping(0)
    (data, _), *_ = pair.client.datagrams_to_send(pair.now)
    assert destination(data) == pair.server.host_cid
    for length in range(30):
        assert len(destination(os.urandom(length))) <= max(CONNECTION_ID_BYTES, length)
