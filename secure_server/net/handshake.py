"""TLS handshakes, on a thread of their own, so that a storm of newcomers does not slow those connected.

A handshake costs a millisecond of CPU, most of it in OpenSSL with the GIL released; a silent peer costs a timer.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import replace

from secure_protocol.reasons import CloseReason
from secure_server.auth.certificates import certificate_of
from secure_server.identity import Identity
from secure_server.net.event_loop import EventLoop
from secure_server.net.lingering import Lingering
from secure_server.net.poller import READ, WRITE
from secure_server.net.sockets import acknowledge
from secure_server.net.tls import ALPN_REFUSED
from secure_server.peer import Peer

OnEstablished = Callable[[ssl.SSLSocket, Peer], None]
OnFailed = Callable[[Peer, CloseReason, str], None]
"""Called with the peer, the reason and a detail for the log; nothing in it comes from the peer."""


class HandshakeThread:
    """Takes raw sockets, gives established TLS.

    Args:
        identity: returns what to serve now; a reload swaps it.
        seconds: deadline of a handshake, from accept.
        linger_seconds: see `Lingering`.
        on_established: called on this thread with the socket, non-blocking and unregistered, and the peer.
        on_failed: called on this thread; the socket is taken care of.
    """

    def __init__(
        self,
        identity: Callable[[], Identity],
        *,
        seconds: float,
        linger_seconds: float,
        on_established: OnEstablished,
        on_failed: OnFailed,
    ) -> None:
        self._identity = identity
        self._seconds = seconds
        self._on_established = on_established
        self._on_failed = on_failed
        self._loop = EventLoop("handshake")
        self._lingering = Lingering(self._loop, linger_seconds)
        self._open: set[_Handshake] = set()

    def start(self) -> None:
        """Start the thread."""
        self._loop.start()

    def stop(self) -> None:
        """End every handshake and the thread."""
        self._loop.call_soon(self._abort)
        self._loop.stop()

    def submit(self, sock: socket.socket, peer: Peer) -> None:
        """Take over an accepted socket. Any thread."""
        self._loop.call_soon(lambda: self._begin(sock, peer))

    def _begin(self, sock: socket.socket, peer: Peer) -> None:
        identity = self._identity()
        try:
            sock.settimeout(0)
            sock.getpeername()  # of a peer that is gone, wrap_socket would leave the descriptor to the collector
            wrapped = identity.context.wrap_socket(
                sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
            )
        except (OSError, ValueError):  # the peer was gone before we began
            sock.close()
            self._on_failed(peer, CloseReason.CONNECTION_LOST, "")
            return
        handshake = _Handshake(
            self, self._loop, wrapped, replace(peer, served=identity.certificate), self._loop.now + self._seconds
        )
        self._open.add(handshake)
        handshake.start()

    def established(self, handshake: _Handshake) -> None:
        """One succeeded. Loop thread only."""
        self._open.discard(handshake)
        if handshake.socket.selected_alpn_protocol() in ALPN_REFUSED:
            self._lingering.close(handshake.socket)
            self._on_failed(handshake.peer, CloseReason.HANDSHAKE_FAILED, "ALPN: the peer wants HTTP")
            return
        try:
            shown = handshake.socket.getpeercert(binary_form=True)
            certificate = certificate_of(shown) if shown else None
        except ValueError:
            self._lingering.close(handshake.socket)
            self._on_failed(handshake.peer, CloseReason.HANDSHAKE_FAILED, "the client's certificate cannot be read")
            return
        acknowledge(handshake.socket)
        self._on_established(handshake.socket, replace(handshake.peer, certificate=certificate))

    def failed(self, handshake: _Handshake, reason: CloseReason, detail: str) -> None:
        """One failed. Loop thread only."""
        self._open.discard(handshake)
        self._lingering.close(handshake.socket)
        self._on_failed(handshake.peer, reason, detail)

    def _abort(self) -> None:
        for handshake in list(self._open):
            handshake.abort()
        self._lingering.close_all()


class _Handshake:
    """One handshake in progress."""

    def __init__(
        self, owner: HandshakeThread, loop: EventLoop, sock: ssl.SSLSocket, peer: Peer, deadline: float
    ) -> None:
        self._owner = owner
        self._loop = loop
        self._interest = READ
        self._timer = loop.call_at(deadline, self._on_deadline)
        self.socket = sock
        self.peer = peer

    def start(self) -> None:
        self._loop.register(self.socket.fileno(), READ, self._on_event)

    def abort(self) -> None:
        self._release()
        self._owner.failed(self, CloseReason.DRAINING, "")

    def _on_event(self, _ready: int) -> None:
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            self._want(READ)
        except ssl.SSLWantWriteError:
            self._want(WRITE)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            self._fail(CloseReason.CONNECTION_LOST, "")
        except ssl.SSLCertVerificationError as error:  # OpenSSL's words; it has sent the alert already
            self._fail(CloseReason.HANDSHAKE_FAILED, f"{error.reason}: {error.verify_message}")
        except ssl.SSLError as error:
            self._fail(CloseReason.HANDSHAKE_FAILED, error.reason or "")
        except OSError:
            self._fail(CloseReason.CONNECTION_LOST, "")
        else:
            self._release()
            self._owner.established(self)

    def _on_deadline(self) -> None:
        self._fail(CloseReason.HANDSHAKE_TIMEOUT, "")

    def _want(self, interest: int) -> None:
        if interest != self._interest:
            self._loop.modify(self.socket.fileno(), interest)
            self._interest = interest

    def _fail(self, reason: CloseReason, detail: str) -> None:
        self._release()
        self._owner.failed(self, reason, detail)

    def _release(self) -> None:
        self._timer.cancel()
        self._loop.unregister(self.socket.fileno())
