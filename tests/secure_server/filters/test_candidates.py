"""What is offered while a filter is typed."""

from __future__ import annotations

import pytest

from secure_server.filters.grammar import Field, candidates
from secure_server.filters.kinds import Seconds, Text, Word

FIELDS: dict[str, Field[object]] = {
    "user": Field(Text(), lambda _one, _now: None),
    "role": Field(Word(["user", "admin"]), lambda _one, _now: None),
    "idle": Field(Seconds(), lambda _one, _now: None),
}


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("", [("user=", "= != ~ in"), ("role=", "= != ~ in"), ("idle=", "= != < > in"), ("not", "")]),
        ("U", [("user=", "= != ~ in")]),
        ("no", [("not", "")]),
        ("x", []),
        ("user=", ["user=ana", "user=bob"]),
        ("User!=B", ["User!=bob"]),
        ("role=", ["role=user", "role=admin"]),
        ("role~ad", ["role~admin"]),
        ("user>", []),
        ("colour=", []),
    ],
)
def test_fields_and_their_values_are_offered(typed: str, offered: list[str | tuple[str, str]]) -> None:
    """A field with an operator, and all that it takes; then with a value: those there are now, or all there can be."""
    assert candidates(typed, FIELDS, lambda name: {"user": ["ana", "bob"]}.get(name, [])) == offered
