"""From bytes to waiting requests: the decoder, the queue behind a running command, and their bounds."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence

from secure_protocol.errors import ProtocolError
from secure_protocol.limits import ARGUMENT_WEIGHT, RequestLimits
from secure_protocol.resp_requests import Arguments, RespRequestDecoder, requests_in
from secure_protocol.text_requests import Request, TextRequestDecoder
from secure_server.session.codecs import RESP2, TEXT, Codec
from secure_server.session.reserve import Reserve, Share

Waiting = Request | ProtocolError | bytes
"""A request, what came instead of one, or the encoded reply of one that was answered on arrival."""
Runs = list[tuple[bytes, list[Arguments]] | ProtocolError]
"""What came together, as `RespRequestDecoder.take` gives it: a command's name and the arguments of each request."""


class Intake:
    """What a peer has sent and nobody has answered yet.

    Args:
        limits: of one request.
        most: requests decoded ahead.

    Attributes:
        decoder: picked by the first byte; None before it.
        limits: of one request.
        most: requests decoded ahead.
        ended: the peer will send no more.
        queue: what is decoded and waits; None for nothing: an empty one has 600 bytes.
        begun: when the unfinished request was first seen, monotonic seconds; infinite where none was.
    """

    __slots__ = (
        "_examined", "_share", "_weighed", "_weight", "begun", "decoder", "ended", "limits", "most", "queue",
    )  # fmt: skip

    def __init__(self, limits: RequestLimits, most: int) -> None:
        self.decoder: TextRequestDecoder | RespRequestDecoder | None = None
        self.limits = limits
        self.most = most
        self.ended = False
        self.queue: deque[Waiting] | None = None
        self.begun = math.inf
        self._examined = 0  # of those that wait, how many `examine` has looked at
        self._weighed = 0  # likewise, how many have been weighed: those that a command kept waiting
        self._weight = 0  # of these, in bytes of memory
        self._share: Share | None = None  # made when more waits than one request

    def begin(self, data: bytes) -> Codec:
        """Pick the decoder by the first byte, for good, and return the codec that goes with it."""
        if data[:1] == b"*":
            self.decoder = RespRequestDecoder()
            return RESP2
        self.decoder = TextRequestDecoder()
        return TEXT

    def feed(self, data: bytes) -> None:
        """Take bytes from the peer; `begin` has seen the first."""
        assert self.decoder is not None  # noqa: S101 - see the docstring
        self.decoder.feed(data)

    @property
    def waiting(self) -> int:
        """Requests decoded and not taken."""
        return 0 if self.queue is None else len(self.queue)

    @property
    def buffered(self) -> int:
        """Bytes that came and are not decoded yet. Any thread."""
        decoder = self.decoder
        return 0 if decoder is None else decoder.buffered

    @property
    def unanswered(self) -> int:
        """Requests that came and wait for an answer; the one whose rest is not here yet is one."""
        return self.waiting + (self.decoder is not None and self.decoder.unfinished)

    def wants(self, room: int) -> bool:
        """Whether more bytes are wanted, where so many requests may be decoded ahead.

        Where none may, a whole one's bytes still are: the peer's end comes behind them, and has to be noticed.
        """
        if room:
            return self.waiting < room
        return self.decoder is None or self.decoder.buffered < self.limits.request_bytes

    def take(self, room: int) -> Waiting | int | None:
        """Return the next request; a number for blank ones passed over instead; None until more bytes have come.

        Args:
            room: requests that may be decoded ahead.
        """
        if not self.queue:
            self.decode(room)
            if blank := self.passed_over():
                return blank
        queue = self.queue
        if not queue:
            return None
        found = queue.popleft()
        if self._weighed:
            self._weighed -= 1
            self._weight -= _weight(found)
            self._fit()
        if not queue:
            self.queue = None
        return found

    def decode(self, room: int) -> bool:
        """Decode what has come, as far as there is room; whether there is something to `take`.

        Blank requests need room as well, so that nobody waits for a megabyte of them.
        """
        waiting, decoder = self.waiting, self.decoder
        if decoder is None or room <= waiting:
            return waiting > 0
        requests = decoder.decode(self.limits, room - waiting)
        if requests or decoder.blank:
            self.begun = math.inf  # what follows is another one
            self._put(requests)
        return self.queue is not None or decoder.blank > 0

    def passed_over(self) -> int:
        """Return how many blank requests were passed over since this was last asked."""
        decoder = self.decoder
        if decoder is None or not decoder.blank:
            return 0
        blank, decoder.blank = decoder.blank, 0
        return blank

    def put_back(self, runs: Runs) -> None:
        """Let what came in runs wait as requests; nothing else waits."""
        self._put(requests_in(runs))

    def began(self) -> None:
        """A command begins to run: what waits, and what comes, may have to act now."""
        self._examined = 0

    def examine(self, look: Callable[[Request], bytes | None]) -> None:
        """Let what must not wait act now, and keep its reply in its turn.

        Args:
            look: asked once for each request that waits behind a running one; returns its encoded reply, or None for
                all those that can wait.
        """
        queue = self.queue
        if queue is None:
            return
        first, self._examined = self._examined, len(queue)
        for index in range(first, len(queue)):
            request = queue[index]
            if isinstance(request, list) and (reply := look(request)) is not None:
                queue[index] = reply
                if index < self._weighed:
                    self._weight += _weight(reply) - _weight(request)

    @property
    def has_room(self) -> bool:
        """Whether more may wait, as of when that was last weighed."""
        share, decoder = self._share, self.decoder
        most = self.limits.weight if share is None else self.limits.weight + share.bytes
        return decoder is None or self._weight + decoder.buffered < most

    def weigh(self, reserve: Reserve, wake: Callable[[], None]) -> None:
        """Weigh what a running command keeps waiting, and take of the reserve what it needs.

        Args:
            reserve: of all sessions.
            wake: called on any thread when there is room again.
        """
        queue = self.queue
        if queue is not None:
            for index in range(self._weighed, len(queue)):
                self._weight += _weight(queue[index])
            self._weighed = len(queue)
        while not self.has_room:
            if self._share is None:
                self._share = Share(reserve, wake)
            if not self._share.grow():
                break

    def _fit(self) -> None:
        """Give back what of the reserve is not needed any more."""
        if self._share is not None:
            buffered = 0 if self.decoder is None else self.decoder.buffered
            self._share.fit(self._weight + buffered - self.limits.weight)

    def await_rest(self, clock: Callable[[], float], *, reading: bool) -> float:
        """Return when the unfinished request was first seen, by `clock`; infinity where none is.

        While nobody is `reading`, nobody is late with the rest.
        """
        if not reading or self.decoder is None or not self.decoder.unfinished:
            self.begun = math.inf
        elif self.begun == math.inf:
            self.begun = clock()
        return self.begun

    def drop(self) -> None:
        """Forget what waits."""
        self.queue = None
        self._weight = self._weighed = 0
        if self._share is not None:
            self._share.fit(-1)

    def _put(self, requests: Sequence[Waiting]) -> None:
        if requests:
            if self.queue is None:
                self.queue = deque()
            self.queue.extend(requests)


def _weight(waiting: Waiting) -> int:
    """Return how many bytes of memory it takes, about."""
    if isinstance(waiting, list):
        return sum(map(len, waiting)) + ARGUMENT_WEIGHT * (len(waiting) + 1)
    return ARGUMENT_WEIGHT + len(waiting) if isinstance(waiting, bytes) else 8 * ARGUMENT_WEIGHT
