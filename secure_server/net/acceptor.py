"""The listeners: accepts, hands over, never blocks, never wraps."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from collections.abc import Callable
from functools import partial

from secure_protocol.hostname import ascii_host
from secure_server.files.forking import not_for_children
from secure_server.net.event_loop import EventLoop
from secure_server.net.poller import NOTHING, READ
from secure_server.net.sockets import beyond_streams, prepare

_log = logging.getLogger("secure_server.net")

OnAccept = Callable[[socket.socket, object], None]
"""Called on the loop's thread with the socket and what `accept` said of the peer."""
HasRoom = Callable[[], bool]
"""Asked on the loop's thread before each `accept`: whether one more may come now."""

BATCH = 64
"""Connections taken per round, so that one listener's storm cannot starve another."""
LAST_BATCH = 4096
"""Connections taken when stopping: no backlog is longer, so this only bounds a flood."""
PAUSE_SECONDS = 0.1
"""Pause when nothing can be accepted, as when no descriptor is left; the kernel's backlog holds newcomers meanwhile."""
ROOM_SECONDS = 0.005
"""Pause while there is no room for one more: those who make it need a turn of their own thread, and the interpreter
gives that to each within 5 ms."""
_OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Acceptor:
    """All listeners, on one loop.

    Args:
        loop: whose thread it runs on; the handshakes' own, for a handover to another thread costs a newcomer more than
            accepting it does.
        on_exhausted: told when descriptors ran out, once until one can be accepted again; on the loop's thread.
    """

    def __init__(self, loop: EventLoop, on_exhausted: Callable[[], None]) -> None:
        self._loop = loop
        self._on_exhausted = on_exhausted
        self._exhausted = False
        self._watching = False
        self._listeners: list[tuple[socket.socket, OnAccept, HasRoom]] = []

    def add(self, listener: socket.socket, on_accept: OnAccept, has_room: HasRoom) -> None:
        """Accept on `listener` too; before `start`, or after a `close`.

        Args:
            listener: bound, and listening.
            on_accept: who came is handed over to it.
            has_room: while it says no, newcomers wait in the kernel's backlog, and are not turned away.
        """
        listener.settimeout(0)
        self._listeners.append((listener, on_accept, has_room))

    def start(self) -> None:
        """Begin to accept. Any thread."""
        self._loop.call_soon(self._watch)

    def close(self) -> None:
        """Close the listeners. Loop thread only, or any where the loop does not run.

        Those who connected before are still handed over: a listener that is closed resets whoever waits in its backlog.
        Where the loop does not run there is nobody to hand them over to.
        """
        while self._listeners:
            listener, on_accept, has_room = self._listeners.pop()
            if self._loop.owned:
                with contextlib.suppress(OSError):
                    _take(listener, on_accept, has_room, LAST_BATCH)
                if self._watching:
                    self._loop.unregister(listener.fileno())
            listener.close()
        self._watching = False

    def _watch(self) -> None:
        self._watching = True
        for listener, on_accept, has_room in self._listeners:
            self._loop.register(listener.fileno(), READ, partial(self._accept, listener, on_accept, has_room))

    def _accept(self, listener: socket.socket, on_accept: OnAccept, has_room: HasRoom, _ready: int) -> None:
        try:
            if _take(listener, on_accept, has_room, BATCH):
                self._exhausted = False
        except OSError as error:
            self._report(error)
            self._pause(listener, PAUSE_SECONDS)
        else:
            if not has_room():
                self._pause(listener, ROOM_SECONDS)

    def _pause(self, listener: socket.socket, seconds: float) -> None:
        self._loop.modify(listener.fileno(), NOTHING)
        self._loop.call_at(self._loop.now + seconds, partial(self._resume, listener))

    def _resume(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:  # not closed meanwhile
            self._loop.modify(listener.fileno(), READ)

    def _report(self, error: OSError) -> None:
        if error.errno not in _OUT_OF_DESCRIPTORS:  # such as a network that went down under the newcomer
            _log.warning("a connection could not be accepted: %s", error)
        elif not self._exhausted:
            self._exhausted = True
            self._on_exhausted()


def _take(listener: socket.socket, on_accept: OnAccept, has_room: HasRoom, most: int) -> int:
    """Accept those who wait, as far as there is room, and return how many that were."""
    for taken in range(most):
        if not has_room():
            return taken
        try:
            sock, address = listener.accept()
        except BlockingIOError:
            return taken
        except ConnectionAbortedError:  # that one left again; others may wait behind it
            continue
        on_accept(not_for_children(beyond_streams(sock)), address)
    return most


def listen(host: str, port: int, backlog: int, *, ipv6_only: bool = False) -> socket.socket:
    """Open a TCP listener.

    Args:
        host: a name or an address; `::` takes IPv4 too where the system can.
        port: 0 lets the system choose one.
        backlog: connections that the kernel holds.
        ipv6_only: leave IPv4 to others.

    Raises:
        OSError: the name does not resolve, the port is taken or not ours to take.
    """
    family, kind, _, _, address = socket.getaddrinfo(
        ascii_host(host), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = not_for_children(socket.socket(family, kind))
    try:
        if socket.has_ipv6 and family == socket.AF_INET6:
            with contextlib.suppress(OSError, AttributeError):
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(ipv6_only))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        prepare(listener)
        listener.bind(address)
        listener.listen(backlog)
    except BaseException:
        listener.close()
        raise
    return listener
