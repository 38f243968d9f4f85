"""What decides about jobs, and who watches them, on the test's own thread: it does what is posted, and tells."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from secure_protocol.text_requests import Request
from secure_server.auth.principal import Principal, Role
from secure_server.commands.command import Command
from secure_server.config.jobs import Jobs as Settings
from secure_server.jobs.decisions import Decisions
from secure_server.jobs.job import Job, JobState
from secure_server.jobs.keeping.kept import Kept
from secure_server.jobs.order import Order
from secure_server.jobs.surroundings import Surroundings
from secure_server.jobs.watching.following import Following
from secure_server.jobs.watching.seen import Seen
from secure_server.jobs.watching.telling import Telling, parts_told
from secure_server.jobs.watching.watcher import Watcher
from secure_server.session.codecs import RESP3
from secure_server.session.session import Session
from tests.secure_server.host import PATIENCE, Host, taken

ADA = Principal("ada", Role.USER, "a-token", None)
GRACE = Principal("grace", Role.USER, "another", None)


class Desk:
    """Jobs in the test's own thread, but for the handlers.

    Args:
        host: has the sessions and the clock.
        data: the data directory.
        threads: jobs that run at once.
        settings: bounds.
    """

    def __init__(self, host: Host, data: Path, threads: int = 4, settings: Settings | None = None) -> None:
        self.host = host
        self.kept = Kept(data, settings or Settings())
        self.wall = 1_800_000_000.0
        self.posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.events: list[tuple[int, str]] = []
        self.refusals: list[str] = []
        self.revoked: set[str] = set()
        self.present: Callable[[Job], Principal | None] = lambda job: {"ada": ADA, "grace": GRACE}.get(job.principal)
        self.suspended = False
        around = Surroundings(
            services=lambda: host.services,
            command_named=host.registry.named,
            present=lambda job: self.present(job),  # noqa: PLW0108 - a test replaces it
            is_revoked=lambda job: job.token_id in self.revoked,
            refused=lambda _order, failure: self.refusals.append(failure.code),
            changed=lambda job, _watches: self.note(job),
            suspends=lambda: self.suspended,
        )
        self.following = Following(self._look, self.kept.output_of, host.clock)
        self.decisions = Decisions(
            self.kept, self.kept.settings, threads, around, self.following, self.posted.put,
            clock=host.clock, wall=lambda: self.wall,
        )  # fmt: skip

    def note(self, job: Job) -> None:
        """Note what log, trail and others are told."""
        self.events.append((job.number, str(job.state)))

    def session(self, principal: Principal = ADA) -> Session:
        """One that speaks RESP3."""
        session = self.host.session(principal, "127.0.0.1:40000")
        session.codec = RESP3
        return session

    def start(
        self, command: Command, *words: str, by: Principal = ADA, key: str = "", session: Session | None = None
    ) -> Watcher:
        """Have somebody start a job; returns who watches it."""
        session = session or self.session(by)
        given: Request = [word.encode() for word in words]
        watcher = self.watcher(session)
        self.decisions.order(Order.of(session, by, command, given, key=key), watcher)
        return watcher

    def order(self, session: Session, command: Command, *words: str, by: Principal = ADA) -> Order:
        """What a session asks for."""
        return Order.of(session, by, command, [word.encode() for word in words])

    def watcher(self, session: Session, number: int = 0, telling: Telling | None = None, first: int = 0) -> Watcher:
        """One that has begun to wait."""
        watcher = Watcher(session, telling or parts_told(RESP3), self.following, number=number, position=first)
        watcher.begin()
        if number:
            self.following.add(watcher)
        return watcher

    def until(self, holds: Callable[[], bool]) -> None:
        """Do what is posted until that holds."""
        while not holds():
            self.posted.get(timeout=PATIENCE)()

    def until_true(self, holds: Callable[[], bool]) -> None:
        """Wait for what a handler does."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.002)

    def ended(self, number: int) -> Job:
        """Do what is posted until a job has ended."""
        self.until(lambda: self.decisions.jobs[number].state.ended and number not in self.decisions.runs)
        return self.decisions.jobs[number]

    def tell(self, watcher: Watcher) -> bytes:
        """Tell who watches what is new; returns what the session has to say."""
        self.following._step(watcher, self.host.clock())
        while not self.host.handed_over.empty():
            self.host.turn()
        watcher.session.process()
        return taken(watcher.session)

    def states(self) -> list[JobState]:
        """Of all jobs."""
        return [job.state for job in self.decisions.jobs.values()]

    def close(self) -> None:
        """End what runs, and close the files."""
        self.decisions.drain()
        self.decisions.end_all()
        self.until(lambda: not self.decisions.runs)
        self.kept.close()

    def _look(self, watcher: Watcher) -> Seen | None:
        job = self.decisions.jobs.get(watcher.number)
        run = self.decisions.runs.get(watcher.number)
        if job is None or run is None or job.state.ended:
            return None if job is None else Seen(job, job.parts, None, self.decisions.places.get(job.number, 0))
        return Seen(job, run.output.next, run.call.progress)


def job(number: int = 0, **changed: object) -> Job:
    """A record."""
    made = Job(number=number, command="X", principal="ada", role=Role.USER, created=0.0)
    return replace(made, **changed)
