"""What is typed of a filter of sessions, completed."""

from __future__ import annotations

from secure_server.commands.builtin.services import services
from secure_server.commands.command import Candidate
from secure_server.commands.context import Context
from secure_server.filters.grammar import candidates
from secure_server.session.filter import FIELDS, values


def filter_words(context: Context, typed: str) -> list[Candidate]:
    """Give what may stand in a filter of sessions: fields, and the values that they have now."""
    sessions, now = services(context).sessions, services(context).clock()
    return candidates(typed, FIELDS, lambda name: values(name, sessions, now))
