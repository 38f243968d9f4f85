"""The composition root: makes the parts, joins them, starts and stops them in order."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from secure_protocol.reasons import CloseReason
from secure_protocol.sentence import Sentence
from secure_server.admission.admission import ENDED, Admission
from secure_server.admission.certificate import CertificateAdmission
from secure_server.admission.reception import Reception
from secure_server.auth.authenticator import Ended, TokenAuthenticator
from secure_server.auth.certificates import CertificateAuthenticator, CertificateSettingError, Grant
from secure_server.auth.revoked_certificates import RevokedCertificates
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_watch import TokenWatch
from secure_server.auth.tokens import Records, TokenChange, Tokens
from secure_server.commands.builtin import BUILT_IN
from secure_server.commands.builtin.catalogue import Catalogue
from secure_server.commands.builtin.services import BuiltInServices
from secure_server.commands.command import Command
from secure_server.commands.loading import LoadingError
from secure_server.commands.loading import load as load_commands
from secure_server.commands.process import TERM_SECONDS
from secure_server.commands.registry import Registry
from secure_server.config.settings import Config
from secure_server.dispatch.dispatcher import Dispatcher
from secure_server.dispatch.workers import Workers
from secure_server.files.making import make_private_directory
from secure_server.files.owner import DirectoryError, check
from secure_server.i18n import language_of
from secure_server.identity.clock import SteadyTime
from secure_server.identity.exposed import exposed_keys
from secure_server.identity.identity import IdentityFiles
from secure_server.identity.renewal import CertificateRenewal
from secure_server.identity.served import OnReload, Reload, ServedCertificates
from secure_server.identity.watch import CertificateWatch
from secure_server.jobs.job import Job
from secure_server.jobs.jobs import Jobs
from secure_server.jobs.news import News
from secure_server.jobs.present import present
from secure_server.jobs.records import RecordsError
from secure_server.jobs.surroundings import Surroundings
from secure_server.limits.descriptors import Fitted, TooFewDescriptorsError, fit
from secure_server.limits.penalties import Penalties
from secure_server.limits.rates import Rates, default_rate
from secure_server.net.event_loop import EventLoop
from secure_server.net.io_thread import IOThreads
from secure_server.net.lingering import MOST_LINGERING
from secure_server.net.listener import Listener, ListenError, TlsListener, UnixListener
from secure_server.net.poller import most_watched
from secure_server.net.sockets import may_administer
from secure_server.net.tls import load_identity
from secure_server.pki.bundle import bundle_of
from secure_server.pki.preflight import CertificateFacts, CertificateProblem
from secure_server.pki.withdraw import withdraw_client
from secure_server.recording.activity_log import ActivityLog
from secure_server.recording.recording import SENDER, Recording, open_trail
from secure_server.recording.server_lines import speak_again
from secure_server.session.population import Sessions
from secure_server.session.session import Session
from secure_server.session.terms import Terms

ADMIN_SOCKET = "admin.sock"
DATABASE = "tokens.db"
ADMIN_WORKERS = 2
"""Threads for commands of the role admin alone: one that takes its time leaves another for the next."""
ADMIN_SPARE = 8
"""Threads that stand in for these; `threads.spare` where that is less, for there are descriptors for so many alone."""
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

    Attributes:
        registry: the commands.
        sessions: the population.
        reception: receives whoever comes, by whatever transport.
        listeners: what newcomers reach it by; before `start`, others may be added.

    Raises:
        StartError: something is missing or wrong; nothing was started.
        StorageError: the token database cannot be used.
    """

    def __init__(self, config: Config, clock: Callable[[], float] = time.monotonic) -> None:
        fitted = _fit(config.located())
        self._config = config = fitted.config
        self._shortage = fitted.shortage
        self._clock = clock
        self._language = config.language or language_of()
        self._data = Path(config.data_dir)
        now = SteadyTime()
        renewal = CertificateRenewal.at_start(config, now)
        self._served = _serve_certificates(config, renewal, self._on_reload, now)
        grants = _load_grants(config, clock())
        _prepare_directory(self._data)
        self.sessions = Sessions(config.limits)
        with contextlib.ExitStack() as opened:  # closed again where one of them cannot be used
            self._activity = _open_log(self._data, config)
            opened.callback(self._activity.stop)
            for path in exposed_keys(config):
                _log.warning("others may read the private key %s; run: chmod 600 %s", path, path)
            self.registry, self._built_in = _load_registry(config)
            speak_again()
            self._storage = opened.enter_context(SQLiteTokenStorage(self._data / DATABASE))
            # Its own: neither a slow reader nor a login that waits for a locked database must delay revocation.
            self._listing = opened.enter_context(SQLiteTokenStorage(self._data / DATABASE))
            self._authenticator = TokenAuthenticator(
                self._storage, rates=Rates(default_rate(config.limits), clock), spending=self._listing
            )
            self._by_certificate = by_certificate = CertificateAuthenticator(self._storage, grants)
            opened.pop_all()
        self._trail = open_trail(self._data, config.audit, partial(self.sessions.tell_administrators, SENDER))
        self._recording = Recording(self._activity, self._trail)
        self._penalties = Penalties(config.penalties, clock)
        self._certificates = CertificateAdmission(
            by_certificate, self.sessions, self._recording.authentication, lambda: self._watch.split
        )
        self._watch = TokenWatch(
            self._authenticator,
            self._on_tokens_ended,
            beside=self._beside_tokens,
            tell=partial(self.sessions.tell_administrators, DATABASE),
        )
        self._certificate_watch = CertificateWatch(self._served, renewal, config.tls.watch)
        self._workers = Workers(config.threads.workers, config.threads.queue, config.threads.spare)
        self._admin_workers = Workers(ADMIN_WORKERS, config.threads.queue, min(ADMIN_SPARE, config.threads.spare))
        self._jobs = Jobs(self._data, config.jobs, config.threads.jobs, self._surroundings(), clock)
        self._shared = self._services()
        self._dispatcher = Dispatcher(
            self.registry,
            self._shared,
            self._workers.submit,
            self._recording,
            self._admin_workers.submit,
            self._jobs,
        )
        self.reception = reception = Reception(
            self.sessions,
            self._certificates,
            self._recording,
            Terms.of(config, self._dispatcher, self._language, clock),
            may_administer=may_administer,
            most_administrators=config.limits.max_admin_clients,
        )
        self._io_threads = IOThreads(config.threads.io, config.timeouts, reception.leave, clock, fitted.lingering)
        self._newcomers = EventLoop("newcomers", niceness=NEWCOMERS_NICENESS)
        self._tls = TlsListener(
            self._newcomers,
            config.listen.endpoints,
            config.listen.backlog,
            lambda: self._served.identity,
            config.timeouts,
            reception,
            self._io_threads,
            fitted.lingering,
        )
        self._admin = UnixListener(self._newcomers, self._data / ADMIN_SOCKET, reception, self._io_threads)
        self.listeners: list[Listener] = [self._tls, self._admin]

    def _services(self) -> BuiltInServices:
        """What handlers may use of the parts."""
        return BuiltInServices(
            catalogue=Catalogue(lambda: self.registry.ordered),
            command_named=self.registry.named,
            sessions=self.sessions,
            admission=Admission(
                self._authenticator,
                self.sessions,
                self._penalties,
                self._recording.authentication,
                self._config.authentication.mechanisms,
                lambda: self._watch.split,
            ),
            penalties=self._penalties,
            certificates=self._served,
            revoked_certificates=RevokedCertificates(
                self._listing, self._watch.step, partial(withdraw_client, Path(self._config.certs_dir))
            ),
            tokens_by=lambda session: Tokens(self._listing, on_change=partial(self._on_tokens_changed, session)),
            take_in_tokens=self._take_in_tokens,
            authorities=lambda: bundle_of(self._served.identity.ca_pem),
            listening=lambda: [(listener.transport, listener.addresses) for listener in self.listeners],
            clock=self._clock,
            workers=(self._workers, self._admin_workers),
            audit=self._trail,
            jobs=self._jobs,
            built_in=self._built_in,
            suspends=self._recording.suspends,
        )

    def _surroundings(self) -> Surroundings:
        """What jobs may use of the parts."""
        news = News(
            self.sessions,
            self._recording,
            lambda: self._shared,
            command_named=self.registry.named,
            internal=self.registry.internal,
            submit=self._workers.submit,
            watches=self._watches_job,
        )
        return Surroundings(
            services=lambda: self._shared,
            command_named=self.registry.named,
            present=partial(present, tokens=self._authenticator, certificates=self._by_certificate),
            refused=news.refused,
            changed=news.changed,
            suspends=self._recording.suspends,
        )

    def _watches_job(self, session: Session, number: int) -> bool:
        return self._jobs.following.watches(session, number)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where clients reach it: `127.0.0.1:5000`, `[::1]:5000`."""
        return self._tls.addresses

    @property
    def address(self) -> str:
        """All of them in one line, for people."""
        return ", ".join(self.addresses)

    @property
    def port(self) -> int:
        """The TCP port of the first of them."""
        return self._tls.port

    def start(self) -> None:
        """Open the listeners and start every thread.

        Raises:
            StartError: the port is taken, or another server runs in this data directory; nothing is left running.
        """
        if self._shortage:
            _log.warning("%s", self._shortage)
        try:
            for listener in self.listeners:
                listener.open()
            self._jobs.start()
        except (ListenError, RecordsError) as error:
            self._stop_threads()
            raise StartError(*error.args) from None
        self._activity.start()
        if self._trail is not None:
            self._trail.start()
        self._recording.started(self.address, self.certificate)
        self._workers.start()
        self._admin_workers.start()
        self._watch.start()
        self._certificate_watch.start()
        self._io_threads.start()
        self._newcomers.start()
        for listener in self.listeners:
            listener.start()

    def stop(self) -> None:
        """Drain and stop: accept no more, let running commands finish, tell every client, close, end the threads."""
        for listener in self.listeners:
            listener.refuse()
        self._newcomers.stop()
        deadline = self._clock() + self._config.timeouts.drain
        self._jobs.drain()
        self.sessions.drain()
        emptied = self.sessions.wait_until_empty(self._config.timeouts.drain)
        self._jobs.end(max(0.0, deadline - self._clock()), WORKERS_STOP_SECONDS)
        if not emptied:
            self.sessions.close(lambda _: True, CloseReason.DRAINING)
            self.sessions.wait_until_empty(self._config.timeouts.linger)
        self._await_lingering()
        self._recording.stopped()
        self._stop_threads()

    def reload(self) -> None:
        """Take up a changed certificate for new connections; on any failure keep the present one, and say why.

        The admin socket is made anew where it is not there any more, and the log is opened anew: whoever moves it away
        says so by the same signal.
        """
        self._admin.look()
        self._activity.reopen()
        self._served.reload("SIGHUP")

    @property
    def certificate(self) -> CertificateFacts:
        """What newcomers are served now."""
        return self._served.certificate

    def _stop_threads(self) -> None:
        """End every thread, whether it was started or not, and close every file."""
        self._newcomers.stop()
        for listener in self.listeners:
            listener.stop()
        self._jobs.stop()
        self._workers.stop(WORKERS_STOP_SECONDS)
        self._admin_workers.stop(WORKERS_STOP_SECONDS)
        self._io_threads.stop()
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
        while self._io_threads.lingering and self._clock() < deadline:
            pause.wait(0.01)

    # Workers, and the certificate watch's thread

    def _on_reload(self, reload: Reload) -> None:
        self._recording.reloaded(reload)

    def _take_in_tokens(self) -> int:
        """Take in what other programs changed; returns how far that was done, for certificates too."""
        self._watch.step()
        return min(self._authenticator.generation, self._certificates.generation)

    def _on_tokens_changed(self, by: Session, change: TokenChange, records: Records) -> None:
        """A command changed tokens: that acts, and is recorded, before it is answered."""
        self._watch.step()
        self._recording.tokens(by.who(by.principal), change, records)

    # The token watch's thread

    def _beside_tokens(self) -> None:
        self._listing.let_go_of_replaced()  # nobody may use it for hours
        self._certificates.step()

    def _on_tokens_ended(self, ended: list[Ended]) -> None:
        for state, reason in ENDED.items():
            tokens = {item.token_id for item in ended if item.reason is state}
            self.sessions.close(_uses_one_of(tokens), reason)
            if reason is CloseReason.REVOKED and tokens:
                self._jobs.revoke(partial(_started_by_one_of, tokens))


def _fit(config: Config) -> Fitted:
    try:
        return fit(config, MOST_LINGERING, ADMIN_WORKERS, most_watched())
    except TooFewDescriptorsError as error:
        raise StartError(*error.args) from None


def _serve_certificates(
    config: Config, renewal: CertificateRenewal | None, on_reload: OnReload, now: SteadyTime
) -> ServedCertificates:
    files = IdentityFiles.of(config)
    try:
        return ServedCertificates(files, lambda: load_identity(files, config.tls, now()), on_reload, renewal, now)
    except CertificateProblem as problem:
        raise StartError(*problem.args) from None


def _load_grants(config: Config, now: float) -> dict[str, Grant]:
    try:
        return {name: Grant.of(name, written, config.limits, now) for name, written in config.certificates.items()}
    except CertificateSettingError as error:
        raise StartError(*error.args) from None


def _load_registry(config: Config) -> tuple[Registry, frozenset[Command]]:
    """Return all commands, and which of them came with the server."""
    registry = Registry()
    registry.load(BUILT_IN)
    built_in = frozenset(registry)
    try:
        load_commands(registry, config.commands.modules, config.commands.declared)
    except LoadingError as error:
        raise StartError(*error.args) from None
    return registry, built_in


def _uses_one_of(tokens: set[str]) -> Callable[[Session], bool]:
    def uses_one(session: Session) -> bool:
        principal = session.principal  # read once: another thread may change it
        return principal is not None and principal.token_id in tokens

    return uses_one


def _started_by_one_of(tokens: set[str], job: Job) -> bool:
    return job.token_id in tokens


def _open_log(directory: Path, config: Config) -> ActivityLog:
    try:
        return ActivityLog(directory, config.log)
    except OSError as error:
        raise StartError(
            Sentence(
                "The activity log {path} cannot be opened: {why}.",
                path=error.filename or directory,
                why=error.strerror,
            )
        ) from None


def _prepare_directory(path: Path) -> None:
    try:
        check(path, serving=True)
        make_private_directory(path)
    except DirectoryError as error:
        raise StartError(*error.args) from None
    except OSError as error:
        raise StartError(
            Sentence(
                "The data directory {path} cannot be made: {why}. Choose another --data-dir.",
                path=path,
                why=error.strerror,
            )
        ) from None
