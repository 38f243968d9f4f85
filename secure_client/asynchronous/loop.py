"""What drives a link on an event loop: asyncio's transports, and its timer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable

from secure_client.asynchronous.request import AsyncRequest
from secure_client.asynchronous.wires import QuicWire, StreamWire, Wire, shake_hands
from secure_client.connection import tls
from secure_client.connection.opening import explained, explained_quic, quic_wanted, refusal, resolve
from secure_client.connection.transport import HEAD_START, LINGER_TIMEOUT, is_cut, reason
from secure_client.core.backoff import uniform
from secure_client.core.call import Call
from secure_client.core.endpoint import TransportChoice
from secure_client.core.link import CONNECT_TIMEOUT, Link
from secure_client.core.login import Login
from secure_client.core.status import State, Status, Way, settled
from secure_client.errors import ClientError, NoAnswerError, SetupError
from secure_client.i18n import _
from secure_protocol.replies import Push

_LOG = logging.getLogger(__name__)


class LoopLink:
    """Keeps one connection alive, on the event loop that `connect` is called on.

    Args:
        login: where and as whom.
        on_push: called with every push but `closed`.
        on_status: called after every change of `status`.
        reconnect: replace a connection that broke; see `Link`.
        connect_timeout: seconds for each try.
    """

    def __init__(
        self,
        login: Login,
        *,
        on_push: Callable[[Push], object],
        on_status: Callable[[Status], object],
        reconnect: bool = True,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        self.login = login
        self._on_push = on_push
        self._on_status = on_status
        self._connect_timeout = connect_timeout
        self._link = Link(login, uniform, reconnect=reconnect, connect_timeout=connect_timeout)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._opening: asyncio.Task[None] | None = None
        self._wire: Wire | None = None
        self._open_wires: set[Wire] = set()  # the last ones may not have ended yet
        self._way = Way()  # of the connection, or of the last one

    @property
    def status(self) -> Status:
        """What the link is doing now."""
        status = self._link.status
        return status._replace(way=self._way) if status.state is State.CONNECTED else status

    async def connect(self) -> None:
        """Begin to connect, and wait until the first try has ended.

        A server that tells newcomers when to come again is waited for, if that is within the timeout.

        Raises:
            ClientError: it did not work; the link has stopped then.
        """
        self._loop = asyncio.get_running_loop()
        deadline = self._now() + self._connect_timeout
        self._link.start(self._now())
        self.attend()
        try:
            # A second more: the link's own deadline comes first.
            status = await self.wait_for(lambda status: settled(status, deadline), self._connect_timeout + 1.0)
        except BaseException:
            await self.close()
            raise
        if status.state is not State.CONNECTED:
            await self.close()
            raise status.error or NoAnswerError(
                _("{endpoint} did not answer in time.").format(endpoint=self.login.endpoint)
            )

    async def wait_for(self, wanted: Callable[[Status], bool], timeout: float) -> Status:
        """Wait until the status is as `wanted`, at most `timeout` seconds; return the last one."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not wanted(self.status):
                    changed = self._changed
                    await changed.wait()
        return self.status

    async def close(self) -> None:
        """End the connection in order, and fail what is outstanding. Any number of times."""
        self._link.stop()
        if self._loop is None:
            self._tell()
            return
        opening = self._opening
        self.attend()
        if opening is not None:
            opening.cancel()
            await asyncio.wait([opening])
        for wire in list(self._open_wires):
            await wire.over()

    def reconnect(self) -> None:
        """Try to connect now, whatever the last try said; while connected, or before `connect`, nothing."""
        if self._loop is not None:
            self._link.reconnect(self._now())
            self.attend()

    def send(self, call: Call) -> AsyncRequest:
        """Send a call as soon as there is a connection.

        Raises:
            SetupError: it was not connected yet.
            TooManyRequestsError: too many are outstanding.
            ClientError: the link has stopped; this says why.
        """
        if self._loop is None and self.status.state is not State.STOPPED:
            raise SetupError(_("The client is not connected: use it by `async with`, or await its `connect` first."))
        request = AsyncRequest(call, self.attend)
        self._link.submit(call, self._now())
        self.attend()
        return request

    def attend(self) -> None:
        """Do what the link wants done, after anything has happened to it."""
        link = self._link
        link.tick(self._now())
        if self._wire is not None:
            if link.holds:
                self._wire.attend(link)
            else:
                wire, self._wire = self._wire, None
                wire.close()
        if self._wire is None and self._opening is None and link.status.state is State.CONNECTING:
            assert self._loop is not None  # noqa: S101 - it was started
            self._opening = self._loop.create_task(self._open())
        self._set_timer()
        self._tell()

    # -- the wire's events --------------------------------------------------------------------------------------------

    def opened(self, wire: Wire, certificate: bytes | None) -> None:
        """Take that a try has come to a transport."""
        self._open_wires.add(wire)
        if self._link.status.state is not State.CONNECTING or self._wire is not None:  # closed meanwhile, or too late
            wire.close()
            return
        self._wire = wire
        self._way = wire.way
        self._link.opened(certificate, self._now())
        self.attend()

    def received(self, wire: Wire, data: bytes) -> None:
        """Take what came over a wire."""
        if wire is self._wire:
            self._link.received(data, self._now())
            self.attend()

    def moved(self, wire: Wire) -> None:
        """Take that a wire goes on from another address of this machine."""
        if wire is self._wire:
            self._way = wire.way
            if self._link.status.state is State.CONNECTED:
                self._hear(self.status)

    def lost(self, wire: Wire, error: Exception | None) -> None:
        """Take that a wire is at its end."""
        self._open_wires.discard(wire)
        if wire is not self._wire:
            return
        self._wire = None
        why, refused = "", None
        if isinstance(error, OSError) and not is_cut(error):
            why = reason(error)
            refused = refusal(error, self.login.endpoint, self.login.trust)  # see `LinkThread`: it shows at a read
        self._link.lost(self._now(), why, refused)
        self.attend()

    def _now(self) -> float:
        return 0.0 if self._loop is None else self._loop.time()

    async def _open(self) -> None:
        endpoint, trust = self.login.endpoint, self.login.trust
        loop = asyncio.get_running_loop()
        try:
            over_quic = endpoint.path is None and self.login.transport is TransportChoice.QUIC
            said = explained_quic(endpoint) if over_quic else contextlib.nullcontext()
            with explained(endpoint, trust), said:
                async with asyncio.timeout_at(self._link.deadline):
                    if endpoint.path is not None:
                        await loop.create_unix_connection(lambda: StreamWire(self), str(endpoint.path))
                    else:
                        await self._open_any(await asyncio.to_thread(tls.make_context, trust))
        except ClientError as error:
            self._opening = None
            self._link.failed(error, self._now())
        finally:
            self._opening = None
        self.attend()

    async def _open_any(self, context: ssl.SSLContext) -> None:
        """Open a wire of the kind that is wanted."""
        choice = self.login.transport
        if not quic_wanted(choice, self.login.trust):
            await self._over_tls(context)
        elif choice is TransportChoice.AUTO:
            await self._race(context)
        else:
            await self._over_quic(context)

    async def _over_tls(self, context: ssl.SSLContext) -> None:
        endpoint = self.login.endpoint
        await asyncio.get_running_loop().create_connection(
            lambda: StreamWire(self),
            endpoint.dns_name,
            endpoint.port,
            ssl=context,
            server_hostname=endpoint.dns_name,
            ssl_handshake_timeout=self._connect_timeout + 1.0,  # our own deadline comes first
            ssl_shutdown_timeout=LINGER_TIMEOUT,
        )

    async def _over_quic(self, context: ssl.SSLContext) -> None:
        login, loop = self.login, asyncio.get_running_loop()
        addresses = await asyncio.to_thread(resolve, login.endpoint)
        deadline = self._link.deadline or loop.time()
        opened = await shake_hands(addresses, login.endpoint.dns_name, context, login.trust, deadline)
        self.opened(QuicWire(self, opened, loop), opened.certificate)

    async def _race(self, context: ssl.SSLContext) -> None:
        """Have QUIC and TLS shake hands side by side; see `secure_client.connection.racing`."""
        both = [self._over_quic, self._over_tls]
        if (self._way.transport or self.login.last) == "tls":
            both.reverse()
        running: set[asyncio.Task[None]] = set()
        failures: dict[bool, BaseException] = {}
        try:
            while self._wire is None and (both or running):
                if both:
                    way = both.pop(0)
                    running.add(asyncio.create_task(way(context), name=way.__name__))
                done, running = await asyncio.wait(
                    running, timeout=HEAD_START if both else None, return_when=asyncio.FIRST_COMPLETED
                )
                failures |= {each.get_name() == "_over_tls": end for each in done if (end := each.exception())}
        finally:
            for each in running:
                each.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        if self._wire is None and failures:
            raise failures.get(True) or failures[False]  # TLS knows more of why

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._link.deadline
        opens = self._opening is not None and self._wire is None  # which has the same deadline, and tells of it
        if deadline is not None and self._loop is not None and not opens:
            self._timer = self._loop.call_at(deadline, self.attend)

    def _tell(self) -> None:
        """Tell what is new."""
        while self._link.news:
            item = self._link.news.popleft()
            self._hear(item._replace(way=self._way) if isinstance(item, Status) else item)

    def _hear(self, item: Status | Push) -> None:
        try:
            if isinstance(item, Status):
                changed, self._changed = self._changed, asyncio.Event()
                changed.set()
                self._on_status(item)
            else:
                self._on_push(item)
        except Exception:  # noqa: BLE001 - a listener's fault must not end the connection
            _LOG.exception("a listener failed")
