"""How tokens are used up in the database: each step is one transaction's, begun by whoever calls."""

from __future__ import annotations

import sqlite3

_ACTIVE = "revoked IS NULL AND spent IS NULL AND (expires IS NULL OR expires > :now)"
_CHANGED = "changed = (SELECT generation + 1 FROM change)"
"""The generation that this transaction ends with."""


def spend(db: sqlite3.Connection, token_id: str, now: float) -> bool:
    """Take a token's one use; whether it was there to take."""
    spent = db.execute(
        # S608: both are constants of this module; values are always bound.
        f"UPDATE tokens SET spent = :now, {_CHANGED} WHERE id = :id AND use = 'once' AND {_ACTIVE}",  # noqa: S608
        {"id": token_id, "now": now},
    )
    return spent.rowcount == 1


def give_back(db: sqlite3.Connection, token_id: str, when: float) -> None:
    """Take the spending of that moment back, and no other."""
    db.execute(
        f"UPDATE tokens SET spent = NULL, {_CHANGED} WHERE id = :id AND use = 'once' AND spent = :when",  # noqa: S608 - as above
        {"id": token_id, "when": when},
    )


def complete(db: sqlite3.Connection, token_id: str, now: float) -> bool:
    """Make a replacement lasting, and spend the token that it was given for; whether the replacement is good now.

    A replacement that is lasting already is good. One whose enrolment token was revoked, has expired, is gone or was
    exchanged again is not.
    """
    values = {"id": token_id, "now": now}
    spent = db.execute(
        f"UPDATE tokens SET spent = :now, {_CHANGED} WHERE use = 'enrolment' AND {_ACTIVE}"  # noqa: S608 - as above
        f" AND id = (SELECT replaces FROM tokens WHERE id = :id AND {_ACTIVE})",
        values,
    )
    if spent.rowcount == 1:
        db.execute(
            # Without a lifetime the sum is NULL, too: for ever.
            f"UPDATE tokens SET replaces = NULL, expires = :now + lifetime, {_CHANGED} WHERE id = :id",  # noqa: S608 - as above
            values,
        )
        return True
    found = db.execute(
        f"SELECT EXISTS (SELECT 1 FROM tokens WHERE id = :id AND replaces IS NULL AND {_ACTIVE})",  # noqa: S608 - as above
        values,
    )
    return bool(found.fetchone()[0])


def drop_replacements(db: sqlite3.Connection, token_id: str, now: float) -> bool:
    """Remove what an enrolment token was exchanged for so far and nobody used; whether it may be exchanged (again).

    Removed and not revoked: whoever holds the line may exchange it without end, and must not fill the disk by that.
    """
    values = {"id": token_id, "now": now}
    good = db.execute(
        f"SELECT EXISTS (SELECT 1 FROM tokens WHERE id = :id AND use = 'enrolment' AND {_ACTIVE})",  # noqa: S608 - as above
        values,
    )
    if not good.fetchone()[0]:
        return False
    db.execute("DELETE FROM tokens WHERE replaces = :id", values)
    return True
