"""How the server is reached: its listeners, the loop that newcomers are on, and the threads that carry sessions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from secure_server.admission.moving import Moving
from secure_server.admission.reception import Reception
from secure_server.commands.builtin.services import BuiltInServices
from secure_server.config.settings import Config, Timeouts
from secure_server.dispatch.workers import Submit
from secure_server.identity.identity import Identity
from secure_server.net.event_loop import EventLoop
from secure_server.net.handshake import Route
from secure_server.net.io_thread import IOThreads
from secure_server.net.listener import Listener, TlsListener, UnixListener
from secure_server.net.tls import ALPN_HTTP, ALPN_OURS

if TYPE_CHECKING:  # their packages may be missing
    from secure_server.quic.listener import QuicListener
    from secure_server.web.listener import WebListener

ADMIN_SOCKET = "admin.sock"
NEWCOMERS_NICENESS = 10
"""Whoever is connected goes before whoever comes: a tenth of the others' share where all cores are busy. Of twelve runs
of a storm, the worst p99 of a connected client's PING was 12 ms instead of 29."""


class Reach:
    """Makes what newcomers reach the server by, and starts and stops it.

    Args:
        config: the configuration.
        reception: receives whoever comes.
        identity: returns what to serve now.
        data: the data directory, in which the admin socket is.
        clock: monotonic seconds.
        lingering: see `Lingering`.
        services: what the built-in commands use; over HTTP some of it is told, too.
        submit: has a worker for administrators do something.
        moving: told whose peer has another address.
        key: a secret that stays with the data directory.

    Attributes:
        listeners: all of them; before `open`, others may be added.
        newcomers: the loop whose thread they share.
        threads: carry the sessions.
        tls: the listener for clients.
        quic: that for clients over QUIC; None where there is none.
        admin: that of the admin socket.
    """

    def __init__(
        self,
        config: Config,
        reception: Reception,
        identity: Callable[[], Identity],
        data: Path,
        clock: Callable[[], float],
        lingering: int,
        services: BuiltInServices,
        submit: Submit,
        moving: Moving,
        key: bytes,
    ) -> None:
        self.threads = IOThreads(config.threads.io, config.timeouts, reception.leave, clock, lingering)
        self.newcomers = EventLoop("newcomers", niceness=NEWCOMERS_NICENESS)
        self._web = self._web_listener(config, reception, lingering, services, submit) if config.web.enabled else None
        everybody = partial(
            TlsListener,
            self.newcomers,
            backlog=config.listen.backlog,
            identity=identity,
            timeouts=config.timeouts,
            reception=reception,
            threads=self.threads,
            most_lingering=lingering,
        )
        http: dict[str | None, Route] = {} if self._web is None else {ALPN_HTTP: self._web.receive}
        self.tls = everybody(addresses=config.listen.endpoints, routes=http)
        self._http = everybody(  # where whatever protocol they name, if any, they speak HTTP
            addresses=config.web.endpoints if http else (),
            routes={name: route for route in http.values() for name in (ALPN_HTTP, ALPN_OURS, None)},
            transport="http",
        )
        self.admin = UnixListener(self.newcomers, data / ADMIN_SOCKET, reception, self.threads)
        by_http: list[Listener] = [] if self._web is None else [self._web, self._http]
        self.quic = self._quic_listener(config, reception, identity, moving, clock, key, lingering)
        by_quic: list[Listener] = [] if self.quic is None else [self.quic]
        self.listeners: list[Listener] = [self.tls, *by_quic, *by_http, self.admin]

    def _quic_listener(
        self,
        config: Config,
        reception: Reception,
        identity: Callable[[], Identity],
        moving: Moving,
        clock: Callable[[], float],
        key: bytes,
        lingering: int,
    ) -> QuicListener | None:
        """Return what serves clients over QUIC, if they are to be; its package is an extra, and there then."""
        if not config.quic.enabled:
            return None
        from secure_server.quic.listener import QuicListener  # noqa: PLC0415 - its package may be missing

        return QuicListener(
            lambda: config.quic.endpoints or self.tls.endpoints,
            lambda: not config.quic.endpoints and self.tls.choose_again(),
            identity,
            config.timeouts,
            reception,
            moving,
            clock,
            key,
            lingering,
        )

    def _web_listener(
        self, config: Config, reception: Reception, lingering: int, services: BuiltInServices, submit: Submit
    ) -> WebListener:
        """Return what serves browsers; its packages are an extra, and there: see `starting.check_packages`."""
        from secure_server.web.listener import WebListener  # noqa: PLC0415 - its packages may be missing

        return WebListener(
            self.newcomers,
            config.web,
            config.timeouts,
            reception,
            self.threads,
            lambda: self.tls.addresses,
            services,
            submit,
            lingering,
        )

    def open(self) -> None:
        """Take the addresses. Nobody is accepted yet.

        Raises:
            ListenError: one of them cannot be had.
        """
        for listener in self.listeners:
            listener.open()

    def start(self) -> None:
        """Begin to accept."""
        self.threads.start()
        self.newcomers.start()
        for listener in self.listeners:
            listener.start()

    def refuse(self) -> None:
        """Accept nobody any more, and end whoever has not become a session."""
        for listener in self.listeners:
            listener.refuse()
        self.newcomers.stop()

    def stop(self) -> None:
        """End what newcomers come by, whether it was started or not."""
        self.newcomers.stop()
        for listener in self.listeners:
            listener.stop()

    def take_up(self, timeouts: Timeouts) -> None:
        """Have other deadlines for those who come from here on. Any thread."""
        self.threads.take_up(timeouts)
        self.tls.take_up(timeouts)
        if self.quic is not None:
            self.quic.take_up(timeouts)
        if self._web is not None:
            self._web.take_up(timeouts)
            self._http.take_up(timeouts)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Have the newcomers' thread call back, as long as it runs. Any thread."""
        loop = self.newcomers

        def begin() -> None:
            loop.call_at(loop.now + seconds, callback)

        loop.call_soon(begin)
