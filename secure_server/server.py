"""The composition root: makes the parts, joins them, starts and stops them in order."""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from secure_protocol.reasons import CloseReason
from secure_protocol.sentence import Sentence
from secure_server.admission.admission import ENDED, Admission
from secure_server.admission.certificate import CertificateAdmission
from secure_server.auth.authenticator import Ended, TokenAuthenticator
from secure_server.auth.certificates import CertificateAuthenticator, CertificateSettingError, Grant
from secure_server.auth.principal import Principal
from secure_server.auth.revoked_certificates import RevokedCertificates
from secure_server.auth.sqlite_storage import SQLiteTokenStorage
from secure_server.auth.token_watch import TokenWatch
from secure_server.auth.tokens import Records, TokenChange, Tokens
from secure_server.commands.builtin import BUILT_IN
from secure_server.commands.context import Services
from secure_server.commands.loading import LoadingError
from secure_server.commands.loading import load as load_commands
from secure_server.commands.process import TERM_SECONDS
from secure_server.commands.registry import Registry
from secure_server.config.settings import Config
from secure_server.dispatch.dispatcher import Dispatcher
from secure_server.dispatch.workers import Workers
from secure_server.i18n import language_of
from secure_server.identity.identity import IdentityFiles
from secure_server.identity.renewal import CertificateRenewal, utc_now
from secure_server.identity.served import OnReload, Reload, ServedCertificates
from secure_server.identity.watch import CertificateWatch
from secure_server.limits.netblock import netblock_of
from secure_server.limits.penalties import Penalties
from secure_server.limits.rates import Rates, default_rate
from secure_server.net.acceptor import Acceptor, listen
from secure_server.net.event_loop import EventLoop
from secure_server.net.handshake import Handshakes
from secure_server.net.io_thread import IOThread
from secure_server.net.sockets import (
    format_address,
    listen_unix,
    may_administer,
    peer_uid,
    raise_descriptor_limit,
)
from secure_server.net.tls import load_identity
from secure_server.net.tls_socket import TlsSocket
from secure_server.pki.bundle import bundle_of
from secure_server.pki.preflight import CertificateFacts, CertificateProblem
from secure_server.pki.withdraw import withdraw_client
from secure_server.recording.activity_log import ActivityLog
from secure_server.recording.recording import Recording, open_trail
from secure_server.session.peer import Peer
from secure_server.session.population import Sessions
from secure_server.session.session import Session

ADMIN_SOCKET = "admin.sock"
DATABASE = "tokens.db"
SPARE_DESCRIPTORS = 64
"""Open files besides connections: listeners, wakeups, the database, logs, the standard streams."""
ADMIN_WORKERS = 2
"""Threads for commands of the role admin alone: one that takes its time leaves another for the next."""
NEWCOMERS_NICENESS = 10
"""Whoever is connected goes before whoever comes: a tenth of the others' share where all cores are busy. Of twelve runs
of a storm, the worst p99 of a connected client's PING was 12 ms instead of 29."""
WORKERS_STOP_SECONDS = TERM_SECONDS + 1.0
"""How long the workers may take to end after the drain, their programs included; their sessions are closed already."""

_log = logging.getLogger("secure_server")


class StartError(Exception):
    """The server cannot start; one sentence says why and what to do."""


