"""QUIC over UDP, on any number of addresses: strangers' datagrams, and whose connection each of the others is.

All of it is on one thread of its own. Who is a stranger waits in line: a handshake takes some milliseconds, and those
who are connected are answered meanwhile. What can be answered without remembering anybody is: versions that are not
spoken, and where strangers are many a Retry (RFC 9000 section 8.1.2), which has them prove their address first.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from aioquic._buffer import Buffer  # `aioquic.buffer` does not say that it exports it
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicHeader, QuicPacketType, pull_quic_header

from secure_protocol.reasons import CloseReason
from secure_protocol.sentence import Sentence
from secure_server.admission.moving import Moving
from secure_server.admission.reception import Reception
from secure_server.config.endpoint import Endpoint
from secure_server.config.settings import Timeouts
from secure_server.identity.identity import Identity
from secure_server.limits.netblock import netblock_of
from secure_server.net.event_loop import EventLoop
from secure_server.net.lingering import MOST_LINGERING
from secure_server.net.listener import ListenError
from secure_server.net.poller import READ
from secure_server.net.sockets import format_address
from secure_server.quic.door import Address, Door
from secure_server.quic.library import (
    CONNECTION_ID_BYTES,
    Connection,
    configuration,
    destination,
)
from secure_server.quic.line import Line
from secure_server.quic.unknown import Unknown
from secure_server.session.peer import Peer
from secure_server.session.session import Session

RETRY_FROM = 100
"""Handshakes, from which on a newcomer proves its address before it is remembered: one more datagram each way. So many
hold 8 MB, and are few beside all strangers, so that nobody loses a place to senders that there are not."""
PORTS_TRIED = 8
"""Where the system chooses the TCP port, and the UDP port of the same number is another's: one of some hundred."""
INITIAL_BYTES = 1200
"""Of the datagram that begins a connection, at least (RFC 9000 section 14.1): so that an answer is no amplifier."""
LONG_HEADER = b"\x80"
"""With less a datagram is of a connection that there was."""
MOST_RECEIVED = 64
"""Datagrams that are taken from a socket in a round: some milliseconds, after which others have their turn."""
MOST_WAITING = 512
"""Strangers' datagrams that wait for their turn, in all of a megabyte; what comes beyond them is lost, and sent again
by whoever means it."""

_log = logging.getLogger("secure_server.quic")


