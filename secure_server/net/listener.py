"""What newcomers reach the server by: one listener for each transport, all with the same few verbs.

They share the newcomers' loop. Each hands over whom it accepted to `Reception`, joined to an I/O thread.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from secure_protocol.sentence import Sentence
from secure_server.admission.reception import Reception
from secure_server.config.endpoint import Endpoint
from secure_server.config.settings import Timeouts
from secure_server.identity.identity import Identity
from secure_server.limits.netblock import netblock_of
from secure_server.limits.newcomers import Place
from secure_server.net.acceptor import Acceptor, listen
from secure_server.net.event_loop import EventLoop
from secure_server.net.handshake import Handshakes, Route
from secure_server.net.io_thread import IOThreads
from secure_server.net.lingering import MOST_LINGERING, Lingering
from secure_server.net.sockets import file_at, format_address, listen_unix, peer_uid
from secure_server.net.tls import ALPN_OURS
from secure_server.net.tls_wire import TlsWire
from secure_server.net.wire import PlainWire
from secure_server.session.peer import Peer

LOOK_SECONDS = 1.0
"""Between looks at the admin socket's file: whoever took it away by mistake has it back before they type a command."""
OTHERS_SECONDS = 60.0
"""Between looks at another server's socket in its place: each is a connection, which that server puts on record."""
NO_FILE = 0, 0
"""What was made, where it was taken away before it could be looked at."""

_log = logging.getLogger("secure_server.net")


class ListenError(Exception):
    """It cannot listen there; one sentence says why and what to do."""


class Listener(Protocol):
    """One way of being reached."""

    @property
    def transport(self) -> str:
        """What its sessions' peers are said to come by."""
        ...

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where, as people write it; known once it is open."""
        ...

    def open(self) -> None:
        """Take the addresses. Nobody is accepted yet.

        Raises:
            ListenError: one of them cannot be had; none is kept then.
        """

    def start(self) -> None:
        """Begin to accept. Any thread."""

    def refuse(self) -> None:
        """Accept nobody any more, and end whoever has not become a session. Any thread."""

    def stop(self) -> None:
        """Close what is still open; the newcomers' loop does not run any more, or never did."""


