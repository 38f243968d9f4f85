"""What a close frame says of a session's end: browsers tell a page the code and the reason, and nothing else."""

from __future__ import annotations

from secure_protocol.reasons import CloseReason

_CODES = {
    CloseReason.GOODBYE: 1000,
    CloseReason.PEER_CLOSED: 1000,
    CloseReason.DRAINING: 1001,
    CloseReason.PROTOCOL_ERROR: 1002,
    CloseReason.INTERNAL_ERROR: 1011,
    CloseReason.AUTH_TIMEOUT: 4001,
    CloseReason.AUTH_FAILED: 4002,
    CloseReason.REQUEST_TIMEOUT: 4003,
    CloseReason.IDLE: 4004,
    CloseReason.KICKED: 4005,
    CloseReason.BANNED: 4006,
    CloseReason.REVOKED: 4007,
    CloseReason.EXPIRED: 4008,
    CloseReason.SLOW_CONSUMER: 4009,
    CloseReason.TOO_MANY: 4010,
    CloseReason.THROTTLED: 4011,
}
"""RFC 6455 section 7.4.1 where it has one; 4000 to 4999 are an application's own. Numbers stay as they are."""
OTHER = 4000


def farewell(reason: CloseReason | None) -> tuple[int, str]:
    """Return code and reason of the close frame; the reason is the stable word."""
    return (1000, "") if reason is None else (_CODES.get(reason, OTHER), str(reason))
