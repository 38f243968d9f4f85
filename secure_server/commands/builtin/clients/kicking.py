"""KICK: connections are closed, one by its number or all that a filter chooses; and whoever had them may be banned."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Annotated, Literal

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import ReplyKind, Status, Table
from secure_server.admission.banning import target_of
from secure_server.auth.principal import Role
from secure_server.commands.builtin.access import bans
from secure_server.commands.builtin.access.bans import REASON_CHARACTERS, Lasting
from secure_server.commands.builtin.clients.filtering import filter_words
from secure_server.commands.builtin.messages import session_numbers
from secure_server.commands.builtin.services import services
from secure_server.commands.command import Candidate, command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.i18n import N_
from secure_server.limits.bans import Kind
from secure_server.moments import moment
from secure_server.session.filter import SessionFilter
from secure_server.session.session import Session

GROUP = N_("Clients")

COLUMNS = ("id", "user", "role", "address", "transport", "idle", "last")
TOLD = 20
"""Of those that were kicked, named in the answer; the others are counted."""

Shown = Annotated[str | None, Argument(longest=128 * 1024)]
"""Numbers, joined by commas: as long as those of 10,000 sessions may be."""
Retry = Annotated[timedelta | None, Argument(minimum=1, maximum=7 * 86400)]
"""Whoever is to stay away longer is banned."""
By = Literal["user", "address", "network"]

_ARGUMENTS = {
    "whom": N_("the number that CLIENTS shows, or a filter: user=ana, idle>5m, address in 10.0.0.0/8"),
    "more": N_("behind a number, the reason; else more of the filter"),
    "reason": N_("told to the clients"),
    "retry_after": N_("they may come back by themselves after so long: 5m"),
    "ban": N_("they are kept out for so long: 1h"),
    "by": N_("what is banned: the user, the address, or its network (an IPv4 /24, an IPv6 /64)"),
    "shown": N_("the numbers that the filter was shown to choose; nobody else is meant"),
    "yes": N_("do not ask; and ban also where that is you"),
}


def _whom(context: Context, typed: str) -> Iterator[Candidate]:
    yield from session_numbers(context, typed)
    yield from filter_words(context, typed)


_COMPLETE = {"whom": _whom, "more": filter_words}


@command(
    "KICK",
    summary=N_("Close a client's connection, or all that a filter chooses, with a reason."),
    role=Role.ADMIN,
    arguments=_ARGUMENTS,
    complete=_COMPLETE,
    confirm=N_("Close these connections to {server}?"),
    preview="PREVIEW KICK",
    example=N_("7 back at noon"),
)
def kick(
    context: Context,
    whom: str,
    *more: str,
    reason: str = "",
    retry_after: Retry = None,
    ban: Lasting = None,
    by: By | None = None,
    shown: Shown = None,
    yes: bool = False,
) -> Status:
    """Close sessions. They are told why, and when they may come back; else they do not by themselves."""
    if by is not None and ban is None:
        raise CommandError(N_("--by says what --ban bans, so it needs --ban, such as --ban 1h."))
    alone = _is_number(whom)
    chosen = [_one(context, int(whom))] if alone else _several(context, [whom, *more], shown)
    words = printable(reason or (" ".join(more) if alone else ""), REASON_CHARACTERS)
    banned = "" if ban is None else _ban(context, chosen, ban, Kind(by or Kind.USER), words, yes=yes)
    retry = None if retry_after is None else math.ceil(retry_after.total_seconds())
    # Of those who are banned, that is done already: the first reason stays.
    services(context).sessions.close(set(chosen).__contains__, CloseReason.KICKED, words, retry)
    return Status(_said(context, chosen, alone=alone) + banned)


@command(
    "PREVIEW KICK",
    summary=N_("Whom KICK with the same arguments would choose; nobody is closed."),
    role=Role.ADMIN,
    idempotent=True,
    hidden=True,
    reply=ReplyKind.TABLE,
    columns=COLUMNS,
    arguments=_ARGUMENTS,
    complete=_COMPLETE,
    example="user=ana",
)
def kick_preview(
    context: Context,
    whom: str,
    *more: str,
    reason: str = "",  # noqa: ARG001 - it takes what KICK takes
    retry_after: Retry = None,  # noqa: ARG001 - likewise
    ban: Lasting = None,  # noqa: ARG001 - likewise
    by: By | None = None,  # noqa: ARG001 - likewise
    shown: Shown = None,
    yes: bool = False,  # noqa: ARG001 - likewise
) -> Table | None:
    """List them; nothing for a number, which is sure."""
    if _is_number(whom):
        return None
    now = services(context).clock()
    rows: list[tuple[object, ...]] = [
        (
            session.number,
            _name(session) or None,
            session.role.label,
            session.peer.address,
            session.peer.transport,
            max(0, int(now - session.activity.last_active)),
            session.activity.last_command or None,
        )
        for session in _several(context, [whom, *more], shown)
    ]
    return Table(COLUMNS, rows)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit()


def _one(context: Context, number: int) -> Session:
    if number == context.session.number:
        raise CommandError(N_("That is your own connection; leave with EXIT."))
    for session in services(context).sessions:
        if session.number == number and not session.closing:
            return session
    raise CommandError(N_("No client has the id {id}; CLIENTS lists them."), id=number)


def _several(context: Context, words: list[str], shown: str | None) -> list[Session]:
    """Return those that a filter chooses, or was shown to choose, but for whoever asks."""
    wanted = replace(SessionFilter.parse(words), skip_me=True)
    if wanted.empty:
        raise CommandError(N_("KICK needs a filter: an empty one would close everybody."))
    me, now = context.session, services(context).clock()
    there = [session for session in services(context).sessions if not session.closing and session is not me]
    if shown is None:
        found = [session for session in there if wanted.matches(session, me, now)]
        if not found:
            raise CommandError(N_("No other client matches the filter; CLIENTS lists them."))
        return found
    numbers = set(shown.split(","))
    if not all(map(_is_number, numbers)):
        raise CommandError(N_("--shown takes the numbers of clients, joined by commas."))
    found = [session for session in there if str(session.number) in numbers]
    if not found:
        raise CommandError(N_("None of the clients that were shown is connected any more."))
    return found


def _ban(context: Context, chosen: Sequence[Session], lasts: timedelta, kind: Kind, reason: str, *, yes: bool) -> str:
    """Ban those that were chosen, as far as they have what is banned; say whom, and until when."""
    targets = [found for found in (target_of(session, kind) for session in chosen) if found is not None]
    if not targets:
        raise CommandError(N_("None of them can be banned by {kind}; nobody was closed."), kind=kind)
    made, _ = bans.ban(context, targets, lasts.total_seconds(), reason, yes=yes)
    sentence = context.translate("Banned until {until}: {what}.")
    what = _listed(context, [entry.label for entry in made])
    return " " + sentence.format(until=moment(made[0].until or 0.0), what=what)


def _said(context: Context, kicked: Sequence[Session], *, alone: bool) -> str:
    if alone:
        (one,) = kicked
        sentence = context.translate("Kicked client {id} ({name}, {address}).")
        return sentence.format(id=one.number, name=_name(one) or "-", address=one.peer.address)
    named = [f"{session.number} ({_name(session) or '-'}, {session.peer.address})" for session in kicked]
    sentence = context.translate("Kicked clients: {count}: {whom}.")
    return sentence.format(count=len(kicked), whom=_listed(context, named))


def _listed(context: Context, named: Sequence[str]) -> str:
    """Return the first of them in a line, and how many others there are."""
    shown = ", ".join(islice(named, TOLD))
    if len(named) <= TOLD:
        return shown
    return context.translate("{shown} and {count} more").format(shown=shown, count=len(named) - TOLD)


def _name(session: Session) -> str:
    principal = session.principal  # read once: its own thread may change it meanwhile
    return "" if principal is None else principal.name
