"""What this client needs of aioquic and has to take from its private names: all of them are here.

aioquic raises what a peer may send by what has arrived, not by what was taken, so it holds as much as a peer likes to
send. Here the stream's limit follows what was taken, and nothing but our own stream may be opened.
"""

from __future__ import annotations

import hmac
import logging
from typing import TYPE_CHECKING

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import END_STATES, QuicConnection

if TYPE_CHECKING:
    from aioquic.quic.events import ConnectionTerminated
    from aioquic.quic.packet_builder import QuicPacketBuilder
    from aioquic.quic.recovery import QuicPacketSpace
    from aioquic.quic.stream import QuicStream
    from cryptography import x509

WINDOW_BYTES = 1024 * 1024
"""Held at most of what the server sent and nobody took yet; at 100 ms of delay it lets 10 MB a second through."""
STREAM = 0
"""The one stream there is, which the client opens: its bytes are the session's."""
_EVERYTHING = 2**60
"""Bytes of all streams together. There is one, so its own limit says it all."""

logging.getLogger("quic").addHandler(logging.NullHandler())  # else what it warns of would be printed by itself


class Connection(QuicConnection):
    """A client's connection, whose one stream gives room as it is read.

    Attributes:
        taken: bytes of the stream that were taken so far.
    """

    def __init__(self, configuration: QuicConfiguration) -> None:
        configuration.max_stream_data = WINDOW_BYTES
        configuration.max_data = _EVERYTHING
        super().__init__(configuration=configuration)
        self.taken = 0
        self._local_max_streams_bidi.value = self._local_max_streams_bidi.sent = 0
        self._local_max_streams_uni.value = self._local_max_streams_uni.sent = 0

    @property
    def certificates(self) -> list[x509.Certificate]:
        """What the server showed in the handshake: its own first, then those that vouch for it."""
        shown = self.tls._peer_certificate  # noqa: SLF001 - there is no public name
        return [] if shown is None else [shown, *self.tls._peer_certificate_chain]  # noqa: SLF001 - likewise

    def is_reset(self, datagram: bytes) -> bool:
        """Whether it says that the server knows nothing of the connection any more (RFC 9000 section 10.3.1)."""
        token = self._peer_cid.stateless_reset_token
        return bool(token) and not datagram[0] & 0x80 and hmac.compare_digest(datagram[-len(token) :], token)

    @property
    def unacknowledged(self) -> int:
        """How many bytes were given to the stream that the server has not acknowledged."""
        stream = self._streams.get(STREAM)
        return 0 if stream is None else len(stream.sender._buffer)  # noqa: SLF001 - likewise

    @property
    def over(self) -> ConnectionTerminated | None:
        """Why it is over, as soon as it is; the event for that comes only when stragglers have been waited for."""
        return self._close_event if self._state in END_STATES or self._close_pending else None

    def _write_stream_limits(self, builder: QuicPacketBuilder, space: QuicPacketSpace, stream: QuicStream) -> None:
        """Give room again in steps of half the window, for each says so in a frame."""
        half = WINDOW_BYTES // 2
        stream.max_stream_data_local = WINDOW_BYTES + self.taken // half * half
        arrived, stream.receiver.highest_offset = stream.receiver.highest_offset, 0  # which would double the limit
        try:
            super()._write_stream_limits(builder, space, stream)
        finally:  # it raises where the datagram is full
            stream.receiver.highest_offset = arrived
