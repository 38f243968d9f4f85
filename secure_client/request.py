"""One command on its way to the server, and its answer to come."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from secure_protocol.resp_requests import encode_request

_GOODBYES = frozenset({b"EXIT", b"QUIT"})


class Request(Future[object]):
    """A future: its result is the reply's Python value; it fails with a ClientError.

    Args:
        arguments: the command's name and its arguments.
        idempotent: may be sent again when the connection broke before the answer came.

    Attributes:
        payload: the bytes for the wire.
        goodbye: the server closes after the answer.
        end: position in the connection's outgoing stream of the byte after its last one; set by the I/O thread.
        abandoned: nobody waits any more.
        repeated: was sent a second time; there is no third, for it may be what breaks the connection.
    """

    def __init__(self, arguments: Sequence[bytes], *, idempotent: bool) -> None:
        super().__init__()
        self.payload = encode_request(list(arguments))
        self.idempotent = idempotent
        self.goodbye = arguments[0].upper() in _GOODBYES
        self.end = 0
        self.abandoned = False
        self.repeated = False

    def abandon(self) -> bool:
        """Stop waiting; any thread. Return whether it is certain that nothing was or will be sent.

        A command that runs at the server goes on there. This is the place to have it cancelled, once the protocol
        has a request for that.
        """
        self.abandoned = True
        return self.cancel()

    def begin(self) -> bool:
        """Mark it as being sent; return False where nobody waits any more. I/O thread only."""
        if self.running():  # a second try, after the connection broke
            return not self.abandoned
        return self.set_running_or_notify_cancel()
