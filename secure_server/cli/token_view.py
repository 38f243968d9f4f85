"""Tokens as people see them in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime

import click

from secure_protocol.text_replies import cell
from secure_server.i18n import N_, _

_HEADINGS = (
    N_("id"),
    N_("name"),
    N_("role"),
    N_("created"),
    N_("expires"),
    N_("last used"),
    N_("sessions"),
    N_("still used"),
    N_("state"),
)
_STATES = (N_("active"), N_("spent"), N_("expired"), N_("revoked"))
"""The values of `TokenState`, for whoever reads the table; JSON has them as they are."""

Described = dict[str, object]
"""See `secure_server.auth.description`."""


def print_table(tokens: Iterable[Described]) -> None:
    """Print a row each; whether a token is still used is a column only where one was replaced."""
    from secure_client.answers.tables import fitted  # noqa: PLC0415 - slow, and of use to this alone

    tokens = list(tokens)
    replaced = any(item["replaced_by"] for item in tokens)
    headings = [heading for heading in _HEADINGS if replaced or heading != "still used"]
    rows = [[row[heading] for heading in headings] for row in map(_row, tokens)]
    click.echo(fitted([_(heading) for heading in headings], rows, sys.stdout))


def print_details(tokens: Iterable[Described]) -> None:
    """Print all that is told of each, a line for each thing, and an empty line between two tokens."""
    blocks = ("\n".join(f"{key}: {cell(value)}" for key, value in item.items()) for item in tokens)
    click.echo("\n\n".join(blocks))


def _row(item: Described) -> dict[str, str]:
    used = item["still_used"]
    return {
        "id": str(item["id"]),
        "name": str(item["name"]),
        "role": str(item["role"]),
        "created": _local(item["created"]),
        "expires": _local(item["expires"]),
        "last used": " ".join(filter(None, (_local(item["last_used"]), str(item["last_address"] or "")))),
        "sessions": cell(item["sessions"]),
        "still used": cell(None) if used is None else _("yes") if used else _("no"),
        "state": _(str(item["state"])),
    }


def _local(when: object) -> str:
    """Local time, short enough for a table and folding between date and time."""
    if when is None:
        return _("never")
    return datetime.fromisoformat(str(when)).replace(tzinfo=None).isoformat(" ", timespec="seconds")
