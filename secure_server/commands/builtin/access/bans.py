"""BAN: who is kept out, by whom, until when, and a way back in."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

from secure_protocol.errors import CommandError, ErrorCode
from secure_protocol.printable import printable
from secure_protocol.replies import ReplyKind, Status, Table
from secure_server.auth.errors import TokenRequestError
from secure_server.auth.principal import Role
from secure_server.auth.tokens import check_name
from secure_server.commands.builtin.services import services
from secure_server.commands.command import Candidate, command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.filters.kinds import host_of
from secure_server.i18n import N_
from secure_server.limits.bans import MOST_BANS, Ban, Kind, Target, TooManyBansError, network_of, target
from secure_server.limits.netblock import parse_address
from secure_server.moments import moment

GROUP = N_("Bans")

COLUMNS = ("id", "ban", "until", "seconds", "by", "since", "reason")
REASON_CHARACTERS = 200
"""The longest reason; it is one line for the one who is banned."""
SHOWN_CHARACTERS = 60
"""Of what is not understood, in an error."""

Lasting = Annotated[timedelta | None, Argument(minimum=1, maximum=10 * 365 * 86400)]
"""For how long somebody is banned: at most ten years; whoever means for good leaves it out."""

_log = logging.getLogger("secure_server.commands")


def _candidates(context: Context, typed: str) -> Iterable[str]:
    """Give what may be banned now: the kinds, and of a kind those who are connected."""
    kind, equals, _ = typed.partition("=")
    if not equals:
        return [f"{known}=" for known in Kind]
    sessions = services(context).sessions
    if kind == Kind.USER:
        principals = [session.principal for session in sessions if not session.peer.admin]
        return sorted({f"{kind}={principal.name}" for principal in principals if principal is not None})
    hosts = {host_of(session.peer.address) for session in sessions}
    found = sorted(host for host in hosts if parse_address(host) is not None)
    if kind == Kind.NETWORK:
        found = sorted(set(map(network_of, found)))
    return [f"{kind}={host}" for host in found]


def _banned(context: Context, _typed: str) -> Iterator[Candidate]:
    entries = services(context).banning.bans.entries()
    yield from ((str(ban.number), ban.label) for ban in entries)
    yield from (ban.label for ban in entries)


@command(
    "BAN ADD",
    summary=N_("Keep a user, an address or a network out, and end their sessions."),
    role=Role.ADMIN,
    arguments={
        "what": N_("user=NAME, address=192.0.2.7 or network=10.0.0.0/8"),
        "for_": N_("for how long: 1h; left out, for good"),
        "reason": N_("told to the banned"),
        "yes": N_("also where that is you"),
    },
    complete={"what": _candidates},
    example=N_('user=ana --for 1h --reason "back tomorrow"'),
)
def ban_add(context: Context, what: str, *, for_: Lasting = None, reason: str = "", yes: bool = False) -> Status:
    """Ban, and say whom and how many sessions ended; what is banned already is banned as this says."""
    (made,), ended = ban(context, [_target(what)], None if for_ is None else for_.total_seconds(), reason, yes=yes)
    if made.until is None:
        sentence = context.translate("Banned for good: {what}, by number {id}; sessions ended: {count}.")
        return Status(sentence.format(what=made.label, id=made.number, count=ended))
    sentence = context.translate("Banned until {until}: {what}, by number {id}; sessions ended: {count}.")
    return Status(sentence.format(until=moment(made.until), what=made.label, id=made.number, count=ended))


@command(
    "BAN LIST",
    summary=N_("Who is kept out, until when, by whom and why; without an end for good."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.TABLE,
    columns=COLUMNS,
    empty=N_("Nobody is banned."),
    minor=("seconds", "since"),
)
def ban_list(context: Context) -> Table:
    """List the bans that hold as a table."""
    bans = services(context).banning.bans
    now = bans.wall()
    rows: list[tuple[object, ...]] = [
        (
            ban.number,
            ban.label,
            None if ban.until is None else moment(ban.until),
            None if ban.until is None else math.ceil(ban.until - now),
            ban.by,
            moment(ban.since),
            ban.reason or None,
        )
        for ban in bans.entries()
    ]
    return Table(COLUMNS, rows, context.translate(context.command.empty))


@command(
    "BAN REMOVE",
    summary=N_("Take a ban back."),
    role=Role.ADMIN,
    arguments={"ban": N_("its number or what is banned, as BAN LIST shows it")},
    complete={"ban": _banned},
    example="user=ana",
)
def ban_remove(context: Context, ban: str) -> Status:
    """Let them in again."""
    bans = services(context).banning.bans
    numbers = [entry.number for entry in bans.entries() if ban in (str(entry.number), entry.label, entry.what)]
    with explained():
        removed = bans.remove(numbers)
    if not removed:
        raise CommandError(
            N_("There is no ban {given}; BAN LIST shows those that there are."), given=printable(ban, SHOWN_CHARACTERS)
        )
    sentence = context.translate("Not banned any more: {what}.")
    return Status(sentence.format(what=", ".join(entry.label for entry in removed)))


def ban(
    context: Context, targets: list[Target], seconds: float | None, reason: str, *, yes: bool
) -> tuple[list[Ban], int]:
    """Ban some on behalf of whoever asks; return the bans, and how many sessions they ended.

    Args:
        context: of the command.
        targets: whom or what.
        seconds: for how long; None for good.
        reason: as it was given.
        yes: whoever asks may be among them.

    Raises:
        CommandError: nobody was banned; says why.
    """
    banning, principal = services(context).banning, context.principal
    if not yes and banning.covers(targets, context.session):
        raise CommandError(N_("That would ban you, too; with --yes it is done all the same."))
    with explained():
        return banning.add(
            targets,
            seconds=seconds,
            by="-" if principal is None else principal.name,
            reason=printable(reason, REASON_CHARACTERS),
            me=context.session,
        )


@contextmanager
def explained() -> Iterator[None]:
    """Tell the caller what could not be done; a peer is not told of paths."""
    try:
        yield
    except TooManyBansError:
        raise CommandError(
            N_("There would be more than {most} bans, which are all that are kept; BAN REMOVE takes some back."),
            most=MOST_BANS,
        ) from None
    except OSError as error:
        _log.error("the bans could not be written: %s", error)
        raise CommandError(
            N_("The bans could not be written to disk, so nothing was changed; see the server's log."),
            code=ErrorCode.UNAVAILABLE,
        ) from None


def _target(text: str) -> Target:
    """Read `user=ana`."""
    word, equals, what = text.partition("=")
    if not equals or word.lower() not in list(Kind):
        raise CommandError(
            N_("{given} is nothing to ban; write user=NAME, address=192.0.2.7 or network=10.0.0.0/8."),
            given=printable(text, SHOWN_CHARACTERS),
        )
    kind = Kind(word.lower())
    try:
        if kind is Kind.USER:
            check_name(what)
        return target(kind, what)
    except TokenRequestError:
        raise CommandError(N_("That is no name of a user; TOKENS shows those that there are.")) from None
    except ValueError as error:
        shown = printable(what, SHOWN_CHARACTERS)
        if kind is Kind.ADDRESS:
            raise CommandError(
                N_("{text} is no IP address; write it as 203.0.113.7 or 2001:db8::1."), text=shown
            ) from None
        raise CommandError(
            N_("{text} is no network; write it as in {meant}."), text=shown, meant=str(error) or "10.0.0.0/8"
        ) from None