class Server:
    """A TLS command server.

    Args:
        config: the configuration.
        clock: monotonic seconds, for deadlines.

    Raises:
        StartError: something is missing or wrong; nothing was started.
        StorageError: the token database cannot be used.
    """

    def __init__(self, config: Config, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._language = config.language or language_of()
        self._data = Path(config.data_dir)
        renewal = CertificateRenewal.at_start(config)
        self._served = _serve_certificates(config, renewal, self._on_reload)
        grants = _load_grants(config, clock())
        self.registry = _load_registry(config)
        _make_private_directory(self._data)
        self.sessions = Sessions(config.limits)
        with contextlib.ExitStack() as opened:  # closed again where one of them cannot be used
            self._activity = ActivityLog(self._data, config.log)
            opened.callback(self._activity.stop)
            self._storage = opened.enter_context(SQLiteTokenStorage(self._data / DATABASE))
            # Its own: a slow reader must not delay revocation.
            self._listing = opened.enter_context(SQLiteTokenStorage(self._data / DATABASE))
            self._authenticator = TokenAuthenticator(self._storage, rates=Rates(default_rate(config.limits), clock))
            by_certificate = CertificateAuthenticator(self._storage, grants)
            opened.pop_all()
        self._trail = open_trail(self._data, config.audit, self.sessions)
        self._recording = Recording(self._activity, self._trail)
        self._penalties = Penalties(config.penalties, clock)
        self._certificates = CertificateAdmission(by_certificate, self.sessions, self._recording.authentication)
        self._watch = TokenWatch(self._authenticator, self._on_tokens_ended, beside=self._certificates.step)
        self._certificate_watch = CertificateWatch(self._served, renewal, config.tls.watch)
        self._workers = Workers(config.threads.workers, config.threads.queue)
        self._admin_workers = Workers(ADMIN_WORKERS, config.threads.queue)
        self._dispatcher = Dispatcher(
            self.registry,
            self._services(),
            self._workers.submit,
            self._recording,
            self._admin_workers.submit,
        )
        self._new_session = partial(  # once for all sessions, and so are the methods that they keep
            Session,
            config=config,
            dispatch=self._dispatcher.dispatch,
            language=self._language,
            on_arrival=self._dispatcher.arrive,
            answer_cleared=self._dispatcher.answer_cleared,
        )
        self._io_threads = [
            IOThread(f"io-{number}", config.timeouts, self._on_closed, clock)
            for number in range(1, config.threads.io + 1)
        ]
        self._next_io_thread = itertools.cycle(self._io_threads)
        self._newcomers = EventLoop("newcomers", niceness=NEWCOMERS_NICENESS)
        self._handshakes = Handshakes(
            self._newcomers,
            lambda: self._served.identity,
            seconds=config.timeouts.handshake,
            linger_seconds=config.timeouts.linger,
            on_established=self._on_established,
            on_failed=self._on_handshake_failed,
        )
        self._acceptor = Acceptor(self._newcomers, self._on_exhausted)
        self._address: object = None

    def _services(self) -> Services:
        """What handlers may use of the parts."""
        return Services(
            commands=lambda: iter(self.registry),
            command_named=self.registry.named,
            sessions=self.sessions,
            admission=Admission(
                self._authenticator,
                self.sessions,
                self._penalties,
                self._recording.authentication,
                self._config.authentication.mechanisms,
            ),
            penalties=self._penalties,
            certificates=self._served,
            revoked_certificates=RevokedCertificates(
                self._listing, self._watch.step, partial(withdraw_client, Path(self._config.certs_dir))
            ),
            tokens_by=lambda session: Tokens(self._listing, on_change=partial(self._on_tokens_changed, session)),
            authorities=lambda: bundle_of(self._served.identity.ca_pem),
            clock=self._clock,
            audit=self._trail,
        )

    @property
    def address(self) -> str:
        """Where it listens: `127.0.0.1:5000`."""
        return format_address(self._address)

    @property
    def port(self) -> int:
        """The TCP port it listens on."""
        assert isinstance(self._address, tuple)  # noqa: S101 - started
        return int(self._address[1])

    def start(self) -> None:
        """Open the listeners and start every thread.

        Raises:
            StartError: the port is taken, or another server runs in this data directory; nothing is left running.
        """
        limits = self._config.limits
        descriptors = limits.max_clients + limits.max_unauthenticated + limits.max_admin_clients + SPARE_DESCRIPTORS
        limit = raise_descriptor_limit(descriptors)
        if limit is not None and limit < descriptors:
            _log.warning("only %d files may be open; %d clients need %d", limit, limits.max_clients, descriptors)
        try:
            self._open_listeners()
        except StartError:
            self._stop_threads()
            raise
        self._activity.start()
        if self._trail is not None:
            self._trail.start()
        self._recording.started(self.address, self.certificate)
        self._workers.start()
        self._admin_workers.start()
        self._watch.start()
        self._certificate_watch.start()
        for thread in self._io_threads:
            thread.start()
        self._newcomers.start()
        self._acceptor.start()

    def stop(self) -> None:
        """Drain and stop: accept no more, let running commands finish, tell every client, close, end the threads."""
        self._newcomers.call_soon(self._refuse_newcomers)
        self._newcomers.stop()
        with contextlib.suppress(FileNotFoundError):
            (self._data / ADMIN_SOCKET).unlink()
        self.sessions.drain()
        if not self.sessions.wait_until_empty(self._config.timeouts.drain):
            self.sessions.close(lambda _: True, CloseReason.DRAINING)
            self.sessions.wait_until_empty(self._config.timeouts.linger)
        self._await_lingering()
        self._recording.stopped()
        self._stop_threads()

    def reload(self) -> None:
        """Take up a changed certificate for new connections; on any failure keep the present one, and say why."""
        self._served.reload("SIGHUP")

    @property
    def certificate(self) -> CertificateFacts:
        """What newcomers are served now."""
        return self._served.certificate

    def _open_listeners(self) -> None:
        host, port = self._config.listen.host, self._config.listen.port
        try:
            listener = listen(host, port, self._config.listen.backlog)
        except (OSError, OverflowError, UnicodeError) as error:  # UnicodeError: a name that no DNS can hold
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise StartError(
                Sentence(
                    "Cannot listen on {host}:{port}: {why}. Choose another with --host or --port.",
                    host=host,
                    port=port,
                    why=why,
                )
            ) from None
        self._address = listener.getsockname()
        self._acceptor.add(listener, self._on_accept)
        if not hasattr(socket, "AF_UNIX"):  # pragma: no cover - Windows
            _log.warning("there are no Unix sockets here, so no admin socket; use a token of role admin")
            return
        try:
            admin = listen_unix(self._data / ADMIN_SOCKET)
        except OSError as error:
            listener.close()
            if isinstance(error, FileExistsError):
                raise StartError(
                    Sentence(
                        "Another server runs in {directory}; stop it, or choose another --data-dir.",
                        directory=self._data,
                    )
                ) from None
            raise StartError(
                Sentence(
                    "Cannot make {path}: {why}. Try a shorter --data-dir.", path=self._data / ADMIN_SOCKET, why=error
                )
            ) from None
        self._acceptor.add(admin, self._on_accept_admin)

    def _stop_threads(self) -> None:
        """End every thread, whether it was started or not, and close every file."""
        self._newcomers.stop()
        self._acceptor.close()
        self._workers.stop(WORKERS_STOP_SECONDS)
        self._admin_workers.stop(WORKERS_STOP_SECONDS)
        for thread in self._io_threads:
            thread.stop()
        self._watch.stop()
        self._certificate_watch.stop()
        if self._trail is not None:
            self._trail.stop()
        self._activity.stop()
        self._storage.close()
        self._listing.close()

    def _await_lingering(self) -> None:
        """Give the peers of ended connections their moment to end their side."""
        pause = threading.Event()
        deadline = self._clock() + self._config.timeouts.linger
        while any(thread.lingering for thread in self._io_threads) and self._clock() < deadline:
            pause.wait(0.01)

    # Newcomers' thread

    def _refuse_newcomers(self) -> None:
        self._acceptor.close()
        self._handshakes.abort()

    def _on_accept(self, sock: socket.socket, address: object) -> None:
        peer = _newcomer(address)
        if turned := self.sessions.enter(peer.netblock):
            sock.close()
            self._activity.refused(peer.address, CloseReason.TOO_MANY, turned)
            return
        self._handshakes.begin(sock, peer)

    def _on_accept_admin(self, sock: socket.socket, _address: object) -> None:
        uid = peer_uid(sock)
        if not may_administer(uid):
            self._recording.stranger_at_the_admin_socket(uid)
        if not may_administer(uid) or self.sessions.local >= self._config.limits.max_admin_clients:
            sock.close()
            self._activity.refused(
                "unix", CloseReason.TOO_MANY if may_administer(uid) else CloseReason.AUTH_FAILED, f"uid={uid}"
            )
            return
        sock.settimeout(0)
        self._open_session(sock, Peer("unix"), Principal.local_admin(uid or 0))

    def _on_exhausted(self) -> None:
        _log.error("no file descriptor is left; newcomers wait")

    def _on_established(self, sock: TlsSocket, peer: Peer) -> None:
        self._open_session(sock, peer, None)

    def _on_handshake_failed(self, peer: Peer, reason: CloseReason, detail: str) -> None:
        self.sessions.leave(peer.netblock)
        self._recording.handshake_failed(peer, reason, detail)

    def _open_session(self, sock: TlsSocket | socket.socket, peer: Peer, principal: Principal | None) -> None:
        session = self._new_session(self.sessions.next_number(), peer, now=self._clock(), principal=principal)
        begin = next(self._next_io_thread).adopt(sock, session)
        self.sessions.add(session)
        self._activity.connected(session)
        if session.local:
            self._recording.local(session)
        if peer.certificate is not None:
            session.call_soon(lambda: self._certificates.enter(session))  # before the first byte is read
        begin()

    # I/O threads

    def _on_closed(self, session: Session) -> None:
        self.sessions.remove(session)
        self._activity.disconnected(session)

    # Workers, and the certificate watch's thread

    def _on_reload(self, reload: Reload) -> None:
        self._recording.reloaded(reload)

    def _on_tokens_changed(self, by: Session, change: TokenChange, records: Records) -> None:
        """A command changed tokens: that acts, and is recorded, before it is answered."""
        self._watch.step()
        self._recording.tokens(by, change, records)

    # The token watch's thread

    def _on_tokens_ended(self, ended: list[Ended]) -> None:
        for state, reason in ENDED.items():
            tokens = {item.token_id for item in ended if item.reason is state}
            self.sessions.close(_uses_one_of(tokens), reason)


def _serve_certificates(config: Config, renewal: CertificateRenewal | None, on_reload: OnReload) -> ServedCertificates:
    files = IdentityFiles.of(config)
    try:
        return ServedCertificates(files, lambda: load_identity(files, config.tls, utc_now()), on_reload, renewal)
    except CertificateProblem as problem:
        raise StartError(*problem.args) from None


def _newcomer(address: object) -> Peer:
    host = address[0] if isinstance(address, tuple) else ""
    return Peer(format_address(address), netblock=netblock_of(host))


def _load_grants(config: Config, now: float) -> dict[str, Grant]:
    try:
        return {name: Grant.of(name, written, config.limits, now) for name, written in config.certificates.items()}
    except CertificateSettingError as error:
        raise StartError(*error.args) from None


def _load_registry(config: Config) -> Registry:
    registry = Registry()
    registry.load(BUILT_IN)
    try:
        load_commands(registry, config.commands.modules, config.commands.declared)
    except LoadingError as error:
        raise StartError(*error.args) from None
    return registry


def _uses_one_of(tokens: set[str]) -> Callable[[Session], bool]:
    def uses_one(session: Session) -> bool:
        principal = session.principal  # read once: another thread may change it
        return principal is not None and principal.token_id in tokens

    return uses_one


def _make_private_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(
            Sentence(
                "The data directory {path} cannot be made: {why}. Choose another --data-dir.",
                path=path,
                why=error.strerror,
            )
        ) from None
