"""Which jobs are meant, by whoever lists them; named as the fields of sessions, where they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from secure_server.auth.principal import Role
from secure_server.filters.grammar import Condition, Field, parse
from secure_server.filters.kinds import Address, Count, Kind, Name, Seconds, Text, Word, host_of
from secure_server.jobs.job import Job, JobState


def _field(kind: Kind, read: Callable[[Job], object]) -> Field[Job]:
    return Field(kind, lambda job, _now: read(job))


FIELDS: dict[str, Field[Job]] = {
    "job": _field(Count(), lambda job: job.number),
    "command": _field(Name(), lambda job: job.command),
    "user": _field(Text(), lambda job: job.principal),
    "role": _field(Word(role.label for role in Role), lambda job: job.role.label),
    "state": _field(Word(map(str, JobState)), lambda job: str(job.state)),
    "address": _field(Address(), lambda job: job.address or None),
    "network": _field(Address(), lambda job: host_of(job.address) or None),
    "age": Field(Seconds(), lambda job, now: max(0.0, now - job.created)),
    "took": Field(Seconds(), lambda job, now: job.took(now)),
    "exit": _field(Count(), lambda job: job.exit_code),
    "lock": _field(Text(), lambda job: job.lock or None),
    "token": _field(Text(), lambda job: job.token_id),
}
"""What can be asked about a job; `age` counts from when it was asked for. The second that they are read at is Unix'."""


def conditions(words: Sequence[str]) -> list[Condition[Job]]:
    """Read a filter, all of whose conditions must hold.

    Raises:
        CommandError: it is not understood; says what, and how it is written.
    """
    return parse(words, FIELDS)
