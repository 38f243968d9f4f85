"""What becomes of jobs: begun, told to stop, ended, forgotten. For one thread; others read what it replaces whole."""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections import deque
from collections.abc import Callable, Set
from functools import partial

from msgspec.structs import replace

from secure_protocol.errors import CommandError, ErrorCode, Failure
from secure_protocol.replies import ErrorReply
from secure_server.commands.authorizer import authorise, spare_unrecorded
from secure_server.config.jobs import Jobs as Settings
from secure_server.i18n import N_, translator
from secure_server.jobs.alike import Alike
from secure_server.jobs.job import Job, JobState
from secure_server.jobs.keeping.errors import RecordsError
from secure_server.jobs.keeping.kept import Kept
from secure_server.jobs.leftovers import identify
from secure_server.jobs.news import tell_that_it_joins
from secure_server.jobs.order import Order
from secure_server.jobs.refusals import key_taken, taken, told, unrecorded
from secure_server.jobs.run import Ended, Run
from secure_server.jobs.surroundings import Surroundings
from secure_server.jobs.turns import Busy, NoRoomToWaitError, Turns, Wants
from secure_server.jobs.unattended import Unattended
from secure_server.jobs.visibility import may_see
from secure_server.jobs.watching.following import Following
from secure_server.jobs.watching.telling import value_of
from secure_server.jobs.watching.watcher import Watcher

LAUNCH_SECONDS = 30.0
"""How long a program waits until its record is on disk; beyond that it is not run."""
Post = Callable[[Callable[[], None]], None]
"""Has the deciding thread do something."""
_log = logging.getLogger("secure_server.jobs")


