"""Why a connection ended: stable words that drive the client's reconnect."""

from __future__ import annotations

from enum import Enum, StrEnum


class Reconnect(Enum):
    """What a client does after a close."""

    LATER = "with backoff"
    ON_USE = "when the user next asks for something"
    NEVER = "not by itself"


class CloseReason(StrEnum):
    """Why a connection ended. A peer is told of those the server decided on, while it can still be told."""

    GOODBYE = "goodbye"
    PEER_CLOSED = "peer-closed"
    CONNECTION_LOST = "connection-lost"
    PROTOCOL_ERROR = "protocol-error"
    HANDSHAKE_FAILED = "handshake-failed"
    HANDSHAKE_TIMEOUT = "handshake-timeout"
    AUTH_TIMEOUT = "auth-timeout"
    AUTH_FAILED = "auth-failed"
    REQUEST_TIMEOUT = "request-timeout"
    IDLE = "idle"
    KICKED = "kicked"
    BANNED = "banned"
    REVOKED = "revoked"
    EXPIRED = "expired"
    SLOW_CONSUMER = "slow-consumer"
    TOO_MANY = "too-many"
    THROTTLED = "throttled"
    DRAINING = "draining"
    INTERNAL_ERROR = "internal-error"

    @property
    def reconnect(self) -> Reconnect:
        """What a client should do about it, unless it is told when to come back: then it is `LATER`."""
        return _RECONNECT.get(self, Reconnect.LATER)


_RECONNECT = {
    CloseReason.GOODBYE: Reconnect.NEVER,
    CloseReason.IDLE: Reconnect.ON_USE,
    CloseReason.KICKED: Reconnect.NEVER,
    CloseReason.BANNED: Reconnect.NEVER,
    CloseReason.REVOKED: Reconnect.NEVER,
    CloseReason.EXPIRED: Reconnect.NEVER,
    CloseReason.AUTH_FAILED: Reconnect.NEVER,
    CloseReason.PROTOCOL_ERROR: Reconnect.NEVER,
}
