"""The lists: what fits, in which order, and what each did between two looks."""

from __future__ import annotations

import pytest

from secure_client.answers.columns import columns_of
from secure_client.terminal.top.panes import Pane, Row, clients, commands, fitted, ordered, placed, with_rates
from secure_client.terminal.top.signs import UNICODE
from secure_client.terminal.top.view import Listing
from tests.secure_client.busy_server import by_command, client


@pytest.mark.parametrize("pane", [commands(UNICODE), clients()], ids=lambda pane: pane.title)
def test_a_list_fits_any_width(pane: Pane) -> None:
    """The least needed columns are left out first; whatever is in the rows, they are as wide."""
    rows = [by_command("A" * 300, 10**12), {**client(10**9, "漢字" * 100), "last": "\x1b[2J"}, {}]
    for columns in (38, 78, 98, 298):
        shown = fitted(pane, columns)
        lines = [shown.heading(pane.order, "▼"), *map(shown.line, rows)]
        assert {columns_of(line) for line in lines} == {columns}
        assert all(line.isprintable() for line in lines)
        assert pane.order in [column.name for column in shown.columns]
    assert len(fitted(pane, 298).columns) == len(pane.columns)


def test_rates_are_between_two_looks() -> None:
    """None where a client was not there before, where too little time has passed, and where it counts anew."""
    before = [{"id": 7, "commands": 100, "in": 0, "out": 500}, {"id": 8, "commands": 9, "in": 9, "out": 9}]
    now = [{"id": 7, "commands": 300, "in": 50, "out": 400}, {"id": 9, "commands": 1, "in": 1, "out": 1}]
    seven, nine = with_rates(now, before, 2.0)
    assert [seven["commands/s"], seven["in/s"], seven["out/s"]] == [100.0, 25.0, None]
    assert nine["commands/s"] is None
    assert with_rates(now, before, 0.1)[0]["commands/s"] is None


def test_rows_are_in_order() -> None:
    """Numbers as numbers, words by their letters in any case; what is not known is last either way."""
    rows: list[Row] = [{"a": 9, "b": "bob"}, {"a": None, "b": None}, {"a": 10, "b": "Ana"}]
    assert [row["a"] for row in ordered(rows, "a", rising=False)] == [10, 9, None]
    assert [row["a"] for row in ordered(rows, "a", rising=True)] == [9, 10, None]
    assert [row["b"] for row in ordered(rows, "b", rising=True)] == ["Ana", "bob", None]
    assert ordered([{"a": 1}, {"a": "x"}], "a", rising=True) == [{"a": 1}, {"a": "x"}]


def test_text_is_placed_by_its_width() -> None:
    """A wide letter takes two columns, and one that does not fit is cut."""
    assert placed("漢字", 5) == "漢字 "
    assert placed("漢字", 3) == "漢…"
    assert placed("7", 3, right=True) == "  7"


def test_the_cursor_stays_with_its_row() -> None:
    """However the order changes; where the row has gone it is at the first."""
    listing = Listing(clients(), [client(7, "ana"), client(8, "bob"), client(9, "eve")], order="id", rising=True)
    assert listing.row == client(7, "ana")
    listing.move(1)
    listing.rising = False
    assert listing.row == client(8, "bob")
    listing.rows = [client(7, "ana"), client(9, "eve")]
    assert listing.row == client(9, "eve")
    listing.move(50)
    assert listing.row == client(7, "ana")
    listing.rows = []
    listing.move(1)
    assert listing.row is None


def test_the_cursor_is_always_seen() -> None:
    """The rows move as little as that takes."""
    listing = Listing(clients(), [client(number, "ana") for number in range(30)], order="id", rising=True)
    seen = []
    for by in (0, 9, 1, 5, -3, 50, -50):
        listing.move(by)
        listing.scroll(listing.sorted, 10)
        seen.append(listing.first)
    assert seen == [0, 0, 1, 6, 6, 20, 0]


def test_only_by_what_is_seen_it_is_sorted() -> None:
    """The largest first, and names by their letters."""
    listing = Listing(clients(), columns=["id", "user", "commands/s"])
    listing.sort(1)
    assert (listing.order, listing.rising) == ("id", False)
    listing.sort(1)
    assert (listing.order, listing.rising) == ("user", True)
    listing.columns = ["id"]
    listing.sort(-1)
    assert listing.order == "id"
