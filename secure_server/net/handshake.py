"""TLS handshakes, on a thread of their own, so that a storm of newcomers does not slow those connected.

A handshake costs a millisecond of CPU, most of it in OpenSSL with the GIL released; a silent peer costs a timer, for
there is nothing of TLS before its first byte.
"""

from __future__ import annotations

import logging
import socket
import ssl
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from secure_protocol.reasons import CloseReason
from secure_server.auth.certificates import certificate_of
from secure_server.identity.identity import Identity
from secure_server.limits.newcomers import GiveWay, Place, Shortage
from secure_server.net.event_loop import EventLoop, Timer
from secure_server.net.lingering import Lingering
from secure_server.net.poller import READ, WRITE
from secure_server.net.sockets import acknowledge, format_address
from secure_server.net.tls_wire import HandshakeTooLongError, TlsWire
from secure_server.net.wire import PlainWire, Wire
from secure_server.pki.preflight import CertificateFacts
from secure_server.session.peer import Peer

_log = logging.getLogger("secure_server.net")

Route = Callable[[TlsWire, Peer, Place], None]
"""Where a connection goes from here: called with the wire, whose socket is unregistered, the peer and its place."""
Enter = Callable[[Peer, GiveWay], Place]
"""Takes a place for a peer, and is told what ends it should it have to give way."""
OnFailed = Callable[[Peer, Place, CloseReason, str], None]
"""Called with the peer, its place, the reason and a detail for the log; nothing in it comes from the peer."""


class Handshakes:
    """Takes raw sockets, gives established TLS. Loop thread only.

    Args:
        loop: whose thread it runs on; the acceptor's, too.
        identity: returns what to serve now; a reload swaps it.
        seconds: deadline of a handshake, from accept.
        lingering: ends the wires of those it does not hand on; of the same loop.
        routes: where to, by what ALPN selected; None where the peer named no protocol. Called on this thread. What is
            not here is closed: bytes of one protocol fed to another's server are an attack (ALPACA, 2021).
        enter: called on this thread.
        on_failed: called on this thread; the socket is taken care of.

    Attributes:
        seconds: of those that begin from here on. Any thread may change it.
    """

    def __init__(
        self,
        loop: EventLoop,
        identity: Callable[[], Identity],
        *,
        seconds: float,
        lingering: Lingering,
        routes: Mapping[str | None, Route],
        enter: Enter,
        on_failed: OnFailed,
    ) -> None:
        self.seconds = seconds
        self._loop = loop
        self._identity = identity
        self._routes = routes
        self._enter = enter
        self._on_failed = on_failed
        self._lingering = lingering
        self._open: set[_Handshake] = set()

    def begin(self, sock: socket.socket, peer: Peer) -> None:
        """Take over an accepted socket."""
        handshake = _Handshake(self, self._loop, sock, peer)
        handshake.place = self._enter(peer, handshake.give_way)
        try:
            sock.settimeout(0)
            handshake.begin(self._loop.now + self.seconds)
        except (OSError, ValueError):  # it is not there any more
            sock.close()
            self._on_failed(peer, handshake.place, CloseReason.CONNECTION_LOST, "")
            return
        self._open.add(handshake)

    def serve(self) -> Identity:
        """Return what one is served whose first byte came."""
        return self._identity()

    def goes_on(self, handshake: _Handshake) -> bool:
        """Whether one is still in progress."""
        return handshake in self._open

    def established(self, handshake: _Handshake, wire: TlsWire) -> None:
        """One succeeded."""
        self._open.discard(handshake)
        protocol = wire.tls.selected_alpn_protocol()
        route = self._routes.get(protocol)
        if route is None:
            wants = "HTTP" if str(protocol).startswith("h") else str(protocol)
            self.failed(handshake, CloseReason.HANDSHAKE_FAILED, f"ALPN: the peer wants {wants}")
            return
        try:
            peer = _known(handshake, wire)
        except OSError:  # some systems do not tell the address of a socket whose peer has gone
            self.failed(handshake, CloseReason.CONNECTION_LOST, "")
        except ValueError:
            self.failed(handshake, CloseReason.HANDSHAKE_FAILED, "the client's certificate cannot be read")
        else:
            acknowledge(wire.sock)
            route(wire, peer, handshake.place)

    def failed(self, handshake: _Handshake, reason: CloseReason, detail: str) -> None:
        """One failed."""
        self._open.discard(handshake)
        self._lingering.close(handshake.wire)
        self._on_failed(handshake.peer, handshake.place, reason, detail)

    def gave_way(self, handshake: _Handshake, shortage: Shortage) -> None:
        """The place of one is another's: it ends at once, for in a flood those that linger would be as many again."""
        self._open.discard(handshake)
        handshake.wire.end().close()
        self._on_failed(handshake.peer, handshake.place, CloseReason.TOO_MANY, shortage)

    def abort(self) -> None:
        """End every handshake; the loop is about to stop."""
        for handshake in list(self._open):
            handshake.abort()
        self._lingering.close_all()


