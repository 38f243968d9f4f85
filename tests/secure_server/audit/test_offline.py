"""What programs beside the server, or without one, record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_server.audit.offline import OFF, switch
from secure_server.audit.tail import trail_files
from secure_server.auth.principal import Role, TokenUse
from secure_server.auth.rate import parse_rate
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.auth.tokens import Tokens
from secure_server.cli.beside.recorder import Recorder
from tests.secure_server.audit.conftest import Books


@pytest.fixture
def tokens(books: Books) -> Iterator[Tokens]:
    """The service as `secure-server token` has it."""
    with SQLiteTokenStorage(books.directory / "tokens.db") as storage:
        yield Tokens(storage, on_change=Recorder(books.directory).tokens)


def test_each_change_of_a_token_is_recorded(books: Books, tokens: Tokens) -> None:
    """Made, replaced, ended: by whom, and what it allows, without its secret."""
    first = tokens.create("ada", Role.OPERATOR, 60, ["ECHO", "TIME"])
    second = tokens.rotate("ada")
    tokens.revoke("ada")
    records = books.records()
    assert [(record.event, record.outcome) for record in records] == [
        ("token", "created"),
        ("token", "rotated"),
        ("token", "revoked"),
        ("token", "revoked"),
    ]
    assert records[0].who.startswith("local:")
    assert records[0].address == "cli"
    detail = dict(records[0].detail)
    assert str(detail.pop("expires")).endswith("Z")
    assert detail == {"token": first.id, "name": "ada", "role": "operator", "allow": "ECHO,TIME"}
    assert records[1].detail["token"] == second.id
    assert first.secret not in b"".join(books.lines()).decode()


def test_the_bounds_of_a_token_are_recorded(books: Books, tokens: Tokens) -> None:
    """The command's arguments are secret, so this alone tells what was given to whom."""
    tokens.create("ci", networks=["10.0.0.0/8"], max_sessions=2, rate=parse_rate("5/m"), use=TokenUse.ENROLMENT)
    first = dict(books.records()[0].detail)
    bounds = {"networks": "10.0.0.0/8", "max_sessions": 2, "rate": "5/m:5"}
    assert first.items() >= (bounds | {"use": "enrolment"}).items()
    assert tokens.exchange(str(first["token"])) is not None
    second = dict(books.records()[1].detail)
    assert second.items() >= (bounds | {"replaces": first["token"]}).items()
    assert "use" not in second


def test_nothing_is_recorded_where_the_trail_is_off(books: Books, tokens: Tokens, tmp_path: Path) -> None:
    """The server's configuration says so, through the data directory; and on again."""
    switch(tmp_path, on=False)
    tokens.create("ada")
    assert trail_files(books.directory) == []
    assert (tmp_path / OFF).stat().st_mode & 0o777 == 0o600
    switch(tmp_path, on=True)
    switch(tmp_path, on=True)
    tokens.create("bia")
    assert len(books.records()) == 1


def test_a_revocation_of_certificates_is_recorded(books: Books) -> None:
    """Of which name, whatever characters it has."""
    Recorder(books.directory).certificate("revoked", "laptop \u202e")
    (record,) = books.records()
    assert (record.event, record.outcome, record.detail) == ("certificate", "revoked", {"name": "laptop \\u202e"})
