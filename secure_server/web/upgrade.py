"""From HTTP to a session over WebSocket (RFC 6455): `GET /v1/session`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus

import h11
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from secure_server.net.wire import Wire
from secure_server.session.session import Session
from secure_server.web.message import Answer, Question, told
from secure_server.web.routes import Handover
from secure_server.web.web_wire import WebWire

PATH = "/v1/session"
SUBPROTOCOL = Subprotocol("secure-command.1")
"""What a page asks for: RESP in binary frames, as docs/protocol.md has it."""
VERSION = "13"
QUIET = logging.getLogger("secure_server.web.websockets")
"""The library tells of each connection; ours are told of by the recording."""
QUIET.setLevel(logging.CRITICAL)


class WebSocket(Handover):
    """A connection that goes on in frames.

    Args:
        head: the answer that says so.
    """

    transport = "websocket"

    def __init__(self, head: bytes) -> None:
        self.head = head

    def wire(self, inner: Wire, http: h11.Connection, session: Callable[[], Session]) -> Wire:
        """See `Handover`."""
        early, _ = http.trailing_data
        return WebWire(inner, early, session)


def upgrade(question: Question) -> Answer | Handover | None:
    """Answer a page that wants a session."""
    if question.path != PATH:
        return None
    if question.header("sec-websocket-version") not in (
        None,
        VERSION,
    ):  # RFC 6455, section 4.4, which the library leaves out
        headers = (("Upgrade", "websocket"), ("Sec-WebSocket-Version", VERSION))
        return told(HTTPStatus.UPGRADE_REQUIRED, "Of WebSocket only version 13 is spoken.", last=True, headers=headers)
    protocol = ServerProtocol(subprotocols=[SUBPROTOCOL], extensions=None, logger=QUIET)
    request = Request(question.path, Headers(question.headers), question.method)
    response = protocol.accept(request)
    if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        allowed = tuple((name, value) for name, value in response.headers.raw_items() if name in ("Allow", "Upgrade"))
        said = bytes(response.body or b"").decode().strip()
        return told(HTTPStatus(response.status_code), said, last=True, headers=allowed)
    return WebSocket(response.serialize())
