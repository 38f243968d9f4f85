"""Checks of what stands in the databases: tokens that end, and whether SQLite can read itself."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from secure_protocol.sentence import Sentence
from secure_server.auth.errors import StorageError
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.token_record import TokenRecord, TokenState
from secure_server.auth.tokens import Tokens
from secure_server.doctor.files import Place
from secure_server.doctor.finding import Check, Finding, Severity, named
from secure_server.files import database

TOKENS, JOBS = "tokens.db", "jobs.db"
"""The databases in the data directory."""
SOON = 7 * 86400.0
"""Seconds before a token's end at which its holder should have another."""
LOOK_SECONDS = 5.0
"""For SQLite's look at one database; a larger one takes longer, and a backup checks all of it."""
STEPS = 10_000
"""Of SQLite's, between looks at the clock."""
PATIENCE = 1.0
"""Seconds to wait for another's write."""


def integrity(place: Place) -> Iterator[Finding]:
    """Whether the databases are whole."""
    for name in (TOKENS, JOBS):
        path = place.data / name
        with place.acting(place.data) if place.data.is_dir() else contextlib.nullcontext():
            if not path.exists():
                continue
            said = _quick_check(name, place)
        if said:
            yield Finding(
                Severity.ERROR,
                "database",
                Sentence("{path} is damaged: {why}.", path=path, why=said),
                Sentence("Stop the server, and put a backup back with secure-server restore."),
            )


def _quick_check(name: str, place: Place) -> str:
    """Return what SQLite finds wrong; nothing where it is well, or takes too long."""
    until = time.monotonic() + LOOK_SECONDS
    try:
        with contextlib.closing(database.connected(place.data / name, PATIENCE)) as db:
            db.set_progress_handler(lambda: time.monotonic() > until, STEPS)
            found = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError:  # it was interrupted, or is busy: whoever uses it tells more
        return ""
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == "ok" else found


def tokens(place: Place) -> Iterator[Finding]:
    """Whether tokens are about to end."""
    with place.acting(place.data) if place.data.is_dir() else contextlib.nullcontext():
        if not (place.data / TOKENS).exists():
            yield Finding(
                Severity.NOTE,
                "tokens",
                Sentence("There are no tokens, so nobody can log in."),
                Sentence("Make one with secure-server token create NAME."),
            )
            return
        try:
            with SQLiteTokenStorage(place.data / TOKENS) as storage:
                records = Tokens(storage).list()
        except StorageError as error:
            remedy = Sentence("See to that first: nobody can log in meanwhile.")
            yield Finding(Severity.ERROR, "tokens", error.args[0], remedy)
            return
    yield from ending(records, place.now.timestamp())


def ending(records: Sequence[TokenRecord], now: float) -> Iterator[Finding]:
    """Say which of these are about to end, and whether dead ones lie about.

    A token is left out whose name has another that stays good: it was replaced.
    """
    active = [record for record in records if record.state(now) is TokenState.ACTIVE]
    lasting = {record.name for record in active if record.expires is None or record.expires - now > SOON}
    soon = [record for record in active if record.expires is not None and record.name not in lasting]
    if soon:
        shown = [
            f"{record.name} ({datetime.fromtimestamp(record.expires or 0, UTC):%Y-%m-%d %H:%M} UTC)" for record in soon
        ]
        yield Finding(
            Severity.WARNING,
            "tokens",
            Sentence("Tokens end within a week: {names}.", names=named(shown)),
            Sentence("Make the next ones with TOKEN ROTATE NAME, while the old ones are good."),
        )
    dead = len(records) - len(active)
    if dead:
        yield Finding(
            Severity.NOTE,
            "tokens",
            Sentence("Tokens that have ended are kept: {count}.", count=dead),
            Sentence("TOKEN PURGE --older 30d removes the records of those that ended a month ago."),
        )


DATABASES: Sequence[Check[Place]] = (integrity, tokens)
