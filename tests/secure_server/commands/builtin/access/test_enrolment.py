"""CA, ENROLL, and the logins that use something up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_protocol.reasons import CloseReason
from secure_protocol.token import Token
from secure_server.auth.authenticator import ENROLMENT_RATE
from secure_server.auth.errors import StorageError
from secure_server.auth.principal import Role, TokenUse
from secure_server.session.session import Session
from tests.secure_server.host import Host, taken

REFUSED = "ERROR: WRONGPASS The token was refused.\n"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A server without sockets."""
    with Host(tmp_path) as running:
        yield running


def make(host: Host, use: TokenUse, role: Role = Role.USER) -> Token:
    """A token of that use, known at once."""
    token = host.tokens.create("ada", role, use=use)
    host.authenticator.reload()
    return token


def login(token: Token) -> str:
    """The line that logs in."""
    return f"AUTH {token.reveal()}"


def test_a_token_for_one_login_is_good_for_one(host: Host) -> None:
    """The session that it opened goes on, the next one is not let in, whether the server heard of it or not."""
    token, first = make(host, TokenUse.ONCE), host.session()
    assert host.ask(first, login(token)) == "OK\n"
    assert host.ask(host.session(), login(token)) == REFUSED
    host.authenticator.reload()
    assert host.ask(host.session(), login(token)) == REFUSED
    assert host.ask(first, "ECHO still here") == "ECHO: still here\n"
    assert host.authentications[0] == ("accepted", f"token={token.id}")
    assert host.authentications[1:] == [("refused", f"spent token={token.id}")] * 2


def test_a_penalty_keeps_nobody_from_using_a_line_and_tells_nothing_of_a_spent_one(host: Host) -> None:
    """Enrolment is a login like any other, and what a login used up is as wrong as anything else."""
    once, line = make(host, TokenUse.ONCE), host.tokens.create("bia", use=TokenUse.ENROLMENT)
    host.authenticator.reload()
    for number in range(host.penalties.needed):
        host.penalties.failed("127.0.0.1", bytes([number]), "127.0.0.1:40000", "unknown")
    sessions = [host.session(), host.session()]
    for session in sessions:
        host.send(session, f"{login(once)}\n".encode())
    host.turn()
    host.turn()
    accepted, refused = sorted(sessions, key=lambda session: session.principal is None)
    assert taken(accepted) == b"OK\n"
    assert taken(refused).startswith(b"ERROR: THROTTLED Too many refused credentials ")
    assert refused.close_reason is CloseReason.THROTTLED
    assert host.authentications[-1][1].startswith(f"penalty spent token={once.id} ")
    session = host.session()
    assert host.ask(session, login(line)) == "OK\n"
    assert host.ask(session, "ENROLL").startswith("scs_")


def test_of_two_logins_that_race_one_gets_in(host: Host) -> None:
    """Both were looked at before either was on disk; the loser's place is free again."""
    token, sessions = make(host, TokenUse.ONCE), [host.session(), host.session()]
    for session in sessions:
        assert host.send(session, f"{login(token)}\n".encode()) == b"", "nothing is said before it is on disk"
        assert session.busy
    host.turn()
    host.turn()
    assert sorted(taken(session).decode() for session in sessions) == [REFUSED, "OK\n"]
    assert host.sessions.clients == 1
    assert host.sessions.strangers == 1


def test_hello_answers_once_it_is_on_disk(host: Host) -> None:
    """All of what HELLO does happens then."""
    token, session = make(host, TokenUse.ONCE), host.session()
    answer = host.call(session, "HELLO", "3", "AUTH", "ada", token.reveal(), "SETNAME", "build")
    assert answer.startswith(b"%")
    assert (session.codec.version, session.client_name) == (3, "build")


def test_what_comes_behind_the_login_waits_and_is_judged_by_its_limits(host: Host) -> None:
    """A request larger than a stranger's may be pipelined, as behind any AUTH, and no byte of it is read too early."""
    token, session, long = make(host, TokenUse.ONCE), host.session(), "x" * 10_000
    assert host.send(session, f"{login(token)}\nECHO {long}\n".encode()) == b""
    assert not session.wants_input
    host.turn()
    assert taken(session).decode().startswith(f"OK\nECHO: {long[:4000]}")


