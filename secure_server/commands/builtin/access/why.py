"""SERVER WHY: what keeps somebody out, in a sentence for each thing that does."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from secure_protocol.printable import printable
from secure_protocol.replies import ReplyKind
from secure_server.auth.errors import TokenNotFoundError
from secure_server.auth.principal import Role
from secure_server.auth.token_record import TokenRecord, TokenState
from secure_server.commands.builtin.access.penalties import refusal
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.filters.kinds import host_of
from secure_server.i18n import N_
from secure_server.limits.bans import Ban
from secure_server.limits.netblock import parse_address
from secure_server.moments import moment

GROUP = N_("Bans")

MOST_TOKENS = 10
"""Of one name, told about; the newest first."""
NAME_CHARACTERS = 128
"""Of what was asked about, in the answer."""

_ENDS = {
    TokenState.REVOKED: N_("Token {id} was revoked at {moment}."),
    TokenState.EXPIRED: N_("Token {id} expired at {moment}."),
    TokenState.SPENT: N_("Token {id} was for one login, and had it at {moment}."),
}


def _known(context: Context, _typed: str) -> Iterable[str]:
    """Give names and addresses that there is something to say of."""
    bans = services(context).banning.bans.entries()
    penalties = (entry.netblock.partition("/")[0] for entry in services(context).penalties.entries())
    tokens = (record.name for record in services(context).tokens_by(context.session).list())
    hosts = (host_of(session.peer.address) for session in services(context).sessions if not session.peer.admin)
    return sorted({*(ban.what.partition("/")[0] for ban in bans), *penalties, *tokens, *hosts})


@command(
    "SERVER WHY",
    summary=N_("Why somebody cannot log in, or that nothing keeps them out."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.LINES,
    arguments={"who": N_("an address, or the name of a user")},
    complete={"who": _known},
    example="192.0.2.7",
)
def server_why(context: Context, who: str) -> list[str]:
    """Say what does; a line for each."""
    of = _of_address if parse_address(who) is not None else _of_user
    found = list(dict.fromkeys([*of(context, who), *_of_everybody(context)]))
    if found:
        return found
    good = context.translate("Nothing keeps {who} out.").format(who=printable(who, NAME_CHARACTERS))
    return [good, *(_past(context, who) if of is _of_user else ())]


def _of_address(context: Context, address: str) -> Iterator[str]:
    for ban in services(context).banning.bans.of_address(address):
        yield _banned(context, ban)
    if (refused := refusal(context, address)) is not None:
        yield refused


def _of_user(context: Context, name: str) -> Iterator[str]:
    ban = services(context).banning.bans.of_user(name)
    if ban is not None:
        yield _banned(context, ban)
    granted, revoked = services(context).granted(name), services(context).revoked_certificates.list().get(name)
    if revoked is not None:
        sentence = context.translate("Client certificates of {name} made until {moment} are revoked.")
        yield sentence.format(name=printable(name, NAME_CHARACTERS), moment=moment(revoked))
    if granted is not None and granted.networks is not None:
        sentence = context.translate("Client certificates of {name} are taken from {networks} alone.")
        yield sentence.format(name=printable(name, NAME_CHARACTERS), networks=_joined(granted.networks))
    records = _records(context, name)
    now, live = time.time(), services(context).sessions.of_tokens()
    good = [record for record in records if record.state(now) is TokenState.ACTIVE]
    for record in good[:MOST_TOKENS]:
        yield from _of_token(context, record, live.get(record.id, 0))
    if not good and granted is None:
        yield from _past(context, name)
        if not records:
            sentence = context.translate("There is no token of the name {name}, and no certificate stands for it.")
            yield sentence.format(name=printable(name, NAME_CHARACTERS))
    hosts = {host_of(record.last_address) for record in good if record.last_address}
    for host in sorted(hosts):
        yield from _of_address(context, host)


def _of_token(context: Context, record: TokenRecord, live: int) -> Iterator[str]:
    """Say what of a good token may be in the way."""
    if record.networks is not None:
        sentence = context.translate("Token {id} is good from {networks} alone.")
        yield sentence.format(id=record.id, networks=_joined(record.networks))
    if record.max_sessions is not None and live >= record.max_sessions:
        sentence = context.translate("Token {id} has {count} sessions, which are all that it may have.")
        yield sentence.format(id=record.id, count=live)


def _past(context: Context, name: str) -> Iterator[str]:
    """Say which tokens of a name are good no more: somebody may show one of them still."""
    now = time.time()
    ended = [record for record in _records(context, name) if record.state(now) in _ENDS]
    for record in ended[:MOST_TOKENS]:
        state = record.state(now)
        when = {TokenState.REVOKED: record.revoked, TokenState.EXPIRED: record.expires}.get(state, record.spent)
        yield context.translate(_ENDS[state]).format(id=record.id, moment=moment(when or 0.0))


def _of_everybody(context: Context) -> Iterator[str]:
    sessions = services(context).sessions
    if services(context).admission.shut:
        yield context.translate("No token is good now, for the token database cannot be trusted; see the server's log.")
    if sessions.clients >= sessions.most:
        yield context.translate("All {count} places for clients are taken.").format(count=sessions.most)


def _records(context: Context, name: str) -> list[TokenRecord]:
    """Return the tokens of a name, the newest first."""
    try:
        found = services(context).tokens_by(context.session).find(name)
    except TokenNotFoundError:
        return []
    return sorted(found, key=lambda record: -record.created)


def _banned(context: Context, ban: Ban) -> str:
    what, by, reason = ban.label, ban.by, ban.reason or "-"
    if ban.until is None:
        sentence = context.translate("{what} is banned for good, by {by}; reason: {reason}")
        return sentence.format(what=what, by=by, reason=reason)
    sentence = context.translate("{what} is banned until {until}, by {by}; reason: {reason}")
    return sentence.format(what=what, until=moment(ban.until), by=by, reason=reason)


def _joined(networks: Sequence[object]) -> str:
    return ", ".join(map(str, networks))
