"""All of the server but its sockets: real commands, gate, population, tokens and workers, and a loop turned by hand."""

from __future__ import annotations

import queue
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

from secure_protocol.reasons import CloseReason
from secure_protocol.resp_requests import Arguments, encode_request
from secure_protocol.text_requests import Request
from secure_protocol.token import Token
from secure_server.admission.admission import Admission
from secure_server.admission.banning import Banning
from secure_server.admission.draining import Draining
from secure_server.audit.record import Withheld
from secure_server.audit.who import Who
from secure_server.auth.authenticator import TokenAuthenticator
from secure_server.auth.principal import Principal, Role
from secure_server.auth.revoked_certificates import RevokedCertificates
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_record import TokenState
from secure_server.auth.tokens import Records, TokenChange, Tokens
from secure_server.commands.builtin import BUILT_IN
from secure_server.commands.builtin.catalogue import Catalogue
from secure_server.commands.builtin.services import BuiltInServices
from secure_server.commands.command import Command
from secure_server.commands.command import command as declare
from secure_server.commands.registry import Registry
from secure_server.config.holding import FILE, Origins
from secure_server.config.reading import ConfigError
from secure_server.config.settings import Config
from secure_server.dispatch.dispatcher import Dispatcher
from secure_server.dispatch.workers import Workers
from secure_server.identity.identity import Identity, IdentityFiles
from secure_server.identity.served import ServedCertificates
from secure_server.jobs.jobs import Jobs
from secure_server.jobs.news import News
from secure_server.jobs.surroundings import Surroundings
from secure_server.limits.bans import Bans
from secure_server.limits.netblock import netblock_of
from secure_server.limits.newcomers import Shortage
from secure_server.limits.penalties import Penalties
from secure_server.limits.rates import Rates, default_rate
from secure_server.net.event_loop import Timer
from secure_server.pki.preflight import CertificateFacts, CertificateProblem
from secure_server.recording.activity_log import ActivityLog, Again
from secure_server.recording.counting import Counting
from secure_server.recording.recorded import OK, UNKNOWN, Recorded
from secure_server.recording.recording import LATE, Recording
from secure_server.reloading import Part, Reloading
from secure_server.session.peer import Peer
from secure_server.session.population import Sessions
from secure_server.session.reserve import Reserve
from secure_server.session.session import Session
from secure_server.session.terms import Terms
from secure_server.statistics.statistics import Statistics
from secure_server.watching.watching import Watching

PATIENCE = 30.0
"""Seconds after which a test gives up on another thread."""


class Clock:
    """Monotonic seconds that move when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time, as the code under test asks for it."""
        return self.now


def identity(name: str = "a", sans: tuple[str, ...] = ("localhost",)) -> Identity:
    """Something to serve, told apart by its name; its fingerprint is the name, too."""
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    facts = CertificateFacts(Path(f"{name}.pem"), f"CN={name}", sans, start, end, name, name.encode())
    return Identity(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), facts)