class QuicListener:
    """QUIC, whose sessions are carried here as well.

    Args:
        wanted: returns where to listen, once that is known.
        choose_again: has the system choose other ports for that; False where they were chosen by somebody else.
        identity: returns what to serve now; with its key.
        timeouts: deadlines.
        reception: receives whoever comes.
        moving: told who has another address.
        clock: monotonic seconds.
        key: a secret that a server in the same data directory will have as well, for resets.
        most_lingering: connections that may wait for their peer to have what it was sent last.

    Attributes:
        reception, timeouts: these.
    """

    transport = "quic"

    def __init__(
        self,
        wanted: Callable[[], Sequence[Endpoint]],
        choose_again: Callable[[], bool],
        identity: Callable[[], Identity],
        timeouts: Timeouts,
        reception: Reception,
        moving: Moving,
        clock: Callable[[], float],
        key: bytes,
        most_lingering: int = MOST_LINGERING,
    ) -> None:
        self._wanted = wanted
        self._choose_again = choose_again
        self._identity = identity
        self._moving = moving
        self._loop = EventLoop("quic", clock)
        self._most_lingering = most_lingering
        self._doors: list[Door] = []
        self._served: tuple[Identity, QuicConfiguration] | None = None
        self._unknown = Unknown(key, clock)
        self._lines: dict[bytes, Line] = {}
        """By the connection IDs that lead to each."""
        self._known: dict[Line, set[bytes]] = {}
        self._shaking: set[Line] = set()
        self._lingering: set[Line] = set()
        self._waiting: deque[tuple[Door, bytes, Address]] = deque()
        self._started = self._refuses = False
        self._empty = threading.Event()
        self.reception = reception
        self.timeouts = timeouts

    def take_up(self, timeouts: Timeouts) -> None:
        """Have other deadlines for those who come from here on. Any thread."""
        self.timeouts = timeouts

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it listens: `127.0.0.1:5000`, `[::1]:5000`."""
        return tuple(format_address(door.address) for door in self._doors)

    @property
    def port(self) -> int:
        """The first address' UDP port."""
        return self._doors[0].address[1]

    def open(self) -> None:
        """Take the addresses; see `Listener`."""
        for left in reversed(range(PORTS_TRIED)):
            try:
                self._open()
            except ListenError:
                if not (left and self._choose_again()):
                    raise
            else:
                return

    def _open(self) -> None:
        for wanted in self._wanted():
            try:
                self._doors.append(Door(wanted))
            except (OSError, OverflowError, UnicodeError) as error:
                self._close_doors()
                self._doors.clear()
                why = error.strerror if isinstance(error, OSError) else str(error)
                raise ListenError(
                    Sentence(
                        "Cannot listen on {address} (UDP): {why}. Choose another in quic.addresses.",
                        address=wanted,
                        why=why,
                    )
                ) from None

    def start(self) -> None:
        """Begin to accept."""
        self._started = True
        self._loop.call_soon(self._begin)
        self._loop.start()

    def refuse(self) -> None:
        """Accept nobody any more, and end whoever is in a handshake. Any thread."""
        self._loop.call_soon(self._refuse)

    def stop(self) -> None:
        """End the sessions that are left, wait a moment for their peers to have heard of it, and end the thread."""
        self._loop.call_soon(self._close_all)
        if self._started:
            self._empty.wait(self.timeouts.linger)
        self._loop.call_soon(self._hang_up)
        self._loop.stop()
        self._close_doors()

    # Loop thread only

    def _begin(self) -> None:
        for door in self._doors:
            self._loop.register(door.fileno(), READ, partial(self._on_ready, door))

    def _on_ready(self, door: Door, _ready: int) -> None:
        for _ in range(MOST_RECEIVED):
            try:
                received = door.receive()
            except OSError:  # of something that was sent: a peer that is not there any more
                continue
            if received is None:
                return
            data, address = received
            line = self._lines.get(destination(data))
            if line is not None and line.shaken:
                line.receive(data, address)
            elif line is None and data[:1] < LONG_HEADER:
                self._unknown.reset(door, data, address)
            elif (line is not None or len(data) >= INITIAL_BYTES) and len(self._waiting) < MOST_WAITING:
                self._waiting.append((door, data, address))
                self._loop.suspects.append(self._on_turn)

    def _on_turn(self) -> None:
        """Take a stranger's datagram; those wait in line, see `EventLoop`."""
        door, data, address = self._waiting.popleft()
        line = self._lines.get(destination(data))
        if line is not None:
            line.receive(data, address)
        elif not self._refuses:
            try:
                header = pull_quic_header(Buffer(data=data), host_cid_length=CONNECTION_ID_BYTES)
            except ValueError:
                return
            self._meet(door, header, data, address)

    def _meet(self, door: Door, header: QuicHeader, data: bytes, address: Address) -> None:
        """Answer a stranger, or make a connection of its datagram, unless it is banned or there is no room now."""
        if not self._unknown.speaks(door, header, address) or header.packet_type is not QuicPacketType.INITIAL:
            return
        original, retried = header.destination_cid, None
        if header.token:
            try:
                original = self._unknown.original(header, address)
            except ValueError:  # too old, or another's: whoever means it begins anew when nothing comes
                return
            retried = header.destination_cid
        elif len(self._shaking) >= RETRY_FROM or self.reception.is_crowded():
            self._unknown.send_retry(door, header, address)
            return
        identity, settings = self._serve()
        netblock, served = netblock_of(address.host), identity.certificate
        peer = Peer(str(address), transport=self.transport, netblock=netblock, served=served)
        if self.reception.has_room() and not self.reception.keeps_out(peer):
            connection = Connection(settings, original, retried, self._unknown.reset_token)
            line = self._enter(door, connection, peer, header.destination_cid)
            line.receive(data, address)
            if not connection.begun:
                line.drop()
            elif not line.place.held:  # it became another's while nobody could be told
                line.refuse()

    def _enter(self, door: Door, connection: Connection, peer: Peer, chosen: bytes) -> Line:
        """Take a stranger in, and know it by what it calls us and by what we call ourselves."""
        place = self.reception.enter(peer, lambda _shortage: None)
        line = Line(self, self._loop, door, connection, peer, place)
        place.give_way = line.give_way
        self._shaking.add(line)
        self._known[line] = set()
        self.know(chosen, line)
        self.know(connection.host_cid, line)
        return line

    def _serve(self) -> tuple[Identity, QuicConfiguration]:
        """Return what there is to serve now, and what a connection begins with that is served it."""
        identity = self._identity()
        if self._served is None or self._served[0] is not identity:
            assert identity.pair is not None  # noqa: S101 - it is asked for where this listener is
            self._served = identity, configuration(identity.pair)
        return self._served

    def _refuse(self) -> None:
        self._refuses = True
        for line in list(self._shaking):
            line.refuse()

    def _close_all(self) -> None:
        self._refuse()
        for line in list(self._known):
            line.close(CloseReason.DRAINING)
        self._look_whether_empty()

    def _look_whether_empty(self) -> None:
        """See whether nobody is left who has not been told that it is over."""
        if self._refuses and all(line.connection.over is not None for line in self._known):
            self._empty.set()

    def _hang_up(self) -> None:
        for line in list(self._known):
            line.hang_up()

    def _close_doors(self) -> None:
        for door in self._doors:
            door.close()

    # What lines ask

    def know(self, connection_id: bytes, line: Line) -> None:
        """See `Owner`, also of what follows."""
        self._lines[connection_id] = line
        self._known[line].add(connection_id)

    def forget(self, connection_id: bytes) -> None:
        """See `Owner`."""
        if (line := self._lines.pop(connection_id, None)) is not None and line in self._known:
            self._known[line].discard(connection_id)

    def shaken(self, line: Line) -> None:
        """See `Owner`."""
        self._shaking.discard(line)

    def may_linger(self, line: Line) -> bool:
        """See `Owner`."""
        if len(self._lingering) >= self._most_lingering:
            return False
        self._lingering.add(line)
        return True

    def left(self, line: Line) -> None:
        """See `Owner`."""
        self._lingering.discard(line)
        self._shaking.discard(line)
        self._look_whether_empty()

    def gone(self, line: Line) -> None:
        """See `Owner`."""
        for connection_id in self._known.pop(line, ()):
            self._lines.pop(connection_id, None)
        self._look_whether_empty()

    def moved(self, session: Session, address: Address, ours: str) -> None:
        """See `Owner`."""
        peer = replace(session.peer, address=str(address), local=ours, netblock=netblock_of(address.host))
        self._moving.moved(session, peer)
