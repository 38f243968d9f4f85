"""The way in and out with a client certificate, without sockets and with a clock that moves when told."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from secure_protocol.reasons import CloseReason
from secure_server.admission.certificate import CertificateAdmission
from secure_server.auth.certificates import CertificateAuthenticator, Grant
from secure_server.auth.errors import StorageError
from secure_server.auth.principal import ClientCertificate, Role
from secure_server.auth.sqlite.storage import SQLiteTokenStorage
from secure_server.limits.token_bucket import TokenBucket
from secure_server.session.peer import Peer
from secure_server.session.session import Session
from tests.secure_server.host import Clock, Host, taken


class Gate:
    """An admission beside a host's sessions.

    Args:
        host: the sessions.
        storage: the revocations.
    """

    def __init__(self, host: Host, storage: SQLiteTokenStorage) -> None:
        self.host = host
        self.storage = storage
        self.clock = Clock()
        self.looks = 0
        self.log: list[tuple[str, str]] = []
        authenticator = CertificateAuthenticator(storage, {"ana": Grant(Role.OPERATOR)}, self.clock)
        state = authenticator.state

        def counted(certificate: ClientCertificate) -> object:
            self.looks += 1
            return state(certificate)

        authenticator.state = counted  # type: ignore[assignment, method-assign] # looks on, and changes nothing
        self.admission = CertificateAdmission(
            authenticator,
            host.sessions,
            host.banning,
            host.draining,
            lambda _who, outcome, detail, _mechanism: self.log.append((outcome, detail)),
        )

    def reload(self, *sessions: Session, **grants: Grant) -> list[str]:
        """Have names stand for something else; return who the sessions are then, or why they ended."""
        self.admission.take_up(grants)
        while not self.host.handed_over.empty():
            self.host.turn()
        return [
            str(session.close_reason or f"{session.principal and session.principal.name} {session.role.label}")
            for session in sessions
        ]

    def come(self, name: str = "ana", lasts: float = 1000) -> Session:
        """A session whose peer showed a certificate that is good for so many seconds more."""
        certificate = ClientCertificate(name, "ab" * 32, self.clock.now - 5, self.clock.now + lasts)
        session = self.host.session()
        session.peer = Peer("127.0.0.1:40000", netblock="127.0.0.1", certificate=certificate)
        self.admission.enter(session)
        return session

    def ends(self, session: Session) -> CloseReason | None:
        """Make a step, let what it handed over happen, and return why the session ended."""
        self.admission.step()
        while not self.host.handed_over.empty():
            self.host.turn()
        return session.close_reason


@pytest.fixture
def gate(host: Host, tmp_path: Path) -> Iterator[Gate]:
    """One that knows ana, an operator."""
    with SQLiteTokenStorage(tmp_path / "tokens.db") as storage:
        yield Gate(host, storage)


def test_a_penalty_does_not_concern_a_certificate(gate: Gate) -> None:
    """Whoever shows a good one comes in from the address of somebody who guesses."""
    for number in range(gate.host.penalties.needed):
        gate.host.penalties.failed("127.0.0.1", bytes([number]), "127.0.0.1:40000", "unknown")
    assert gate.host.penalties.refused_for("127.0.0.1")
    assert gate.host.ask(gate.come(), "WHOAMI") == "ana (operator)\n"
    beside = gate.come("bia")
    assert gate.host.ask(beside, f"AUTH {gate.host.token().reveal()}") == "OK\n"


def test_who_comes_in(gate: Gate) -> None:
    """A mapped name is who it is from its first request on, has a client's place, and can be told in the log."""
    session = gate.come()
    assert gate.host.ask(session, "WHOAMI") == "ana (operator)\n"
    assert (gate.host.sessions.clients, gate.host.sessions.strangers) == (1, 0)
    assert gate.log == [("accepted", "certificate=abababababababab")]
    stranger = gate.come("bia")
    assert "NOAUTH" in gate.host.ask(stranger, "WHOAMI")
    assert len(gate.log) == 1


