"""The thread that drives a link: it opens the sockets, and nobody else touches them.

Other threads hand calls over and wait for their futures; what they want of the link is left where the thread finds it,
and it is woken.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from socket import socket
from typing import TYPE_CHECKING

from secure_client.connection.faults import logger
from secure_client.connection.opening import open_transport, refusal
from secure_client.connection.request import Request
from secure_client.connection.transport import Transport, is_cut, reason
from secure_client.connection.wakeup import Waker
from secure_client.core.backoff import uniform
from secure_client.core.call import Call
from secure_client.core.greeting import Greeter, greet
from secure_client.core.link import CONNECT_TIMEOUT, MOST_REQUESTS, Link, too_many
from secure_client.core.login import Login
from secure_client.core.status import State, Status, Way, settled
from secure_client.errors import ClientError, NoAnswerError, closed_here
from secure_client.i18n import _
from secure_protocol.replies import Push

if TYPE_CHECKING:
    import ssl

STOP_TIMEOUT = 2.0
"""Seconds `stop` waits for the thread, which may sit in the resolver; it dies with the program in any case."""
READS_AT_ONCE = 16
"""So that a flood of replies lets the thread look at its other duties every MiB."""


def _unheard(_news: object) -> None:
    """Nobody listens."""


class _StoppingError(Exception):
    """The user wants to leave."""


class LinkThread:
    """Keeps one connection alive.

    Args:
        login: where and as whom.
        on_push: called with every push but `closed`, on the link's thread; must not block.
        on_status: called after every change of `status`, on the link's thread; must not block.
        reconnect: replace a connection that broke; see `Link`.
        clock: monotonic seconds.
        uniform: `random.uniform`, the backoff's jitter.
        connect_timeout: seconds for each try.
        greeting: what is said first on each connection.
        context: of TLS, in place of the one that the login's trust makes.
    """

    def __init__(
        self,
        login: Login,
        *,
        on_push: Callable[[Push], object] = _unheard,
        on_status: Callable[[Status], object] = _unheard,
        reconnect: bool = True,
        clock: Callable[[], float] = time.monotonic,
        uniform: Callable[[float, float], float] = uniform,
        connect_timeout: float = CONNECT_TIMEOUT,
        greeting: Greeter = greet,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.login = login
        self._on_push = on_push
        self._on_status = on_status
        self._clock = clock
        self._connect_timeout = connect_timeout
        self._context = context
        self._waker = Waker()
        self._changed = threading.Condition()  # guards what more than one thread touches: all up to the transport
        self._given: deque[Call] = deque()
        self._outstanding = 0  # requests that wait for their answers
        self._stopping = False
        self._connect_asked = False
        self._first: Status | None = None  # how the first try ended, once somebody waits for that
        self._first_by = 0.0
        self._way = Way()  # of the connection, or of the last one
        self._transport: Transport | None = None  # the link's thread only, as is the link but for what it tells
        self._link = Link(login, uniform, reconnect=reconnect, connect_timeout=connect_timeout, greeting=greeting)
        self._thread = threading.Thread(target=self._run, name="secure-client link", daemon=True)

    # -- any thread ---------------------------------------------------------------------------------------------------

    @property
    def status(self) -> Status:
        """What the link is doing now."""
        status = self._link.status
        return status._replace(way=self._way) if status.state is State.CONNECTED else status

    def start(self) -> None:
        """Begin to connect; once."""
        self._link.start(self._clock())
        self._thread.start()

    def connect(self) -> None:
        """Begin to connect, and wait until the first try has ended.

        A server that tells newcomers when to come again is waited for, if that is within the timeout.

        Raises:
            ClientError: it did not work; the link has stopped then.
        """
        self._first_by = time.monotonic() + self._connect_timeout
        self.start()
        try:
            # As it was told, for the next try may follow at once. A second more: the link's own deadline comes first.
            status = self.wait_for(lambda _now: self._first is not None, self._connect_timeout + 1.0)
            status = self._first or status
        except BaseException:
            self.stop()
            raise
        if status.state is not State.CONNECTED:
            self.stop()
            raise status.error or NoAnswerError(
                _("{endpoint} did not answer in time.").format(endpoint=self.login.endpoint)
            )

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
        return self.send(Call(arguments, idempotent=idempotent, streaming=streaming))

    def send(self, call: Call) -> Request:
        """Likewise, with a call that is made already; raises as `submit` does."""
        request = Request(call)
        request.parts.on_room = self._waker.wake
        with self._changed:
            status = self.status
            if self._stopping or (status.state is State.STOPPED and not self._connect_asked):
                raise status.error or closed_here()
            if self._outstanding >= MOST_REQUESTS:
                raise too_many()
            self._outstanding += 1
            self._given.append(call)
        request.add_done_callback(self._settled)
        self._waker.wake()
        return request

    def _settled(self, _request: object) -> None:
        with self._changed:
            self._outstanding -= 1

    def wait_for(self, wanted: Callable[[Status], bool], timeout: float) -> Status:
        """Wait until the status is as `wanted`, at most `timeout` seconds; return the last one."""
        with self._changed:
            self._changed.wait_for(lambda: wanted(self.status), timeout)
            return self.status

    # -- the link's thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._step()
        except _StoppingError:
            pass
        except BaseException:
            logger().exception("the link ended by a fault of its own")
            raise
        finally:
            self._link.stop()
            self._close()
            self._take_given()
            self._tell()
            self._waker.close()

    def _step(self) -> None:
        asked = self._connect_asked
        if asked:
            self._link.reconnect(self._clock())
        self._take_given()
        self._link.tick(self._clock())
        self._tell()
        if asked:
            self._connect_asked = False  # only now: until then nobody is told that the link has stopped
        if self._transport is None:
            if self._link.status.state is State.CONNECTING:
                self._open(self._link.deadline or 0.0)
            else:
                self._waker.wait(None, 0, self._left())
        elif self._link.holds:
            self._exchange(self._transport)
        else:
            self._close()

    def _take_given(self) -> None:
        with self._changed:
            given = list(self._given)
            self._given.clear()
        for call in given:
            try:
                self._link.submit(call, self._clock())
            except ClientError as error:
                if call.begin():
                    call.receiver.fail(error)

    def _left(self, transport: Transport | None = None) -> float | None:
        """Seconds until the link's deadline, or the transport's."""
        if transport is not None and transport.holds and self._link.reads:
            return 0.0
        dues = (self._link.deadline, transport.deadline if transport is not None else None)
        due = min((each for each in dues if each is not None), default=None)
        return None if due is None else max(0.0, due - self._clock())

    def _open(self, deadline: float) -> None:
        try:
            endpoint, trust = self.login.endpoint, self.login.trust
            self._transport = open_transport(
                endpoint,
                trust,
                self._wait,
                deadline,
                self._clock,
                self._context,
                self.login.transport,
                self._way.transport or self.login.last,
            )
        except ClientError as error:
            self._link.failed(error, self._clock())
        else:
            self._way = Way(self._transport.kind)
            self._link.opened(self._transport.certificate, self._clock())

    def _wait(self, watched: socket, events: int, deadline: float, beside: socket | None = None) -> bool:
        try:
            while True:
                if self._stopping:  # looked at before each wait: the last one may have swallowed the wake-up
                    raise _StoppingError
                if self._clock() >= deadline:
                    raise TimeoutError
                ready = self._waker.wait(watched, events, deadline - self._clock(), beside)
                if ready or beside is not None:
                    return ready
        finally:
            self._waker.forget()  # the next is another socket, or this one inside TLS

    def _exchange(self, transport: Transport) -> None:
        """Send what there is, wait, and take what came."""
        try:
            while self._link.outgoing and (sent := transport.send(self._link.outgoing)):
                self._link.took(sent)
        except OSError as error:
            self._receive(transport)  # what the server said before it closed tells more than our failure to send
            self._lost(error)
            return
        events = transport.interest(reads=self._link.reads, writes=bool(self._link.outgoing))
        ready = self._waker.wait(transport.socket if events else None, events, self._left(transport))
        transport.tick()
        if transport.moved_to != self._way.moved_to:
            self._moved(transport)
        if ready or transport.holds:
            self._receive(transport)

    def _receive(self, transport: Transport) -> None:
        for _read in range(READS_AT_ONCE):
            if not self._link.reads:
                return
            try:
                data = transport.receive()
            except OSError as error:
                self._lost(error)
                return
            if data is None:
                return
            if not data:
                self._link.lost(self._clock())
                return
            self._link.received(data, self._clock())

    def _lost(self, error: OSError) -> None:
        if is_cut(error):
            self._link.lost(self._clock())
            return
        # In TLS 1.3 the client's handshake ends before the server has looked at the client's certificate, so a refusal
        # shows at the first read (RFC 8446 section 4.4.2.4).
        refused = refusal(error, self.login.endpoint, self.login.trust)
        self._link.lost(self._clock(), reason(error), refused)

    def _moved(self, transport: Transport) -> None:
        self._way = self._way._replace(moved_to=transport.moved_to)
        if self._link.status.state is State.CONNECTED:
            self._hear(self.status)

    def _close(self) -> None:
        """End in order, so that the peer sees no reset."""
        transport, self._transport = self._transport, None
        if transport is not None:
            self._waker.forget()
            transport.close(self._clock)

    def _tell(self) -> None:
        """Tell what is new."""
        news = self._link.news
        while news:
            item = news.popleft()
            self._hear(item._replace(way=self._way) if isinstance(item, Status) else item)

    def _hear(self, item: Status | Push) -> None:
        try:
            if isinstance(item, Status):
                with self._changed:
                    if self._first is None and settled(item, self._first_by):
                        self._first = item
                    self._changed.notify_all()
                self._on_status(item)
            else:
                self._on_push(item)
        except Exception:  # noqa: BLE001 - a listener's fault must not end the connection
            logger().exception("a listener failed")
