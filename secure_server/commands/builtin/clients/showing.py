"""CLIENT SHOW: all that is known of one client."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from secure_protocol.errors import CommandError
from secure_protocol.replies import ReplyKind
from secure_server.auth.description import describe
from secure_server.auth.errors import TokenError
from secure_server.auth.principal import Principal, Role
from secure_server.auth.rate import format_rate
from secure_server.commands.builtin.messages import session_numbers
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.i18n import N_
from secure_server.limits.rate import Rate
from secure_server.moments import moment
from secure_server.session.session import Session

GROUP = N_("Clients")

JOBS = 20
"""Of a client that are shown, the newest; JOBS lists all."""
TOKEN_SHOWN = ("id", "name", "role", "state", "created", "expires", "networks", "use", "last_used", "last_address")
"""Of what there is to tell of a token; TOKEN SHOW tells all."""


@command(
    "CLIENT SHOW",
    summary=N_("All about one client: its life, last commands, limits, certificate, token, penalties and jobs."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.LINES,
    arguments={"id": N_("the number that CLIENTS shows")},
    complete={"id": session_numbers},
    example="7",
)
def client_show(context: Context, id: int) -> dict[str, object]:  # noqa: A002 - the argument's name is what people read
    """Return it as a map, without what there is not."""
    session = services(context).sessions.numbered(id)
    if session is None:
        raise CommandError(N_("No client has the id {id}; CLIENTS lists them."), id=id)
    principal = session.principal  # read once: its own thread may change it meanwhile
    told: dict[str, object] = {
        **_person(session, principal),
        **_figures(context, session),
        "waiting": _waiting(context, session),
        "timeline": list(_timeline(session)),
        "last": list(_last(session)),
    }
    if principal is not None:
        told["limits"] = _limits(context, principal)
        told["token"] = _token(context, principal)
        told["jobs"] = _jobs(context, session, principal)
    told["certificate"] = _certificate(session)
    told["penalty"] = _penalty(context, session)
    return {key: value for key, value in told.items() if value is not None}


def _person(session: Session, principal: Principal | None) -> dict[str, object]:
    peer = session.peer
    return {
        "id": session.number,
        "user": None if principal is None else principal.name,
        "role": session.role.label,
        "name": session.client_name or None,
        "library": " ".join(filter(None, session.library)) or None,
        "transport": peer.transport,
        "tls": peer.tls or None,
        "cipher": peer.cipher or None,
        "protocol": session.codec.name,
        "language": session.language,
        "address": peer.address,
        "local": peer.local or None,
        "state": session.state.name.lower(),
    }


def _figures(context: Context, session: Session) -> dict[str, object]:
    activity, now = session.activity, services(context).clock()
    return {
        "connected": moment(activity.connected),
        "age": max(0, int(now - activity.since)),
        "idle": max(0, int(now - activity.last_active)),
        "commands": activity.commands,
        "in": activity.received,
        "out": activity.sent,
    }


def _waiting(context: Context, session: Session) -> dict[str, object]:
    """Bytes that wait on either side, and what runs, for how many seconds."""
    waits: dict[str, object] = {"unread": session.unread, "unsent": len(session.output)}
    if session.busy:
        running = max(0.0, services(context).clock() - session.activity.begun)
        waits |= {"running": session.activity.last_command, "seconds": round(running, 3)}
    return waits


def _timeline(session: Session) -> Iterator[dict[str, object]]:
    yield {"time": moment(session.activity.connected), "what": "connected", "detail": session.peer.transport}
    for one in session.moments:
        told: dict[str, object] = {"time": moment(one.when), "what": one.what}
        yield {**told, "detail": one.detail} if one.detail else told


def _last(session: Session) -> Iterator[dict[str, object]]:
    """Its last commands, oldest first. Those that were answered the short way are counted, for nobody noted them."""
    activity, ran = session.activity, list(session.ran or ())
    total, last = activity.commands, activity.last_command
    before = ran[0].total - 1 if ran else total
    for one in ran:
        if one.total - before > 1:
            yield {"count": one.total - before - 1}
        before = one.total
        told: dict[str, object] = {"time": moment(one.when), "command": one.command, "outcome": str(one.outcome)}
        yield told if one.seconds is None else {**told, "took": round(one.seconds, 4)}
    if not session.busy and total > before:
        yield {"command": last, "outcome": "ok", "count": total - before}


def _limits(context: Context, principal: Principal) -> dict[str, object]:
    bucket = principal.bucket
    limits: dict[str, object] = {
        "role": principal.role.label,
        "allow": None if principal.allow is None else sorted(principal.allow),
        "max_sessions": principal.max_sessions,
    }
    if principal.token_id is not None:
        limits["sessions"] = services(context).sessions.of_tokens().get(principal.token_id, 0)
    if bucket is not None:
        limits["rate"] = format_rate(Rate(bucket.per_second, bucket.burst))
        limits["left"] = math.floor(bucket.left(services(context).clock()))
    return {key: value for key, value in limits.items() if value is not None}


def _token(context: Context, principal: Principal) -> dict[str, object] | None:
    if principal.token_id is None:
        return None
    try:
        found = services(context).tokens_by(context.session).find(principal.token_id)
    except TokenError:  # it was purged meanwhile, or the storage cannot be read: its id is known all the same
        return {"id": principal.token_id, "name": principal.name}
    told = describe(found[0], time.time(), [], None)
    return {key: told[key] for key in TOKEN_SHOWN if told[key] is not None}


def _certificate(session: Session) -> dict[str, object] | None:
    shown = session.peer.certificate
    if shown is None:
        return None
    return {"name": shown.name, "fingerprint": shown.fingerprint, "expires": moment(shown.not_after)}


def _penalty(context: Context, session: Session) -> dict[str, object] | None:
    """What its address has earned by failing to authenticate; None for nothing."""
    penalties, netblock = services(context).penalties, session.peer.netblock
    earned = penalties.entry(netblock) if netblock else None
    if earned is None:
        return None
    return {
        "netblock": earned.netblock,
        "failures": earned.failures,
        "seconds": math.ceil(penalties.refused_for(netblock)),
        "last": moment(earned.last),
        "from": earned.address,
        "because": earned.why,
    }


def _jobs(context: Context, session: Session, principal: Principal) -> list[dict[str, object]] | None:
    """The jobs of its user that wait or run, and those that were started from this connection."""
    jobs = services(context).jobs
    if jobs is None:
        return None
    found: list[dict[str, object]] = []
    for job in reversed(jobs.all):
        here = job.address == session.peer.address and job.created >= session.activity.connected
        if job.principal == principal.name and (here or not job.state.ended):
            found.append({"job": job.number, "command": job.command, "state": str(job.state)})
            if len(found) == JOBS:
                break
    return found or None
