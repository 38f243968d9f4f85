"""All commands on one screen: by subject, and within that by role, folded to the width."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TextIO

from secure_client.answers.colours import Colour, painted
from secure_client.answers.columns import columns_of, wrapped
from secure_client.i18n import _
from secure_protocol.description import CommandDescription
from secure_protocol.printable import printable

SYNTAX_COLUMNS = 30
"""The longest syntax that is shown whole, or a third of a wider terminal, or a line where it has one for itself; of a
longer one the name is, for `HELP NAME` tells the rest."""
NARROW = 60
"""Columns below which a summary stands under its command, and not beside it."""
INDENT, GAP = 2, 2
LINE_CHARACTERS = 1000
"""Of a name, a summary, a heading."""
_ROLES = ("", "user", "operator", "admin")


def overview(
    commands: Iterable[CommandDescription], columns: int, stream: TextIO, short: Mapping[str, str] | None = None
) -> str:
    """Return the list.

    Args:
        commands: that the user may run.
        columns: of the terminal.
        stream: that it is written to; decides about colours.
        short: first words of the terminal's own, and what each stands for.
    """
    groups: dict[str, list[CommandDescription]] = {"": []}
    for command in commands:
        groups.setdefault(command.group, []).append(command)
    room = max(SYNTAX_COLUMNS, columns // 3) if columns >= NARROW else columns - INDENT
    shown = {command.name: _syntax(command, room) for group in groups.values() for command in group}
    beside = max(map(columns_of, shown.values()), default=0) + GAP if columns >= NARROW else 0
    lines: list[str] = []
    for heading, group in groups.items():
        if not group:
            continue
        if len(groups) > 1:
            title = printable(heading, LINE_CHARACTERS) or _("Of this server")
            lines += [*([""] if lines else []), painted(title, Colour.HEADING, stream)]
        for command in sorted(group, key=lambda command: (_rank(command.role), command.name)):
            lines += _entry(command, shown[command.name], beside, columns, stream)
    if short:
        lines += [*([""] if lines else []), painted(_("Short words of this terminal"), Colour.HEADING, stream)]
        lines += _columned([f"{word} = {meant}" for word, meant in sorted(short.items())], columns)
    return "\n".join([*lines, "", *wrapped(_("HELP and a name explains a command."), columns)])


def _columned(entries: list[str], columns: int) -> Iterator[str]:
    """Yield entries side by side, in as many columns as there is room for, one below the other."""
    width = max(map(columns_of, entries)) + GAP
    beside = max(1, (columns - INDENT + GAP) // width)
    rows = -(-len(entries) // beside)
    for row in range(rows):
        cells = entries[row::rows]
        yield " " * INDENT + "".join(cell + " " * (width - columns_of(cell)) for cell in cells).rstrip()


def folded(lines: Iterable[str], columns: int) -> list[str]:
    """Return lines with none longer than the terminal is wide; what is folded goes on under an indent."""
    told = []
    for line in lines:
        lead = len(line) - len(line.lstrip(" "))
        first, *more = wrapped(line, columns - lead, INDENT * 2 - lead) or [""]
        told += [" " * lead * bool(first) + first, *(" " * INDENT * 2 + part for part in more)]
    return told


def _entry(command: CommandDescription, shown: str, beside: int, columns: int, stream: TextIO) -> Iterator[str]:
    summary = printable(command.summary, LINE_CHARACTERS)
    if _rank(command.role) > _rank("user"):
        summary = f"({printable(command.role)}) {summary}"
    indent = INDENT + beside if beside else INDENT * 2
    told = wrapped(summary, max(columns - indent, 10))
    name, _blank, rest = shown.partition(" ") if " " not in command.name else _parted(shown, command.name)
    left = " " * INDENT + painted(name, Colour.NAME, stream) + (f" {rest}" if rest else "")
    if not beside:
        yield left
    elif told:
        yield left + " " * (beside - columns_of(shown)) + told.pop(0)
    else:
        yield left
    yield from (" " * indent + line for line in told)


def _parted(shown: str, name: str) -> tuple[str, str, str]:
    return name, " ", shown.removeprefix(name).strip()


def _syntax(command: CommandDescription, room: int) -> str:
    syntax = printable(command.syntax, LINE_CHARACTERS)
    return syntax if columns_of(syntax) <= room else f"{printable(command.name, LINE_CHARACTERS)} …"


def _rank(role: str) -> int:
    return _ROLES.index(role) if role in _ROLES else len(_ROLES)
