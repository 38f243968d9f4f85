"""What a client does with its connection: who waits for what, what is repeated, and when another one is wanted.

It is in one of these states, and these things happen to it:

    CONNECTING   somebody opens a transport: `opened`, or `failed`; then the greeting goes back and forth
    CONNECTED    requests go out, replies come in, until the transport is `lost` or the server says goodbye
    WAITING      for the time of the next try (`tick`), or until `reconnect`
    IDLE         likewise, but for a request to be submitted
    STOPPED      for nothing but `reconnect`

Whoever drives it opens a transport when it is CONNECTING and none is open, sends what is `outgoing` and tells how much
the network `took`, feeds it what is `received` while it `reads`, closes the transport once it `holds` none any more,
calls `tick` at its `deadline` and whenever a call was given up, and looks at its `news` after each of these.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from secure_client.core.backoff import Backoff
from secure_client.core.call import CANCEL, JOB, PROGRESS, STREAM, Call, unheard
from secure_client.core.closing import PUSH, Closing, broken, no_reply, reconnect_policy, unanswered, unasked
from secure_client.core.greeting import Greeter, Greeting, greet
from secure_client.core.login import Login, Session
from secure_client.core.progress import weight
from secure_client.core.status import State, Status
from secure_client.errors import (
    ClientError,
    ConnectError,
    EndedByServerError,
    TooManyRequestsError,
    closed_here,
)
from secure_client.i18n import _
from secure_protocol.errors import ErrorCode, ProtocolError
from secure_protocol.reasons import CloseReason, Reconnect
from secure_protocol.replies import ErrorReply, Push
from secure_protocol.resp_replies import ReplyDecoder
from secure_protocol.resp_requests import encode_request

CONNECT_TIMEOUT = 10.0
"""Seconds for TCP, TLS and authentication together; the server itself allows 5 each for the last two."""
LASTED = 5.0
"""Seconds after which a connection counts as a good one, as one does where a job came on: the backoff begins anew."""
MOST_REQUESTS = 1024
"""Requests waiting for answers; whoever has more outstanding is not reading them."""
MOST_EARLY = 64
"""Pushes taken before the login is over; what answers may not have proved yet who it is. Their news can be few."""
EARLY_BYTES = 1024 * 1024
"""Of all of them, about."""


class Link:
    """One connection after the other. Not for several threads at once.

    Args:
        login: where and as whom.
        uniform: `random.uniform`, the backoff's jitter.
        reconnect: replace a connection that broke; else the first failure is the end, unless the server told a
            newcomer when to come again, or a job is followed.
        connect_timeout: seconds for each try.
        greeting: what is said first on each connection.

    Attributes:
        login: likewise.
        status: what it is doing now.
        news: each `Status` and each `Push` since, in order; whoever looks takes them out.
        outgoing: bytes to be sent.
        holds: a transport is open, and to be left so.
    """

    def __init__(
        self,
        login: Login,
        uniform: Callable[[float, float], float],
        *,
        reconnect: bool = True,
        connect_timeout: float = CONNECT_TIMEOUT,
        greeting: Greeter = greet,
    ) -> None:
        self.login = login
        self.status = Status(State.CONNECTING)
        self.news: deque[Status | Push] = deque()
        self.outgoing = bytearray()
        self.holds = False
        self._reconnect = reconnect
        self._connect_timeout = connect_timeout
        self._greeter = greeting
        self._due = 0.0  # of the try that is going on
        self._backoff = Backoff(uniform)
        self._decoder = ReplyDecoder()
        self._greeting: Greeting | None = None
        self._early: list[Push] = []  # what came before the greeting was over
        self._written = 0  # bytes of the connection's outgoing stream so far
        self._began = 0.0
        self._authenticated = False
        self._leaving = False
        self._queued: deque[Call] = deque()
        self._in_flight: deque[Call] = deque()

    # -- for whoever drives it ----------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        """The monotonic second at which to call `tick`; None: there is none."""
        if self.status.state is State.CONNECTING:
            return self._due
        return self.status.until if self.status.state is State.WAITING else None

    @property
    def reads(self) -> bool:
        """Whether to read on: not while whoever waits for the oldest request is too far behind."""
        return self.holds and not (self._in_flight and self._in_flight[0].receiver.full)

    @property
    def outstanding(self) -> int:
        """How many requests wait for their answers."""
        return len(self._queued) + len(self._in_flight)

    def start(self, now: float) -> None:
        """Begin the first try; once."""
        self._due = now + self._connect_timeout

    def opened(self, certificate: bytes | None, now: float) -> None:
        """Begin the greeting on a transport that was opened for this try.

        Args:
            certificate: that the server was verified by, in DER; None without TLS.
            now: monotonic seconds.
        """
        self.holds = True
        self._written = 0
        self._decoder = ReplyDecoder()
        self._early = []
        self._leaving = False
        self._greeting = self._greeter(self.login, certificate)
        self._greet(None, now)

    def failed(self, error: ClientError, now: float) -> None:
        """Take that no transport could be opened."""
        self._after(error, now)

    def took(self, count: int) -> None:
        """Take `count` bytes off the front of `outgoing`: the network has them."""
        del self.outgoing[:count]

    def received(self, data: bytes, now: float) -> None:
        """Take what came."""
        if not self.holds:
            return
        try:
            self._decoder.feed(data)
            for item in self._decoder.decode():
                if self._greeting is not None:
                    self._meet(item, now)
                elif self.holds:
                    self._take(item)
        except ProtocolError as error:
            self._end(
                no_reply(self.login.endpoint, error) if self._greeting is None else unanswered(self.login.endpoint), now
            )
        except ClientError as error:
            self._end(error, now)
        self._proceed()

    def lost(self, now: float, why: str = "", refusal: ClientError | None = None) -> None:
        """Take that the transport is at its end.

        Args:
            now: monotonic seconds.
            why: in the operating system's words; empty where the peer just ended it.
            refusal: what it means, if it is that the server does not let us in.
        """
        if not self.holds:
            return
        if self._greeting is not None:
            self._end(refusal or unanswered(self.login.endpoint), now)
        elif self._leaving and not self._in_flight:
            self._end(EndedByServerError(_("You left."), CloseReason.GOODBYE), now)
        else:
            self._end(broken(self.login.endpoint, why), now)

    def tick(self, now: float) -> None:
        """Look at the time, and at calls that were given up."""
        self._let_go()
        status = self.status
        if status.state is State.CONNECTING and self.holds and now >= self._due:
            sentence = _("{endpoint} did not answer in time. Check that it is the right port.")
            self._end(ConnectError(sentence.format(endpoint=self.login.endpoint)), now)
        elif (status.state is State.WAITING and now >= status.until) or (status.state is State.IDLE and self._queued):
            self._try(now)
        self._proceed()

    # -- for whoever uses it ------------------------------------------------------------------------------------------

    def submit(self, call: Call, now: float) -> None:
        """Send a call as soon as there is a connection.

        Raises:
            TooManyRequestsError: `MOST_REQUESTS` are outstanding.
            ClientError: the link has stopped; this says why.
        """
        if self.status.state is State.STOPPED:
            raise self.status.error or closed_here()
        if self.outstanding >= MOST_REQUESTS:
            raise too_many()
        self._queued.append(call)
        self.tick(now)

    def reconnect(self, now: float) -> None:
        """Try now, whatever the last try said; while connected, or trying, nothing."""
        if self.status.state in (State.WAITING, State.IDLE, State.STOPPED):
            self._backoff.reset()
            self._try(now)

    def stop(self) -> None:
        """Leave: what is outstanding fails, and the transport is to be closed."""
        self.holds = False
        self.outgoing.clear()
        self._publish(Status(State.STOPPED, error=closed_here()))
        self._fail_all(closed_here())

    # -- the greeting -------------------------------------------------------------------------------------------------

    def _greet(self, reply: object, now: float) -> None:
        """Go one step on with the greeting."""
        assert self._greeting is not None  # noqa: S101 - the callers look
        try:
            words = self._greeting.send(reply)
        except StopIteration as end:
            self._welcome(end.value, now)
        except ClientError as error:
            self._end(error, now)
        else:
            self._write(encode_request([word.encode() for word in words]))

    def _meet(self, item: object, now: float) -> None:
        """Take what comes before the greeting is over."""
        if not isinstance(item, Push):
            self._greet(item, now)
            return
        if item.kind == PUSH:
            raise Closing.from_push(item).error(self.login.endpoint)
        self._early.append(item)
        if len(self._early) > MOST_EARLY or sum(weight(push.items) for push in self._early) > EARLY_BYTES:
            raise ConnectError(str(unasked(self.login.endpoint)))

    def _welcome(self, session: Session, now: float) -> None:
        self._greeting = None
        self._authenticated = True
        self._began = now
        self._publish(Status(State.CONNECTED, session=session))
        early, self._early = self._early, []
        for push in early:
            self._take(push)
        self._proceed()

    # -- requests and replies -----------------------------------------------------------------------------------------

    def _write(self, payload: bytes) -> int:
        """Queue bytes; return the position in the stream behind them."""
        self.outgoing += payload
        self._written += len(payload)
        return self._written

    def _proceed(self) -> None:
        """Send what may be sent."""
        if self.status.state is not State.CONNECTED:
            return
        self._ask_to_end()
        while self._queued and not self._leaving:
            call = self._queued.popleft()
            if call.begin():
                self._send(call)
            elif call.started:
                call.receiver.fail(call.withdrawn())

    def _send(self, call: Call) -> None:
        call.end = self._write(call.payload)
        self._in_flight.append(call)

    def _ask_to_end(self) -> None:
        """Have the server end what runs, if its caller wants that; nobody waits for the answer to those words.

        The server ends whatever runs when CANCEL arrives. That may be the request behind ours, if ours has just ended;
        so there is no CANCEL while one waits there that must not be lost.
        """
        if not self._in_flight or self._leaving:
            return
        running, *behind = self._in_flight
        words = running.ending
        if words and words != running.told and (words != CANCEL or all(call.idempotent for call in behind)):
            running.told = words
            self._send(unheard(words))

    def _take(self, item: object) -> None:
        """Take a reply or a push; raises what ends the connection."""
        if isinstance(item, Push):
            if item.kind == PUSH:
                raise Closing.from_push(item).error(self.login.endpoint)
            if item.kind in (STREAM, PROGRESS, JOB) and self._in_flight:
                self._in_flight[0].take(item)
            else:
                self.news.append(item)
            return
        if isinstance(item, ErrorReply) and item.code == ErrorCode.CLOSED:
            raise Closing.from_error(item).error(self.login.endpoint)
        if not self._in_flight:
            raise unasked(self.login.endpoint)
        call = self._in_flight.popleft()
        self._leaving = self._leaving or call.goodbye
        call.answer(item)

    def _let_go(self) -> None:
        """Forget what is wanted no more: it waits for no other connection. What was sent on the last one fails."""
        gone = [call for call in self._queued if call.unwanted and not call.persistent]
        for call in gone:
            self._queued.remove(call)
            if call.started or call.begin():
                call.receiver.fail(call.withdrawn())

    # -- the end of a connection, and the next one --------------------------------------------------------------------

    def _try(self, now: float) -> None:
        self._due = now + self._connect_timeout
        self._publish(Status(State.CONNECTING, error=self.status.error))

    def _end(self, error: ClientError, now: float) -> None:
        """The connection is over, because of `error`."""
        self.holds = False
        failed: list[tuple[Call, ClientError]] = []
        if self._greeting is None:
            if now - self._began >= LASTED or any(call.advanced for call in self._in_flight):
                self._backoff.reset()
            failed = self._settle(error)
        self.outgoing.clear()
        self._greeting = None
        self._after(error, now)
        for call, outcome in failed:  # only now: who is told looks at the status
            call.receiver.fail(outcome)

    def _settle(self, error: ClientError) -> list[tuple[Call, ClientError]]:
        """Decide what becomes of the requests whose answers did not come; return those that fail."""
        sent_bytes = self._written - len(self.outgoing)
        comes_back = reconnect_policy(error) is not Reconnect.NEVER
        again: list[Call] = []
        failed: list[tuple[Call, ClientError]] = []
        while self._in_flight:
            call = self._in_flight.popleft()
            mends = comes_back and (self._reconnect or call.persistent)
            outcome = call.outcome(error, sent=call.end <= sent_bytes, comes_back=mends)
            if outcome is None:
                again.append(call)
            else:
                failed.append((call, outcome))
        self._queued.extendleft(reversed(again))
        return failed

    def _after(self, error: ClientError, now: float) -> None:
        """Choose the state that follows a failed try or a lost connection."""
        policy = reconnect_policy(error)
        told_when = error.retry_after is not None and not self._authenticated  # a newcomer may come again then
        persists = self._reconnect or any(call.persistent for call in self._queued)
        if policy is Reconnect.NEVER or not (persists or told_when):
            self._publish(Status(State.STOPPED, error=error))
            self._fail_all(error)
        elif policy is Reconnect.ON_USE:
            self._publish(Status(State.IDLE, error=error))
        else:
            wait = self._backoff.next() + (error.retry_after or 0.0)
            self._publish(Status(State.WAITING, error=error, until=now + wait))

    def _fail_all(self, error: ClientError) -> None:
        failed = [*self._in_flight, *self._queued]
        self._in_flight.clear()
        self._queued.clear()
        for call in failed:
            if call.started or call.begin():
                call.receiver.fail(call.stopped(error))

    def _publish(self, status: Status) -> None:
        self.status = status
        self.news.append(status)


def too_many() -> TooManyRequestsError:
    """Return what whoever has `MOST_REQUESTS` outstanding is told."""
    sentence = _("More than {limit} requests wait for answers; read some first.")
    return TooManyRequestsError(sentence.format(limit=MOST_REQUESTS))
