"""The thread that owns a connection, and replaces it when it breaks.

Any thread submits requests and gets futures; this thread alone touches the socket and its SSL object. What becomes of
a request when the connection breaks before its answer came:

    not wholly sent              waits for the next connection: it cannot have run
    idempotent                   is sent again on the next connection, once, unless a part of its answer was there
    a job that is followed       is followed on from its next part (`secure_client.connection.watch`)
    anything else                fails with `ConnectionLostError`, `sent=True`: it may have run, and is never repeated

    CONNECTING ──▶ CONNECTED ──▶ WAITING (until) ──▶ CONNECTING …
                       ├───────▶ IDLE     the next request connects
                       └───────▶ STOPPED  `reconnect` is the way on

A streamed answer whose reader is behind stops the reading from the socket, and so in the end the server; whatever else
the connection would bring waits too.
"""

from __future__ import annotations

import logging
import random
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from socket import socket

from secure_client.connection.backoff import Backoff
from secure_client.connection.closing import PUSH, Closing, reconnect_policy
from secure_client.connection.connection import Connection, connect
from secure_client.connection.login import Login, Session
from secure_client.connection.request import CANCEL, JOB, PROGRESS, STREAM, Request, unheard
from secure_client.connection.wakeup import Waker
from secure_client.errors import (
    ClientError,
    ConnectionLostError,
    EndedByServerError,
    TooManyRequestsError,
    closed_here,
)
from secure_client.i18n import _
from secure_protocol.errors import ErrorCode
from secure_protocol.reasons import CloseReason, Reconnect
from secure_protocol.replies import ErrorReply, Push

CONNECT_TIMEOUT = 10.0
"""Seconds for TCP, TLS and authentication together; the server itself allows 5 each for the last two."""
LASTED = 5.0
"""Seconds after which a connection counts as a good one, as one does where a job came on: the backoff begins anew."""
MOST_REQUESTS = 1024
"""Requests waiting for answers; whoever has more outstanding is not reading them."""
STOP_TIMEOUT = 2.0
"""Seconds `stop` waits for the thread, which may sit in the resolver; it dies with the program in any case."""

_LOG = logging.getLogger(__name__)


class State(Enum):
    """What the link is doing."""

    CONNECTING = auto()
    CONNECTED = auto()
    WAITING = auto()
    IDLE = auto()
    STOPPED = auto()


@dataclass(frozen=True, slots=True)
class Status:
    """The link's state and its reason.

    Attributes:
        state: what it is doing.
        session: of the connection while CONNECTED, else None.
        error: why it is not connected; None while all is well.
        until: monotonic second of the next try, while WAITING.
    """

    state: State
    session: Session | None = None
    error: ClientError | None = None
    until: float = 0.0


class _StoppingError(Exception):
    """The user wants to leave."""


