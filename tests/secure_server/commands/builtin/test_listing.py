"""CLIENTS: columns, order, pages, those that have left, and what it leaves to others meanwhile."""

from __future__ import annotations

import time

import pytest

from secure_protocol.errors import ErrorCode
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import Table
from secure_protocol.resp_replies import ReplyDecoder
from secure_server.auth.principal import Role
from secure_server.commands.builtin import pieces
from secure_server.commands.builtin.clients.listing import CLOSED_COLUMNS
from secure_server.commands.builtin.pieces import Pieces
from secure_server.commands.context import Context
from secure_server.session.call import Call, CallEndedError
from secure_server.session.filter import FIELDS
from secure_server.session.session import Session
from tests.secure_server.host import Host


def told(host: Host, admin: Session, line: str) -> list[list[str]]:
    """The words of each row, without the heading and the end."""
    _head, *rows, end = host.ask(admin, line).splitlines()
    assert end == "."
    return [row.split() for row in rows]


def numbers(host: Host, admin: Session, line: str) -> list[int]:
    """The number in each row's first column."""
    return [int(row[0]) for row in told(host, admin, line)]


def leave(host: Host, session: Session, reason: CloseReason) -> None:
    """End one."""
    session.close(reason)
    host.sessions.remove(session)


def test_columns_are_chosen_among_all_fields(host: Host) -> None:
    """In the order in which they are named, each once, in any case; what there is not is a dash."""
    admin, user = host.local(), host.user("bob")
    user.client_name, user.library = "deploy", ("redis-py", "5.0")
    host.clock.now += 3
    line = "CLIENTS --columns ID,client-name,library,age,state,age not role=admin"
    head, row, _end = host.ask(admin, line).splitlines()
    assert head.split() == ["id", "client-name", "library", "age", "state"]
    assert row.split() == [str(user.number), "deploy", "redis-py", "5.0", "3", "authenticated"]
    everything = host.ask(admin, f"CLIENTS --columns {','.join(FIELDS)}").splitlines()
    assert everything[0].split() == [*FIELDS]
    assert len(everything) == 4
    assert user.principal is not None
    assert told(host, admin, f"CLIENTS id={user.number} --columns token,certificate") == [
        [user.principal.token_id, "-"]
    ]


def test_a_list_is_sorted_by_any_field(host: Host) -> None:
    """Up, or down with a minus; what lacks the field comes last either way, and equal ones stay in order."""
    admin, bob, stranger, ana = host.local(), host.user("bob"), host.session(address="9.0.0.1:5"), host.user("Ana")
    everybody = [admin.number, bob.number, stranger.number, ana.number]
    a, b, c, d = everybody
    assert numbers(host, admin, "CLIENTS --sort user") == [d, b, a, c]
    assert numbers(host, admin, "CLIENTS --sort -user") == [a, b, d, c]
    assert numbers(host, admin, "CLIENTS --sort role") == [c, b, d, a]
    assert numbers(host, admin, "CLIENTS --sort address --limit 1") == [c]
    assert numbers(host, admin, "CLIENTS --sort -ID") == everybody[::-1]
    for name in FIELDS:
        assert sorted(numbers(host, admin, f"CLIENTS --sort -{name}")) == everybody, name


def test_pages_go_by_number(host: Host) -> None:
    """Each begins behind the last of the one before, whoever has left meanwhile, up or down."""
    admin = host.local()
    others = [host.user(f"u{number}") for number in range(5)]
    everybody = [admin.number, *(session.number for session in others)]
    assert numbers(host, admin, "CLIENTS --limit 4") == everybody[:4]
    host.sessions.remove(others[2])
    assert numbers(host, admin, f"CLIENTS --limit 4 --after {everybody[3]}") == everybody[4:]
    assert numbers(host, admin, f"CLIENTS --sort -id --after {everybody[4]}") == [everybody[2], *everybody[1::-1]]
    assert numbers(host, admin, f"CLIENTS role=user --limit 2 --after {everybody[1]}") == [everybody[2], everybody[4]]
    last = everybody[-1]
    none = f"None of the 5 clients match --after {last}."
    assert host.ask(admin, f"CLIENTS --after {last}").splitlines() == [none, "."]


def test_those_that_have_left_are_listed(host: Host) -> None:
    """The last one first, with why; by the same filters, columns and orders, and in pages of their own order."""
    admin = host.local()
    bob, ana, eve = host.user("bob"), host.user("ana"), host.user("eve")
    assert host.ask(admin, "CLIENTS --closed").splitlines() == ["None of the 0 clients match --closed.", "."]
    leave(host, ana, CloseReason.IDLE)
    leave(host, eve, CloseReason.KICKED)
    leave(host, bob, CloseReason.GOODBYE)
    head = host.ask(admin, "CLIENTS --closed").splitlines()[0]
    assert tuple(head.split()) == CLOSED_COLUMNS
    gone = [(row[1], row[-1]) for row in told(host, admin, "CLIENTS --closed")]
    assert gone == [("bob", "goodbye"), ("eve", "kicked"), ("ana", "idle")]
    assert numbers(host, admin, "CLIENTS reason in kicked,idle --closed") == [eve.number, ana.number]
    assert numbers(host, admin, "CLIENTS --closed --sort user") == [ana.number, bob.number, eve.number]
    assert numbers(host, admin, "CLIENTS --closed --limit 1") == [bob.number]
    assert numbers(host, admin, f"CLIENTS --closed --after {bob.number} --limit 1") == [eve.number]
    assert numbers(host, admin, f"CLIENTS --closed --after {eve.number}") == [ana.number]
    assert numbers(host, admin, f"CLIENTS --closed --sort id --after {bob.number}") == [ana.number, eve.number]
    assert told(host, admin, "CLIENTS --closed --columns state,reason user=ana") == [["closed", "idle"]]
    missing = host.ask(admin, "CLIENTS --closed user=nobody").splitlines()[0]
    assert missing == "None of the 3 clients match user=nobody --closed."


