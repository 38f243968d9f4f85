"""A wire of WebSocket frames (RFC 6455) over another wire. One thread at a time: its I/O loop's.

The bytes are those of any connection: where a frame ends means nothing. The library parses and builds frames, and says
what is wrong with them; it knows no socket.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable

from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from secure_server.net.close_codes import farewell
from secure_server.net.tls_wire import WastedError
from secure_server.net.wire import Wire
from secure_server.session.session import Session
from secure_server.session.state import State as SessionState

FRAME_BYTES = 64 * 1024
"""The longest frame either way: the peer's is held until it is whole."""
STRANGERS_FRAME_BYTES = 8 * 1024
"""The peer's before it has authenticated: what a stranger may send (4 KiB) fits, and there may be many of them."""
MOST_WASTED_BYTES = 20 * 1024
"""What may come in a row that holds no data: pings, empty frames. As many as TLS may waste."""

MANY = 64
"""Frames in one turn, beyond which a peer is suspect: they take 0.2 ms, the 2,700 that fit into a turn up to 9 ms."""

_quiet = logging.getLogger("secure_server.web.websockets")


class FramesError(WastedError):
    """What came is no WebSocket of ours; the peer was told why."""


class WebWire:
    """Carries a session's bytes in binary frames.

    Args:
        inner: carries the frames.
        early: came behind the request that led here.
        session: returns whose bytes they are: what it may send depends on that, and the last frame says why it ended.

    Attributes:
        sock: of the inner wire.
    """

    __slots__ = (
        "_dear",
        "_early",
        "_ended",
        "_header",
        "_inner",
        "_out",
        "_payload",
        "_protocol",
        "_session",
        "_wasted",
        "sock",
    )

    def __init__(self, inner: Wire, early: bytes, session: Callable[[], Session]) -> None:
        self.sock = inner.sock
        self._inner = inner
        self._early = early
        self._dear = False  # what came last were so many frames that they took their time
        self._ended = False  # the peer said that it sends no more
        self._session = session
        self._protocol = ServerProtocol(state=State.OPEN, max_size=(None, STRANGERS_FRAME_BYTES), logger=_quiet)
        self._out = bytearray()  # frames, and the rest of the one that carries the front of the session's output
        self._header = 0  # bytes at the front of that which are of the frame's making
        self._payload = 0  # and behind these, bytes that are the session's
        self._wasted = 0

    @property
    def unsent(self) -> object:
        """See `Wire`; nothing is read while a frame waits, so that pongs for a peer that reads none do not pile up."""
        return self._out or self._inner.unsent

    @property
    def ready(self) -> bool:
        """See `Wire`."""
        return bool(self._early) or self._ended or self._inner.ready

    @property
    def suspect(self) -> bool:
        """See `Wire`."""
        return self._dear or self._inner.suspect

    def read(self) -> bytes | None:
        """See `Wire`.

        Raises:
            FramesError: what came is not as RFC 6455 has it, or no data of ours.
        """
        came: bytes | None
        if self._ended:
            return b""
        if self._early:
            came, self._early = self._early, b""
        else:
            came = self._inner.read()
        if not came:
            return came
        protocol = self._protocol
        if protocol.max_fragment_size != FRAME_BYTES and self._session().state is not SessionState.UNAUTHENTICATED:
            protocol.max_fragment_size = FRAME_BYTES
        protocol.receive_data(came)
        data = b""
        frames = protocol.events_received()
        self._dear = len(frames) > MANY
        for frame in frames:
            assert isinstance(frame, Frame)  # noqa: S101 - a server that is open is told of nothing else
            if frame.opcode in (Opcode.BINARY, Opcode.CONT):
                data += frame.data
            elif frame.opcode is Opcode.TEXT:
                protocol.fail(1003, "binary frames only")
            self._ended = self._ended or frame.opcode is Opcode.CLOSE
        for piece in protocol.data_to_send():  # pongs, and the answer to a close
            self._out += piece
        if self._out:
            self._flush_if_any()
        self._check()
        self._wasted = 0 if data else self._wasted + len(came)
        if self._wasted > MOST_WASTED_BYTES + FRAME_BYTES:  # a frame that is not whole yet is no waste
            raise FramesError
        return data or (b"" if self._ended else None)

    def _check(self) -> None:
        """Look whether what came broke the rules.

        Raises:
            FramesError: it did.
        """
        protocol = self._protocol
        if protocol.parser_exc is not None:
            protocol.parser_exc.__traceback__ = None  # whose frames hold it, and us, for the collector
            raise FramesError
        if protocol.state is not State.OPEN and not self._ended:
            raise FramesError

    def write(self, output: bytearray) -> int:
        """See `Wire`; of the session's bytes a frame takes as many as it may."""
        if self._out or self._inner.unsent:
            return self._flush()
        if not output or self._protocol.state is not State.OPEN:
            return len(output)  # nobody reads it any more
        taken = min(len(output), FRAME_BYTES)
        self._protocol.send_binary(output if taken == len(output) else output[:taken])
        for piece in self._protocol.data_to_send():
            self._out += piece
        self._header, self._payload = len(self._out) - taken, taken
        return self._flush()

    def end(self) -> socket.socket:
        """Say why in a close frame, in one try; see `Wire`."""
        code, reason = farewell(self._session().close_reason)
        with contextlib.suppress(InvalidState):  # the peer said it first, or was told what was wrong
            self._protocol.send_close(code, reason)
            for piece in self._protocol.data_to_send():
                self._out += piece
        self._flush_if_any()
        return self._inner.end()

    def _flush(self) -> int:
        """Send what there is; return how many of the session's bytes went with it."""
        gone = 0
        while (self._out or self._inner.unsent) and (sent := self._inner.write(self._out)):
            del self._out[:sent]
            header = min(sent, self._header)
            self._header -= header
            payload = min(sent - header, self._payload)
            self._payload -= payload
            gone += payload
        return gone

    def _flush_if_any(self) -> None:
        """Send control frames, between the session's; whether the connection is lost shows in what follows."""
        if not self._payload:
            with contextlib.suppress(OSError):
                self._flush()
