"""Redis' CLIENT commands, in the shapes its clients parse."""

from __future__ import annotations

import time

import pytest

from secure_protocol.reasons import CloseReason
from secure_server.auth.principal import Role
from tests.secure_server.host import Host, taken


def fields(line: str) -> dict[str, str]:
    """A line of CLIENT LIST as Redis' clients split it."""
    return dict(pair.split("=", 1) for pair in line.strip().split(" "))


def test_names_and_numbers(host: Host) -> None:
    """Who am I here, and what do I call myself."""
    session = host.program(3)
    assert host.call(session, "CLIENT", "ID") == b":%d\r\n" % session.number
    assert host.call(session, "CLIENT", "GETNAME") == b"_\r\n"
    assert host.call(session, "CLIENT", "SETNAME", "laptop") == b"+OK\r\n"
    assert host.call(session, "CLIENT", "GETNAME") == b"$6\r\nlaptop\r\n"
    assert host.call(session, "CLIENT", "SETINFO", "LIB-NAME", "redis-py") == b"+OK\r\n"
    assert host.call(session, "CLIENT", "SETINFO", "lib-ver", "6.0") == b"+OK\r\n"
    assert session.library == ("redis-py", "6.0")


@pytest.mark.parametrize("name", ["a b", "a\nb", "é", "x" * 65, "a\x1b"])
def test_a_name_that_would_break_the_list_is_refused(host: Host, name: str) -> None:
    """For the client and for its library."""
    session = host.program()
    for words in (("SETNAME", name), ("SETINFO", "LIB-NAME", name), ("SETINFO", "LIB-VER", name)):
        assert host.call(session, "CLIENT", *words).startswith(b"-ERR A client's name has at most 64")
    assert (session.client_name, session.library) == ("", ("", ""))


def test_setinfo_knows_two_attributes(host: Host) -> None:
    """And says which."""
    answer = host.call(host.program(), "CLIENT", "SETINFO", "LIB-COLOUR", "red")
    assert answer == b"-ERR CLIENT SETINFO takes LIB-NAME or LIB-VER.\r\n"


def test_info_is_ones_own_line(host: Host) -> None:
    """With Redis' fields and ours, on the clock of the server."""
    session = host.program(3)
    host.clock.now += 7
    reply = host.call(session, "CLIENT", "INFO").decode()
    assert reply.startswith("=")
    shown = fields(reply.partition("txt:")[2])
    assert shown["id"] == str(session.number)
    assert (shown["user"], shown["role"], shown["resp"], shown["tls"]) == ("ada", "user", "3", "TLSv1.3")
    assert (shown["cmd"], shown["idle"], shown["flags"]) == ("client|info", "0", "N")


REDIS_FIELDS = (
    "id addr laddr fd name age idle flags db sub psub ssub multi watch qbuf qbuf-free argv-mem multi-mem rbs rbp obl "
    "oll omem tot-mem events cmd user redir resp lib-name lib-ver"
)
"""7.4's."""
OUR_FIELDS = "tot-net-in tot-net-out tot-cmds role transport tls cipher"
WORDS = {"addr", "laddr", "name", "flags", "events", "cmd", "user", "lib-name", "lib-ver"}
"""Of Redis' fields those that are no numbers."""


def test_info_has_redis_fields_in_its_order(host: Host) -> None:
    """node-redis 4 reads them by their place, redis-py wants the numbers to be there; what waits is counted."""
    session = host.program(2)
    session.output += b"12345"
    part = b"*2\r\n$4\r\nECHO\r\n$9\r\nabc"
    shown = fields(host.call(session, "CLIENT", "INFO").decode().partition("\r\n")[2])
    assert " ".join(shown) == f"{REDIS_FIELDS} {OUR_FIELDS}"
    assert not [key for key in REDIS_FIELDS.split() if shown[key].lstrip("-").isdigit() is (key in WORDS)]
    host.send(session, part)
    session.output += b"12345"
    line = host.ask(host.local(), f"CLIENT LIST ID {session.number}").splitlines()[0]
    shown = fields(line)
    assert (shown["qbuf"], shown["obl"], shown["tot-mem"], shown["events"]) == ("7", "5", "12", "rw")


