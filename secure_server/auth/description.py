"""What there is to tell of a token: the same wherever it is listed or shown. No secret is in it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from secure_server.auth.rate import format_rate
from secure_server.auth.token_record import TokenRecord, TokenState


def newest_of(records: Iterable[TokenRecord], now: float) -> dict[str, TokenRecord]:
    """Return each name's newest active token: where there is an older one, this replaces it.

    Args:
        records: oldest first.
        now: Unix seconds.
    """
    return {record.name: record for record in records if record.state(now) is TokenState.ACTIVE}


def describe(record: TokenRecord, now: float, newest: TokenRecord | None, sessions: int | None) -> dict[str, object]:
    """Return what people and programs are shown of a token; times in ISO 8601 with the local offset.

    Args:
        record: the token.
        now: Unix seconds.
        newest: the newest active token of its name, if there is one.
        sessions: live ones; None where no server was asked.

    Returns:
        `still_used` is there to know when an old token may go: whether it was used since another one replaced it, or
        has live sessions. None where that is no question, and where nobody could be asked for the sessions.
    """
    replaced = newest is not None and newest.id != record.id and newest.created >= record.created
    still_used: bool | None = None
    if newest is not None and replaced and record.state(now) is TokenState.ACTIVE:
        used_since = record.last_used is not None and record.last_used >= newest.created
        still_used = True if used_since or sessions else None if sessions is None else False
    return {
        "id": record.id,
        "name": record.name,
        "role": record.role.label,
        "state": record.state(now).value,
        "created": moment(record.created),
        "expires": moment(record.expires),
        "revoked": moment(record.revoked),
        "spent": moment(record.spent),
        "last_used": moment(record.last_used),
        "last_address": record.last_address,
        "sessions": sessions,
        "use": record.use.value,
        "allow": None if record.allow is None else sorted(record.allow),
        "networks": None if record.networks is None else [str(network) for network in record.networks],
        "max_sessions": record.max_sessions,
        "rate": None if record.rate is None else format_rate(record.rate),
        "replaces": record.replaces,
        "replaced_by": newest.id if newest is not None and replaced else None,
        "still_used": still_used,
    }


def moment(unix: float | None) -> str | None:
    """A date and time in the local zone, to the second."""
    return None if unix is None else datetime.fromtimestamp(unix, UTC).astimezone().isoformat(timespec="seconds")