def test_without_a_certificate_nothing_happens(gate: Gate) -> None:
    """Whoever shows none goes on to AUTH."""
    session = gate.host.session()
    gate.admission.enter(session)
    assert session.principal is None
    assert gate.log == []


def test_who_was_closed_meanwhile_does_not_come_in(gate: Gate) -> None:
    """Between a session's first moment and this one a drain may have begun."""
    certificate = ClientCertificate("ana", "ab" * 32, gate.clock.now - 5, gate.clock.now + 5)
    session = gate.host.session()
    session.peer = Peer("127.0.0.1:40000", netblock="127.0.0.1", certificate=certificate)
    session.close(CloseReason.DRAINING)
    gate.admission.enter(session)
    assert (session.principal, gate.log, gate.host.sessions.clients) == (None, [], 0)


def test_nobody_comes_in_during_a_drain(gate: Gate) -> None:
    """Told instead of the first answer; and whoever was let in as it began leaves."""
    gate.host.draining.begin(30, 7)
    session = gate.come()
    assert gate.log == [("refused", "draining certificate=abababababababab")]
    assert gate.host.ask(session, "WHOAMI").startswith("ERROR: CLOSED reason=draining retry-after=7 ")
    gate.host.draining.cancel()
    admit = gate.host.sessions.admit

    def admitted(*given: object) -> object:
        gate.host.draining.begin(30, 7)
        return admit(*given)  # type: ignore[arg-type] # as they came

    gate.host.sessions.admit = admitted  # type: ignore[assignment, method-assign] # a drain in between
    assert gate.come().close_reason is CloseReason.DRAINING


def test_each_one_ends_with_its_own_certificate(gate: Gate) -> None:
    """Also one that came after the last look, and one that asked for a token besides."""
    late, soon = gate.come(lasts=20), gate.come("bia", lasts=10)
    assert gate.ends(soon) is None
    assert gate.host.send(soon, b"PING\n") != b""
    gate.clock.now += 11
    assert gate.ends(soon) is CloseReason.EXPIRED
    assert taken(soon) == b"ERROR: CLOSED reason=expired The client certificate expired.\n"
    sooner = gate.come(lasts=3)
    gate.clock.now += 4
    assert gate.ends(sooner) is CloseReason.EXPIRED
    assert late.close_reason is None
    gate.clock.now += 6
    assert gate.ends(late) is CloseReason.EXPIRED


def test_nobody_is_looked_at_while_nothing_changes(gate: Gate) -> None:
    """Ten thousand sessions cost nothing four times a second; changes to tokens alone cost nothing either."""
    for _ in range(3):
        gate.come()
    looks = gate.looks
    gate.host.token("other")
    for _ in range(5):
        gate.admission.step()
    assert gate.looks == looks
    gate.storage.bar("bia", gate.clock.now)
    gate.admission.step()
    assert gate.looks == looks + 3


def test_expiry_is_kept_to_while_the_storage_is_out_of_order(gate: Gate) -> None:
    """The failure is for the watch to tell."""
    session = gate.come(lasts=1)
    gate.clock.now += 5
    gate.storage.close()
    with pytest.raises(StorageError):
        gate.admission.step()
    gate.host.turn()
    assert session.close_reason is CloseReason.EXPIRED


def test_a_token_shown_besides_is_counted_until_reset(gate: Gate) -> None:
    """The place is the certificate's own; the token's sessions are bounded all the same."""
    token = gate.host.tokens.create("bob", max_sessions=1)
    first, second = gate.come(), gate.come()
    assert gate.host.ask(first, f"AUTH {token.reveal()}") == "OK\n"
    assert gate.host.sessions.of_tokens() == {token.id: 1, None: 1}
    assert gate.host.ask(first, "RESET") == "RESET\n"
    assert gate.host.ask(second, f"AUTH {token.reveal()}") == "OK\n"
    assert gate.host.sessions.clients == 2
    assert gate.host.ask(first, f"AUTH {token.reveal()}").startswith("ERROR: THROTTLED The token has as many sessions")
    for session in (first, second):
        gate.host.sessions.remove(session)
    assert (gate.host.sessions.of_tokens(), gate.host.sessions.strangers) == ({}, 0)


