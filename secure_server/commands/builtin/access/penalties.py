"""PENALTY: which addresses are refused, why, and a way out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.replies import ReplyKind, Status, Table
from secure_server.auth.principal import Role
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.i18n import N_
from secure_server.limits.netblock import netblock_of
from secure_server.limits.penalties import Penalty
from secure_server.moments import moment

GROUP = N_("Penalties")

COLUMNS = ("netblock", "failures", "refused_until", "seconds", "last", "from", "because")
ALL = "all"


def _netblocks(context: Context, _typed: str) -> Iterable[str]:
    return [*(entry.netblock for entry in services(context).penalties.entries()), ALL]


@command(
    "PENALTY LIST",
    summary=N_("The addresses that failed to authenticate, and until when they are refused."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.TABLE,
    columns=COLUMNS,
    empty=N_("No address has earned a penalty."),
)
def penalty_list(context: Context) -> Table:
    """List what is remembered as a table."""
    penalties = services(context).penalties
    rows: list[tuple[object, ...]] = []
    for entry in penalties.entries():
        seconds = math.ceil(penalties.refused_for(entry.netblock))
        until = _until(context, entry) if seconds else None
        rows.append((entry.netblock, entry.failures, until, seconds, moment(entry.last), entry.address, entry.why))
    return Table(COLUMNS, rows, context.translate(context.command.empty))


@command(
    "PENALTY EXPLAIN",
    summary=N_("Whether an address is refused, until when and why."),
    role=Role.ADMIN,
    idempotent=True,
    arguments={"address": N_("an IP address")},
    complete={"address": _netblocks},
    example="192.0.2.7",
)
def penalty_explain(context: Context, address: str) -> str:
    """Say it in a sentence."""
    netblock, penalties = _netblock(address), services(context).penalties
    if penalties.exempts(netblock):
        return context.translate("{netblock} earns no penalties: it is in penalties.exempt.").format(netblock=netblock)
    entry = penalties.entry(netblock)
    if entry is None:
        return context.translate("{netblock} is not refused: no failure is remembered.").format(netblock=netblock)
    if not penalties.refused_for(netblock):
        sentence = context.translate(
            "{netblock} is not refused: {failures} different credentials were refused, and from {needed} on it would "
            "be; the last one at {last} from {address} ({why})."
        )
        return sentence.format(
            netblock=netblock,
            failures=entry.failures,
            needed=penalties.needed,
            last=moment(entry.last),
            address=entry.address,
            why=entry.why,
        )
    return _refusal(context, entry)


def refusal(context: Context, address: str) -> str | None:
    """Say why an address is refused; None where it is not, or is none."""
    netblock, penalties = netblock_of(address), services(context).penalties
    entry = penalties.entry(netblock)
    return None if entry is None or not penalties.refused_for(netblock) else _refusal(context, entry)


def _refusal(context: Context, entry: Penalty) -> str:
    sentence = context.translate(
        "{netblock} is refused until {until}, because {failures} different credentials from it were refused; the last "
        "one at {last} from {address} ({why}). A good one is let in all the same."
    )
    return sentence.format(
        netblock=entry.netblock,
        until=_until(context, entry),
        failures=entry.failures,
        last=moment(entry.last),
        address=entry.address,
        why=entry.why,
    )


@command(
    "PENALTY CLEAR",
    summary=N_("Forget what an address has earned, or all of them."),
    role=Role.ADMIN,
    arguments={"netblock": N_("as PENALTY LIST shows it, an IP address, or all")},
    complete={"netblock": _netblocks},
    example="192.0.2.7",
)
def penalty_clear(context: Context, netblock: str) -> Status:
    """Let it try again at once."""
    chosen = None if netblock.lower() == ALL else _netblock(netblock)
    cleared = services(context).penalties.clear(chosen)
    if chosen is not None and not cleared:
        raise CommandError(N_("{netblock} has no penalty; PENALTY LIST shows those that have."), netblock=chosen)
    return Status(context.translate("Cleared: {count}.").format(count=cleared))


def _netblock(text: str) -> str:
    """Read an address, or a netblock as the table shows it."""
    netblock = netblock_of(text.removesuffix("/64"))
    if not netblock:
        raise CommandError(
            N_("{text} is no IP address; write it as 203.0.113.7 or 2001:db8::1."), text=printable(text, 60)
        )
    return netblock


def _until(context: Context, entry: Penalty) -> str:
    """The end of a refusal on the wall clock, which may have been set since."""
    return moment(datetime.now(UTC).timestamp() + entry.until - services(context).clock())
