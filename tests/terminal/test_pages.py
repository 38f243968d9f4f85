"""Long tables, which a person is shown page by page, in the real program."""

from __future__ import annotations

import shlex
import sys
import threading
from pathlib import Path

import pytest

from secure_client.terminal.pages import FIRST_ROWS, FOLLOWING_ROWS
from secure_protocol.description import ArgumentDescription, CommandDescription
from secure_protocol.replies import ErrorReply, ReplyKind, Table
from tests.secure_client.scripted_server import PATIENCE, Peer, ScriptedServer
from tests.terminal.conftest import Open
from tests.terminal.resting import at_prompt, known
from tests.terminal.test_repl import enter, leave

ROWS = FIRST_ROWS + FOLLOWING_ROWS + 30
LISTED = CommandDescription(
    "ROWS",
    arguments=(
        ArgumentDescription("filters", optional=True, variadic=True),
        *(ArgumentDescription(name, "int", optional=True, flag=True) for name in ("limit", "after")),
        *(ArgumentDescription(name, optional=True, flag=True) for name in ("sort", "columns")),
        ArgumentDescription("count", "bool", optional=True, flag=True),
    ),
    reply=ReplyKind.TABLE,
    columns=("id", "name"),
    unmatched="None of the {count} match {given}.",
    pages="id",
)
FIRST_LINE_PAGER = """
import sys
print("pager:", sys.stdin.readline().split(), flush=True)
sys.stdin.readline()
print("pager:", sys.stdin.readline().split(), flush=True)
"""


class Listing:
    """Answers ROWS as CLIENTS is answered.

    Attributes:
        fails: pages from that id on are refused.
        asked: the options of each request.
        go_on: set when pages behind the first may come.
    """

    def __init__(self) -> None:
        self.fails = ROWS
        self.asked: list[list[str]] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, _peer: Peer, arguments: list[str]) -> object:
        """Give a page."""
        self.asked.append(arguments)
        options = dict(word.removeprefix("--").split("=") for word in arguments if "=" in word)
        if "nobody" in arguments:
            return Table(("id", "name"), [])
        if "--count" in arguments:
            return ROWS
        after, limit = int(options.get("after", 0)), int(options.get("limit", ROWS))
        if after:
            assert self.go_on.wait(PATIENCE)
        if after >= self.fails:
            return ErrorReply("ERR", "No more of that.")
        numbers = range(after + 1, min(after + limit, ROWS) + 1)
        if "columns" in options:
            return Table(("name",), [(f"row-{number}",) for number in numbers])
        return Table(("id", "name"), [(number, f"row-{number}") for number in numbers])


@pytest.fixture
def listing(server: ScriptedServer) -> Listing:
    """What the server answers ROWS with."""
    found = Listing()
    server.commands.append(LISTED)
    server.handlers["ROWS"] = found
    return found


def test_all_pages_are_shown_one_after_the_other(open_client: Open, listing: Listing) -> None:
    """The first while the others are still to come; then these, each row once, in the columns of the first."""
    screen = open_client(PAGER="cat")
    known(screen)
    listing.go_on.clear()
    enter(screen, "ROWS")
    screen.wait(f"row-{FIRST_ROWS}")
    listing.go_on.set()
    screen.wait(lambda: f"{ROWS}  row-{ROWS}" in screen.text)
    at_prompt(screen)
    assert listing.asked == [
        [f"--limit={FIRST_ROWS}"],
        [f"--limit={FOLLOWING_ROWS}", f"--after={FIRST_ROWS}"],
        [f"--limit={FOLLOWING_ROWS}", f"--after={FIRST_ROWS + FOLLOWING_ROWS}"],
    ]
    rows = [line.split()[0] for line in screen.raw.decode().splitlines() if "row-" in line]
    assert rows == [str(number) for number in range(1, ROWS + 1)]
    leave(screen)


def test_a_pager_is_fed_as_they_come(open_client: Open, listing: Listing, tmp_path: Path) -> None:
    """It shows the first at once; when the user leaves it, no more are asked for."""
    program = tmp_path / "pager.py"
    program.write_text(FIRST_LINE_PAGER, encoding="utf-8")
    screen = open_client(PAGER=shlex.join([sys.executable, str(program)]))
    known(screen)
    listing.go_on.clear()
    enter(screen, "ROWS")
    screen.wait("pager: ['1', 'row-1']")
    listing.go_on.set()
    at_prompt(screen)
    assert len(listing.asked) <= 2, "the pager had ended"
    leave(screen)


def test_a_page_that_does_not_come_is_told(open_client: Open, listing: Listing) -> None:
    """Behind those that came."""
    listing.fails = FIRST_ROWS + FOLLOWING_ROWS
    screen = open_client(PAGER="cat")
    known(screen)
    enter(screen, "ROWS")
    screen.wait("No more of that.")
    at_prompt(screen)
    screen.wait(f"row-{listing.fails}")
    assert f"row-{listing.fails + 1}" not in screen.raw.decode()
    leave(screen)


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("ROWS --limit=3", [["--limit=3"]]),
        ("ROWS --sort=name --limit=3", [["--sort=name", "--limit=3"]]),
        (f"ROWS x --after={ROWS - 3}", [["x", f"--after={ROWS - 3}"]]),
        ("ROWS --columns=name", [[f"--limit={FIRST_ROWS}", "--columns=name"], ["--columns=name"]]),
        ("ROWS --count", [[f"--limit={FIRST_ROWS}", "--count"]]),
        ("ROWS nobody", [[f"--limit={FIRST_ROWS}", "nobody"], ["--count"]]),
    ],
)
def test_what_its_user_chose_is_asked_for(
    open_client: Open, listing: Listing, line: str, asked: list[list[str]]
) -> None:
    """A part of their own choice is one request; without the column that pages go by, all is; a count is a number."""
    screen = open_client(PAGER="cat")
    known(screen)
    enter(screen, line)
    screen.wait(lambda: len(listing.asked) == len(asked))
    at_prompt(screen)
    assert listing.asked == asked
    if "nobody" in line:
        screen.wait(f"None of the {ROWS} match nobody.")
    leave(screen)


def test_a_program_asks_for_all_at_once(open_client: Open, listing: Listing) -> None:
    """One request, one answer."""
    screen = open_client("-c", "ROWS", "--csv")
    assert screen.ended() == 0
    assert listing.asked == [[]]
