"""What the gate let a session run before is answered without asking it again, and nobody can tell but by the time."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secure_protocol.errors import CommandError
from secure_protocol.reasons import CloseReason
from secure_protocol.resp_requests import encode_request
from secure_protocol.token import Token
from secure_server.auth.principal import Role
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.commands.registry import Registry
from secure_server.dispatch.cleared import MOST_CLEARED
from secure_server.limits.rate import Rate
from secure_server.session.session import Session
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import Host, taken

REQUESTS = st.sampled_from(
    [
        ["ECHO", "hello"],
        ["echo", "two", "words"],
        ["ECHO"],
        ["PING"],
        ["PING", "x"],
        ["PING", "x", "y"],
        ["pInG", "\r\n"],
        ["TIME", "never"],
        ["WHOAMI"],
        ["FAIL", "x"],
        ["BUG"],
        ["KICK", "1"],
        ["NOTHING"],
        ["CLIENT", "REPLY", "SKIP"],
        ["LANG", "pt_BR"],
        ["LANG", "en"],
        ["HELLO", "2"],
        ["HELLO", "3"],
        ["CLIENT", "SETNAME", "x"],
    ]
)


def fail(_context: Context, *words: bytes) -> bytes:
    """Refuse, in the session's language."""
    raise CommandError("Unknown command.")


def bug(_context: Context) -> set[int]:
    """Return what is no reply."""
    return set()


def add_failing(host: Host) -> None:
    """Commands that are remembered like any other, and fail."""
    for name, handler in (("FAIL", fail), ("BUG", bug)):
        made = vars(command(name, inline=True, audit=False)(handler))["__command__"][-1]
        host.registry.add(made)


def sent(session: Session, host: Host, *requests: list[str]) -> bytes:
    """Send requests in one piece and return all that is said to them."""
    return host.send(session, b"".join(encode_request([word.encode() for word in words]) for words in requests))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, Token]]:
    """A host for many sessions, and whose they are."""
    with Host(tmp_path_factory.mktemp("host")) as host:
        add_failing(host)
        yield host, host.token()


@settings(deadline=None)
@given(requests=st.lists(REQUESTS, max_size=12), cuts=st.lists(st.integers(0, 400), max_size=4))
def test_the_short_way_says_what_the_long_way_says(
    pair: tuple[Host, Token], requests: list[list[str]], cuts: list[int]
) -> None:
    """Whatever is asked, in whatever pieces: the same bytes, the same log, the same totals."""
    host, token = pair
    told = []
    wire = b"".join(encode_request([word.encode() for word in words]) for words in requests)
    places = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    for host.clears in (True, False):
        session = host.session()
        sent(session, host, ["HELLO", "3", "AUTH", "ada", token.reveal()], ["ECHO", "x"], ["PING"])
        host.commands.clear()
        said = b"".join(host.send(session, wire[start:end]) for start, end in itertools.pairwise(places))
        log = [entry[1:] for entry in host.commands]
        activity = (session.activity.commands, session.activity.received, session.activity.last_command)
        told.append((_without_numbers(said, session), log, activity))
        host.sessions.remove(session)
    assert told[0] == told[1]


def _without_numbers(said: bytes, session: Session) -> bytes:
    """Leave out what differs between two sessions: their ids, and the references of internal errors."""
    said = said.replace(b":%d\r\n" % session.number, b":own\r\n").replace(
        b"\r\n%d\r\n" % session.number, b"\r\nown\r\n"
    )
    return re.sub(rb" [0-9a-f]{8}\.", b" number.", said)


def test_both_ways_count_alike(host: Host) -> None:
    """By command, with failures, and by whose they are; the long way one by one, the short way in runs."""
    add_failing(host)
    asked = [["PING"], ["PING"], ["ECHO", "x"], ["FAIL", "x"], ["FAIL"], ["PING", "x", "y"], *[["ECHO", "y"]] * 40]
    counted = []
    for host.clears, name in ((True, "ada"), (False, "bob")):
        session = host.program(name=name)
        sent(session, host, ["PING"], ["ECHO", "x"], ["FAIL"])
        before = {item.command: item for item in host.statistics.shown().commands}
        sent(session, host, *asked)
        after = {item.command: item for item in host.statistics.shown().commands}
        user = next(item for item in host.statistics.shown().users if item.user == name)
        counted.append(
            (
                {key: (after[key].calls - before[key].calls, after[key].failed - before[key].failed) for key in after},
                (user.calls, user.failed),
            )
        )
    assert counted[0] == counted[1]
    assert counted[0][0]["ECHO"] == (41, 0)
    assert counted[0][0]["FAIL"] == (2, 2)
    assert counted[0][0]["PING"] == (3, 1)