def test_list_shows_everybody_or_whom_the_filters_choose(host: Host) -> None:
    """Strangers and the admin socket, too; for admins alone."""
    admin, user, stranger, local = host.user("root", Role.ADMIN), host.user("bob"), host.session(), host.local()
    host.clock.now += 9
    lines = host.ask(admin, "CLIENT LIST").splitlines()
    assert lines[-1] == "."
    shown = [fields(line) for line in lines[:-1]]
    assert [int(item["id"]) for item in shown] == [item.number for item in (admin, user, stranger, local)]
    assert [item["user"] for item in shown] == ["root", "bob", "", "local:root"]
    assert [item["flags"] for item in shown] == ["N", "N", "N", "U"]
    assert [item["idle"] for item in shown] == ["0", "9", "9", "9"]
    assert [item["cmd"] for item in shown] == ["client|list", "auth", "NULL", "NULL"]
    assert host.ask(admin, "CLIENT LIST USER bob").count("id=") == 1
    assert "needs a value" in host.ask(admin, "CLIENT LIST USER")
    assert host.ask(user, "CLIENT LIST").startswith("ERROR: NOPERM")


def test_kill_closes_whom_the_filters_choose_and_counts_them(host: Host) -> None:
    """They are told; the others are not touched."""
    admin, one, two, other = host.program(2, "root", Role.ADMIN), host.user("a"), host.user("b"), host.user("c")
    ids = (str(one.number), str(two.number))
    assert host.call(admin, "CLIENT", "KILL", "ID", *ids, "99") == b":2\r\n"
    assert [item.close_reason for item in (one, two, other)] == [CloseReason.KICKED, CloseReason.KICKED, None]
    assert taken(one) == b"ERROR: CLOSED reason=kicked Closed by an administrator.\n"


@pytest.mark.parametrize("words", [(), ("SKIPME", "yes"), ("SKIPME", "no"), ("TYPE", "normal")])
def test_kill_without_a_condition_is_refused(host: Host, words: tuple[str, ...]) -> None:
    """It would close everybody."""
    admin = host.program(2, "root", Role.ADMIN)
    assert host.call(admin, "CLIENT", "KILL", *words).startswith(b"-ERR CLIENT KILL needs a filter")
    assert host.handed_over.empty()


def test_kill_spares_whoever_asks_unless_told_otherwise(host: Host) -> None:
    """SKIPME is yes by default, as in Redis; no is honoured."""
    admin = host.program(2, "root", Role.ADMIN)
    assert host.call(admin, "CLIENT", "KILL", "USER", "root") == b":0\r\n"
    assert host.call(admin, "CLIENT", "KILL", admin.peer.address) == b"-ERR No such client.\r\n"
    assert not admin.closing
    assert host.call(admin, "CLIENT", "KILL", "USER", "root", "SKIPME", "no") == b":1\r\n"  # before it goes
    assert admin.close_reason is CloseReason.KICKED


def test_a_clock_that_leaps_makes_nobody_older(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """MAXAGE would close everybody by it; how long somebody is there goes by the clock of the deadlines."""
    admin, user = host.program(2, "root", Role.ADMIN), host.user("bob")
    host.clock.now += 9
    leapt = time.time() + 10 * 365 * 86400
    monkeypatch.setattr(time, "time", lambda: leapt)
    assert host.call(admin, "CLIENT", "KILL", "MAXAGE", "10") == b":0\r\n"
    shown = host.call(admin, "CLIENT", "LIST", "MAXAGE", "9").decode().splitlines()[1:]
    assert [fields(line)["age"] for line in shown if line] == ["9", "9"]
    assert (
        host.ask(host.local(), f"CLIENTS MAXAGE 10 ID {user.number}")
        == "None of the 3 clients match MAXAGE 10 ID 2.\n.\n"
    )
    host.clock.now += 1
    assert host.call(admin, "CLIENT", "KILL", "MAXAGE", "10") == b":1\r\n"
    assert user.close_reason is CloseReason.KICKED


def test_kill_in_the_old_form(host: Host) -> None:
    """`CLIENT KILL ip:port` answers OK, or that there is none."""
    admin, victim = host.program(2, "root", Role.ADMIN), host.session(address="10.0.0.9:9")
    assert host.call(admin, "CLIENT", "KILL", "10.0.0.9:9") == b"+OK\r\n"
    assert victim.close_reason is CloseReason.KICKED
    assert host.call(admin, "CLIENT", "KILL", "10.0.0.9:9") == b"-ERR No such client.\r\n"