def test_a_count_is_a_number(host: Host) -> None:
    """In text and for programs; a limit does not change it."""
    admin, _bob, _eve = host.local(), host.user("bob"), host.user("eve")
    assert host.ask(admin, "CLIENTS --count") == "3\n.\n"
    assert host.ask(admin, "CLIENTS role=user --limit 1 --count") == "2\n.\n"
    assert host.call(host.program(3, "root", Role.ADMIN), "CLIENTS", "user=bob", "--count") == b":1\r\n"
    assert host.ask(admin, "CLIENTS --closed --count") == "0\n.\n"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("--columns id,colour", "There is no column colour; there are id, user,"),
        ("--columns ,", "Option --columns takes names with commas between them: id, user,"),
        ("--sort size", "Clients cannot be sorted by size; they can by id, user,"),
        ("--sort -", "Clients cannot be sorted by ; they can by id, user,"),
        ("--sort -idle --after 3", "Option --after goes on in order of id, not of --sort -idle; leave one"),
        ("--limit 0", "Argument limit: 0 is not between 1 and"),
        ("--after x", "Argument after: x is not a valid int"),
        ("--closed --after 7", "No client with the id 7 is kept among those that have left; begin without --after."),
        ("--colour", "Unknown option --colour; allowed are --after, --closed, --columns, --count, --limit, --sort"),
        ("closed>soon", "Filter closed takes a date and time"),
        ("reason=fun", "Filter reason takes one of goodbye, peer-closed,"),
    ],
)
def test_what_there_is_not_is_answered_with_what_there_is(host: Host, line: str, error: str) -> None:
    """The names of all columns, where one is not known; what to do, where two things contradict each other."""
    assert host.ask(host.local(), f"CLIENTS {line}").startswith(f"ERROR: {error}")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("--s", ["--sort"]),
        ("--columns cl", ["client-name", "closed"]),
        ("--columns id,cl", ["id,client-name", "id,closed"]),
        ("--columns client-name,cl", ["client-name,closed"]),
        ("--sort -la", ["-last"]),
        ("reason=k", ["reason=kicked"]),
    ],
)
def test_options_are_completed(host: Host, typed: str, offered: list[str]) -> None:
    """Names of columns, each of a list; and of orders, up and down."""
    assert host.ask(host.local(), f"COMPLETE CLIENTS {typed}").splitlines() == [*offered, "."]


def test_a_long_list_is_made_in_pieces(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have their turn while sessions are looked through, rows are made, and both codecs write them."""
    turns: list[float] = []
    monkeypatch.setattr(pieces, "PIECE_SECONDS", -1.0)  # each step is a piece
    monkeypatch.setattr(time, "sleep", turns.append)
    admin, program = host.local(), host.program(3, "root", Role.ADMIN)
    for _ in range(8):
        host.session()
    assert len(told(host, admin, "CLIENTS")) == 10
    assert len(turns) >= 4 * 10
    turns.clear()
    decoder = ReplyDecoder()
    decoder.feed(host.call(program, "CLIENTS"))
    assert len(decoder.decode()[0]) == 10  # type: ignore[arg-type] # an array
    assert len(turns) >= 3 * 10
    assert set(turns) == {pieces.PAUSE_SECONDS}
    turns.clear()
    assert len(host.ask(admin, "CLIENT LIST").splitlines()) == 11
    assert len(turns) >= 10


def test_a_list_that_nobody_waits_for_is_not_finished(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled, out of time, or the administrator has left: the work ends at the next piece."""
    monkeypatch.setattr(pieces, "PIECE_SECONDS", -1.0)
    admin, command = host.local(), host.registry.named("CLIENTS")
    assert command is not None
    call = Call(lambda: None)
    work = Pieces(Context(admin, host.services, command, call))
    assert list(work.of([1, 2])) == [1, 2]
    call.cancel(ErrorCode.CANCELLED)
    with pytest.raises(CallEndedError):
        list(work.of([1, 2]))


def test_a_table_is_the_same_whoever_has_it_paused() -> None:
    """Who writes it may pause; what is written is what was there."""
    rows: list[tuple[object, ...]] = [(1, "a"), (2, None)]
    assert Table(("id", "name"), rows, pause=lambda: None) == Table(("id", "name"), rows)
