"""What is typed of a filter, completed with what those who are connected have now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from secure_server.commands.builtin.services import services
from secure_server.commands.command import Candidate, Complete
from secure_server.commands.context import Context
from secure_server.filters.grammar import Field, candidates
from secure_server.session.filter import FIELDS, values


def completed_by_sessions(fields: Mapping[str, Field[Any]]) -> Complete:
    """Return what completes a filter of these fields: those, and the values that sessions have in fields of that name.

    Args:
        fields: by name; of sessions, or of what tells of them.
    """

    def complete(context: Context, typed: str) -> list[Candidate]:
        sessions, now = services(context).sessions, services(context).clock()
        return candidates(typed, fields, lambda name: values(name, sessions, now))

    return complete


filter_words = completed_by_sessions(FIELDS)
"""Completes a filter of sessions."""
