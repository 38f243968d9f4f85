"""Messages that nobody asked for: who gets them, in which form, and who does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_protocol.errors import CommandError
from secure_protocol.resp_requests import encode_request
from secure_server.auth.principal import Role
from secure_server.commands.context import Context
from secure_server.commands.facade import MESSAGE_CHARACTERS, ServerFacade
from secure_server.session.messages import POSTED
from secure_server.session.session import Session
from tests.secure_server.host import Host, taken


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """The server without its sockets."""
    with Host(tmp_path) as running:
        yield running


def delivered(host: Host, *sessions: Session) -> list[bytes]:
    """Do all that was handed over, and take what each session got."""
    while not host.handed_over.empty():
        host.turn()
    return [taken(session) for session in sessions]


def tell(host: Host, session: Session, line: str) -> str:
    """Send one line, and do what is handed over until it is answered."""
    answer = host.send(session, f"{line}\n".encode())
    while session.busy:
        host.turn()
        answer += taken(session)
    return answer.decode()


def facade(host: Host, session: Session) -> ServerFacade:
    """What a handler of this session is given."""
    command = host.services.command_named("ECHO")
    assert command is not None
    return Context(session, host.services, command).server


def test_resp3_clients_are_told_by_a_push(host: Host) -> None:
    """`message <from> <text>`, without having asked for it; the admin who tells it is not told."""
    program, admin = host.program(), host.local()
    assert tell(host, admin, "BROADCAST the  disk is full") == "Clients told: 1\n"
    assert delivered(host, program, admin) == [
        b">3\r\n$7\r\nmessage\r\n$10\r\nlocal:root\r\n$16\r\nthe disk is full\r\n",
        b"",
    ]


def test_a_filter_says_who_is_told(host: Host) -> None:
    """All of it in one word; what it does not take, or is empty, is refused, and nobody is told."""
    ada, bob, admin = host.program(), host.program(name="bob", role=Role.OPERATOR), host.local()
    assert tell(host, admin, 'BROADCAST lunch --to "role=operator age<1h"') == "Clients told: 1\n"
    assert tell(host, admin, "BROADCAST lunch --to 'user in (ada, eve)' --role operator") == "Clients told: 0\n"
    assert tell(host, admin, "BROADCAST lunch --to ''") == (
        "ERROR: The filter is empty; leave --to out to tell everybody.\n"
    )
    assert tell(host, admin, 'BROADCAST lunch --to "user=\'x"') == "ERROR: A quote in the filter is not closed.\n"
    assert tell(host, admin, "BROADCAST lunch --to colour=red").startswith("ERROR: Unknown filter COLOUR")
    first, second = delivered(host, ada, bob)
    assert (first, second[:4]) == (b"", b">3\r\n")


def test_text_and_resp2_clients_are_told_once_they_opt_in(host: Host) -> None:
    """Neither can tell a message from a reply, so neither gets one before NOTIFY ON, nor after NOTIFY OFF."""
    text, old, admin = host.user("ada"), host.program(2, "bob"), host.local()
    assert tell(host, admin, "BROADCAST one") == "Clients told: 0\n"
    assert host.ask(text, "NOTIFY on") == "OK\n"
    assert host.call(old, "NOTIFY", "ON") == b"+OK\r\n"
    assert tell(host, admin, "BROADCAST two") == "Clients told: 2\n"
    assert delivered(host, text, old) == [
        b"message local:root two\n",
        b"*3\r\n$7\r\nmessage\r\n$10\r\nlocal:root\r\n$3\r\ntwo\r\n",
    ]
    assert host.ask(text, "NOTIFY off") == "OK\n"
    assert tell(host, admin, "BROADCAST three") == "Clients told: 1\n"
    assert delivered(host, text) == [b""]


def test_reset_takes_the_opting_in_back(host: Host) -> None:
    """A connection that is as new gets what a new one gets."""
    old = host.program(2)
    host.call(old, "NOTIFY", "ON")
    assert host.call(old, "RESET") == b"+RESET\r\n"
    assert not old.notifications


def test_strangers_are_told_nothing(host: Host) -> None:
    """Neither by a broadcast, nor by number."""
    stranger, admin = host.session(), host.local()
    stranger.notifications = True
    assert tell(host, admin, f"BROADCAST --id {stranger.number} hello") == "Clients told: 0\n"
    assert facade(host, admin).notify(stranger.number, "hello") is False
    assert delivered(host, stranger) == [b""]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--role user", {"ada"}),
        ("--role operator", {"oscar"}),
        ("--name=oscar", {"oscar"}),
        ("--role user --name oscar", set()),
        ("--id 2", {"oscar"}),
        ("", {"ada", "oscar"}),
    ],
)
def test_a_broadcast_can_be_for_some(host: Host, options: str, told: set[str]) -> None:
    """By role, name and number; all that is given must hold."""
    sessions = {"ada": host.program(name="ada"), "oscar": host.program(name="oscar", role=Role.OPERATOR)}
    assert sessions["oscar"].number == 2
    assert tell(host, host.local(), f"BROADCAST hello {options}") == f"Clients told: {len(told)}\n"
    delivered(host)
    assert {name for name, session in sessions.items() if taken(session)} == told


def test_a_message_cannot_move_a_cursor_or_fill_a_screen(host: Host) -> None:
    """Control characters come escaped, and the rest is cut."""
    program, admin = host.program(), host.local()
    tell(host, admin, 'BROADCAST "\\x1b[2J\\nERROR"')
    assert b"\\x1b[2J\\x0aERROR\r\n" in delivered(host, program)[0]
    tell(host, admin, f"BROADCAST {'x' * 5000}")
    (message,) = delivered(host, program)
    assert message.endswith(b"x" * MESSAGE_CHARACTERS + "…\r\n".encode())


def test_an_empty_message_is_refused(host: Host) -> None:
    """There is nothing to tell."""
    admin = host.local()
    assert tell(host, admin, "BROADCAST") == "ERROR: A message needs a text.\n"
    with pytest.raises(CommandError):
        facade(host, admin).notify(1, " ")


def test_only_admins_broadcast(host: Host) -> None:
    """A user is told which role it takes."""
    assert host.ask(host.user(), "BROADCAST hi") == "ERROR: NOPERM BROADCAST needs the role admin; you are user.\n"


def test_a_handler_tells_from_any_thread(host: Host) -> None:
    """What `context.server` gave may be kept: a thread of the handler's own uses it when the call is long over."""
    ada, bob = host.program(name="ada"), host.program(name="bob")
    kept = facade(host, ada)
    told: list[object] = []
    thread = threading.Thread(
        target=lambda: told.extend([kept.broadcast("all", role="user"), kept.notify(ada.number, "you")])
    )
    thread.start()
    thread.join()
    assert told == [1, True]
    assert delivered(host, ada, bob) == [
        b">3\r\n$7\r\nmessage\r\n$3\r\nada\r\n$3\r\nyou\r\n",
        b">3\r\n$7\r\nmessage\r\n$3\r\nada\r\n$3\r\nall\r\n",
    ]