class TlsListener:
    """TLS over TCP, on any number of addresses.

    Args:
        loop: the newcomers'.
        addresses: where to listen.
        backlog: connections that the kernel holds.
        identity: returns what to serve now.
        timeouts: deadlines.
        reception: receives whoever comes.
        threads: carry them then.
        most_lingering: see `Lingering`.
        routes: where those go who chose another protocol than ours, by its name in ALPN.
        transport: what they are said to come by.
    """

    def __init__(
        self,
        loop: EventLoop,
        addresses: Sequence[Endpoint],
        backlog: int,
        identity: Callable[[], Identity],
        timeouts: Timeouts,
        reception: Reception,
        threads: IOThreads,
        most_lingering: int = MOST_LINGERING,
        routes: Mapping[str | None, Route] = MappingProxyType({}),
        transport: str = "tls",
    ) -> None:
        self.transport = transport
        self._loop = loop
        self._wanted = addresses
        self._backlog = backlog
        self._reception = reception
        self._threads = threads
        self._acceptor = Acceptor(loop, _tell_exhausted)
        self._lingering = Lingering(loop, timeouts.linger, most_lingering)
        self._handshakes = Handshakes(
            loop,
            identity,
            seconds=timeouts.handshake,
            lingering=self._lingering,
            routes={None: self._receive, ALPN_OURS: self._receive, **routes},
            enter=reception.enter,
            on_failed=reception.failed,
        )
        self._bound: list[tuple[str, int]] = []

    def take_up(self, timeouts: Timeouts) -> None:
        """Have other deadlines for those who come from here on. Any thread."""
        self._handshakes.seconds = timeouts.handshake
        self._lingering.seconds = timeouts.linger

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens: `127.0.0.1:5000`, `[::1]:5000`."""
        return tuple(map(format_address, self._bound))

    @property
    def endpoints(self) -> list[Endpoint]:
        """Where it listens, as it was asked to; with the ports that the system chose."""
        bound = zip(self._wanted, self._bound, strict=True)
        return [wanted._replace(port=port) for wanted, (_, port) in bound]

    @property
    def port(self) -> int:
        """The first address' port."""
        return self._bound[0][1]

    def open(self) -> None:
        """Take the addresses; see `Listener`."""
        for wanted in self._wanted:
            try:
                listener = listen(wanted.host, wanted.port, self._backlog, ipv6_only=wanted.ipv6_only)
            except (OSError, OverflowError, UnicodeError) as error:  # UnicodeError: a name that no DNS can hold
                self.stop()
                self._bound.clear()
                why = error.strerror if isinstance(error, OSError) else str(error)
                raise ListenError(
                    Sentence(
                        "Cannot listen on {address}: {why}. Choose another with --host or --port, "
                        "or in listen.addresses.",
                        address=wanted,
                        why=why,
                    )
                ) from None
            self._bound.append(listener.getsockname()[:2])
            self._acceptor.add(listener, self._on_accept, self._reception.has_room)

    def choose_again(self) -> bool:
        """Have the system choose another port before the start; whether it is the system that does."""
        if any(wanted.port for wanted in self._wanted):
            return False
        self.stop()
        self._bound.clear()
        self.open()
        return True

    def start(self) -> None:
        """Begin to accept."""
        self._acceptor.start()

    def refuse(self) -> None:
        """Accept nobody any more, and end every handshake."""
        self._loop.call_soon(self._refuse)

    def stop(self) -> None:
        """Close the sockets that listen."""
        self._acceptor.close()

    # Newcomers' thread

    def _on_accept(self, sock: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        peer = Peer(format_address(address), transport=self.transport, netblock=netblock_of(host))
        if self._reception.keeps_out(peer):
            sock.close()
        else:
            self._handshakes.begin(sock, peer)

    def _receive(self, wire: TlsWire, peer: Peer, place: Place) -> None:
        self._reception.receive(peer, self._threads.seat(wire), place)

    def _refuse(self) -> None:
        self._acceptor.close()
        self._handshakes.abort()


class UnixListener:
    """The admin socket: a path that only this user can open, and the system says who is at the other end.

    The path is looked at while the listener runs: where its file is not the one that was made any more, it is made anew
    unless another server answers there. A directory that was moved away is not made, for who moved it may want to put
    another in its place; the socket is still reached where it went.

    Args:
        loop: the newcomers'.
        path: of the socket.
        reception: receives whoever comes.
        threads: carry them then.
    """

    transport = "unix"

    def __init__(self, loop: EventLoop, path: Path, reception: Reception, threads: IOThreads) -> None:
        self._loop = loop
        self._path = path
        self._reception = reception
        self._threads = threads
        self._acceptor = Acceptor(loop, _tell_exhausted)
        self._made: tuple[int, int] | None = None  # the file; None while the listener is not open
        self._others: tuple[tuple[int, int] | None, float] = None, 0.0  # whose file is there, and when to ask it again
        self._told = ""  # what the log says of the present trouble

    @property
    def addresses(self) -> tuple[str, ...]:
        """The path."""
        return () if self._made is None else (str(self._path),)

    def open(self) -> None:
        """Make the socket; see `Listener`. Where there are none it does nothing but say so."""
        if not hasattr(socket, "AF_UNIX"):  # pragma: no cover - Windows
            _log.warning("there are no Unix sockets here, so no admin socket; use a token of role admin")
            return
        try:
            self._make()
        except FileExistsError:
            raise ListenError(
                Sentence(
                    "Another server runs in {directory}; stop it, or choose another --data-dir.",
                    directory=self._path.parent,
                )
            ) from None
        except OSError as error:
            raise ListenError(
                Sentence("Cannot make {path}: {why}. Try a shorter --data-dir.", path=self._path, why=error)
            ) from None

    def _make(self) -> None:
        listener = listen_unix(self._path)
        self._acceptor.close()
        self._made = file_at(self._path) or NO_FILE
        self._acceptor.add(listener, self._on_accept, self._reception.has_room_for_administrator)

    def start(self) -> None:
        """Begin to accept."""
        self._acceptor.start()
        self._loop.call_soon(self._keep)

    def look(self) -> None:
        """See at once whether the socket is still where it was made. Any thread."""

        def look() -> None:
            self._others = None, 0.0
            self._look()

        self._loop.call_soon(look)

    def refuse(self) -> None:
        """Accept nobody any more."""
        self._loop.call_soon(self.stop)

    def stop(self) -> None:
        """Close the socket, and take it from its directory: the next server may come."""
        self._acceptor.close()
        made, self._made = self._made, None
        if made is not None and file_at(self._path) == made:
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

    # Newcomers' thread

    def _keep(self) -> None:
        self._look()
        self._loop.call_at(self._loop.now + LOOK_SECONDS, self._keep)

    def _look(self) -> None:
        """Make the socket anew where it is not there any more."""
        if self._made is None:
            return
        there = file_at(self._path)
        if there == self._made:
            self._told = ""
            return
        others, until = self._others
        if there is not None and there == others and self._loop.now < until:
            return
        try:
            self._make()
        except FileExistsError:
            self._others = there, self._loop.now + OTHERS_SECONDS
            self._tell("another server answers on %s: this one has no admin socket until that one stops", self._path)
        except OSError as error:
            self._tell("%s is gone, and cannot be made anew until it can: %s", self._path, error)
        else:
            self._acceptor.start()
            self._told = ""
            _log.warning("%s was not there any more; the admin socket is made anew", self._path)

    def _tell(self, words: str, *values: object) -> None:
        """Log what is wrong, once until it is something else."""
        told = words % values
        if told != self._told:
            self._told = told
            _log.error("%s", told)

    def _on_accept(self, sock: socket.socket, _address: object) -> None:
        principal = self._reception.administrator(peer_uid(sock))
        if principal is None:
            sock.close()
            return
        sock.settimeout(0)
        peer = Peer("unix", transport=self.transport, admin=True)
        self._reception.receive(peer, self._threads.seat(PlainWire(sock)), principal)


def _tell_exhausted() -> None:
    _log.error("no file descriptor is left; newcomers wait")
