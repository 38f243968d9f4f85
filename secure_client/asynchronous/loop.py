"""What drives a link on an event loop: asyncio's transports, and its timer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from secure_client.asynchronous.request import AsyncRequest
from secure_client.connection import tls
from secure_client.connection.opening import explained, refusal
from secure_client.connection.transport import CHUNK_BYTES, LINGER_TIMEOUT, is_cut, reason, tune
from secure_client.core.backoff import uniform
from secure_client.core.call import Call
from secure_client.core.link import CONNECT_TIMEOUT, Link
from secure_client.core.login import Login
from secure_client.core.status import State, Status, settled
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
        self._wire: _Wire | None = None
        self._open_wires: set[_Wire] = set()  # the last ones may not have ended yet

    @property
    def status(self) -> Status:
        """What the link is doing now."""
        return self._link.status

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

    def opened(self, wire: _Wire, certificate: bytes | None) -> None:
        """Take that a try has come to a transport."""
        self._open_wires.add(wire)
        if self._link.status.state is not State.CONNECTING:  # closed meanwhile
            wire.close()
            return
        self._wire = wire
        self._link.opened(certificate, self._now())
        self.attend()

    def received(self, wire: _Wire, data: bytes) -> None:
        """Take what came over a wire."""
        if wire is self._wire:
            self._link.received(data, self._now())
            self.attend()

    def lost(self, wire: _Wire, error: Exception | None) -> None:
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
            with explained(endpoint, trust):
                async with asyncio.timeout_at(self._link.deadline):
                    if endpoint.path is not None:
                        await loop.create_unix_connection(lambda: _Wire(self), str(endpoint.path))
                    else:
                        context = await asyncio.to_thread(tls.make_context, trust)
                        await loop.create_connection(
                            lambda: _Wire(self),
                            endpoint.dns_name,
                            endpoint.port,
                            ssl=context,
                            server_hostname=endpoint.dns_name,
                            ssl_handshake_timeout=self._connect_timeout + 1.0,  # our own deadline comes first
                            ssl_shutdown_timeout=LINGER_TIMEOUT,
                        )
        except ClientError as error:
            self._opening = None
            self._link.failed(error, self._now())
        finally:
            self._opening = None
        self.attend()

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
            try:
                if isinstance(item, Status):
                    changed, self._changed = self._changed, asyncio.Event()
                    changed.set()
                    self._on_status(item)
                else:
                    self._on_push(item)
            except Exception:  # noqa: BLE001 - a listener's fault must not end the connection
                _LOG.exception("a listener failed")


class _Wire(asyncio.Protocol):
    """One connection of asyncio's."""

    def __init__(self, owner: LoopLink) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._writable = True
        self._reads = True
        self._ended = asyncio.Event()

    def attend(self, link: Link) -> None:
        """Write what there is, as long as it is taken, and read on or not."""
        transport = self._transport
        assert transport is not None  # noqa: S101 - it was opened
        while link.outgoing and self._writable:
            data = bytes(link.outgoing[:CHUNK_BYTES])
            link.took(len(data))
            transport.write(data)
        if link.reads != self._reads:
            self._reads = link.reads
            if self._reads:
                transport.resume_reading()
            else:
                transport.pause_reading()

    def close(self) -> None:
        """End TLS and TCP in order."""
        if self._transport is not None:
            self._transport.close()

    async def over(self) -> None:
        """Wait until it has ended; at most `LINGER_TIMEOUT`, then it is cut."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_TIMEOUT):
                await self._ended.wait()
        if not self._ended.is_set() and self._transport is not None:
            self._transport.abort()
            await self._ended.wait()

    # -- asyncio's calls ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take that it is open; with TLS, that the certificate is good."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream
        self._transport = transport
        secured = transport.get_extra_info("ssl_object")
        plain = transport.get_extra_info("socket")
        if secured is not None and plain is not None:
            tune(plain)
        self._owner.opened(self, secured.getpeercert(binary_form=True) if secured is not None else None)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._owner.received(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take that it is at its end."""
        self._ended.set()
        self._owner.lost(self, exc)

    def pause_writing(self) -> None:
        """Take that asyncio holds enough that the network has not taken."""
        self._writable = False

    def resume_writing(self) -> None:
        """Take that it holds little again."""
        self._writable = True
        self._owner.attend()