def test_who_stands_for_something_else_is_that_at_once(gate: Gate) -> None:
    """Another role, another list: the same session, and what it may not run any more it may not."""
    session = gate.come()
    assert gate.reload(session, ana=Grant(Role.OPERATOR)) == ["ana operator"]
    before = session.principal
    assert gate.reload(session, ana=Grant(Role.USER, frozenset({"ECHO"}))) == ["ana user"]
    assert session.principal is not before
    assert gate.host.ask(session, "TIME").startswith("ERROR: NOPERM")
    assert gate.host.ask(session, "RESET") == "RESET\n"
    assert gate.host.ask(session, "WHOAMI") == "ana (user)\n"
    assert gate.host.sessions.clients == 1


def test_who_stands_for_the_same_is_left_alone(gate: Gate) -> None:
    """What waits for a worker goes by who asked for it."""
    session = gate.come()
    before = session.principal
    another_rate = Grant(Role.OPERATOR, bucket=TokenBucket(1, 1, 0.0))
    assert gate.reload(session, ana=another_rate, bia=Grant(Role.ADMIN)) == ["ana operator"]
    assert session.principal is before


def test_who_stands_for_nobody_any_more_ends(gate: Gate) -> None:
    """And is told why; the next one with that certificate shows a token, as ever."""
    session = gate.come()
    gate.host.ask(session, "WHOAMI")
    assert gate.reload(session) == ["revoked"]
    assert taken(session) == (
        b"ERROR: CLOSED reason=revoked The client certificate stands for nobody here any more; show a token.\n"
    )
    assert gate.come().principal is None


def test_who_may_not_come_from_there_any_more_ends(gate: Gate) -> None:
    """As one who comes from there now is turned away."""
    session = gate.come()
    elsewhere = Grant(Role.OPERATOR, networks=(ip_network("10.0.0.0/8"),))
    assert gate.reload(session, ana=elsewhere) == ["auth-failed"]


def test_who_showed_a_token_besides_is_whom_it_says(gate: Gate) -> None:
    """Until RESET, which leads back to whom the certificate stands for now: somebody else, or nobody."""
    for grants, after in (({"ana": Grant(Role.USER)}, "ana (user)\n"), ({}, None)):
        gate.reload(ana=Grant(Role.OPERATOR))
        session = gate.come()
        assert gate.host.ask(session, f"AUTH {gate.host.token(f'bob{len(grants)}').reveal()}") == "OK\n"
        name = f"bob{len(grants)} user"
        assert gate.reload(session, **grants) == [name]
        assert gate.host.ask(session, "RESET") == "RESET\n"
        if after is not None:
            assert gate.host.ask(session, "WHOAMI") == after
        assert (session.principal is None) is (after is None)
        gate.host.sessions.remove(session)
    assert (gate.host.sessions.clients, gate.host.sessions.strangers) == (0, 0)


def test_who_comes_in_at_that_moment_is_judged_by_what_holds(gate: Gate) -> None:
    """Also where it was looked at by what held before, and is let in only after the change."""
    late = gate.come()
    found, late.own, late.proved = late.proved, None, None  # as within `enter`
    assert found is not None
    gate.admission.take_up({"ana": Grant(Role.USER)})
    late.prove(found)
    assert late.principal is found
    gate.host.turn()
    assert late.role is Role.USER


def test_a_program_is_told_that_its_commands_are_others(gate: Gate) -> None:
    """Where it can tell that from a reply."""
    session = gate.come()
    gate.host.call(session, "HELLO", "3")
    gate.reload(session, ana=Grant(Role.USER))
    assert taken(session) == b">1\r\n$16\r\ncommands-changed\r\n"
