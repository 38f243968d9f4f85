"""What is kept of jobs in the data directory: their records, their output, and how much of both."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec.structs import replace

from secure_protocol.errors import ErrorCode
from secure_server.config.jobs import Jobs as Settings
from secure_server.i18n import N_, translator
from secure_server.jobs import leftovers
from secure_server.jobs.job import Job, JobState
from secure_server.jobs.keeping.clearing import HEADROOM, to_clear
from secure_server.jobs.keeping.errors import RecordsError
from secure_server.jobs.keeping.output import Output, Room
from secure_server.jobs.keeping.records import DATABASE, Records
from secure_server.jobs.keeping.segments import DIRECTORY, clear, parts_in, sizes_in

_log = logging.getLogger("secure_server.jobs")


class Kept:
    """Records and output on disk. For the thread that decides about jobs, but for what `output` gives.

    Args:
        directory: the data directory.
        settings: the bounds.
        on_short: called where there is no room left for output. On the thread that wanted some.

    Attributes:
        interrupted: those that `load` found waiting or running, as they ended; of these nobody was told yet.

    Raises:
        RecordsError: what is there cannot be used.
    """

    def __init__(self, directory: Path, settings: Settings, on_short: Callable[[], object] = lambda: None) -> None:
        self._directory = directory / DIRECTORY
        self._records = Records(directory / DATABASE)
        self.settings = settings
        self.interrupted: list[Job] = []
        self._unsaved: dict[int, Job] = {}
        """What could not be written, for a full disk, and is tried again."""
        try:
            sizes = sizes_in(self._directory)
        except OSError as error:
            _log.error("the output of jobs in %s cannot be counted: %s", self._directory, error)
            sizes = {}
        self._room = Room(int(settings.disk), sum(sizes.values()), on_short)
        self._orphans = set(sizes)
        """Output that no record is known of, until `load` has read them."""

    def load(self, now: float) -> list[Job]:
        """Return all that is kept, by number. What waited or ran when the server ended does so no more.

        Args:
            now: Unix seconds.

        Raises:
            RecordsError: they cannot be read.
        """
        jobs = self._settled(self._records.load(), now)
        for number in self._orphans.difference(job.number for job in jobs):
            self._clear_output(number)
        self._orphans.clear()
        return jobs

    def add(self, job: Job) -> Job:
        """Keep a new one; return it with its number.

        Raises:
            RecordsError: it cannot be written, and there is no such job.
        """
        return self._records.add(job)

    def save(self, job: Job) -> bool:
        """Keep what became of one; whether that is on disk. Where it is not, it is tried again."""
        self._unsaved[job.number] = job
        return self.save_again()

    def save_again(self) -> bool:
        """Try again what could not be written; whether all of it is on disk."""
        try:
            for job in list(self._unsaved.values()):
                self._records.update(job, durable=True)
                del self._unsaved[job.number]
        except RecordsError as error:
            _log.error("what became of %d jobs is not on disk: %s", len(self._unsaved), error)
        return not self._unsaved

    def output_of(self, number: int) -> Path:
        """Return the directory of a job's output. Any thread."""
        return self._directory / str(number)

    def output(self, number: int) -> Output:
        """Return what writes a job's output; for the job's own thread."""
        return Output(self.output_of(number), int(self.settings.output), self._room)

    def forget(self, job: Job) -> None:
        """Remove a job that came to nothing; where that cannot be, the next start takes it for one that waited."""
        try:
            self._records.remove([job.number])
        except RecordsError as error:
            _log.error("a job that came to nothing is not removed: %s", error)

    def clear(self, jobs: Iterable[Job], now: float) -> list[Job]:
        """Remove what was kept for long enough, or is more than may be kept; return that.

        Where the room for output is nearly used up, those that ended first go as well.

        Args:
            jobs: all that are kept.
            now: Unix seconds.
        """
        settings, disk = self.settings, int(self.settings.disk)
        short = self._room.taken > disk - disk // HEADROOM
        sizes = sizes_in(self._directory) if short else None
        keep_for = float(settings.keep_for)
        going = to_clear(jobs, settings.keep, keep_for, now, sizes=sizes, disk=disk)
        if not going:
            return []
        try:
            self._records.remove(job.number for job in going)
        except RecordsError as error:
            _log.error("jobs that are over cannot be removed: %s", error)
            return []
        for job in going:
            self._unsaved.pop(job.number, None)
            self._clear_output(job.number)
        return going

    def take_up(self, settings: Settings) -> None:
        """Go by other bounds."""
        self.settings = settings
        self._room.resize(int(settings.disk))

    def close(self) -> None:
        """Write what can be, and close the files."""
        if self._unsaved:
            self.save_again()
        self._records.close()

    def _clear_output(self, number: int) -> None:
        try:
            self._room.give(clear(self.output_of(number)))
        except OSError as error:
            _log.error("the output of job %d cannot be removed: %s", number, error)

    def _settled(self, loaded: list[Job], now: float) -> list[Job]:
        """Return what jobs are at the start of a server; what of them may run still is ended."""
        jobs = [self._ended(job, now) for job in loaded]
        left = [job for job in jobs if job.holds]
        proved = leftovers.end([job.process for job in left if job.process is not None])
        over = {job.number for job, is_over in zip(left, proved, strict=True) if is_over}
        for job in left:
            if job.number not in over and job.process is not None:
                _log.error(
                    "job %d (%s) is lost, and its process group %d may run still: look, end it, then JOB RELEASE %d",
                    job.number, job.command, job.process.pid, job.number,
                )  # fmt: skip
        jobs = [replace(job, process=None) if job.number in over else job for job in jobs]
        for before, job in zip(loaded, jobs, strict=True):
            if job is not before:
                self.save(job)
            if not before.state.ended:
                self.interrupted.append(job)
        return jobs

    def _ended(self, job: Job, now: float) -> Job:
        translate = translator(job.language)
        if job.state is JobState.QUEUED:
            told = translate(N_("The server ended before the job began."))
            return replace(job, state=JobState.CANCELLED, ended=now, code=ErrorCode.CANCELLED, message=told)
        if job.state is JobState.RUNNING:
            told = translate(N_("The server ended while the job ran; how far it came nobody knows."))
            parts = self._parts(job.number)
            return replace(job, state=JobState.LOST, ended=now, code=ErrorCode.LOST, message=told, parts=parts)
        return job

    def _parts(self, number: int) -> int:
        try:
            return parts_in(self.output_of(number))
        except OSError as error:
            _log.error("the output of job %d cannot be read: %s", number, error)
            return 0