def test_a_login_that_cannot_be_written_down_lets_nobody_in(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer is told so and may try again; its place is given back; the token is not spent."""
    token, session = make(host, TokenUse.ONCE), host.session()

    def full(*_: object) -> bool:
        raise StorageError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(host._storage, "spend", full)
        assert host.ask(session, login(token)).startswith("ERROR: UNAVAILABLE ")
    assert session.principal is None
    assert (host.sessions.clients, host.sessions.strangers) == (0, 1)
    assert host.ask(session, login(token)) == "OK\n"


def test_a_login_that_finds_no_worker_may_be_tried_again(host: Host) -> None:
    """It is told to wait, and nothing was spent."""
    token, session = make(host, TokenUse.ONCE), host.session()
    host.workers.stop(0)
    assert host.ask(session, login(token)) == "ERROR: THROTTLED The server has too much to do; try again in a moment.\n"
    assert (session.busy, session.principal) == (False, None)
    assert (host.sessions.clients, host.sessions.strangers) == (0, 1)


def test_who_left_meanwhile_is_not_let_in(host: Host) -> None:
    """Nobody is a client by the token, and it is good again; the log has the try."""
    token, session = make(host, TokenUse.ONCE), host.session()
    host.send(session, f"{login(token)}\n".encode())
    session.close(CloseReason.PEER_CLOSED)
    host.turn()
    host.sessions.remove(session)
    assert session.principal is None
    assert (host.sessions.clients, host.sessions.strangers) == (0, 0)
    assert host.authentications == []
    assert host.commands == [(session.number, "AUTH", "CLOSED")]
    host.authenticator.flush()
    host.authenticator.reload()
    assert host.ask(host.session(), login(token)) == "OK\n"


def enrolling(host: Host, token: Token) -> Session:
    """A session that came with an enrolment token."""
    session = host.session()
    assert host.ask(session, login(token)) == "OK\n"
    return session


@pytest.mark.parametrize("line", ["ECHO x", "TIME", "CLIENTS", "TOKENS"])
def test_an_enrolment_session_does_no_work(host: Host, line: str) -> None:
    """Not even an admin's; what concerns the session itself it may."""
    session = enrolling(host, make(host, TokenUse.ENROLMENT, Role.ADMIN))
    assert host.ask(session, line).startswith("ERROR: NOPERM ")
    assert host.ask(session, "PING") == "PONG\n"


def test_the_exchange(host: Host) -> None:
    """ENROLL gives the token, whose first login spends the line; the line can be used until then."""
    line = make(host, TokenUse.ENROLMENT, Role.OPERATOR)
    first = host.ask(enrolling(host, line), "ENROLL").strip()
    second = host.ask(enrolling(host, line), "ENROLL").strip()
    assert host.ask(host.session(), f"AUTH {first}") == REFUSED
    session = host.session()
    assert host.ask(session, f"AUTH {second}") == "OK\n"
    assert host.ask(session, "WHOAMI") == "ada (operator)\n"
    host.authenticator.reload()
    assert host.ask(host.session(), login(line)) == REFUSED
    assert host.ask(host.session(), f"AUTH {second}") == "OK\n"


def test_a_line_is_exchanged_at_a_bounded_rate(host: Host) -> None:
    """Over all its sessions, where no rate is configured, too: each exchange is written to disk and to the trail."""
    line = make(host, TokenUse.ENROLMENT)
    answers = [host.ask(enrolling(host, line), "ENROLL") for _ in range(ENROLMENT_RATE.burst + 1)]
    assert all(answer.startswith("scs_") for answer in answers[:-1])
    assert answers[-1].startswith("ERROR: THROTTLED ")
    assert "retry-after=10" in answers[-1]
    host.clock.now += 10
    good = host.ask(enrolling(host, line), "ENROLL").strip()
    session = host.session()
    assert host.ask(session, f"AUTH {good}") == "OK\n"
    assert host.ask(session, "ECHO as fast as any other") == "ECHO: as fast as any other\n"
    assert len(host.tokens.list()) == 2, "what a later exchange replaced is not kept"


def test_a_session_that_outlived_its_line_is_told(host: Host) -> None:
    """The line was revoked between the login and ENROLL."""
    line = make(host, TokenUse.ENROLMENT)
    session = enrolling(host, line)
    host._storage.revoke(line.id, 1.0)  # as another process does: the server has not heard of it yet
    assert host.ask(session, "ENROLL") == (
        "ERROR: WRONGPASS This enrolment line was used already, has expired or was revoked; ask for a new one.\n"
    )


def test_others_have_nothing_to_exchange(host: Host) -> None:
    """A lasting token is kept; the admin socket has none."""
    assert host.ask(host.user(), "ENROLL") == "-\n"
    assert host.ask(host.local(), "ENROLL") == "-\n"


def test_a_stranger_gets_the_authorities(host: Host) -> None:
    """And is told where there are none to give."""
    assert host.ask(host.session(), "CA").startswith("ERROR: This server has no CA of its own to give")
    host.authorities = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
    assert host.ask(host.session(), "CA") == f"{host.authorities}.\n"


def test_enroll_is_not_shown_in_lists(host: Host) -> None:
    """It is for programs; people would wonder."""
    session = host.user()
    assert "ENROLL" not in host.ask(session, "HELP")
