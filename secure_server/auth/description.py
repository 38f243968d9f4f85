"""What there is to tell of a token: the same wherever it is listed or shown. No secret is in it."""

from __future__ import annotations

from collections.abc import Iterable

from secure_server.auth.rate import format_rate
from secure_server.auth.token_record import TokenRecord, TokenState
from secure_server.moments import moment_if

Records = list[TokenRecord]


def active_of(records: Iterable[TokenRecord], now: float) -> dict[str, Records]:
    """Return each name's active tokens, oldest first: what comes after another one replaces it.

    Args:
        records: oldest first.
        now: Unix seconds.
    """
    active: dict[str, Records] = {}
    for record in records:
        if record.state(now) is TokenState.ACTIVE:
            active.setdefault(record.name, []).append(record)
    return active


def describe(record: TokenRecord, now: float, active: Records, sessions: int | None) -> dict[str, object]:
    """Return what people and programs are shown of a token; times in ISO 8601 with the local offset.

    Args:
        record: the token.
        now: Unix seconds.
        active: the active tokens of its name, oldest first.
        sessions: live ones; None where no server was asked.

    Returns:
        `still_used` is there to know when an old token may go: whether it was used since the first that replaced it
        was made, or has live sessions. None where that is no question, where nobody could be asked for the sessions,
        and as long as none that replaced it was used: nobody has changed over, so its silence proves nothing.
    """
    places = [other.id for other in active]
    if record.id in places:
        later = active[places.index(record.id) + 1 :]
    else:
        later = [other for other in active if other.created >= record.created]
    still_used: bool | None = None
    if later and record.state(now) is TokenState.ACTIVE:
        if sessions or (record.last_used is not None and record.last_used >= later[0].created):
            still_used = True
        elif sessions is not None and any(other.last_used is not None for other in later):
            still_used = False
    return {
        "id": record.id,
        "name": record.name,
        "role": record.role.label,
        "state": record.state(now).value,
        "created": moment_if(record.created),
        "expires": moment_if(record.expires),
        "revoked": moment_if(record.revoked),
        "spent": moment_if(record.spent),
        "last_used": moment_if(record.last_used),
        "last_address": record.last_address,
        "sessions": sessions,
        "use": record.use.value,
        "allow": None if record.allow is None else sorted(record.allow),
        "networks": None if record.networks is None else [str(network) for network in record.networks],
        "max_sessions": record.max_sessions,
        "rate": None if record.rate is None else format_rate(record.rate),
        "replaces": record.replaces,
        "replaced_by": later[-1].id if later else None,
        "still_used": still_used,
    }