class Link:
    """Keeps one connection alive.

    Args:
        login: where and as whom.
        on_push: called with every push but `closed`, on the link's thread; must not block.
        on_status: called after every change of `status`, on the link's thread; must not block.
        reconnect: replace a connection that broke; else the first failure is the end, unless the server told a
            newcomer when to come again, or a job is followed.
        clock: monotonic seconds.
        uniform: `random.uniform`, the backoff's jitter.
        connect_timeout: seconds for each try.
    """

    def __init__(
        self,
        login: Login,
        *,
        on_push: Callable[[Push], None] | None = None,
        on_status: Callable[[Status], None] | None = None,
        reconnect: bool = True,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = random.uniform,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self.login = login
        self._on_push = on_push
        self._on_status = on_status
        self._reconnect = reconnect
        self._clock = clock
        self._connect_timeout = connect_timeout
        self._backoff = Backoff(uniform)
        self._waker = Waker()
        self._changed = threading.Condition()  # guards all below that more than one thread touches
        self._status = Status(State.CONNECTING)
        self._queued: deque[Request] = deque()
        self._stopping = False
        self._connect_asked = False
        self._in_flight: deque[Request] = deque()  # the link's thread only, as is all below
        self._leaving = False
        self._authenticated = False
        self._thread = threading.Thread(target=self._run, name="secure-client link", daemon=True)

    # -- any thread ---------------------------------------------------------------------------------------------------

    @property
    def status(self) -> Status:
        """What the link is doing now."""
        with self._changed:
            return self._status

    def start(self) -> None:
        """Begin to connect; once."""
        self._thread.start()

    def stop(self) -> None:
        """End the connection in order, fail what is outstanding, and wait for the thread, at most `STOP_TIMEOUT`."""
        self._stopping = True
        self._waker.wake()
        if self._thread.ident is None:  # never started, so nobody else gives them back
            self._waker.close()
        elif threading.current_thread() is not self._thread:
            self._thread.join(STOP_TIMEOUT)

    def reconnect(self) -> None:
        """Try to connect now, whatever the last try said; while connected, nothing."""
        self._connect_asked = True
        self._waker.wake()

    def submit(self, arguments: Sequence[bytes], *, idempotent: bool = False, streaming: bool = False) -> Request:
        """Send a request as soon as there is a connection.

        Args:
            arguments: the command's name and its arguments.
            idempotent: may be sent again if the connection breaks before the answer came.
            streaming: the caller takes the parts of the answer as they come.

        Raises:
            TooManyRequestsError: `MOST_REQUESTS` are outstanding.
            ClientError: the link has stopped; this says why.
        """
        request = Request(arguments, idempotent=idempotent, streaming=streaming)
        self.enqueue(request)
        return request

    def enqueue(self, request: Request) -> None:
        """Likewise, with a request that is made already; raises as `submit` does."""
        request.parts.on_room = self._waker.wake
        with self._changed:
            if self._stopping or (self._status.state is State.STOPPED and not self._connect_asked):
                raise self._status.error or closed_here()
            if len(self._queued) + len(self._in_flight) >= MOST_REQUESTS:
                raise TooManyRequestsError(
                    _("More than {limit} requests wait for answers; read some first.").format(limit=MOST_REQUESTS)
                )
            self._queued.append(request)
        self._waker.wake()

    def wait_for(self, wanted: Callable[[Status], bool], timeout: float) -> Status:
        """Wait until the status is as `wanted`, at most `timeout` seconds; return the last one."""
        with self._changed:
            self._changed.wait_for(lambda: wanted(self._status), timeout)
            return self._status

    # -- the link's thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._step()
        except _StoppingError:
            pass
        except BaseException:
            _LOG.exception("the link ended by a fault of its own")
            raise
        finally:
            self._publish(Status(State.STOPPED, error=closed_here()))
            self._fail_all(closed_here())
            self._waker.close()

    def _step(self) -> None:
        self._let_go()
        status = self.status
        if status.state is State.CONNECTING:
            self._connect_once()
            return
        if self._connect_asked:
            self._backoff.reset()
        due = status.state is State.WAITING and self._clock() >= status.until
        wanted = status.state is State.IDLE and self._queued
        if due or wanted or self._connect_asked:
            self._publish(Status(State.CONNECTING, error=status.error))
            return
        timeout = max(0.0, status.until - self._clock()) if status.state is State.WAITING else None
        self._waker.wait(None, 0, timeout)

    def _let_go(self) -> None:
        """Fail what was sent before the connection broke, and is wanted no more: it waits for no other one."""
        with self._changed:
            gone = [item for item in self._queued if item.running() and item.unwanted and not item.persistent]
            for request in gone:
                self._queued.remove(request)
        for request in gone:
            request.set_exception(request.withdrawn())

    def _connect_once(self) -> None:
        self._connect_asked = False
        try:
            connection, session = connect(
                self.login, self._wait_connecting, self._clock() + self._connect_timeout, self._clock
            )
        except ClientError as error:
            self._after(error)
            return
        self._authenticated = True
        began = self._clock()
        self._leaving = False
        self._publish(Status(State.CONNECTED, session=session))
        try:
            self._serve(connection)
        except _StoppingError:
            self._waker.forget()
            connection.close(self._clock)
            raise
        except ClientError as error:
            self._waker.forget()
            connection.close(self._clock)
            if self._clock() - began >= LASTED or any(request.advanced for request in self._in_flight):
                self._backoff.reset()
            self._settle(connection.sent_bytes, error)
            self._after(error)

    def _wait_connecting(self, watched: socket, events: int, deadline: float) -> None:
        try:
            ready = False
            while not ready:
                if self._stopping:  # looked at before each wait: the last one may have swallowed the wake-up
                    raise _StoppingError
                if self._clock() >= deadline:
                    raise TimeoutError
                ready = self._waker.wait(watched, events, deadline - self._clock())
        finally:
            self._waker.forget()  # the next is another socket, or this one inside TLS

    def _serve(self, connection: Connection) -> None:
        """Send and receive until the connection ends, which is always an exception."""
        ready = True  # what came along with the answer to HELLO
        while not self._stopping:
            self._connect_asked = False
            if ready:
                for item in self._receive(connection):
                    self._take(item)
            self._ask_to_end(connection)
            self._send_queued(connection)
            connection.flush()
            events = connection.events & ~(selectors.EVENT_READ if self._reader_is_behind() else 0)
            timeout = 0 if connection.ended and events & selectors.EVENT_READ else None
            ready = self._waker.wait(connection.transport.socket if events else None, events, timeout)
            ready = (ready or timeout == 0) and bool(events & selectors.EVENT_READ)
        raise _StoppingError

    def _reader_is_behind(self) -> bool:
        return bool(self._in_flight) and self._in_flight[0].parts.full

    def _receive(self, connection: Connection) -> list[object]:
        try:
            return connection.receive()
        except ConnectionLostError:
            if self._leaving and not self._in_flight:
                raise EndedByServerError(_("You left."), CloseReason.GOODBYE) from None
            raise

    def _send_queued(self, connection: Connection) -> None:
        with self._changed:
            while self._queued and not self._leaving:
                request = self._queued.popleft()
                if request.begin():
                    self._send(connection, request)
                elif not request.done():
                    request.set_exception(request.withdrawn())

    def _send(self, connection: Connection, request: Request) -> None:
        request.end = connection.queue(request.payload)
        self._in_flight.append(request)

    def _ask_to_end(self, connection: Connection) -> None:
        """Have the server end what runs, if its caller wants that; nobody waits for the answer to those words.

        The server ends whatever runs when CANCEL arrives. That may be the request behind ours, if ours has just ended;
        so there is no CANCEL while one waits there that must not be lost.
        """
        if not self._in_flight or self._leaving:
            return
        running, *behind = self._in_flight
        words = running.ending
        if words and words != running.told and (words != CANCEL or all(request.idempotent for request in behind)):
            running.told = words
            self._send(connection, unheard(words))

    def _take(self, item: object) -> None:
        if isinstance(item, Push):
            if item.kind == PUSH:
                raise Closing.from_push(item).error(self.login.endpoint)
            if item.kind in (STREAM, PROGRESS, JOB) and self._in_flight:
                self._in_flight[0].take(item)
            else:
                self._tell(lambda: self._on_push and self._on_push(item))
            return
        if isinstance(item, ErrorReply) and item.code == ErrorCode.CLOSED:
            raise Closing.from_error(item).error(self.login.endpoint)
        if not self._in_flight:
            raise ConnectionLostError(
                _("{endpoint} sent a reply that nothing had asked for.").format(endpoint=self.login.endpoint)
            )
        request = self._in_flight.popleft()
        self._leaving = self._leaving or request.goodbye
        request.answer(item)

    def _settle(self, sent_bytes: int, error: ClientError) -> None:
        """Decide what becomes of the requests whose answers did not come."""
        comes_back = reconnect_policy(error) is not Reconnect.NEVER
        again: list[Request] = []
        while self._in_flight:
            request = self._in_flight.popleft()
            mends = comes_back and (self._reconnect or request.persistent)
            outcome = request.outcome(error, sent=request.end <= sent_bytes, comes_back=mends)
            if outcome is None:
                again.append(request)
            else:
                request.set_exception(outcome)
        with self._changed:
            self._queued.extendleft(reversed(again))

    def _after(self, error: ClientError) -> None:
        """Choose the state that follows a failed try or a lost connection."""
        policy = reconnect_policy(error)
        told_when = error.retry_after is not None and not self._authenticated  # a newcomer may come again then
        with self._changed:
            persists = self._reconnect or any(request.persistent for request in self._queued)
        if policy is Reconnect.NEVER or not (persists or told_when):
            self._publish(Status(State.STOPPED, error=error))
            self._fail_all(error)
        elif policy is Reconnect.ON_USE:
            self._publish(Status(State.IDLE, error=error))
        else:
            wait = self._backoff.next() + (error.retry_after or 0.0)
            self._publish(Status(State.WAITING, error=error, until=self._clock() + wait))

    def _fail_all(self, error: ClientError) -> None:
        with self._changed:
            failed = [*self._in_flight, *self._queued]
            self._in_flight.clear()
            self._queued.clear()
        for request in failed:
            if request.running() or request.begin():
                request.set_exception(request.stopped(error))

    def _publish(self, status: Status) -> None:
        with self._changed:
            self._status = status
            self._changed.notify_all()
        self._tell(lambda: self._on_status and self._on_status(status))

    def _tell(self, listener: Callable[[], object]) -> None:
        try:
            listener()
        except Exception:  # noqa: BLE001 - a listener's fault must not end the connection
            _LOG.exception("a listener failed")
