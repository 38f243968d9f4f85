"""A third transport: all that it takes to carry sessions over something that has no socket and no descriptor."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from weakref import WeakSet

from secure_protocol.reasons import CloseReason
from secure_server.admission.reception import Reception
from secure_server.config.settings import Timeouts
from secure_server.net.conversation import Conversation
from secure_server.net.event_loop import EventLoop
from secure_server.net.wire import READ_BYTES
from secure_server.session.peer import Peer
from secure_server.session.session import Session
from tests.integration.memory_pair import MemorySocket


class MemoryWire:
    """The server's end of a pair; see `secure_server.net.wire`."""

    def __init__(self, end: MemorySocket) -> None:
        self.end, self.unsent = end, b""

    def read(self) -> bytes | None:
        """Return what came: None for nothing now, nothing at all once the peer ended its side."""
        try:
            return self.end.recv(READ_BYTES)
        except BlockingIOError:
            return None

    def write(self, output: bytearray) -> int:
        """Send what there is room for, and return how much that was."""
        try:
            return self.end.send(output)
        except BlockingIOError:
            return 0


class MemoryConversation(Conversation):
    """Told of each change at the other end, by `flush`: it sends where there is room, and then looks for bytes."""

    _wire: MemoryWire

    def settle(self) -> None:
        """Read in another round, so that the others have their turns."""
        self._loop.call_soon(self._read)

    def _read(self) -> None:
        if self._open and self._session.wants_input and (data := self._wire.read()) is not None:
            self.receive(data)

    def taken_down(self) -> None:
        """End both directions; the peer still reads what is on its way."""
        self._wire.end.close()


class MemoryListener:
    """Lets strangers in, and carries their sessions on a loop of its own; for its verbs see `Listener`."""

    addresses, transport = ("memory",), "memory"

    def __init__(self, reception: Reception, timeouts: Timeouts) -> None:
        self._reception, self._timeouts, self._loop = reception, timeouts, EventLoop("memory")
        self._conversations, self._refuses = WeakSet[MemoryConversation](), False

    def open(self) -> None:
        """There is no address to take."""

    def start(self) -> None:
        """Begin to carry."""
        self._loop.start()

    def refuse(self) -> None:
        """Accept nobody any more."""
        self._refuses = True

    def stop(self) -> None:
        """Close what is still open."""
        for conversation in self._conversations:
            self._loop.call_soon(partial(conversation.close, CloseReason.DRAINING))
        self._loop.stop()

    def connect(self) -> MemorySocket:
        """Come in, and return the client's end; raises ConnectionRefusedError where nobody is let in."""
        if self._refuses:
            raise ConnectionRefusedError
        peer, (ours, theirs) = Peer("memory", transport="memory", netblock="memory"), MemorySocket.pair()
        place = self._reception.enter(peer, lambda _shortage: None)  # there is nothing to end before the next line
        self._reception.receive(peer, partial(self._seat, ours), place)
        return theirs

    def _seat(self, end: MemorySocket, session: Session) -> Callable[[], None]:
        conversation = MemoryConversation(self._loop, MemoryWire(end), session, self._timeouts, self._reception.leave)
        self._conversations.add(conversation)
        session.attach(conversation)
        end.on_change = partial(self._loop.call_soon, conversation.flush)
        return partial(self._loop.call_soon, conversation.start)
