"""A token's record as a row of the database, and back."""

from __future__ import annotations

import sqlite3
from ipaddress import ip_network
from typing import Any

from secure_server.auth.lifetime import LIFETIME_MAX
from secure_server.auth.principal import Role, TokenUse
from secure_server.auth.token_record import ScramKeys, TokenRecord
from secure_server.limits.rate import Rate

_COLUMNS = (
    "id, name, role, digest, created, expires, revoked, last_used, last_address, allow, "
    "networks, use, spent, replaces, max_sessions, rate, burst, stored_key, server_key, lifetime"
)
_PLACES = ", ".join("?" * (_COLUMNS.count(",") + 1))
SELECT = f"SELECT {_COLUMNS} FROM tokens"  # noqa: S608 - built of constants; values are always bound
"""All of a record; what follows chooses among them."""
_ROLES = {role.label: role for role in Role}
FIRST_MOMENT, LAST_MOMENT = 0.0, 32_503_680_000.0
"""Unix seconds, the years 1970 and 3000: what every system can show as a date, in any zone. A lifetime is 100 years
at most, so what lies beyond was put there by somebody else; it acts the same as the end of this, and can be shown."""


def _row(record: TokenRecord) -> tuple[Any, ...]:
    rate, scram = record.rate, record.scram
    return (  # as in _COLUMNS
        record.id,
        record.name,
        record.role.label,
        record.digest,
        record.created,
        record.expires,
        record.revoked,
        record.last_used,
        record.last_address,
        None if record.allow is None else ",".join(sorted(record.allow)),
        None if record.networks is None else ",".join(map(str, record.networks)),
        record.use.value,
        record.spent,
        record.replaces,
        record.max_sessions,
        *((None, None) if rate is None else rate),
        *((None, None) if scram is None else scram),
        record.lifetime,
    )


def insert(db: sqlite3.Connection, record: TokenRecord) -> None:
    """Add a record, in the transaction that is under way."""
    db.execute(f"INSERT INTO tokens ({_COLUMNS}) VALUES ({_PLACES})", _row(record))  # noqa: S608 - built of constants; values are always bound


def record_of(row: tuple[Any, ...]) -> TokenRecord:
    """Return the record of a row that `SELECT` gave.

    Raises:
        KeyError, ValueError, AttributeError, TypeError: it makes no sense.
    """
    (id_, name, role, digest, created, expires, revoked, last_used, last_address, allow, *rest) = row  # as in _COLUMNS
    networks, use, spent, replaces, max_sessions, rate, burst, stored_key, server_key, lifetime = rest
    return TokenRecord(
        id_,
        name,
        _ROLES[role],
        digest,
        moment(created),
        _perhaps(expires),
        _perhaps(revoked),
        _perhaps(last_used),
        last_address,
        allow=None if allow is None else frozenset(allow.split(",")),
        networks=None if networks is None else tuple(map(ip_network, networks.split(","))),
        use=TokenUse(use),
        spent=_perhaps(spent),
        replaces=replaces,
        max_sessions=max_sessions,
        rate=None if rate is None else Rate(rate, burst),
        scram=None if stored_key is None else ScramKeys(stored_key, server_key),
        lifetime=None if lifetime is None else min(max(lifetime, 0.0), LIFETIME_MAX),
    )


def moment(unix: float) -> float:
    """Return a moment that can be a date.

    Raises:
        TypeError: it is no number.
    """
    return min(max(unix, FIRST_MOMENT), LAST_MOMENT)


def _perhaps(unix: float | None) -> float | None:
    return None if unix is None else moment(unix)