class NoConnection:
    """Carries a session whose owning thread is the test's.

    Args:
        host: where its callbacks wait for `Host.turn`, and its timers for `Host.wait`.
    """

    def __init__(self, host: Host) -> None:
        self.call_soon = host.handed_over.put
        self._clock = host.clock
        self._timers = host.timers
        self.broken_off: list[CloseReason] = []
        self.close = self.broken_off.append

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Have `Host.wait` call back."""
        timer = Timer(self._clock() + seconds, callback)
        self._timers.append(timer)
        return timer


class Host:
    """What a session needs around it; the test's thread is the one that owns its sessions.

    Args:
        data: a directory for the token database.
        config: limits.
        modules: where the commands come from.
    """

    def __init__(self, data: Path, config: Config | None = None, modules: tuple[ModuleType, ...] = BUILT_IN) -> None:
        self.config = config or Config()
        self.clock = Clock()
        self.handed_over: queue.Queue[Callable[[], None]] = queue.Queue()
        self.timers: list[Timer] = []
        self.commands: list[tuple[int, str, str]] = []
        self.given: list[tuple[Request, bool]] = []
        self.asked: list[str | None] = []  # by whom, a command each
        self.suspended = False
        self.clears = True  # whether new sessions remember what the gate let them run
        self.authentications: list[tuple[str, str]] = []
        self.served: CertificateFacts | None = None  # what its connections were served, unless a test says otherwise
        self.sessions = Sessions(self.config.limits)
        limits = self.config.limits
        self.reserve = Reserve(int(limits.pending_total), int(limits.pending_bytes))
        self.statistics = Statistics(self.sessions.traffic, self.clock)
        self.registry = Registry()
        self.registry.load(modules)
        self.workers = Workers(self.config.threads.workers, self.config.threads.queue, self.config.threads.spare)
        self._storage = SQLiteTokenStorage(data / "tokens.db")
        rates = Rates(default_rate(self.config.limits), self.clock)
        self.authenticator = TokenAuthenticator(self._storage, rates=rates)
        self.tokens = Tokens(self._storage, on_change=self._on_tokens_changed)
        self.draining = Draining(self.sessions, self.clock, self._call_later)
        self.ended: list[float | None] = []  # with how many seconds for the drain it was asked to stop
        self.penalties = Penalties(self.config.penalties, self.clock)
        self.banning = Banning(Bans(), self.sessions)
        self.files: Identity | CertificateProblem = identity()  # what a reload finds
        self.today = datetime(2026, 7, 1, tzinfo=UTC)  # by the clock of those who serve certificates
        self.certificates = ServedCertificates(IdentityFiles.of(self.config), self._load, now=lambda: self.today)
        self.authorities = ""
        self.parts: list[Part] = []  # what takes up another configuration
        self.file: Config | ConfigError = self.config  # what a reload of it finds
        self.reloads: list[tuple[str, str, dict[str, str]]] = []
        self.log = ActivityLog(data, self.config.log)
        self.recording = Recording(self.log, None, self.statistics)  # what a test tells it is told to those who watch
        self.watching = Watching(self.recording, self.log, self.clock)
        self.reloading = Reloading(
            self.config, self._read, self.parts, Told(self), Origins(Config(), {"listen.port": "command line"}, FILE)
        )
        self.services = BuiltInServices(
            catalogue=Catalogue(lambda: self.registry.ordered),
            command_named=self.registry.named,
            unknown=self.registry.unknown,
            sessions=self.sessions,
            admission=Admission(
                self.authenticator,
                self.sessions,
                self.penalties,
                self.banning,
                self.draining,
                lambda _who, outcome, detail, _mechanism: self.authentications.append((outcome, detail)),
                self.config.authentication.mechanisms,
            ),
            draining=self.draining,
            shut_down=self.ended.append,
            penalties=self.penalties,
            banning=self.banning,
            configuration=self.reloading,
            certificates=self.certificates,
            revoked_certificates=RevokedCertificates(self._storage),
            tokens_by=lambda _session: self.tokens,
            take_in_tokens=self._take_in,
            authorities=lambda: self.authorities,
            listening=lambda: [
                ("tls", ["127.0.0.1:5000", "[::1]:5001"]),
                ("websocket", ["https://[::1]:5001/"]),
                ("unix", ["/data/admin.sock"]),
            ],
            clock=self.clock,
            log=self.log,
            watching=self.watching,
            workers=(self.workers,),
            statistics=self.statistics,
            running=lambda: self.config,
        )
        self.dispatcher = Dispatcher(self.registry, self.services, self.workers.submit, Told(self))
        self.jobs: Jobs | None = None
        self.job_events: list[tuple[int, str, str]] = []
        self._data = data
        self._built_in = frozenset(self.registry)

    def __enter__(self) -> Self:
        self.workers.start()
        return self

    def keep_jobs(self, wall: Callable[[], float] = time.time) -> Jobs:
        """Have jobs, with real files and threads; before the first session."""
        news = News(
            self.sessions,
            Told(self),
            lambda: self.services,
            command_named=self.registry.named,
            internal=self.registry.internal,
            submit=self.workers.submit,
        )
        around = Surroundings(
            services=lambda: self.services,
            command_named=self.registry.named,
            present=lambda job: self.authenticator.present(job.principal, job.token_id or "", job.address),
            is_revoked=lambda job: self.authenticator.state(job.token_id or "") is TokenState.REVOKED,
            refused=news.refused,
            changed=news.changed,
            suspends=lambda: self.suspended,
        )
        jobs = self.jobs = Jobs(self._data, self.config.jobs, self.config.threads.jobs, around, self.clock, wall)
        jobs.start()
        self.services = replace(self.services, jobs=jobs, built_in=self._built_in, suspends=lambda: self.suspended)
        self.dispatcher = Dispatcher(self.registry, self.services, self.workers.submit, Told(self), jobs=jobs)
        return jobs

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.jobs is not None:
            self.jobs.drain()
            self.jobs.end(0.0, PATIENCE)
            self.jobs.stop()
        self.workers.stop(PATIENCE)
        self.log.stop()
        self._storage.close()

    def command(
        self,
        name: str,
        handler: Callable[..., object],
        *,
        role: Role = Role.USER,
        inline: bool = False,
        secret: bool = False,
        timeout: float | None = 60.0,
        **policy: Any,  # noqa: ANN401 - what `declare` takes
    ) -> Command:
        """Add a command of the test's own."""
        declared = declare(name, role=role, inline=inline, secret=secret, timeout=timeout, **policy)(handler)
        made = vars(declared)["__command__"][-1]
        assert isinstance(made, Command)
        self.registry.add(made)
        return made

    def token(self, name: str = "ada", role: Role = Role.USER, allow: list[str] | None = None) -> Token:
        """Make a token that works at once."""
        token = self.tokens.create(name, role, None, allow)
        self.authenticator.reload()
        return token

    def revoke(self, name: str) -> None:
        """End a token."""
        self.tokens.revoke(name)
        self.authenticator.reload()

    def session(
        self,
        principal: Principal | None = None,
        address: str = "127.0.0.1:40000",
        served: CertificateFacts | None = None,
    ) -> Session:
        """A new session: of a stranger, or of whoever the transport proved it to be."""
        netblock = netblock_of(address.rpartition(":")[0].strip("[]"))
        place = self.sessions.enter(netblock, never) if principal is None else None
        gate = self.dispatcher if self.clears else NeverClears(self.dispatcher)
        session = Session(
            self.sessions.next_number(),
            Peer(
                address,
                "127.0.0.1:5000",
                "tls" if principal is None else "unix",
                "TLSv1.3",
                "TLS_AES_256_GCM_SHA384",
                netblock,
                served or self.served or (self.certificates.certificate if principal is None else None),
                admin=principal is not None,
            ),
            replace(Terms.of(self.config, gate, "en", self.clock), reserve=self.reserve),
            principal,
        )
        session.attach(NoConnection(self))
        self.sessions.add(session, place)
        return session

    def local(self) -> Session:
        """A session of the admin socket."""
        return self.session(Principal("local:root", Role.ADMIN, None, None), "unix")

    def user(self, name: str = "ada", role: Role = Role.USER, allow: list[str] | None = None) -> Session:
        """A text session that has authenticated with a token of its own."""
        session = self.session()
        answer = self.ask(session, f"AUTH {self.token(name, role, allow).reveal()}")
        assert answer == "OK\n", answer
        return session

    def program(self, version: int = 3, name: str = "ada", role: Role = Role.USER) -> Session:
        """A RESP session that has authenticated with a token of its own."""
        session = self.session()
        answer = self.call(session, "HELLO", str(version), "AUTH", name, self.token(name, role).reveal())
        assert answer[:1] in b"%*", answer
        return session

    def _call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        self.timers.append(Timer(self.clock() + seconds, callback))

    def _read(self) -> Config:
        if isinstance(self.file, ConfigError):
            raise self.file
        return self.file

    def _load(self) -> Identity:
        if isinstance(self.files, CertificateProblem):
            raise self.files
        return self.files

    def turn(self) -> None:
        """Do one thing that another thread handed over, waiting for it."""
        self.handed_over.get(timeout=PATIENCE)()

    def wait(self, seconds: float) -> None:
        """Let time pass, and what is due happen."""
        self.clock.now += seconds
        for timer in list(self.timers):
            if timer.when <= self.clock.now:
                self.timers.remove(timer)
                timer.fire()

    def send(self, session: Session, data: bytes) -> bytes:
        """Let the peer send, and take what the session has to say."""
        session.receive(data, self.clock())
        return taken(session)

    def ask(self, session: Session, line: str) -> str:
        """Send one line, and return the answer of an inline command or of one that a worker ran."""
        answer = self.send(session, f"{line}\n".encode())
        while session.busy:
            self.turn()
            answer += taken(session)
        return answer.decode()

    def call(self, session: Session, *words: str | bytes) -> bytes:
        """Send one RESP request, likewise."""
        answer = self.send(
            session, encode_request([word if isinstance(word, bytes) else word.encode() for word in words])
        )
        while session.busy:
            self.turn()
            answer += taken(session)
        return answer

    def _on_tokens_changed(self, _change: TokenChange, _records: Records) -> None:
        self._take_in()

    def _take_in(self) -> int:
        """Let changed tokens act, as the token watch does."""
        ended = {item.token_id for item in self.authenticator.refresh()}
        self.sessions.close(
            lambda session: session.principal is not None and session.principal.token_id in ended, CloseReason.REVOKED
        )
        return self.authenticator.generation


