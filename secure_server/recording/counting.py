"""What of all that is told the statistics are told, and as what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from secure_protocol.text_requests import Request
from secure_server.audit.who import Who
from secure_server.recording.recorded import DONE, OK, UNKNOWN, Recorded
from secure_server.statistics.statistics import Statistics
from secure_server.statistics.tally import Tally


@dataclass(frozen=True, slots=True)
class Counting:
    """Tells them. The arguments are those of `Recording`. Any thread.

    Attributes:
        statistics: they.
    """

    statistics: Statistics

    def answered(
        self,
        who: Who,
        command: Recorded | None,
        given: Request,
        outcome: str,
        *,
        ran: bool,
        seconds: float | None,
        left: bool = False,
    ) -> None:
        """Count an answer. The worker of one that was `left` is counted when it has `ended`."""
        failure = "" if outcome == OK else outcome
        if command is None:
            self.statistics.command(who, UNKNOWN, failure, ran=ran)
            return
        on_worker = not left and (command.durable or not command.inline)
        self.statistics.command(
            who,
            command.name,
            failure,
            ran=ran,
            seconds=seconds if ran else None,
            worker_seconds=seconds if on_worker and seconds is not None else 0.0,
            arguments=partial(command.shown, given),
        )

    def ended(self, command: Recorded, seconds: float | None) -> None:
        """Count the worker of a command that was `left`."""
        if seconds is not None:
            self.statistics.worked(command.name, seconds)

    def job(self, who: Who, command: str, outcome: str, seconds: float | None) -> None:
        """Count a job as a run of its command, once it has ended; None for the seconds: it has not, or never began."""
        if seconds is not None:
            failure = "" if outcome in (OK, DONE) else outcome
            self.statistics.command(who, command, failure, ran=True, seconds=seconds, worker_seconds=seconds)

    def tally(self, who: Who, command: Recorded) -> Tally:
        """Return what counts further runs. For the calling I/O thread alone."""
        return self.statistics.tally(who, command.name)

    def slow(self, who: Who, command: Recorded, given: Request, seconds: float) -> None:
        """Note a run that a tally counts, should it be among the slowest."""
        self.statistics.slow(who, command.name, seconds, command.shown(given))