class Decisions:
    """The state of all jobs, and what changes it.

    Args:
        kept: what is on disk.
        settings: bounds.
        threads: jobs that run at once.
        around: what of the server they need.
        following: is told what is new.
        post: has something done here.
        clock: monotonic seconds.
        wall: Unix seconds.

    Attributes:
        jobs: all that are kept, by number.
        runs: those that run.
        places: in the line of those that wait, from 1.
        idle: set while none runs.
    """

    def __init__(
        self,
        kept: Kept,
        settings: Settings,
        threads: int,
        around: Surroundings,
        following: Following,
        post: Post,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._kept = kept
        self._around = around
        self._following = following
        self._post = post
        self._clock = clock
        self._wall = wall
        self._turns = Turns(threads, settings.queue)
        self._alike = Alike()
        self.jobs: dict[int, Job] = {}
        self.runs: dict[int, Run] = {}
        self.places: dict[int, int] = {}
        self.idle = threading.Event()
        self.idle.set()
        self._orders: dict[int, Order] = {}
        """Of those that wait."""
        self._keys: dict[tuple[str, str], int] = {}
        self._same: dict[bytes, int] = {}
        """Those that wait or run, by what was asked for."""
        self._stops: dict[int, tuple[str, str]] = {}
        """Of those that were told to stop: on whose behalf, and what is told of it."""
        self._turned: deque[int] = deque()
        """Those whose turn has come, while one of them begins."""
        self._beginning = False
        self._draining = False
        for job in kept.load(wall()):
            self._known(job)
            if job.holds:
                self._turns.hold(Wants(job.number, job.command, job.principal, lock=job.lock))

    # Starting

    def order(self, order: Order, watcher: Watcher) -> None:
        """Start a job, and have it watched; or say why there is none."""
        try:
            found = self._found(order, watcher)
        except CommandError as failure:
            self._around.refused(order, failure)
            watcher.refuse(watcher.session.failure(failure))
            return
        except BaseException:
            watcher.refuse(watcher.session.failure(CommandError(N_("The job could not be started."))))
            raise
        if found is None:
            watcher.end_unwanted()
            return
        number, mine = found
        if mine:
            watcher.cancel = partial(self._post, partial(self.cancel, number, order.principal.name))
        watcher.number = number  # from now on the peer's own thread knows what to do where it cancels
        self._following.add(watcher)
        if watcher.unwanted and mine:  # since it was asked
            self.cancel(number, order.principal.name)
        elif watcher.unwanted:
            watcher.end_unwanted()

    def _found(self, order: Order, watcher: Watcher) -> tuple[int, bool] | None:
        """Return the job that a start leads to, and whether it is the caller's own; None: nobody wants it any more."""
        who, command = order.principal, order.command
        if watcher.unwanted:
            return None
        if order.key and (known := self._keys.get((who.name, order.key))):
            if not order.may_have_been(self.jobs[known]):
                raise key_taken(order.key, self.jobs[known])
            return known, True
        if self._draining:
            raise CommandError(N_("The server is shutting down."), code=ErrorCode.DRAINING)
        lock = command.lock_of(order.values, order.flags)
        wants = Wants(0, command.name, who.name, command.max_running, lock)
        busy = self._turns.ask(wants)
        if isinstance(busy, Busy) and busy.why != "threads" and command.when_busy != "queue":
            sees = partial(may_see, who, command_named=self._around.command_named)
            known = self._same.get(self._alike.key(command, order.values, order.flags), 0)
            if command.when_busy == "attach" and known and sees(self.jobs[known]):
                tell_that_it_joins(watcher.session, self.jobs[known])
                return known, False
            job = self.jobs[busy.by[0]]
            raise taken(command, job, seen=sees(job))
        return self._added(order, wants, waits=isinstance(busy, Busy)), True

    def _added(self, order: Order, wants: Wants, *, waits: bool) -> int:
        now, who = self._wall(), order.principal
        job = Job(
            command=order.command.name,
            arguments=order.kept,
            principal=who.name,
            role=who.role,
            token_id=who.token_id,
            certificate=who.certificate,
            language=order.language,
            address=order.address,
            key=order.key,
            created=now,
            started=None if waits else now,
            state=JobState.QUEUED if waits else JobState.RUNNING,
            lock=wants.lock,
            rerun_of=order.rerun_of,
        )
        if order.command.on_revoked == "stop" and self._around.is_revoked(job):  # in this moment: `revoke` came before
            raise CommandError(N_("What the job was started with was revoked."), code=ErrorCode.NOPERM)
        try:
            job = self._kept.add(job)
        except RecordsError as error:
            _log.error("a job cannot be started: %s", error)
            raise unrecorded() from None
        wants = dataclasses.replace(wants, number=job.number)
        if waits:
            try:
                self._turns.wait(wants)
            except NoRoomToWaitError:
                self._kept.forget(job)
                raise CommandError(N_("Too many jobs wait; try again later."), code=ErrorCode.THROTTLED) from None
            self._orders[job.number] = order
        self._known(job)
        self._same.setdefault(self._alike.key(order.command, order.values, order.flags), job.number)
        self._around.changed(job, self._following.watches)
        if waits:
            self._places_changed()
        else:
            others = self._turns.begin(wants)
            self._begin(job, order)
            self._go_on(others)
        return job.number

    def _known(self, job: Job) -> None:
        self.jobs[job.number] = job
        if job.key:
            self._keys[job.principal, job.key] = job.number

    def _begin(self, job: Job, order: Order) -> None:
        number = job.number
        run = Run(
            number,
            order.command,
            order.handler,
            Unattended(order.principal, order.language, order.address, self._clock),
            self._around.services(),
            output=self._kept.output(number),
            noticed=partial(self._following.poke, number),
            launch=partial(self._launch, number),
            ended=lambda ended: self._post(partial(self.ended, number, ended)),
        )
        self.idle.clear()
        self.runs[number] = run
        try:
            run.start()
        except RuntimeError as error:
            _log.error("job %d cannot begin: %s", number, error)
            failure = CommandError(
                N_("The server has too much to do; try again in a moment."), code=ErrorCode.THROTTLED
            )
            self.ended(number, Ended.failed(told(job, failure)))

    def _begin_waiting(self, number: int) -> None:
        """The turn of one that waited has come: whether it may still run is asked again."""
        order, job = self._orders.pop(number), self.jobs[number]
        try:
            order = self._judged_again(job, order)
        except Failure as failure:
            self._conclude(job, JobState.CANCELLED, told(job, failure))
            return
        job = replace(job, state=JobState.RUNNING, started=self._wall())
        if not self._kept.save(job):
            self._conclude(job, JobState.FAILED, told(job, unrecorded()))
            return
        self._around.changed(job, self._following.watches)
        self._replaced(job)
        self._begin(job, order)

    def _judged_again(self, job: Job, order: Order) -> Order:
        principal, command = self._around.present(job), self._around.command_named(job.command)
        if principal is None:
            raise CommandError(N_("Who started the job may run nothing any more."), code=ErrorCode.NOPERM)
        if command is None:
            raise CommandError(N_("There is no command {command} any more."), command=job.command)
        authorise(principal, command)
        if self._around.suspends():
            spare_unrecorded(command)
        return order.again(principal, command)

    def _launch(self, number: int, pid: int) -> None:
        """Have it on disk which process a job is about to run. On the job's thread, which waits for that.

        Raises:
            CommandError: it is not, so the process must not run.
        """
        done, saved = threading.Event(), []

        def keep() -> None:
            saved.append(self._kept.save(self._replaced(replace(self.jobs[number], process=identify(pid)))))
            done.set()

        self._post(keep)
        if not done.wait(LAUNCH_SECONDS) or not all(saved):
            raise unrecorded()

    # Ending

    def cancel(self, number: int, by: str) -> None:
        """Tell one to stop, on somebody's behalf."""
        self._stop(number, by, N_("The job was cancelled by {who}."))

    def revoke(self, tokens: Set[str]) -> None:
        """Tell those to stop whose token or certificate is revoked, unless their command says that they go on."""
        begun: dict[int, Run | Order] = {**self.runs, **self._orders}
        for job in [self.jobs[number] for number, found in begun.items() if found.command.on_revoked == "stop"]:
            if job.token_id in tokens or self._around.is_revoked(job):
                self._stop(job.number, "", N_("What the job was started with was revoked."))

    def drain(self) -> None:
        """Begin no more; those that wait never will."""
        self._draining = True
        for number in list(self._orders):
            self._stop(number, "", N_("The server was stopped before the job began."))

    def end_all(self) -> None:
        """Tell all that run to stop, for the server does."""
        for number in list(self.runs):
            self._stop(number, "", N_("The server was stopped while the job ran."))

    def release(self, number: int) -> None:
        """Give others what a lost job holds."""
        job = self.jobs.get(number)
        if job is not None and job.state is JobState.LOST and job.holds:
            self._kept.save(self._replaced(replace(job, process=None)))
            self._go_on(self._turns.leave(number))

    def take_up(self, settings: Settings) -> None:
        """Go by other bounds: assignments alone, so from any thread."""
        self._kept.take_up(settings)
        self._turns.take_up(settings.queue)

    def keep_time(self) -> None:
        """Do what goes by the clock."""
        now = self._clock()
        for run in self.runs.values():
            if run.due is not None and now >= run.due:
                run.cancel(ErrorCode.TIMEOUT)
            if run.is_stuck(now):
                _log.warning(
                    "job %d (%s) was told to stop (%s), but its handler still runs, and keeps its thread",
                    run.number, run.command.name, run.call.ended_by,
                )  # fmt: skip
        self._kept.save_again()
        for job in self._kept.clear(self.jobs.values(), self._wall()):
            del self.jobs[job.number]
            if self._keys.get((job.principal, job.key)) == job.number:
                del self._keys[job.principal, job.key]

    def ended(self, number: int, ended: Ended) -> None:
        """The run of a job has ended."""
        job = self.jobs[number]
        state = ended.state
        reply = ended.reply if ended.reply is None or state is JobState.DONE else value_of(ended.reply)
        if state is JobState.CANCELLED and number in self._stops and isinstance(reply, ErrorReply):
            reply = ErrorReply(reply.code, self._stops[number][1])
        job = replace(job, exit_code=ended.exit_code, parts=ended.parts)
        try:
            self._conclude(job, state, reply)
        finally:
            self.runs.pop(number, None)
            if not self.runs:
                self.idle.set()

    def _stop(self, number: int, by: str, sentence: str) -> None:
        job = self.jobs.get(number)
        if job is None or job.state.ended:
            return
        text = translator(job.language)(sentence).format(who=by)
        if number in self._orders:
            del self._orders[number]
            self._stops[number] = by, text
            self._conclude(job, JobState.CANCELLED, ErrorReply(ErrorCode.CANCELLED, text))
        elif (run := self.runs.get(number)) is not None:
            self._stops.setdefault(number, (by, text))
            run.cancel(ErrorCode.CANCELLED)

    def _conclude(self, job: Job, state: JobState, reply: object) -> None:
        """Keep how one ended, tell whoever watches, and begin those that waited for it.

        It is told when it is on disk and on record: what was told is so after a crash, too.
        """
        by, _ = self._stops.pop(job.number, ("", ""))
        error = reply if isinstance(reply, ErrorReply) else ErrorReply("", "")
        job = replace(
            job,
            state=state,
            ended=self._wall(),
            code=error.code,
            message=error.text,
            result=reply if isinstance(reply, bytes) else None,
            process=None,
            cancelled_by=by if state is JobState.CANCELLED else "",
        )
        self._kept.save(job)
        try:
            self._around.changed(job, self._following.watches)
        finally:  # whoever could not be told, it has ended, and what it had is others'
            self._same = {key: number for key, number in self._same.items() if number != job.number}
            self._replaced(job)
            self._go_on(self._turns.leave(job.number))

    def _go_on(self, numbers: list[int]) -> None:
        """Begin those whose turn has come; one that may not run any more makes room for others at once."""
        self._turned += numbers
        if self._beginning:
            return
        self._beginning = True
        try:
            while self._turned:
                self._begin_waiting(self._turned.popleft())
        finally:
            self._beginning = False
        self._places_changed()

    def _places_changed(self) -> None:
        before, self.places = self.places, self._turns.places()
        for number in {*before, *self.places}:
            if before.get(number) != self.places.get(number):
                self._following.poke(number)

    def _replaced(self, job: Job) -> Job:
        self.jobs[job.number] = job
        self._following.poke(job.number)
        return job