def test_it_is_remembered_once_the_gate_let_it_pass(host: Host) -> None:
    """By the name as it was written; what is recorded, converted or blocks is asked about each time."""
    session = host.program()
    assert session.cleared == {}
    sent(session, host, ["ECHO", "x"], ["Ping"], ["LANG"], ["COMMANDS"], ["CLIENT", "ID"], ["WHOAMI"])
    assert set(session.cleared) == {b"ECHO", b"Ping", b"COMMANDS", b"WHOAMI"}
    assert sent(session, host, ["ECHO", "a"], ["ECHO", "b"]) == b"$1\r\na\r\n$1\r\nb\r\n"


def test_spellings_do_not_fill_the_memory(host: Host) -> None:
    """A name can be written in many ways, and only so many are remembered."""
    session = host.program()
    for letters in itertools.product("eE", "cC", "hH", "oO", repeat=1):
        sent(session, host, ["".join(letters), "x"], ["PING"])
    sent(session, host, ["ping"], ["pinG"])
    assert len(session.cleared) == MOST_CLEARED


def test_people_and_strangers_have_nothing_cleared(host: Host) -> None:
    """Text takes wording and forms; before authentication everything is judged."""
    person = host.user()
    host.ask(person, "ECHO x")
    assert person.cleared == {}
    stranger = host.session()
    sent(stranger, host, ["PING"])
    assert stranger.cleared == {}


def test_a_rate_is_counted_each_time(make_host: MakeHost) -> None:
    """A token that may run two commands at once is refused the third, however often it ran that command before."""
    host = make_host()
    token = host.tokens.create("ada", rate=Rate(0.001, 2))
    session = host.session()
    sent(session, host, ["HELLO", "3", "AUTH", "ada", token.reveal()])
    answers = sent(session, host, *[["ECHO", "x"]] * 4)
    assert session.cleared == {}
    assert answers.count(b"-THROTTLED") >= 2


def test_who_becomes_somebody_else_is_judged_anew(host: Host) -> None:
    """RESET, in the middle of a pipeline: what follows is a stranger's."""
    session = host.program()
    sent(session, host, ["ECHO", "x"])
    assert sent(session, host, ["ECHO", "a"], ["RESET"], ["ECHO", "b"]).startswith(b"$1\r\na\r\n+RESET\r\n-NOAUTH")
    assert session.cleared == {}


def test_a_closed_session_answers_nothing_more(host: Host) -> None:
    """A handler that closes its session ends the pipeline there."""

    def last(context: Context) -> bytes:
        context.session.close(CloseReason.KICKED)
        return b"last"

    made = vars(command("LAST", inline=True, audit=False)(last))["__command__"][-1]
    host.registry.add(made)
    session = host.program()
    other = host.program(name="eve", role=Role.ADMIN)
    sent(session, host, ["ECHO", "x"])
    assert b"again" not in sent(session, host, ["LAST"], ["ECHO", "again"])
    sent(other, host, ["ECHO", "x"])
    other.close_later(CloseReason.DRAINING)
    assert other.cleared == {}


def add_resetting(host: Host) -> None:
    """A command that makes a stranger of whoever asks, the third time."""
    calls = itertools.count(1)

    def third(context: Context) -> bytes:
        if next(calls) == 3:
            context.session.reset(0.0)
        return b""

    host.registry.add(vars(command("THIRD", inline=True, audit=False)(third))["__command__"][-1])


def test_a_handler_is_called_once_whatever_it_raises(host: Host) -> None:
    """Also where it is StopIteration, which ends loops: an internal error, and the next request is answered."""
    calls = itertools.count(1)

    def nothing_next(_context: Context) -> bytes:
        if next(calls) == 3:
            raise StopIteration
        return b""

    host.registry.add(vars(command("NEXT", inline=True, audit=False)(nothing_next))["__command__"][-1])
    session = host.program()
    sent(session, host, ["NEXT"])
    answers = sent(session, host, *[["NEXT"]] * 3)
    assert answers.startswith(b"$0\r\n\r\n-ERR Internal error")
    assert answers.endswith(b"\r\n$0\r\n\r\n")
    assert next(calls) == 5


