"""TLS handshakes, on a thread of their own, so that a storm of newcomers does not slow those connected.

A handshake costs a millisecond of CPU, most of it in OpenSSL with the GIL released; a silent peer costs a timer.
"""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Callable

from secure_protocol.reasons import CloseReason
from secure_server.auth.certificates import certificate_of
from secure_server.identity.identity import Identity
from secure_server.net.event_loop import EventLoop
from secure_server.net.lingering import Lingering
from secure_server.net.poller import READ, WRITE
from secure_server.net.sockets import acknowledge, format_address
from secure_server.net.tls import ALPN_REFUSED
from secure_server.net.tls_socket import TlsSocket
from secure_server.pki.preflight import CertificateFacts
from secure_server.session.peer import Peer

OnEstablished = Callable[[TlsSocket, Peer], None]
OnFailed = Callable[[Peer, CloseReason, str], None]
"""Called with the peer, the reason and a detail for the log; nothing in it comes from the peer."""


class Handshakes:
    """Takes raw sockets, gives established TLS. Loop thread only.

    Args:
        loop: whose thread it runs on; the acceptor's, too.
        identity: returns what to serve now; a reload swaps it.
        seconds: deadline of a handshake, from accept.
        linger_seconds: see `Lingering`.
        on_established: called on this thread with the socket, non-blocking and unregistered, and the peer.
        on_failed: called on this thread; the socket is taken care of.
    """

    def __init__(
        self,
        loop: EventLoop,
        identity: Callable[[], Identity],
        *,
        seconds: float,
        linger_seconds: float,
        on_established: OnEstablished,
        on_failed: OnFailed,
    ) -> None:
        self._loop = loop
        self._identity = identity
        self._seconds = seconds
        self._on_established = on_established
        self._on_failed = on_failed
        self._lingering = Lingering(loop, linger_seconds)
        self._open: set[_Handshake] = set()

    def begin(self, sock: socket.socket, peer: Peer) -> None:
        """Take over an accepted socket."""
        identity = self._identity()
        try:
            sock.settimeout(0)
            wrapped = TlsSocket(sock, identity.context)
        except (OSError, ValueError):  # the peer was gone before we began
            sock.close()
            self._on_failed(peer, CloseReason.CONNECTION_LOST, "")
            return
        deadline = self._loop.now + self._seconds
        self._open.add(_Handshake(self, self._loop, wrapped, peer, identity.certificate, deadline))

    def established(self, handshake: _Handshake) -> None:
        """One succeeded."""
        self._open.discard(handshake)
        sock, tls = handshake.socket, handshake.socket.tls
        if tls.selected_alpn_protocol() in ALPN_REFUSED:
            self._lingering.close(sock)
            self._on_failed(handshake.peer, CloseReason.HANDSHAKE_FAILED, "ALPN: the peer wants HTTP")
            return
        try:
            shown = tls.getpeercert(True)  # noqa: FBT003 - DER; the one argument it takes
            certificate = certificate_of(shown) if shown else None
        except ValueError:
            self._lingering.close(sock)
            self._on_failed(handshake.peer, CloseReason.HANDSHAKE_FAILED, "the client's certificate cannot be read")
            return
        acknowledge(sock.raw)
        cipher = tls.cipher()
        peer = Peer(
            handshake.peer.address,
            sys.intern(format_address(sock.raw.getsockname())),  # one for all sessions, as are the next two
            sys.intern(tls.version() or ""),
            sys.intern(cipher[0] if cipher else ""),
            handshake.peer.netblock,
            handshake.served,
            certificate,
        )
        self._on_established(sock, peer)

    def failed(self, handshake: _Handshake, reason: CloseReason, detail: str) -> None:
        """One failed."""
        self._open.discard(handshake)
        self._lingering.close(handshake.socket)
        self._on_failed(handshake.peer, reason, detail)

    def abort(self) -> None:
        """End every handshake; the loop is about to stop."""
        for handshake in list(self._open):
            handshake.abort()
        self._lingering.close_all()


class _Handshake:
    """One handshake in progress."""

    __slots__ = ("_interest", "_loop", "_owner", "_timer", "peer", "served", "socket")

    def __init__(
        self,
        owner: Handshakes,
        loop: EventLoop,
        sock: TlsSocket,
        peer: Peer,
        served: CertificateFacts,
        deadline: float,
    ) -> None:
        self._owner = owner
        self._loop = loop
        self._interest = READ
        self._timer = loop.call_at(deadline, self._on_deadline)
        self.socket = sock
        self.peer = peer
        self.served = served
        loop.register(sock.fileno(), READ, self._on_event)

    def abort(self) -> None:
        self._fail(CloseReason.DRAINING, "")

    def _on_event(self, _ready: int) -> None:
        try:
            self.socket.tls.do_handshake()
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
