"""CLIENTS: who is connected, and who was."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.replies import ReplyKind, Table
from secure_server.auth.principal import Role
from secure_server.commands.builtin.clients.filtering import filter_words
from secure_server.commands.builtin.pieces import Pieces
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.commands.parameter import Argument
from secure_server.filters.grammar import Field
from secure_server.i18n import N_
from secure_server.session.filter import FIELDS, Listed, SessionFilter

GROUP = N_("Clients")

MOST_ROWS = 100_000
"""That may be asked for at once; there are never so many. Without a limit it is all there are."""
NAME_CHARACTERS = 40
"""Of a column that there is not, shown in an error."""

CLIENT_COLUMNS = (
    "id",
    "user",
    "role",
    "address",
    "transport",
    "tls",
    "cipher",
    "connected",
    "idle",
    "commands",
    "in",
    "out",
    "last",
)
CLOSED_COLUMNS = (
    "id",
    "user",
    "role",
    "address",
    "transport",
    "connected",
    "closed",
    "seconds",
    "commands",
    "in",
    "out",
    "last",
    "reason",
)
BY_NUMBER = "id"
"""The column that pages go by."""


def column_words(_context: Context, typed: str) -> list[str]:
    """Give what may stand in a list of columns: those before the last comma, with each that is not among them."""
    before, comma, _ = typed.rpartition(",")
    named = before.split(",")
    return [f"{before}{comma}{name}" for name in FIELDS if name not in named]


def sort_words(_context: Context, _typed: str) -> list[str]:
    """Give what a list may be sorted by, up and down."""
    return [*FIELDS, *(f"-{name}" for name in FIELDS)]


@command(
    "CLIENTS",
    audit=False,
    summary=N_("The connected clients; idle in seconds, in and out in bytes."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.TABLE,
    columns=CLIENT_COLUMNS,
    minor=("cipher", "tls", "transport", "connected", "in", "out", "seconds", "commands", "role"),
    pages=BY_NUMBER,
    empty=N_("No clients are connected."),
    unmatched=N_("None of the {count} clients match {given}."),
    arguments={
        "filters": N_("which ones: user=ana, idle>5m, not role=admin, address in 10.0.0.0/8, client-name~deploy"),
        "columns": N_("which columns, with commas: id,user,client-name,age"),
        "sort": N_("by which field, such as idle; -idle begins with the most"),
        "limit": N_("so many at most"),
        "after": N_("only those behind the one with this id"),
        "closed": N_("those that have left, the last one first"),
        "count": N_("only how many there are"),
    },
    complete={"filters": filter_words, "columns": column_words, "sort": sort_words},
    example="user=ana idle>5m --sort -idle",
)
def clients(
    context: Context,
    *filters: str,
    columns: str = "",
    sort: str = "",
    limit: Annotated[int, Argument(minimum=1, maximum=MOST_ROWS)] | None = None,
    after: Annotated[int, Argument(minimum=1)] | None = None,
    closed: bool = False,
    count: bool = False,
) -> Table | int:
    """List sessions as a table, or count them."""
    chosen, pieces = SessionFilter.parse(list(filters)), Pieces(context)
    names = _names(columns) if columns else CLOSED_COLUMNS if closed else CLIENT_COLUMNS
    key, falling = _order(sort, after)
    sessions, now = services(context).sessions, services(context).clock()
    found: Sequence[Listed] | Mapping[int, Listed] = sessions.closed() if closed else sessions.by_number()
    total = len(found)
    if not isinstance(found, Mapping) and key == BY_NUMBER:
        found = {item.number: item for item in pieces.of(found)}
    if isinstance(found, Mapping):
        in_order = pieces.of(_by_number(found, after, falling=falling and key == BY_NUMBER))
    else:
        in_order = _behind(after, pieces.of(found))
    matching: Iterator[Listed] = (item for item in in_order if chosen.matches(item, context.session, now))
    if count:
        return sum(1 for _ in matching)
    if key not in ("", BY_NUMBER):
        matching = iter(_sorted(matching, FIELDS[key], now, falling=falling))
    shown = [(FIELDS[name].kind.shown, FIELDS[name].read) for name in names]
    rows: list[tuple[object, ...]] = []
    for item in pieces.of(islice(matching, limit)):
        values = [(tell, read(item, now)) for tell, read in shown]
        rows.append(tuple([None if value is None else tell(value) for tell, value in values]))
    if rows:
        return Table(names, rows, pause=pieces)
    given = [*filters, *(["--closed"] if closed else []), *(["--after", str(after)] if after is not None else [])]
    told = context.command.describe(context.translate).told_of_none(total, " ".join(given))
    return Table(names, rows, told)


def _names(columns: str) -> tuple[str, ...]:
    """Read the names of columns; each once.

    Raises:
        CommandError: one is none.
    """
    names = tuple(dict.fromkeys(name.strip().lower() for name in columns.split(",") if name.strip()))
    if not names:
        raise CommandError(N_("Option --columns takes names with commas between them: {choices}."), choices=_choices())
    for name in names:
        if name not in FIELDS:
            sentence = N_("There is no column {name}; there are {choices}.")
            raise CommandError(sentence, name=printable(name, NAME_CHARACTERS), choices=_choices())
    return names


def _order(sort: str, after: int | None) -> tuple[str, bool]:
    """Read what to sort by, and whether the most comes first.

    Raises:
        CommandError: it is no field; or pages are asked for, which go by numbers.
    """
    key, falling = sort.lower().removeprefix("-"), sort.startswith("-")
    if sort and key not in FIELDS:
        sentence = N_("Clients cannot be sorted by {name}; they can by {choices}, and with - before it the other way.")
        raise CommandError(sentence, name=printable(key, NAME_CHARACTERS), choices=_choices())
    if after is not None and key not in ("", BY_NUMBER):
        sentence = N_("Option --after goes on in order of id, not of --sort {name}; leave one of the two out.")
        raise CommandError(sentence, name=sort)
    return key, falling


def _choices() -> str:
    return ", ".join(FIELDS)


def _by_number(found: Mapping[int, Listed], after: int | None, *, falling: bool) -> Iterator[Listed]:
    """Give those behind a number, in order; numbers are put in order ten times sooner than what they are of."""
    numbers = sorted(found)
    if falling:
        numbers = numbers[: None if after is None else bisect_left(numbers, after)][::-1]
    elif after is not None:
        numbers = numbers[bisect_right(numbers, after) :]
    return map(found.__getitem__, numbers)


def _behind(after: int | None, in_order: Iterator[Listed]) -> Iterator[Listed]:
    """Give those behind one of a number, in the order in which they left.

    Raises:
        CommandError: nobody knows where: it is not among these, or not any more.
    """
    if after is not None and all(item.number != after for item in in_order):  # takes it, and those before it
        sentence = N_("No client with the id {id} is kept among those that have left; begin without --after.")
        raise CommandError(sentence, id=after)
    return in_order


def _sorted(found: Iterator[Listed], field: Field[Listed], now: float, *, falling: bool) -> list[Listed]:
    """Sort by a field; those that lack it come last, either way."""
    ranked, lacking = list[tuple[object, Listed]](), list[Listed]()
    for item in found:
        value = field.read(item, now)
        if value is None:
            lacking.append(item)
        else:
            ranked.append((field.kind.rank(value), item))
    ranked.sort(key=lambda pair: pair[0], reverse=falling)  # type: ignore[arg-type, return-value] # of one kind, ranks compare
    return [item for _rank, item in ranked] + lacking
