"""The population and its filters."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from secure_protocol.errors import CommandError
from secure_protocol.reasons import CloseReason
from secure_server.auth.principal import Principal, Role
from secure_server.limits.descriptors import GOING
from secure_server.limits.newcomers import Shortage
from secure_server.session.filter import FIELDS, SessionFilter, values
from secure_server.session.population import Full
from secure_server.session.session import Session
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import Host, NoConnection, taken

HERE = "127.0.0.1"
GRAMMAR = (
    "A filter is FIELD OPERATOR VALUE, such as idle>5m, user=ana or address in 10.0.0.0/8; fields are "
    f"{', '.join(FIELDS)}, operators = != < > ~ in, and not before one turns it round."
)
"""What is said to whoever writes one otherwise."""
NOW = 2e9
"""Unix seconds long after every session here connected."""


def carrier(session: Session) -> NoConnection:
    """What carries it."""
    found = session.carrier
    assert isinstance(found, NoConnection)
    return found


def test_numbers_are_never_used_twice(host: Host) -> None:
    """Not even after a session ended."""
    first = host.session()
    host.sessions.remove(first)
    assert host.session().number == first.number + 1


def test_strangers_are_bounded_and_places_come_back(make_host: MakeHost) -> None:
    """Two strangers, for a third one gives way; a failed handshake, an end and an authentication each free a place."""
    host = make_host(limits={"max_unauthenticated": 2})
    sessions, told = host.sessions, list[tuple[str, Shortage]]()
    places = [sessions.enter(HERE, partial(lambda who, why: told.append((who, why)), who)) for who in "abc"]
    assert told == [("a", Shortage.ALL)]
    assert sessions.given_way == {Shortage.ALL: 1}
    for place in places:
        sessions.leave(place)
    assert sessions.strangers == 0
    stranger, other = host.session(), host.session()
    sessions.remove(stranger)
    assert host.ask(other, f"AUTH {host.token().reveal()}") == "OK\n"
    assert sessions.strangers == 0


def test_a_stranger_that_gives_way_is_told_and_ended_at_once(make_host: MakeHost) -> None:
    """By its own thread, and without waiting until it took all that it had asked for."""
    host = make_host(limits={"max_unauthenticated": 1})
    oldest = host.session()
    host.send(oldest, b"PING\n")
    host.session()
    assert not oldest.closing
    host.turn()
    assert oldest.close_reason is CloseReason.TOO_MANY
    assert carrier(oldest).broken_off == [CloseReason.TOO_MANY]
    assert taken(oldest).startswith(b"ERROR: CLOSED reason=too-many retry-after=5 Too many connections wait to authent")
    assert host.sessions.strangers == 1
    host.sessions.remove(oldest)
    assert host.sessions.strangers == 1


def test_who_came_in_before_it_was_told_to_give_way_stays(make_host: MakeHost) -> None:
    """Its place was another's for a moment; it needs none any more."""
    host = make_host(limits={"max_unauthenticated": 1})
    session = host.session()
    host.session()
    assert host.ask(session, f"AUTH {host.token().reveal()}") == "OK\n"
    host.turn()
    assert not session.closing
    assert (host.sessions.clients, host.sessions.strangers) == (1, 1)


def test_who_gave_way_in_the_moment_it_became_a_session_is_ended(make_host: MakeHost) -> None:
    """The handshake was told, which was over by then: nobody stays without a place."""
    host = make_host(limits={"max_unauthenticated": 1})
    told: list[Shortage] = []
    place = host.sessions.enter(HERE, told.append)
    other = host.session()
    session = Session(host.sessions.next_number(), other.peer, other.terms)
    session.attach(NoConnection(host))
    host.sessions.add(session, place)
    host.turn()
    assert (told, session.close_reason) == ([Shortage.ALL], CloseReason.TOO_MANY)
    assert not other.closing


def test_clients_are_bounded_and_the_next_is_told_when_to_come_back(make_host: MakeHost) -> None:
    """The second client of one is throttled and closed with its reason; once the first has left, another comes in."""
    host = make_host(limits={"max_clients": 1})
    first, second = host.user("ada"), host.session()
    answer = host.ask(second, f"AUTH {host.token('bob').reveal()}").splitlines()
    assert answer[0] == "ERROR: THROTTLED Too many clients; retry-after=5"
    assert answer[1].startswith("ERROR: CLOSED reason=too-many retry-after=5 ")
    assert second.close_reason is CloseReason.TOO_MANY
    assert second.role is Role.NOBODY
    assert ("refused", "too-many") in host.authentications
    host.sessions.remove(second)
    host.sessions.remove(first)
    host.user("eve")
    assert host.sessions.strangers == 0


