"""What is said to those who are not known, without remembering them: versions, a Retry, and that one is forgotten."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable

from aioquic.quic.packet import (
    QuicHeader,
    QuicPacketType,
    encode_quic_retry,
    encode_quic_version_negotiation,
)
from aioquic.quic.retry import QuicRetryTokenHandler

from secure_server.quic.door import Address, Door
from secure_server.quic.library import CONNECTION_ID_BYTES, VERSIONS, destination

TOKEN_BYTES = 16
LEAST_RESET_BYTES, RESET_BYTES = 21, 42
"""Of a reset (RFC 9000 section 10.3): as long as a datagram of ours may be that carries little."""


class Unknown:
    """Answers datagrams that are of no connection that there is.

    Args:
        key: a secret that a server in the same data directory will have as well.
        clock: monotonic seconds.
    """

    def __init__(self, key: bytes, clock: Callable[[], float]) -> None:
        self._reset_key = hmac.digest(key, b"quic stateless reset", "sha256")
        self._clock = clock
        self._retry = QuicRetryTokenHandler()

    def speaks(self, door: Door, header: QuicHeader, address: Address) -> bool:
        """Whether somebody speaks a version that we do; who does not is told those."""
        if header.version is None or header.packet_type is QuicPacketType.VERSION_NEGOTIATION:
            return False
        if header.version in VERSIONS:
            return True
        door.send(
            encode_quic_version_negotiation(
                source_cid=header.destination_cid,
                destination_cid=header.source_cid,
                supported_versions=list(VERSIONS),
            ),
            address,
        )
        return False

    def send_retry(self, door: Door, header: QuicHeader, address: Address) -> None:
        """Have somebody prove its address (RFC 9000 section 8.1.2)."""
        source = os.urandom(CONNECTION_ID_BYTES)
        token = self._retry.create_token(
            address=address,
            original_destination_connection_id=header.destination_cid,
            retry_source_connection_id=source,
            now=self._clock(),
        )
        assert header.version is not None  # noqa: S101 - for mypy; it is one that is spoken
        door.send(
            encode_quic_retry(
                version=header.version,
                source_cid=source,
                destination_cid=header.source_cid,
                original_destination_cid=header.destination_cid,
                retry_token=token,
            ),
            address,
        )

    def original(self, header: QuicHeader, address: Address) -> bytes:
        """Return the destination that a client chose before our Retry.

        Raises:
            ValueError: its token is too old, another's or nobody's.
        """
        return self._retry.validate_token(
            address=address, destination_cid=header.destination_cid, token=header.token, now=self._clock()
        )

    def reset(self, door: Door, data: bytes, address: Address) -> None:
        """Tell a peer that nothing is known of its connection (RFC 9000 section 10.3), so that it need not wait.

        Each is shorter than what it answers: no amplifier, and two servers do not go on answering each other.
        """
        length = min(len(data) - 1, RESET_BYTES)
        if length >= LEAST_RESET_BYTES:
            head = bytes([0x40 | data[0] & 0x3F]) + os.urandom(length - 1 - TOKEN_BYTES)
            door.send(head + self.reset_token(destination(data)), address)

    def reset_token(self, connection_id: bytes) -> bytes:
        """Return what a reset of a connection ends with, by one of its connection IDs."""
        return hmac.digest(self._reset_key, connection_id, "sha256")[:TOKEN_BYTES]
