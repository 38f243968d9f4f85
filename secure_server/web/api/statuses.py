"""Which HTTP status tells of which failure: one table, as docs/http.md has it."""

from __future__ import annotations

import re
from http import HTTPStatus

from secure_protocol.errors import ErrorCode
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import ErrorReply
from secure_server.web.message import Header

OF_CODE = {
    ErrorCode.ERR: HTTPStatus.BAD_REQUEST,
    ErrorCode.NOAUTH: HTTPStatus.UNAUTHORIZED,
    ErrorCode.WRONGPASS: HTTPStatus.UNAUTHORIZED,
    ErrorCode.NOPERM: HTTPStatus.FORBIDDEN,
    ErrorCode.NOPROTO: HTTPStatus.BAD_REQUEST,
    ErrorCode.NOMECHANISM: HTTPStatus.FORBIDDEN,
    ErrorCode.BANNED: HTTPStatus.FORBIDDEN,
    ErrorCode.THROTTLED: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorCode.TIMEOUT: HTTPStatus.GATEWAY_TIMEOUT,
    ErrorCode.CANCELLED: HTTPStatus.CONFLICT,
    ErrorCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.DRAINING: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.BUSY: HTTPStatus.CONFLICT,
    ErrorCode.DETACHED: HTTPStatus.OK,
    ErrorCode.LOST: HTTPStatus.GONE,
    ErrorCode.CLOSED: HTTPStatus.SERVICE_UNAVAILABLE,
}
OF_REASON = {
    CloseReason.IDLE: HTTPStatus.REQUEST_TIMEOUT,
    CloseReason.REQUEST_TIMEOUT: HTTPStatus.REQUEST_TIMEOUT,
    CloseReason.KICKED: HTTPStatus.FORBIDDEN,
    CloseReason.BANNED: HTTPStatus.FORBIDDEN,
    CloseReason.REVOKED: HTTPStatus.UNAUTHORIZED,
    CloseReason.EXPIRED: HTTPStatus.UNAUTHORIZED,
    CloseReason.TOO_MANY: HTTPStatus.TOO_MANY_REQUESTS,
    CloseReason.THROTTLED: HTTPStatus.TOO_MANY_REQUESTS,
    CloseReason.INTERNAL_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""Of a session that ended before its answer; of any other reason the server is not there now."""
_RETRY = re.compile(r"retry-after=(\d{1,7})")
_REASON = re.compile(r"reason=(\S+)")


def of_error(error: ErrorReply) -> HTTPStatus:
    """Return the status of an error by its code; of one that tells the session's end, by the reason."""
    if error.code == ErrorCode.CLOSED and (reason := _REASON.match(error.text)):
        return of_reason(reason[1])
    return OF_CODE.get(error.code, HTTPStatus.BAD_REQUEST)  # type: ignore[call-overload, no-any-return] # a word is looked up


def of_reason(reason: str) -> HTTPStatus:
    """Return the status of a close reason."""
    return OF_REASON.get(reason, HTTPStatus.SERVICE_UNAVAILABLE)  # type: ignore[call-overload, no-any-return] # likewise


def when_to_return(text: str) -> tuple[Header, ...]:
    """Return `Retry-After`, where a sentence says so."""
    found = _RETRY.search(text)
    return (("Retry-After", found[1]),) if found else ()