def test_a_tokens_sessions_are_bounded_and_the_next_is_told(host: Host) -> None:
    """The third of two is throttled and closed with its reason; an end and a RESET each free a place."""
    token = host.tokens.create("ada", max_sessions=2)
    auth = f"AUTH {token.reveal()}"
    first, second, third = host.session(), host.session(), host.session()
    assert [host.ask(session, auth) for session in (first, second)] == ["OK\n", "OK\n"]
    answer = host.ask(third, auth).splitlines()
    assert answer[0] == "ERROR: THROTTLED The token has as many sessions as it may; retry-after=5"
    assert answer[1].startswith("ERROR: CLOSED reason=too-many retry-after=5 ")
    assert third.role is Role.NOBODY
    assert host.authentications[-1] == ("refused", f"too-many token={token.id} sessions=2")
    assert host.sessions.of_tokens() == {token.id: 2}
    assert host.ask(host.session(), f"AUTH {host.token('bob').reveal()}") == "OK\n"
    host.sessions.remove(first)
    assert host.ask(host.session(), auth) == "OK\n"
    assert host.ask(second, "RESET") == "RESET\n"
    assert host.ask(host.session(), auth) == "OK\n"
    assert host.sessions.of_tokens()[token.id] == 2


def test_of_many_threads_no_more_come_in_than_may(host: Host) -> None:
    """One step: nobody slips in between the look and the place."""
    principal = Principal("ada", Role.USER, "t", None, max_sessions=5)
    sessions = [host.session() for _ in range(64)]
    start = threading.Barrier(8)
    found: list[Full | None] = []

    def come(mine: list[Session]) -> None:
        start.wait()
        found.extend(host.sessions.admit(session, principal) for session in mine)

    threads = [threading.Thread(target=come, args=(sessions[number::8],)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found.count(None), found.count(Full.TOKEN)) == (5, 59)
    for session in sessions:
        host.sessions.remove(session)
    assert host.sessions.of_tokens() == {}


def test_reset_gives_the_place_back(make_host: MakeHost) -> None:
    """Somebody who forgot who it is counts as a stranger again, and can come back."""
    host = make_host(limits={"max_clients": 1})
    token, session = host.token().reveal(), host.session()
    for _ in range(3):
        assert host.ask(session, f"AUTH {token}") == "OK\n"
        assert host.sessions.strangers == 0
        assert host.ask(session, "RESET") == "RESET\n"
        assert host.sessions.strangers == 1
    host.sessions.remove(session)
    assert host.sessions.strangers == 0


def test_a_session_that_is_a_strangers_again_takes_a_place_like_any_other(make_host: MakeHost) -> None:
    """However many sessions of a token RESET, newcomers from elsewhere keep theirs: they give way to each other."""
    host = make_host(limits={"max_unauthenticated": 8, "unauthenticated_per_source": 6})
    newcomer = host.session(address="203.0.113.7:40000")
    auth = f"AUTH {host.token().reveal()}"
    sessions = [host.session() for _ in range(6)]
    for _ in range(2):
        for session in sessions:
            host.ask(session, auth)
        sessions += [host.session() for _ in range(6)]
    for session in sessions:
        host.ask(session, auth)
    for session in sessions:
        assert host.ask(session, "RESET") == "RESET\n"
    assert host.sessions.strangers == 7
    while not host.handed_over.empty():
        host.turn()
    assert [session.close_reason for session in sessions] == [CloseReason.TOO_MANY] * 12 + [None] * 6
    assert not newcomer.closing
    assert host.ask(newcomer, auth) == "OK\n"
    assert host.ask(sessions[-1], auth) == "OK\n"


def test_who_has_a_48_has_one_source(make_host: MakeHost) -> None:
    """A flood from 65,536 networks of one customer takes each other's places, and nobody else's."""
    host = make_host(limits={"max_unauthenticated": 6, "unauthenticated_per_source": 5})
    newcomers = [host.session(address="203.0.113.7:40000"), host.session(address="[2001:db8:1::7]:40000")]
    flood = [host.session(address=f"[2001:db8:0:{number:x}::7]:40000") for number in range(20)]
    while not host.handed_over.empty():
        host.turn()
    assert [session.closing for session in newcomers] == [False, False]
    assert [session.closing for session in flood] == [True] * 16 + [False] * 4


def test_who_gave_way_and_reset_since_has_a_place_of_its_own(make_host: MakeHost) -> None:
    """What it was told before concerns the place that it had then."""
    host = make_host(limits={"max_unauthenticated": 2})
    session = host.session()
    for _ in range(2):
        host.session(address="203.0.113.7:40000")
    assert host.handed_over.qsize() == 1
    host.ask(session, f"AUTH {host.token().reveal()}")
    host.sessions.remove(host.session())
    host.ask(session, "RESET")
    host.turn()
    assert not session.closing


def test_the_admin_socket_is_outside_the_limits(make_host: MakeHost) -> None:
    """A local admin takes no place of clients or strangers, and gives none back."""
    host = make_host(limits={"max_clients": 1, "max_unauthenticated": 1})
    host.user()
    local = host.local()
    assert (host.sessions.on_admin_socket, host.sessions.strangers, len(host.sessions)) == (1, 0, 2)
    host.sessions.remove(local)
    assert (host.sessions.on_admin_socket, host.sessions.strangers, len(host.sessions)) == (0, 0, 1)


def closing(host: Host, *sessions: Session) -> list[bool]:
    """Who of them is on its way out, once their threads did what was handed to them."""
    while not host.handed_over.empty():
        host.turn()
    return [session.closing for session in sessions]


def test_on_the_admin_socket_the_longest_idle_gives_way(host: Host) -> None:
    """Nobody does while there is room; who asked for something lately comes last."""
    first, second, third = host.local(), host.local(), host.local()
    for most in (4, 5, 100):
        host.sessions.make_room_on_admin_socket(most)
    host.clock.now += 1
    host.ask(first, "PING")
    host.sessions.make_room_on_admin_socket(3)
    assert closing(host, first, second, third) == [False, True, False]
    host.sessions.make_room_on_admin_socket(3)  # who is closing has no place any more
    assert closing(host, first, second, third) == [False, True, False]
    host.sessions.make_room_on_admin_socket(2)
    assert closing(host, first, second, third) == [False, True, True]


def test_on_the_admin_socket_a_running_command_goes_on_while_anybody_is_idle(host: Host) -> None:
    """Though it was asked for long ago; where all are running one, the oldest gives way, or nobody could come in."""
    first, second, third = host.local(), host.local(), host.local()
    call = first.begin()
    host.clock.now += 1
    host.ask(third, "PING")
    host.sessions.make_room_on_admin_socket(3)
    second.begin()  # after it was chosen, before its thread hears of it
    assert closing(host, first, second, third) == [False, False, False]
    host.sessions.make_room_on_admin_socket(3)
    assert closing(host, first, second, third) == [False, False, True]
    assert first.waits_for(call)
    host.sessions.make_room_on_admin_socket(2)
    assert closing(host, first, second, third) == [True, False, True]


def test_waiting_for_the_last_to_leave(host: Host) -> None:
    """True at once where nobody is left, False where somebody stays."""
    session = host.session()
    assert not host.sessions.wait_until_empty(0)
    host.sessions.remove(session)
    assert host.sessions.wait_until_empty(0)


def test_who_has_a_place_again_when_it_is_told_to_go_stays(host: Host) -> None:
    """It lost one, and took another by RESET before it was told; it is not counted among those on their way out."""
    strangers = [host.session() for _ in range(GOING)]
    for stranger in strangers:
        host.sessions._give_way(stranger)
        host.turn()
    assert not any(stranger.closing for stranger in strangers)
    assert host.sessions.has_room


def test_close_counts_whom_it_chose(host: Host) -> None:
    """Those closing already are not counted again."""
    first, second = host.user("a"), host.user("b")
    assert host.sessions.close(lambda session: session is first, CloseReason.KICKED, "bye") == 1
    host.turn()
    assert taken(first) == b"ERROR: CLOSED reason=kicked bye\n"
    assert host.sessions.close(lambda _: True, CloseReason.KICKED) == 1
    host.turn()
    assert second.closing


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ("", "abcl"),
        ("ID 1", "a"),
        ("ID 1 3 99", "ac"),
        ("id 2 user bob", "b"),
        ("ID 2 USER ada", ""),
        ("USER ada", "a"),
        ("USER nobody", ""),
        ("ADDR 10.0.0.2:2", "b"),
        ("LADDR 127.0.0.1:5000", "abcl"),
        ("LADDR elsewhere", ""),
        ("NAME laptop", "a"),
        ("ROLE admin", "bl"),
        ("ROLE Nobody", "c"),
        ("TYPE normal", "abcl"),
        ("TYPE pubsub", ""),
        ("TYPE pubsub ID 1", ""),
        ("ID 1 TYPE pubsub", ""),
        ("MAXAGE 60", "abcl"),
        ("MAXAGE 2000000000", ""),
        ("SKIPME yes", "bcl"),
        ("SKIPME NO", "abcl"),
        ("SKIPME yes ID 1 2", "b"),
        ("IP 10.0.0.2", "b"),
        ("IDLE 60", "abcl"),
        ("LIB-NAME redis-py", "b"),
        ("LIB-VER 5.2", "b"),
        ("NOT-ID 1 2", "cl"),
        (f"ID {' '.join(map(str, range(2, 1000)))}", "bcl"),  # as many as a request takes
        ("NOT USER ada ROLE admin", "bl"),
        ("NOT TYPE normal", ""),
        ("user=ada", "a"),
        ("user = ada", "a"),
        ("user= ada", "a"),
        ("user =ada", "a"),
        ("USER=ada", "a"),
        ("user!=ada", "bcl"),
        ("not user=ada", "bcl"),
        ("not not user=ada", "a"),
        ("user in ada,bob", "ab"),
        ("user in (ada, bob)", "ab"),
        ("user in ada , bob", "ab"),
        ("not user in ada,bob", "cl"),
        ("user~A", "al"),
        ("id>1 and id<3", "b"),
        ("id in 1,3", "ac"),
        ("role=ADMIN", "bl"),
        ("role=nobody", "c"),
        ("role~ADM", "bl"),
        ("address~10.0.0.2", "b"),
        ("address~:2", "b"),
        ("client-name~lap", "a"),
        ("library~redis-PY", "b"),
        ("address=10.0.0.2:2", "b"),
        ("address=10.0.0.2", "b"),
        ("address in 10.0.0.0/8,192.0.2.0/24", "b"),
        ("network=10.0.0.0/8", "b"),
        ("not network=10.0.0.0/8 role=admin", "l"),
        ("address=unix", "l"),
        ("transport=tls", "abc"),
        ("idle>1m", "abcl"),
        ("idle<1m", ""),
        ("age>20000d", "abcl"),
        ("commands>1000", ""),
        ("bytes>1KB", "a"),
        ("state=authenticated", "abl"),
        ("command=client|list", ""),
        ("command=echo", "a"),
        ("certificate=ana", ""),
        ("certificate!=ana", "abcl"),
        ("token!=x", "abcl"),
        ("SKIPME yes user in ada,bob", "b"),
    ],
)
def test_filters_choose(make_host: MakeHost, words: str, chosen: str) -> None:
    """Every condition given must hold, in whatever order."""
    host = make_host(admin={"networks": ["10.0.0.0/8"]})
    a = host.user("ada")
    b = host.session(address="10.0.0.2:2")
    host.ask(b, f"AUTH {host.token('bob', Role.ADMIN).reveal()}")
    c, local = host.session(), host.local()
    a.client_name, b.library = "laptop", ("redis-py", "5.2")
    a.activity.received, a.activity.last_command = 4096, "ECHO"
    named = {"a": a, "b": b, "c": c, "l": local}
    parsed = SessionFilter.parse(words.split())
    assert "".join(key for key, session in named.items() if parsed.matches(session, a, NOW)) == chosen
    matcher = parsed.matcher(a, NOW)
    assert "".join(key for key, session in named.items() if matcher(session)) == chosen


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("ID", "Filter ID needs a value."),
        ("\x1b[31m", f"Unknown filter \\\\x1b\\[31M. {GRAMMAR}"),
        *(
            (f"ID {value}", "Filter ID takes the numbers of connections, from 1 on, as CLIENTS shows them.")
            for value in ("x", "9" * 5000, "1 ²", "0", "-1", "1 0", "+1", "1_0", '""')
        ),
        *(
            (f"MAXAGE {value}", "Filter MAXAGE takes a whole number of seconds, from 1 on.")
            for value in ("soon", "0", "-1", "1.5", "٣", '""')
        ),
        ("ROLE king", "Filter ROLE takes nobody, user, operator or admin."),
        ('ROLE ""', "Filter ROLE takes nobody, user, operator or admin."),
        ("SKIPME maybe", "Filter SKIPME takes yes or no."),
        ('SKIPME ""', "Filter SKIPME takes yes or no."),
        ("TYPE king", "Filter TYPE takes normal, master, replica, slave or pubsub."),
        ('TYPE ""', "Filter TYPE takes normal, master, replica, slave or pubsub."),
        ('NAME ""', "Filter NAME takes the name that a client gave itself."),
        ('USER ""', "Filter USER takes the name that a client authenticated as."),
        ('ADDR ""', "Filter ADDR takes an address and a port, as CLIENTS shows them."),
        ('LADDR ""', "Filter LADDR takes an address and a port of the server."),
        ("user", "Filter USER needs a value."),
        ("not", "Filter not needs a value."),
        ("user=ada and", "Filter and needs a value."),
        ("user=", "Filter user needs a value."),
        ("user in", "Filter user needs a value."),
        ("user in ada,", "Filter user needs a value."),
        ("user in (ada", "Filter user needs a value."),
        ("user in ada,,bob", "Filter user takes a word, such as user=web."),
        ("user>ada", "Filter user takes = != ~ in, not >."),
        ("idle~5", "Filter idle takes = != < > in, not ~."),
        ("idle>soon", "Filter idle takes a duration, such as idle>90s, idle>5m or idle>2h."),
        ("bytes>much", "Filter bytes takes a size, such as bytes>10MB."),
        ("id=-1", "Filter id takes a whole number, such as id>10."),
        ("role=king", "Filter role takes one of nobody, user, operator, admin."),
        (
            "address=10.0.0.0/99",
            "Filter address takes an address or a network, such as address=192.0.2.7 or address=10.0.0.0/8.",
        ),
        ("or user=ada", f"Unknown filter OR. {GRAMMAR}"),
        ("colour=red", f"Unknown filter COLOUR=RED. {GRAMMAR}"),
        (" ".join(["id>0"] * 201), "A filter has at most 200 conditions."),
        (f"id in {','.join(['1'] * 201)}", "A condition has at most 200 values."),
        (f"id in {','.join(['1'] * 100_000)}", "A condition has at most 200 values."),
        ("COLOUR red", f"Unknown filter COLOUR. {GRAMMAR}"),
    ],
)
def test_a_filter_that_is_not_understood_is_named(words: str, said: str) -> None:
    """And what would be allowed; nothing a peer sent reaches a terminal raw."""
    with pytest.raises(CommandError) as caught:
        SessionFilter.parse(["" if word == '""' else word for word in words.split(" ")])
    assert caught.value.sentence() == said.replace("\\\\", "\\").replace("\\[", "[")


@pytest.mark.parametrize(
    ("words", "empty"),
    [("", True), ("SKIPME yes", True), ("TYPE normal", True), ("ID 1", False), ("TYPE pubsub", False)],
)
def test_a_filter_without_a_condition_is_known_to_be_empty(words: str, empty: bool) -> None:  # noqa: FBT001 - a table
    """SKIPME alone still means everybody else."""
    assert SessionFilter.parse(words.split()).empty is empty


def test_whoever_asks_is_spared_unless_it_says_otherwise() -> None:
    """SKIPME no is honoured."""
    assert SessionFilter.parse([]).spare_me().skip_me is True
    assert SessionFilter.parse(["SKIPME", "no"]).spare_me().skip_me is False


def test_values_that_a_field_has_are_offered(host: Host) -> None:
    """Those of the sessions there are, in order; of numbers but the connections' own, none."""
    host.user("bob")
    host.user("ada")
    sessions = list(host.sessions)
    assert values("user", sessions, NOW) == ["ada", "bob"]
    assert values("id", sessions, NOW) == [str(session.number) for session in sessions]
    assert values("idle", sessions, NOW) == values("nothing", sessions, NOW) == []