def test_a_handler_tells_whoever_called_it(host: Host) -> None:
    """A context stands for its session; a session that has gone is not told."""
    ada = host.program()
    command = host.services.command_named("ECHO")
    assert command is not None
    context = Context(ada, host.services, command)
    assert context.server.notify(context, "done") is True
    assert b"done" in delivered(host, ada)[0]
    host.sessions.remove(ada)
    assert context.server.notify(context, "done") is False


def test_an_unknown_role_is_the_handlers_mistake(host: Host) -> None:
    """It is told where it is made."""
    with pytest.raises(ValueError, match="a role is one of"):
        facade(host, host.local()).broadcast("hi", role="king")


def test_a_message_waits_for_the_end_of_a_text_reply(host: Host) -> None:
    """It never stands between the lines of one."""
    text = host.user()
    host.ask(text, "NOTIFY on")
    release = threading.Event()
    host.command("SLOW", lambda _context: release.wait(5) and "done")
    assert host.send(text, b"SLOW\n") == b""
    facade(host, host.local()).notify(text.number, "meanwhile")
    delivered(host)
    assert taken(text) == b""
    release.set()
    host.turn()
    assert taken(text) == b"done\nmessage local:root meanwhile\n"


def test_one_who_does_not_read_misses_messages(host: Host) -> None:
    """A peer behind with its replies is given no more to hold for it."""
    program = host.program()
    program.output += b"x" * host.config.limits.output_high_water
    facade(host, host.local()).notify(program.number, "more")
    assert delivered(host, program) == [b"x" * host.config.limits.output_high_water]


def test_pushes_come_also_to_who_wants_no_replies(host: Host) -> None:
    """`CLIENT REPLY OFF` is about replies, as in Redis."""
    program = host.program()
    assert host.send(program, encode_request([b"CLIENT", b"REPLY", b"OFF"])) == b""
    facade(host, host.local()).notify(program.number, "still here")
    assert b"still here" in delivered(host, program)[0]


def test_who_tells_without_end_fills_no_memory(host: Host) -> None:
    """What waits for the thread that owns the connection is bounded, in one hand-over; the latest come through."""
    program = host.program()
    tells = facade(host, host.local())
    for number in range(POSTED * 3):
        tells.notify(program.number, f"number {number}")
    assert host.handed_over.qsize() == 1
    told = delivered(host, program)[0]
    assert told.count(b"message") == POSTED
    assert f"number {POSTED * 3 - 1}\r\n".encode() in told
    tells.notify(program.number, "one more")
    assert b"one more" in delivered(host, program)[0]
