"""Checks of what only the running server knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from secure_protocol.sentence import Sentence
from secure_server.audit.trail import Status
from secure_server.doctor.finding import Check, Finding, Severity, named

IDLE_SECONDS = 86400.0
"""For which a client may send nothing before it is worth a word: what is forgotten holds a place."""


@dataclass(frozen=True, slots=True)
class Running:
    """What the running server knows.

    Attributes:
        certificate: sentences on the certificate that is served: not reloaded, not renewed.
        leapt: the clock leapt, and is not believed yet.
        trail: the state of the audit trail; None where it is off.
        lost_lines: lines that the activity log could not write.
        stuck: commands that were told to stop and answered, and still run.
        idle: the numbers of clients that sent nothing for long.
        lost_jobs: the numbers of lost jobs that hold what others wait for.
        penalties: netblocks in the table, and how many there may be.
        differs: keys that the file says otherwise.
        set: keys that somebody set until the restart.
        unusable: why the file cannot be used; None where it can.
        split: the token database's files were replaced under the server.
        draining: a drain is on.
    """

    certificate: Sequence[str] = ()
    leapt: bool = False
    trail: Status | None = None
    lost_lines: int = 0
    stuck: int = 0
    idle: Sequence[int] = ()
    lost_jobs: Sequence[int] = ()
    penalties: tuple[int, int] = (0, 1)
    differs: Sequence[str] = ()
    set: Sequence[str] = ()
    unusable: str | None = None
    split: bool = False
    draining: bool = False


def served(running: Running) -> Iterator[Finding]:
    """Whether the certificate was taken up and renewed."""
    for sentence in running.certificate:
        remedy = Sentence("Mend that, and send CERT RELOAD, which says whether it is well.")
        yield Finding(Severity.ERROR, "certificate", sentence, remedy)


def leap(running: Running) -> Iterator[Finding]:
    """Whether the clock leapt."""
    if running.leapt:
        yield Finding(
            Severity.WARNING,
            "clock",
            Sentence("The clock leapt by more than a day, and certificates go by the time before that."),
            Sentence("Set it right; it is believed after an hour, or when it has come back."),
        )


def records(running: Running) -> Iterator[Finding]:
    """Whether the trail is written."""
    status = running.trail
    if status is None:
        yield Finding(
            Severity.NOTE,
            "trail",
            Sentence("The audit trail is off, so nobody can tell who did what."),
            Sentence("Take audit.trail out of the configuration, and start the server anew."),
        )
    elif status.failing_since is not None:
        yield Finding(
            Severity.ERROR,
            "trail",
            Sentence("The audit trail cannot be written: {why}.", why=status.why),
            Sentence("See to the disk and to whose the data directory is; the server tries again by itself."),
        )
    elif status.lost:
        yield Finding(
            Severity.WARNING,
            "trail",
            Sentence("Records of the audit trail were lost: {count}.", count=status.lost),
            Sentence("secure-server audit show says when; raise audit.queue if it was a burst."),
        )


def lines(running: Running) -> Iterator[Finding]:
    """Whether the log is written."""
    if running.lost_lines:
        yield Finding(
            Severity.ERROR,
            "log",
            Sentence("Lines of the activity log cannot be written: {count}.", count=running.lost_lines),
            Sentence("See to the disk and to whose server_log.txt is."),
        )


def stuck(running: Running) -> Iterator[Finding]:
    """Whether commands do not end."""
    if running.stuck:
        yield Finding(
            Severity.WARNING,
            "workers",
            Sentence("Commands were told to stop and still run: {count}.", count=running.stuck),
            Sentence("The log names them; have them wait on context.cancelled, and restart the server to end them."),
        )


def stale(running: Running) -> Iterator[Finding]:
    """Whether clients are there that nobody uses."""
    if running.idle:
        yield Finding(
            Severity.NOTE,
            "clients",
            Sentence("Clients sent nothing for a day: {ids}.", ids=named([str(number) for number in running.idle])),
            Sentence("CLIENTS idle>1d lists them, KICK ends one; timeouts.idle ends such by itself."),
        )


def lost(running: Running) -> Iterator[Finding]:
    """Whether jobs are in others' way that nobody sees to."""
    if running.lost_jobs:
        yield Finding(
            Severity.WARNING,
            "jobs",
            Sentence("Lost jobs hold what others wait for: {ids}.", ids=named([str(job) for job in running.lost_jobs])),
            Sentence("See whether anything runs of them (JOB SHOW N), and if not, send JOB RELEASE N."),
        )


def penalties(running: Running) -> Iterator[Finding]:
    """Whether failures are forgotten too soon."""
    have, most = running.penalties
    if have >= most:
        yield Finding(
            Severity.WARNING,
            "penalties",
            Sentence("The table of penalties is full ({count} netblocks), so some are forgotten too soon.", count=have),
            Sentence("Raise penalties.table (CONFIG SET), and see with PENALTY LIST who it is."),
        )


def configuration(running: Running) -> Iterator[Finding]:
    """Whether the next start would be by another configuration."""
    if running.unusable is not None:
        yield Finding(
            Severity.ERROR,
            "configuration",
            running.unusable,
            Sentence("Mend the file before the next start, which would fail; CONFIG CHECK says whether it is well."),
        )
    if running.differs:
        yield Finding(
            Severity.NOTE,
            "configuration",
            Sentence("The file says otherwise than what runs: {keys}.", keys=named(list(running.differs))),
            Sentence("CONFIG DIFF shows it, CONFIG RELOAD takes it up, but for what takes a restart."),
        )
    if running.set:
        yield Finding(
            Severity.NOTE,
            "configuration",
            Sentence("Set until the restart: {keys}.", keys=named(list(running.set))),
            Sentence("Say it in the file as well if it is to stay, or take it back with CONFIG UNSET."),
        )


def storage(running: Running) -> Iterator[Finding]:
    """Whether the server sees the tokens that others see."""
    if running.split:
        yield Finding(
            Severity.ERROR,
            "tokens",
            Sentence("Files of the token database were replaced under the server, so nobody is let in."),
            Sentence("Put them back together, or stop the server and use secure-server restore."),
        )


def drained(running: Running) -> Iterator[Finding]:
    """Whether somebody forgot to take a drain back."""
    if running.draining:
        yield Finding(
            Severity.NOTE,
            "clients",
            Sentence("The server is draining, and takes in nobody but administrators."),
            Sentence("SERVER DRAIN --cancel takes that back."),
        )


RUNNING: Sequence[Check[Running]] = (
    served,
    leap,
    records,
    lines,
    stuck,
    stale,
    lost,
    penalties,
    configuration,
    storage,
    drained,
)
