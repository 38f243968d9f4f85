"""aioquic's connection as this server needs it: all that goes by its private names is here, and a test knows them.

The library raises its limits by what has arrived, whether or not anybody took it, and lets one small frame make it
set half a megabyte aside; see `Connection`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection, QuicConnectionError, QuicReceiveContext
from aioquic.quic.events import ConnectionTerminated
from aioquic.quic.packet import QuicErrorCode, QuicProtocolVersion
from aioquic.tls import Epoch

from secure_server.net.tls import ALPN_OURS

if TYPE_CHECKING:
    from aioquic._buffer import Buffer
    from aioquic.quic.connection import NetworkAddress, QuicNetworkPath
    from aioquic.quic.packet_builder import QuicPacketBuilder
    from aioquic.quic.recovery import QuicPacketSpace
    from aioquic.quic.stream import QuicStream

    from secure_server.identity.pair import KeyPair

STREAM = 0
"""The one stream: the first of those that a client opens in both directions."""
WINDOW_BYTES = 128 * 1024
"""What a peer may send beyond what its session has taken: at 100 ms there and back more than a megabyte a second."""
STRANGERS_WINDOW_BYTES = 16 * 1024
"""Likewise before it has authenticated, where a session takes 4 KiB without a request: there may be many strangers."""
MOST_GAPS = 128
"""Gaps in what came of a stream: the library looks through them for each frame. A window has some 110 datagrams."""
MOST_IN_FLIGHT = 160 * 1024
"""Bytes of datagrams that are under way, a little more than a connection lets wait: the library would have a peer raise
it without end, and keeps some hundred bytes for each datagram, be it a small one."""
MOST_SPOKEN = 256
"""Datagrams that only say what came, until those are forgotten that the peer has not said to have, and need not."""
MOST_HANDSHAKE_BYTES = 16 * 1024
"""Of the handshake, from the peer; a ClientHello takes one or two kilobytes."""
IDLE_SECONDS = 60.0
"""After so long without a datagram the peer is gone; whoever has nothing to say is asked in between."""
CONNECTION_ID_BYTES = 8
VERSIONS = (QuicProtocolVersion.VERSION_1, QuicProtocolVersion.VERSION_2)

logging.getLogger("quic").setLevel(logging.CRITICAL)  # it tells of each connection; ours are told of by the recording


def configuration(pair: KeyPair) -> QuicConfiguration:
    """Return what connections begin with that are served a certificate."""
    return QuicConfiguration(
        is_client=False,
        alpn_protocols=[ALPN_OURS],
        certificate=pair.chain[0],
        certificate_chain=list(pair.chain[1:]),
        private_key=pair.key,
        connection_id_length=CONNECTION_ID_BYTES,
        idle_timeout=IDLE_SECONDS,
        max_data=STRANGERS_WINDOW_BYTES,
        max_stream_data=STRANGERS_WINDOW_BYTES,
        supported_versions=list(VERSIONS),
    )


class Connection(QuicConnection):
    """One connection with one stream, which holds no more of it than a window.

    Args:
        settings: what `configuration` returned.
        original: the destination that the client chose for its first datagram.
        retried: the source of our Retry that it answers; None where there was none.
        reset_token: by a connection ID, what tells its peer from us that we know nothing of it any more.

    Attributes:
        window: bytes that the peer may send beyond what its session has taken; it may grow.
    """

    def __init__(
        self,
        settings: QuicConfiguration,
        original: bytes,
        retried: bytes | None,
        reset_token: Callable[[bytes], bytes],
    ) -> None:
        super().__init__(
            configuration=settings, original_destination_connection_id=original, retry_source_connection_id=retried
        )
        streams, others = self._local_max_streams_bidi, self._local_max_streams_uni
        streams.value = streams.sent = 1
        others.value = others.sent = 0
        self._ack_delay = 0.0  # with the answer, which goes in the same round, rather than in a datagram of its own
        self._reset_token = reset_token
        self._give_tokens()
        self._forgets_from = MOST_SPOKEN
        self.window = STRANGERS_WINDOW_BYTES
        self._taken = 0  # bytes of the stream that the session has taken

    # What it is like

    @property
    def begun(self) -> bool:
        """Whether its first datagram could be read."""
        return bool(self._network_paths) and self._remote_initial_source_connection_id is not None

    @property
    def address(self) -> object | None:
        """Where the peer is, once it has answered from there; None before that."""
        path: QuicNetworkPath = self._network_paths[0]
        return path.addr if path.is_validated else None

    @property
    def over(self) -> ConnectionTerminated | None:
        """Why nothing more is exchanged, whoever said so; None while it is."""
        return self._close_event

    @property
    def fault(self) -> str:
        """By what the peer has just broken the rules, in the library's words, before it is told; else empty."""
        return str(self._close_event.reason_phrase) if self._close_pending and self._close_event is not None else ""

    @property
    def cipher(self) -> str:
        """The cipher suite's name."""
        schedule = self.tls.key_schedule
        return "" if schedule is None else "TLS_" + schedule.cipher_suite.name

    def let_go(self) -> None:
        """Have nothing any more, behind its end; the library's parts know each other, and would await the collector."""
        for space in self._loss.spaces:
            space.sent_packets.clear()
        self.__dict__.clear()

    # The stream

    @property
    def opened(self) -> bool:
        """Whether the peer has opened its stream, so that it can be told something."""
        return STREAM in self._streams

    @property
    def unacknowledged(self) -> int:
        """Bytes that the peer was to be sent, and has not said to have."""
        stream: QuicStream | None = self._streams.get(STREAM)
        return 0 if stream is None else len(stream.sender._buffer)  # noqa: SLF001 - see the module

    @property
    def delivered(self) -> bool:
        """Whether the peer has all of it, and its end."""
        stream: QuicStream | None = self._streams.get(STREAM)
        return stream is None or stream.sender.is_finished

    def end_stream(self) -> None:
        """Send no more than what was given to be sent."""
        stream: QuicStream | None = self._streams.get(STREAM)
        if stream is None:
            return
        sender = stream.sender
        if sender._buffer_fin is None and sender._reset_error_code is None:  # noqa: SLF001 - see the module
            self.send_stream_data(STREAM, b"", end_stream=True)

    def took(self, count: int) -> bool:
        """The session took so many bytes; whether it is time to let the peer send on."""
        self._taken += count
        return self._grants(self._local_max_data.value)

    def _grants(self, limit: int) -> bool:
        return self._taken + self.window - limit >= self.window // 2

    # In place of the library's own

    def datagrams_to_send(self, now: float) -> list[tuple[bytes, NetworkAddress]]:
        """Return datagrams with where they go; forget such as nobody waits for, for a peer may keep silent of them."""
        control = self._loss._cc  # noqa: SLF001 - see the module
        control.congestion_window = min(control.congestion_window, MOST_IN_FLIGHT)
        datagrams = super().datagrams_to_send(now)
        sent = self._spaces[Epoch.ONE_RTT].sent_packets if self._spaces else {}
        if len(sent) > self._forgets_from:
            for number in [number for number, packet in sent.items() if not packet.in_flight]:
                del sent[number]
            self._forgets_from = len(sent) + MOST_SPOKEN
        return datagrams

    def _give_tokens(self) -> None:
        for own in self._host_cids:
            own.stateless_reset_token = self._reset_token(own.cid)

    def _replenish_connection_ids(self) -> None:
        super()._replenish_connection_ids()
        self._give_tokens()

    def _write_connection_limits(self, builder: QuicPacketBuilder, space: QuicPacketSpace) -> None:
        limit = self._local_max_data
        if self._grants(limit.value):
            limit.value = self._taken + self.window
        used, limit.used = limit.used, 0  # by which it would raise the limit
        try:
            super()._write_connection_limits(builder=builder, space=space)
        finally:
            limit.used = used

    def _write_stream_limits(self, builder: QuicPacketBuilder, space: QuicPacketSpace, stream: QuicStream) -> None:
        receiver = stream.receiver
        if self._grants(stream.max_stream_data_local):
            stream.max_stream_data_local = self._taken + self.window
        highest, receiver.highest_offset = receiver.highest_offset, 0  # likewise
        try:
            super()._write_stream_limits(builder=builder, space=space, stream=stream)
        finally:
            receiver.highest_offset = highest

    def _handle_crypto_frame(self, context: QuicReceiveContext, frame_type: int, buf: Buffer) -> None:
        start = buf.tell()
        end = buf.pull_uint_var() + buf.pull_uint_var()
        buf.seek(start)
        if end > MOST_HANDSHAKE_BYTES:
            raise QuicConnectionError(QuicErrorCode.CRYPTO_BUFFER_EXCEEDED, frame_type, "The handshake is too long")
        super()._handle_crypto_frame(context, frame_type, buf)
        self._bound(self._crypto_streams[context.epoch], frame_type)

    def _handle_stream_frame(self, context: QuicReceiveContext, frame_type: int, buf: Buffer) -> None:
        super()._handle_stream_frame(context, frame_type, buf)
        if (stream := self._streams.get(STREAM)) is not None:
            self._bound(stream, frame_type)

    @staticmethod
    def _bound(stream: QuicStream, frame_type: int) -> None:
        if len(stream.receiver._ranges) > MOST_GAPS:  # noqa: SLF001 - see the module
            raise QuicConnectionError(QuicErrorCode.PROTOCOL_VIOLATION, frame_type, "There are too many gaps")


def destination(data: bytes) -> bytes:
    """Return the connection ID that a datagram is for; empty where it has none (RFC 8999)."""
    if not data:
        return b""
    if not data[0] & 0x80:
        return data[1 : 1 + CONNECTION_ID_BYTES]
    return data[6 : 6 + data[5]] if len(data) > 5 else b""
