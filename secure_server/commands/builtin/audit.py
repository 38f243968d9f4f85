"""AUDIT and SERVER AUDIT: whether the audit trail can be written, where it ends, and what stands in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

from secure_protocol.errors import CommandError
from secure_protocol.replies import ReplyKind, Table
from secure_server.audit.filter import EVENTS, FIELDS, conditions
from secure_server.audit.reading import Wanted, newest
from secure_server.audit.record import Record
from secure_server.audit.showing import COLUMNS, cells, local
from secure_server.auth.principal import Role
from secure_server.commands.builtin.messages import principal_names
from secure_server.commands.builtin.services import services
from secure_server.commands.command import Candidate, command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.filters.grammar import candidates
from secure_server.i18n import N_

GROUP = N_("Server")

SHOWN_COLUMNS = ("number", *COLUMNS)
LIMIT = 1_000
"""The most records that are told at once; for all of them there is `secure-server audit show --json`."""
LOOK_EVERY = 1_000
"""Records between two looks at whether anybody still waits for the answer."""
BREAKS_SHOWN = 10
"""The latest breaks of the trail that are named; `audit verify` names all."""


@command(
    "AUDIT",
    summary=N_("Whether the audit trail can be written, and the number and hash of its last record."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.LINES,
)
def audit(context: Context) -> dict[str, object]:
    """Return the trail's state; `end` is what to note down elsewhere for `audit verify --expect`."""
    trail = services(context).audit
    if trail is None:
        raise CommandError(N_("The audit trail is off: audit.trail in the configuration."))
    status = trail.status()
    failing = status.failing_since
    return {
        "state": "written" if failing is None else "failing",
        "since": None if failing is None else datetime.fromtimestamp(failing, UTC).isoformat(timespec="seconds"),
        "why": status.why or None,
        "waiting": status.waiting,
        "lost": status.lost,
        "end": str(status.end),
        "broken": ", ".join(status.broken[-BREAKS_SHOWN:]) or None,
    }


def _filter_words(context: Context, typed: str) -> list[Candidate]:
    """Give what may stand in a filter of records: fields, and values that are known without reading them."""
    known: dict[str, Iterable[str]] = {
        "event": EVENTS,
        "command": (command.name for command in services(context).catalogue.listed),
        "user": principal_names(context, typed),
    }
    return candidates(typed, FIELDS, lambda name: known.get(name, ()))


@command(
    "SERVER AUDIT",
    summary=N_("What was recorded, the latest last: who did what, and what came of it."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.TABLE,
    columns=SHOWN_COLUMNS,
    empty=N_("There is no such record in the audit trail."),
    arguments={
        "filters": N_("which ones: event=command, user=ana, outcome=refused, address in 10.0.0.0/8, age<2h, since=1d"),
        "limit": N_("so many, the latest of them"),
        "before": N_("older ones than this number"),
    },
    complete={"filters": _filter_words},
    example="user=ana age<12h",
)
def server_audit(
    context: Context,
    *filters: str,
    limit: Annotated[int, Argument(minimum=1, maximum=LIMIT)] = 50,
    before: Annotated[int | None, Argument(minimum=1)] = None,
) -> Table:
    """List records as a table; the trail is read backwards, as far as it takes."""
    trail = services(context).audit
    if trail is None:
        raise CommandError(N_("The audit trail is off: audit.trail in the configuration."))
    wanted = Wanted(conditions=conditions(filters))
    found: list[Record] = []
    for number, record in enumerate(newest(trail.directory)):
        if number % LOOK_EVERY == 0 and context.cancelled.is_set():
            break  # whoever asked is answered already
        if (before is None or record.seq < before) and wanted.holds(record):
            found.append(record)
            if len(found) == limit:
                break
    rows: list[tuple[object, ...]] = [
        (record.seq, _shown_time(record), *(text or None for text in cells(record, context.translate)))
        for record in reversed(found)
    ]
    return Table(SHOWN_COLUMNS, rows, context.translate(context.command.empty))


def _shown_time(record: Record) -> str:
    """In the server's zone, to the second; what is no time stands as it came."""
    when = local(record.time)
    return record.time if when is None else when.isoformat(timespec="seconds")
