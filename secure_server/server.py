"""The composition root: makes the parts, joins them, starts and stops them in order."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from secure_server.admission.draining import Draining
from secure_server.admission.reception import Reception
from secure_server.auth.admin_networks import AdminNetworks
from secure_server.auth.authenticator import TokenAuthenticator
from secure_server.auth.certificates import CertificateAuthenticator
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.commands.builtin.catalogue import Catalogue
from secure_server.commands.builtin.services import BuiltInServices
from secure_server.commands.command import Command
from secure_server.commands.programs.process import TERM_SECONDS
from secure_server.config.changes import ReloadRefusedError
from secure_server.config.holding import FILE, PROGRAM, Origins
from secure_server.config.settings import Config
from secure_server.dispatch.dispatcher import Dispatcher
from secure_server.dispatch.workers import Workers
from secure_server.entrance import Entrance
from secure_server.i18n import language_of
from secure_server.identity.clock import SteadyTime
from secure_server.identity.exposed import exposed_keys
from secure_server.identity.renewal import CertificateRenewal
from secure_server.identity.served import Reload
from secure_server.identity.watch import CertificateWatch
from secure_server.jobs.jobs import Jobs
from secure_server.jobs.keeping.errors import RecordsError
from secure_server.jobs.surroundings import Surroundings
from secure_server.limits.rates import Rates, default_rate
from secure_server.net.listener import ListenError
from secure_server.net.sockets import may_administer
from secure_server.pki.bundle import bundle_of
from secure_server.pki.preflight import CertificateFacts
from secure_server.reach import Reach
from secure_server.recording.recording import SENDER, Recording
from secure_server.recording.server_lines import speak_again
from secure_server.reloadable import Room, admin_networks
from secure_server.reloading import Reloading, told
from secure_server.session.population import Sessions
from secure_server.session.terms import Terms
from secure_server.starting import (
    ADMIN_WORKERS,
    StartError,
    check_packages,
    fitted_at_start,
    fitted_into,
    loaded_bans,
    loaded_commands,
    loaded_grants,
    open_trail,
    opened_log,
    prepare_directory,
    served_certificates,
)
from secure_server.statistics.statistics import Statistics
from secure_server.watching.watching import Watching

DATABASE = "tokens.db"
ADMIN_SPARE = 8
"""Threads that stand in for these; `threads.spare` where that is less, for there are descriptors for so many alone."""
WORKERS_STOP_SECONDS = TERM_SECONDS + 1.0
"""How long the workers may take to end after the drain, their programs included; their sessions are closed already."""

_log = logging.getLogger("secure_server")


class Server:
    """A TLS command server.

    Args:
        config: the configuration.
        clock: monotonic seconds, for deadlines.
        read: reads the configuration again, raising ConfigError; None where there is nothing to read: it stays.
        end: has whoever runs the server `stop` it, for `SERVER SHUTDOWN`; returns at once. None where nobody would.
        said: by their keys, where settings come from that the file does not say: `command line`, `environment`.
        file: of the configuration, for backups; None where there is none.

    Attributes:
        registry: the commands.
        sessions: the population.
        draining: whether anybody is taken in.
        reception: receives whoever comes, by whatever transport.
        listeners: what newcomers reach it by; before `start`, others may be added.

    Raises:
        StartError: something is missing or wrong; nothing was started.
        StorageError: the token database cannot be used.
    """

    def __init__(
        self,
        config: Config,
        clock: Callable[[], float] = time.monotonic,
        read: Callable[[], Config] | None = None,
        end: Callable[[], None] | None = None,
        said: Mapping[str, str] | None = None,
        file: Path | None = None,
    ) -> None:
        asked = config.located()
        check_packages(asked)
        fitted = fitted_at_start(asked)
        config = fitted.config
        self._shortage = fitted.shortage
        self._clock = clock
        self._data = Path(config.data_dir)
        now = self._now = SteadyTime()
        renewal = CertificateRenewal.at_start(config, now)
        self._served = served_certificates(config, renewal, self._on_reload, now)
        grants = loaded_grants(config, clock)
        prepare_directory(self._data)
        self.sessions = Sessions(config.limits)
        self._admin_networks = AdminNetworks(config.admin.networks)
        self.draining = Draining(self.sessions, clock, lambda *later: self._reach.call_later(*later))  # noqa: PLW0108 - it is made below
        self._end = end
        self._file = None if file is None else file.absolute()  # a command may change where relative paths begin
        self._within: float | None = None  # seconds for the last drain, where somebody said so
        with contextlib.ExitStack() as opened:  # closed again where one of them cannot be used
            self._activity = opened_log(self._data, config)
            opened.callback(self._activity.stop)
            for path in exposed_keys(config):
                _log.warning("others may read the private key %s; run: chmod 600 %s", path, path)
            commands = loaded_commands(config)
            self.registry = commands.registry
            speak_again()
            bans = loaded_bans(self._data)
            self._storage = opened.enter_context(SQLiteTokenStorage(self._data / DATABASE))
            # Its own: neither a slow reader nor a login that waits for a locked database must delay revocation.
            self._listing = opened.enter_context(SQLiteTokenStorage(self._data / DATABASE))
            rates = Rates(default_rate(config.limits), clock)
            self._authenticator = TokenAuthenticator(self._storage, rates=rates, spending=self._listing)
            by_certificate = CertificateAuthenticator(self._storage, grants.present)
            opened.pop_all()
        self._trail = open_trail(self._data, config.audit, partial(self.sessions.tell_administrators, SENDER))
        self._statistics = Statistics(self.sessions.traffic, clock)
        self._recording = Recording(self._activity, self._trail, self._statistics)
        self._watching = Watching(self._recording, self._activity, clock)
        self._entrance = Entrance(
            config, self._authenticator, by_certificate, self._listing, self.sessions, bans, self.draining,
            self._recording,
            lambda tokens: self._jobs.revoke(tokens), clock,  # noqa: PLW0108 - they are made below
        )  # fmt: skip
        self._certificate_watch = CertificateWatch(self._served, renewal, config.tls.watch)
        self._workers = Workers(config.threads.workers, config.threads.queue, config.threads.spare)
        self._admin_workers = Workers(ADMIN_WORKERS, config.threads.queue, min(ADMIN_SPARE, config.threads.spare))
        self._jobs = Jobs(
            self._data,
            config.jobs,
            config.threads.jobs,
            Surroundings.of(
                self.sessions, self._recording, self.registry, self._authenticator, by_certificate,
                self._admin_networks, services=lambda: self._shared, submit=self._workers.submit,
            ),
            clock,
        )  # fmt: skip
        room = Room(fitted, asked, partial(fitted_into, already=fitted.already))
        parts = [
            commands.part(self.sessions),
            grants.part(self._entrance.certificates.take_up),
            room.part(self._take_up_room),
            admin_networks(self._admin_networks, self.sessions),
            told(lambda config: rates.take_up(default_rate(config.limits))),
            told(lambda config: self._jobs.take_up(config.jobs)),
            told(self._take_up),
        ]  # whatever else goes by the configuration is one more
        origins = Origins(Config().located(), said or {}, FILE if read else PROGRAM)
        self._reloading = Reloading(asked, read or (lambda: self.config), parts, self._recording, origins)
        self._shared = self._services(commands.built_in)
        self._dispatcher = Dispatcher(
            self.registry, self._shared, self._workers.submit, self._recording, self._admin_workers.submit, self._jobs
        )
        self._make_listeners(config, fitted.lingering)

    def _make_listeners(self, config: Config, lingering: int) -> None:
        """What newcomers reach it by, and what carries them."""
        reception = self.reception = Reception(
            self.sessions,
            self._entrance.certificates,
            self._entrance.banning,
            self._recording,
            Terms.of(config, self._dispatcher, config.language or language_of(), self._clock, self._admin_networks),
            may_administer=may_administer,
            most_administrators=config.limits.max_admin_clients,
        )
        self._reach = Reach(
            config,
            reception,
            lambda: self._served.identity,
            self._data,
            self._clock,
            lingering,
            self._shared,
            self._admin_workers.submit,
            self._entrance.moving,
            self._storage.salt_key(),
        )
        self.listeners = self._reach.listeners

    def _services(self, built_in: frozenset[Command]) -> BuiltInServices:
        """What handlers may use of the parts."""
        return BuiltInServices(
            catalogue=Catalogue(lambda: self.registry.ordered),
            command_named=self.registry.named,
            unknown=self.registry.unknown,
            sessions=self.sessions,
            admission=self._entrance.admission,
            penalties=self._entrance.penalties,
            banning=self._entrance.banning,
            configuration=self._reloading,
            certificates=self._served,
            revoked_certificates=self._entrance.revoked_certificates,
            tokens_by=self._entrance.tokens_by,
            take_in_tokens=self._entrance.take_in,
            authorities=lambda: bundle_of(self._served.identity.ca_pem),
            listening=lambda: [(listener.transport, listener.addresses) for listener in self.listeners],
            clock=self._clock,
            log=self._activity,
            watching=self._watching,
            workers=(self._workers, self._admin_workers),
            audit=self._trail,
            jobs=self._jobs,
            built_in=built_in,
            granted=self._entrance.certificates.grant,
            configuration_file=self._file,
            leapt=lambda: self._now.leapt,
            lost_lines=lambda: self._activity.missed,
            split=lambda: self._entrance.watch.split,
            unusable=lambda: self._entrance.watch.failure,
            suspends=self._recording.suspends,
            draining=self.draining,
            shut_down=None if self._end is None else self._shut_down,
            statistics=self._statistics,
            running=lambda: self.config,
        )

    @property
    def config(self) -> Config:
        """What holds, as it was asked for: there may be descriptors for fewer connections."""
        return self._reloading.running

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where clients reach it: `127.0.0.1:5000`, `[::1]:5000`."""
        return self._reach.tls.addresses

    @property
    def quic_addresses(self) -> tuple[str, ...]:
        """Where they reach it over QUIC; none where that is off."""
        return () if self._reach.quic is None else self._reach.quic.addresses

    @property
    def address(self) -> str:
        """All addresses for TLS in one line, for people."""
        return ", ".join(self.addresses)

    @property
    def port(self) -> int:
        """The TCP port of the first of them."""
        return self._reach.tls.port

    def start(self) -> None:
        """Open the listeners and start every thread.

        Raises:
            StartError: the port is taken, or another server runs in this data directory; nothing is left running.
        """
        if self._shortage:
            _log.warning("%s", self._shortage)
        try:
            self._reach.open()
            self._jobs.start()
        except (ListenError, RecordsError) as error:
            self._stop_threads()
            raise StartError(*error.args) from None
        self._activity.start()
        self._statistics.start()
        if self._trail is not None:
            self._trail.start()
        self._recording.started(self.address, self.certificate)
        self._workers.start()
        self._admin_workers.start()
        self._watching.start()
        self._jobs.tell_interrupted()
        self._entrance.watch.start()
        self._certificate_watch.start()
        self._reach.start()

    def stop(self) -> None:
        """Drain and stop: accept no more, let running commands finish, tell every client, close, end the threads."""
        self._reach.refuse()
        timeouts = self.config.timeouts
        within = timeouts.drain if self._within is None else self._within
        deadline = self._clock() + within
        self._jobs.drain()
        self._watching.end()
        self.draining.end()
        emptied = self.sessions.wait_until_empty(within)
        self._jobs.end(max(0.0, deadline - self._clock()), WORKERS_STOP_SECONDS)
        if not emptied:
            self._jobs.following.wait_until_told(timeouts.linger)
            self.draining.close_rest()
            self.sessions.wait_until_empty(timeouts.linger)
        self._reach.threads.wait_for_lingering(timeouts.linger)
        self._recording.stopped()
        self._stop_threads()

    def reload(self) -> None:
        """Take up a changed certificate for new connections, and a changed configuration; keep what cannot be used.

        The admin socket is made anew where it is not there any more, and the log is opened anew: whoever moves it away
        says so by the same signal. Why something is kept is logged.
        """
        self._reach.admin.look()
        self._activity.reopen()
        self._served.reload("SIGHUP")
        try:
            self._reloading.reload("SIGHUP")
        except ReloadRefusedError:  # which was told
            pass
        except Exception:  # noqa: BLE001 - whatever it is, all is as it was, and the next signal may go well
            _log.exception("the configuration was not reloaded")

    @property
    def certificate(self) -> CertificateFacts:
        """What newcomers are served now."""
        return self._served.certificate

    def _stop_threads(self) -> None:
        """End every thread, whether it was started or not, and close every file."""
        self._reach.stop()
        self._jobs.stop()
        self._workers.stop(WORKERS_STOP_SECONDS)
        self._admin_workers.stop(WORKERS_STOP_SECONDS)
        self._reach.threads.stop()
        self._entrance.watch.stop()
        self._certificate_watch.stop()
        self._watching.stop()
        if self._trail is not None:
            self._trail.stop()
        self._statistics.stop()
        self._activity.stop()
        self._storage.close()
        self._listing.close()

    # Workers

    def _shut_down(self, within: float | None) -> None:
        """Have it stopped, with so many seconds for the drain; None for what the configuration says."""
        assert self._end is not None  # noqa: S101 - else nobody is handed this
        self._within = within
        self._end()

    # Whoever reloads the configuration

    def _take_up(self, config: Config) -> None:
        """What is merely told; none of it can fail."""
        self._activity.take_up(config.log)
        if self._trail is not None:
            self._trail.take_up(config.audit)
        self._entrance.take_up(config)
        self._reach.take_up(config.timeouts)

    def _take_up_room(self, config: Config) -> None:
        """Bounds on connections, as far as there are descriptors for them."""
        self.sessions.take_up(config.limits)
        self.reception.take_up(config, config.language or language_of())

    # Workers, and the certificate watch's thread

    def _on_reload(self, reload: Reload) -> None:
        self._recording.reloaded(reload)