def test_a_run_ends_where_a_handler_changes_who_asks(host: Host) -> None:
    """The same command, again and again in one piece: what follows is a stranger's, as with RESET."""
    add_resetting(host)
    session = host.program()
    sent(session, host, ["THIRD"])
    answers = sent(session, host, *[["THIRD"]] * 4)
    assert answers.startswith(b"$0\r\n\r\n" * 2 + b"-NOAUTH")
    assert answers.count(b"-NOAUTH") == 2


def test_only_plain_answers_are_told_to_be_all(host: Host) -> None:
    """`receive` says so where nothing but output came of it; else the connection looks at the session's state."""
    add_resetting(host)
    session = host.program()
    request = encode_request([b"THIRD"])
    assert [session.receive(request, 0.0) for _ in range(3)] == [False, True, False]
    assert not session.receive(request[:5], 0.0)


def test_while_nothing_can_be_recorded_the_gate_decides(host: Host) -> None:
    """`audit.on_failure = "stop"`: what is remembered runs no more than anything else."""
    session = host.program()
    sent(session, host, ["ECHO", "x"])
    host.suspended = True
    assert not sent(session, host, ["ECHO", "x"], ["ECHO", "y"]).startswith(b"$1\r\nx")
    host.suspended = False
    assert sent(session, host, ["ECHO", "x"]) == b"$1\r\nx\r\n"


def test_a_peer_that_does_not_read_is_answered_no_further(make_host: MakeHost) -> None:
    """Beyond the high water nothing more is answered until it has taken some, and then all is, in order."""
    host = make_host(limits={"output_high_water": "1KB", "pending_requests": 4})
    session = host.program()
    sent(session, host, ["ECHO", "x"])
    words = [f"{number:0100}" for number in range(64)]
    session.receive(b"".join(encode_request([b"ECHO", word.encode()]) for word in words), 0.0)
    assert 1024 <= len(session.output) < 1300
    assert session.held
    assert not session.wants_input
    said = taken(session)
    while session.held:
        session.process()
        said += taken(session)
    assert said == b"".join(b"$100\r\n%b\r\n" % word.encode() for word in words)


def test_a_long_pipeline_is_answered_whole(host: Host) -> None:
    """More in one piece than is decoded ahead: nothing waits for the peer's next bytes, which may never come."""
    session = host.program()
    sent(session, host, ["ECHO", "x"])
    words = [f"{number:04}" for number in range(5 * host.config.limits.pending_requests + 1)]
    said = sent(session, host, *[["ECHO", word] for word in words])
    assert said == b"".join(b"$4\r\n%b\r\n" % word.encode() for word in words)


def another(host: Host, *without: str) -> Registry:
    """The commands of a host but for some."""
    registry = Registry()
    for item in host.registry:
        if item.name not in without:
            registry.add(item)
    return registry


def test_a_command_that_is_gone_is_not_answered_any_more(host: Host) -> None:
    """Nor by what a session remembers of it; what is there still is judged anew, and remembered anew."""
    session = host.program()
    sent(session, host, ["ECHO", "x"], ["PING"])
    assert set(session.cleared) == {b"ECHO", b"PING"}
    host.registry.take_up(another(host, "ECHO"))
    assert sent(session, host, ["PING"], ["ECHO", "x"], ["PING"]).startswith(b"+PONG\r\n-ERR Unknown command.")
    assert set(session.cleared) == {b"PING"}
    host.registry.take_up(another(host))
    assert sent(session, host, ["ECHO", "x"]).startswith(b"-ERR Unknown command.")


def test_another_policy_of_the_same_name_holds_from_then_on(host: Host) -> None:
    """Who may run it, and what it does."""
    session = host.program()
    sent(session, host, ["ECHO", "x"])
    registry = another(host, "ECHO")
    stricter = vars(command("ECHO", role=Role.ADMIN, inline=True, audit=False)(lambda _context: ""))["__command__"][-1]
    registry.add(stricter)
    host.registry.take_up(registry)
    assert b"-NOPERM ECHO needs the role admin" in sent(session, host, ["ECHO", "x"])


def test_what_was_looked_up_before_the_change_is_not_remembered_after_it(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands may become others between the look and the remembering, on another thread."""
    session = host.program()
    find = Registry.find

    def changing(registry: Registry, request: list[bytes]) -> object:
        found = find(registry, request)
        monkeypatch.setattr(Registry, "find", find)
        host.registry.take_up(another(host, "ECHO"))
        return found

    monkeypatch.setattr(Registry, "find", changing)
    assert sent(session, host, ["ECHO", "x"]) == b"$1\r\nx\r\n"  # it began before
    assert sent(session, host, ["ECHO", "x"]).startswith(b"-ERR Unknown command.")