class _Handshake:
    """One handshake in progress."""

    __slots__ = ("_interest", "_loop", "_owner", "_sock", "_timer", "_tls", "peer", "place", "served")

    place: Place
    served: CertificateFacts
    _timer: Timer

    def __init__(self, owner: Handshakes, loop: EventLoop, sock: socket.socket, peer: Peer) -> None:
        self._owner = owner
        self._loop = loop
        self._sock = sock
        self._tls: TlsWire | None = None  # from the first byte on
        self._interest = READ
        self.peer = peer

    def begin(self, deadline: float) -> None:
        """Wait for the peer."""
        self._loop.register(self._sock.fileno(), READ, self._on_event)
        self._timer = self._loop.call_at(deadline, self._on_deadline)

    @property
    def wire(self) -> Wire:
        """What there is to end."""
        return self._tls or PlainWire(self._sock)

    def give_way(self, shortage: Shortage) -> None:
        """End, for its place is another's. Any thread.

        At once where it can be: who comes in the same round may need the descriptor.
        """
        if self._loop.owned:
            self._give_way(shortage)
        else:
            self._loop.call_soon(partial(self._give_way, shortage))

    def _give_way(self, shortage: Shortage) -> None:
        if self._owner.goes_on(self):
            self._release()
            self._owner.gave_way(self, shortage)

    def abort(self) -> None:
        """End: nobody is accepted any more."""
        self._fail(CloseReason.DRAINING, "")

    def _on_event(self, _ready: int) -> None:
        try:
            wire = self._tls or self._begin_tls()
            done = wire.shake()
        except BlockingIOError:
            self._want(wire)
        except HandshakeTooLongError:
            self._fail(CloseReason.HANDSHAKE_FAILED, "the handshake is too long")
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            self._fail(CloseReason.CONNECTION_LOST, "")
        except ssl.SSLCertVerificationError as error:  # OpenSSL's words; it has sent the alert already
            self._fail(CloseReason.HANDSHAKE_FAILED, f"{error.reason}: {error.verify_message}")
        except ssl.SSLError as error:
            self._fail(CloseReason.HANDSHAKE_FAILED, error.reason or "")
        except OSError:
            self._fail(CloseReason.CONNECTION_LOST, "")
        except BaseException:  # noqa: BLE001 - whatever it is: left watched, its event would come again without end
            _log.exception("unexpected error in a handshake")
            self._fail(CloseReason.INTERNAL_ERROR, "")
        else:
            if not done:
                self._want(wire)
                return
            self._release()
            self._owner.established(self, wire)

    def _begin_tls(self) -> TlsWire:
        identity = self._owner.serve()
        self.served = identity.certificate
        self._tls = TlsWire(self._sock, identity.context)
        return self._tls

    def _on_deadline(self) -> None:
        self._fail(CloseReason.HANDSHAKE_TIMEOUT, "")

    def _want(self, wire: TlsWire) -> None:
        """Watch for what the wire waits for: room for what we say, or more from the peer."""
        interest = WRITE if wire.unsent else READ
        if interest != self._interest:
            self._loop.modify(self._sock.fileno(), interest)
            self._interest = interest

    def _fail(self, reason: CloseReason, detail: str) -> None:
        self._release()
        self._owner.failed(self, reason, detail)

    def _release(self) -> None:
        self._timer.cancel()
        self._loop.unregister(self._sock.fileno())


def _known(handshake: _Handshake, wire: TlsWire) -> Peer:
    """Return the peer as it is known when its handshake is done.

    Raises:
        OSError: it has gone.
        ValueError: its certificate cannot be read.
    """
    shown, cipher = wire.tls.getpeercert(binary_form=True), wire.tls.cipher()
    return replace(
        handshake.peer,
        local=sys.intern(format_address(wire.sock.getsockname())),  # one for all sessions, as are the next two
        tls=sys.intern(wire.tls.version() or ""),
        cipher=sys.intern(cipher[0] if cipher else ""),
        served=handshake.served,
        certificate=certificate_of(shown) if shown else None,
    )