class NeverClears:
    """A gate that has everything judged anew.

    Args:
        gate: judges.
    """

    def __init__(self, gate: Dispatcher) -> None:
        self.dispatch, self.arrive = gate.dispatch, gate.arrive

    def answer_cleared(self, _session: Session, _name: bytes, _requests: Sequence[Arguments]) -> int:
        """Leave all to `dispatch`."""
        return 0


class Told(Recording):
    """Keeps what the dispatcher tells the log and the trail, for tests to look at; there is neither."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._counting = Counting(host.statistics)
        self.suspends = lambda: host.suspended
        self.repeat = self._note

    def command(
        self,
        who: Who,
        command: Recorded | None,
        given: Request,
        outcome: str,
        *,
        ran: bool,
        seconds: float | None = None,
        exit_code: int | None = None,  # noqa: ARG002 - nobody looks at it
    ) -> None:
        """Note it."""
        self._counting.answered(who, command, given, outcome, ran=ran, seconds=seconds)
        self._host.commands.append((who.session, UNKNOWN if command is None else command.name, outcome))
        self._host.given.append((given, ran))
        self._host.asked.append(who.principal or None)

    def job(
        self,
        who: Who,  # noqa: ARG002 - nobody looks at it
        number: int,
        command: str,
        arguments: Sequence[bytes | Withheld],  # noqa: ARG002 - as above
        outcome: str,
        *,
        seconds: float | None = None,  # noqa: ARG002 - as above
        exit_code: int | None = None,  # noqa: ARG002 - as above
        code: str = "",  # noqa: ARG002 - as above
        by: str = "",  # noqa: ARG002 - as above
    ) -> None:
        """Note it."""
        self._host.job_events.append((number, command, outcome))

    def left(self, who: Who, command: Recorded, given: Request, outcome: str, *, seconds: float) -> None:
        """Note it."""
        self.command(who, command, given, outcome, ran=True, seconds=seconds)

    def late(
        self,
        who: Who,
        command: Recorded,
        given: Request,
        outcome: str,
        *,
        seconds: float | None = None,  # noqa: ARG002 - as above
        exit_code: int | None = None,  # noqa: ARG002 - as above
    ) -> None:
        """Note it."""
        self._host.commands.append((who.session, command.name, f"{LATE} {outcome}"))
        self._host.given.append((given, True))
        self._host.asked.append(who.principal or None)

    def running(self, who: Who, command: Recorded, given: Request) -> AbstractContextManager[None]:  # noqa: ARG002 - as above
        """Nothing takes long here."""
        return nullcontext()

    def configuration(self, by: Who | None, outcome: str, cause: str, **detail: str) -> None:
        """Note it."""
        self._host.reloads.append(("" if by is None else by.principal, f"{outcome} {cause}", detail))

    def again(self, who: Who, command: Recorded) -> Again:
        """Return what is to be noted."""
        return Again(("command", who.session, "", "", command.name, OK))

    def _note(self, again: Again, count: int) -> None:
        _, number, _, _, name, outcome = again.line
        self._host.commands += [(number, name, outcome)] * count


def never(shortage: Shortage) -> None:
    """Give way, where nobody should ask for it."""
    raise AssertionError(shortage)


def taken(session: Session) -> bytes:
    """Take a session's output, as the connection does."""
    data = bytes(session.output)
    session.output.clear()
    return data
