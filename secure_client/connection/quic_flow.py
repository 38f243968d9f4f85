"""One connection of QUIC and the session's stream on it, without a socket: datagrams in, datagrams out.

Whoever drives it sends the datagrams that it has after each call, calls `tick` at its `deadline`, and reads what came.
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicErrorCode
from aioquic.tls import AlertDescription

from secure_client.connection.quic_library import STREAM, Connection
from secure_protocol.printable import printable

if TYPE_CHECKING:
    from cryptography import x509

ALPN = "secure-command/1"
IDLE_TIMEOUT = 60.0
"""Seconds without any sign of the server after which the connection is lost: what TCP's keepalive gives, and no more,
so that a laptop that slept does not wait for an answer that will not come."""
KEEPALIVE = 20.0
"""Seconds of silence before a PING, which asks for a sign of life: routers forget a flow of UDP after 30. It is no
request, so an idle session ends as it does over TLS."""
PATIENCE = 30.0
"""Seconds for what was sent to be acknowledged, on whatever path, before the connection counts as lost; TCP's probes
take as long."""
UNACKNOWLEDGED_BYTES = 256 * 1024
"""Taken to be sent while the server has not acknowledged them; what is left waits with whoever has it."""
CHUNK_BYTES = 64 * 1024
"""Read at once."""
GOODBYE = 1000
"""With which the client ends a connection in order; the server's own codes say why it ended one."""
_WORDS = 200
"""Characters shown of a reason that the server gave."""
_HANDSHAKE_FAILURES = range(QuicErrorCode.CRYPTO_ERROR, QuicErrorCode.CRYPTO_ERROR + 256)
"""The codes that are alerts of TLS (RFC 9001 section 4.8)."""


class Flow:
    """A connection to one address of the server.

    Args:
        address: where its datagrams go; told again with each.
        host: as its certificate names it.
        verify: raises `ssl.SSLCertVerificationError` of a chain that is not to be believed.
        now: monotonic seconds.

    Attributes:
        open: the server has proved who it is.
        unanswered_since: monotonic second at which something was sent that waits for its acknowledgement, or None.
    """

    def __init__(
        self, address: object, host: str, verify: Callable[[Sequence[x509.Certificate]], None], now: float
    ) -> None:
        configuration = QuicConfiguration(
            alpn_protocols=[ALPN],
            idle_timeout=IDLE_TIMEOUT,
            server_name=host,
            verify_mode=ssl.CERT_NONE,  # by aioquic; `verify` does it, before anything else is sent
        )
        self._connection = Connection(configuration)
        self._address = address
        self._verify = verify
        self._came = bytearray()
        self._ended = False
        self._error: OSError | None = None
        self._heard = now
        self.open = False
        self.unanswered_since: float | None = None
        self._connection.connect(address, now)

    @property
    def certificate(self) -> bytes | None:
        """The server's, in DER."""
        from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - once a connection

        shown = self._connection.certificates
        return shown[0].public_bytes(Encoding.DER) if shown else None

    @property
    def error(self) -> OSError | None:
        """Why it is over; None as long as it is not, or if the stream ended in order."""
        return self._error

    @property
    def deadline(self) -> float:
        """The monotonic second at which to call `tick`."""
        due = self._connection.get_timer()
        own = self._heard + KEEPALIVE if self.unanswered_since is None else self.unanswered_since + PATIENCE
        return own if due is None else min(own, due)

    @property
    def holds(self) -> bool:
        """Whether `read` has something to give, be it the end."""
        return bool(self._came) or self._ended or self._error is not None

    # -- datagrams ----------------------------------------------------------------------------------------------------

    def take(self, datagram: bytes, now: float) -> None:
        """Take one that came from the server's address."""
        if datagram and self._connection.is_reset(datagram):
            self.fail(ConnectionResetError(errno.ECONNRESET, ""))
            return
        self._connection.receive_datagram(datagram, self._address, now)
        self._look(now)

    def datagrams(self, now: float) -> Iterator[bytes]:
        """Give what is to be sent now."""
        for datagram, address in self._connection.datagrams_to_send(now):
            if address == self._address:  # not where a server would rather be asked, which is another network's path
                yield datagram

    def tick(self, now: float) -> None:
        """Look at the time."""
        due = self._connection.get_timer()
        if due is not None and now >= due:
            self._connection.handle_timer(now)
            self._look(now)
        if self._error is not None or not self.open:
            return
        if self.unanswered_since is None:
            if now >= self._heard + KEEPALIVE:
                self._ping(now)
        elif now >= self.unanswered_since + PATIENCE:
            self.fail(TimeoutError(errno.ETIMEDOUT, ""))

    def moved(self, now: float) -> None:
        """Go on from another address of this machine, by another connection id, so that onlookers see no link."""
        self._connection.change_connection_id()
        self._connection.send_ping(0)
        if self.unanswered_since is None:
            self.unanswered_since = now

    def fail(self, error: OSError) -> None:
        """Take that it is over, unless it is already."""
        if self._error is None:
            self._error = error

    # -- the stream ---------------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray, now: float) -> int:
        """Take bytes off the front of `data` to send them; return how many.

        Raises:
            OSError: it is over.
        """
        if self._error is not None:
            raise self._error
        count = max(0, min(len(data), UNACKNOWLEDGED_BYTES - self._connection.unacknowledged))
        if count and not self._ended:
            self._connection.send_stream_data(STREAM, bytes(data[:count]))
            if self.unanswered_since is None:
                self._ping(now)
        return count

    def read(self) -> bytes | None:
        """Return what came, `b""` at the end of the stream, or None when nothing is there.

        Raises:
            OSError: it is over, and not in order.
        """
        if self._came:
            data = bytes(self._came[:CHUNK_BYTES])
            del self._came[:CHUNK_BYTES]
            self._connection.taken += len(data)
            return data
        if self._ended:
            return b""
        if self._error is not None:
            raise self._error
        return None

    def end(self) -> None:
        """End the stream; `close` ends the connection, once the datagrams of this are sent."""
        if self.open and self._connection.over is None:
            self._connection.send_stream_data(STREAM, b"", end_stream=True)

    def close(self) -> None:
        """End the connection in order."""
        self._connection.close(GOODBYE, reason_phrase="goodbye")

    # -- aioquic's events ---------------------------------------------------------------------------------------------

    def _ping(self, now: float) -> None:
        self.unanswered_since = now
        self._connection.send_ping(0)

    def _look(self, now: float) -> None:
        while (event := self._connection.next_event()) is not None:
            self._heard = now
            if isinstance(event, events.StreamDataReceived):
                self._came += event.data
                self._ended = self._ended or event.end_stream
            elif isinstance(event, events.PingAcknowledged):
                self.unanswered_since = None
                if self._connection.unacknowledged:
                    self._ping(now)
            elif isinstance(event, events.HandshakeCompleted):
                self._prove(event)
            elif isinstance(event, events.StreamReset):
                self.fail(ConnectionResetError(errno.ECONNRESET, ""))
        if (over := self._connection.over) is not None:
            self.fail(_meaning(over))

    def _prove(self, event: events.HandshakeCompleted) -> None:
        """Have the server's certificate checked; nothing but the handshake was sent so far."""
        alert = AlertDescription.bad_certificate
        try:
            self._verify(self._connection.certificates)
            if event.alpn_protocol != ALPN:
                alert = AlertDescription.no_application_protocol
                raise _alert(alert)
        except ssl.SSLError as error:
            self.fail(error)
            self._connection.close(QuicErrorCode.CRYPTO_ERROR + alert, frame_type=0)
        else:
            self.open = True


def _meaning(over: events.ConnectionTerminated) -> OSError:
    """Return what an end that is not the stream's own means."""
    if over.frame_type is not None and over.error_code in _HANDSHAKE_FAILURES:
        return _alert(over.error_code - QuicErrorCode.CRYPTO_ERROR)
    if over.reason_phrase == "Idle timeout":
        return TimeoutError(errno.ETIMEDOUT, "")
    why = printable(over.reason_phrase, _WORDS) or f"QUIC error {over.error_code}"
    return ConnectionError(why)


def _alert(code: int) -> ssl.SSLError:
    error = ssl.SSLError(1, "alert")
    error.reason = AlertDescription(code).name.upper() if code in set(AlertDescription) else f"ALERT_{code}"
    return error
