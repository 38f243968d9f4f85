"""The one way in and out: places, the log, the trail and certificates, whatever the transport."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from secure_protocol.reasons import CloseReason
from secure_server.auth.principal import ClientCertificate, Principal
from secure_server.limits.bans import Kind, Target
from secure_server.limits.descriptors import GOING
from secure_server.limits.newcomers import Shortage
from secure_server.recording.recording import NO_CERTIFICATE
from secure_server.session.peer import Peer
from secure_server.session.session import Session
from secure_server.session.state import State
from tests.secure_server.conftest import MakeHost
from tests.secure_server.host import NoConnection, never
from tests.secure_server.lobby import ALLOWED, Lobby

AWAY = Peer("203.0.113.7:4711", transport="pigeon", netblock="203.0.113.7")
LOCAL = Peer("unix", transport="unix", admin=True)


@pytest.fixture
def lobby(make_host: MakeHost, tmp_path: Path) -> Iterator[Lobby]:
    """Room for two strangers and one administrator."""
    limits = {"max_unauthenticated": 2, "max_admin_clients": 1}
    with Lobby(make_host(limits=limits), tmp_path) as made:
        yield made


class Carrier:
    """A transport's part: joins a session to a thread that is the test's, and notes when it may begin.

    Args:
        lobby: whose host has that thread.
        first: what the peer sends first.
    """

    def __init__(self, lobby: Lobby, first: bytes = b"") -> None:
        self._lobby = lobby
        self._first = first
        self.known: list[bool] = []

    def seat(self, session: Session) -> Callable[[], None]:
        """Join them."""
        session.attach(NoConnection(self._lobby.host))
        return partial(self._begin, session)

    def _begin(self, session: Session) -> None:
        self.known.append(session in list(self._lobby.host.sessions))
        if self._first:
            session.call_soon(partial(self._receive, session))

    def _receive(self, session: Session) -> None:
        session.receive(self._first, self._lobby.host.clock())


def receive(lobby: Lobby, peer: Peer, principal: Principal | None = None) -> Session:
    """Have a peer come in."""
    return lobby.reception.receive(peer, Carrier(lobby).seat, principal or lobby.reception.enter(peer, never))


def test_a_strangers_place_is_taken_until_it_is_given_back(lobby: Lobby) -> None:
    """By a handshake that failed or by a session that ended; for whom there is none the oldest gives way."""
    sessions, told = lobby.host.sessions, list[tuple[int, Shortage]]()
    first, second, _ = (lobby.reception.enter(AWAY, lambda why, n=n: told.append((n, why))) for n in range(3))  # type: ignore[misc] # a bound default
    assert told == [(0, Shortage.ALL)]
    assert sessions.strangers == 2
    lobby.reception.failed(AWAY, first, CloseReason.TOO_MANY, Shortage.ALL)
    assert sessions.strangers == 2
    lobby.reception.failed(AWAY, second, CloseReason.HANDSHAKE_FAILED, "in the library's words")
    assert sessions.strangers == 1
    assert lobby.log == [
        "refused session=0 principal=- address=203.0.113.7:4711 reason=too-many unauthenticated-connections",
        "refused session=0 principal=- address=203.0.113.7:4711 reason=handshake-failed in the library's words",
    ]
    session = receive(lobby, AWAY)
    assert (sessions.strangers, len(sessions)) == (2, 1)
    lobby.reception.leave(session)
    assert (sessions.strangers, len(sessions)) == (1, 0)


def test_a_client_certificate_that_was_wanted_is_a_failed_authentication(lobby: Lobby) -> None:
    """The trail has who came without one, and nothing of other handshakes that fail."""
    for detail in ("UNSUPPORTED_PROTOCOL", NO_CERTIFICATE):
        place = lobby.reception.enter(AWAY, never)
        lobby.reception.failed(AWAY, place, CloseReason.HANDSHAKE_FAILED, detail)
    (record,) = lobby.trail
    assert (record.event, record.outcome, record.address) == ("authentication", "refused", AWAY.address)


def test_who_comes_from_a_banned_address_is_kept_out(lobby: Lobby) -> None:
    """Before it has a place; where the ban came since, at its first request, whatever certificate it showed.

    Log and trail have by which ban. Of the admin socket nobody is.
    """
    lobby.host.banning.bans.add([Target(Kind.NETWORK, "203.0.113.0/24")], until=None, by="root", reason="noise")
    certificate = ClientCertificate("ana", "ab" * 32, 0, lobby.host.clock.now + 5)
    assert lobby.reception.keeps_out(AWAY)
    assert not lobby.reception.keeps_out(Peer("203.0.114.7:4711"))
    assert not lobby.reception.keeps_out(Peer(AWAY.address, admin=True))
    session = receive(lobby, replace(AWAY, certificate=certificate))
    assert lobby.host.handed_over.empty()
    assert lobby.host.ask(session, "PING") == "ERROR: CLOSED reason=banned You are banned: noise\n"
    refused = "principal=- address=203.0.113.7:4711 reason=banned ban=1"
    assert [line for line in lobby.log if "banned" in line] == [f"refused session=0 {refused}"] * 2
    assert [(record.event, record.outcome, record.address) for record in lobby.trail] == [
        ("authentication", "refused", AWAY.address)
    ] * 2
    assert lobby.trail[0].detail == {"mechanism": "address", "reason": "banned", "ban": 1}


def test_a_stranger_is_known_before_it_can_ask(lobby: Lobby) -> None:
    """So a revocation or a drain of the same moment finds it; the log has by what it came, and no more than that."""
    carrier = Carrier(lobby)
    session = lobby.reception.receive(AWAY, carrier.seat, lobby.reception.enter(AWAY, never))
    assert carrier.known == [True]
    assert (session.state, session.peer) == (State.UNAUTHENTICATED, AWAY)
    assert lobby.log == ["connected session=1 principal=- address=203.0.113.7:4711 transport=pigeon"]
    assert lobby.trail == []


def test_what_tls_agreed_on_is_logged(lobby: Lobby) -> None:
    """With the certificate that was shown."""
    certificate = ClientCertificate("bia", "ab" * 32, 0, lobby.host.clock.now + 5)
    receive(lobby, Peer(AWAY.address, netblock=AWAY.netblock, tls="TLSv1.3", cipher="AES", certificate=certificate))
    (line,) = lobby.log
    assert line.endswith(f" transport=tls tls=TLSv1.3 cipher=AES certificate={certificate.label}")


def test_a_certificate_counts_before_the_first_byte(lobby: Lobby) -> None:
    """Who showed one is somebody already when its first request is answered."""
    certificate = ClientCertificate("ana", "ab" * 32, 0, lobby.host.clock.now + 5)
    peer = Peer(AWAY.address, netblock=AWAY.netblock, certificate=certificate)
    place = lobby.reception.enter(peer, never)
    session = lobby.reception.receive(peer, Carrier(lobby, b"WHOAMI\n").seat, place)
    while not lobby.host.handed_over.empty():
        lobby.host.turn()
    assert session.output == b"ana (operator)\n"
    assert (lobby.host.sessions.clients, lobby.host.sessions.strangers) == (1, 0)
    (record,) = lobby.trail
    assert (record.outcome, record.who, record.detail["mechanism"]) == ("accepted", "ana", "certificate")


def test_whom_the_transport_proved_takes_no_place(lobby: Lobby) -> None:
    """An administrator is one at once, outside the places of clients and strangers; that is on record."""
    principal = lobby.reception.administrator(ALLOWED)
    assert principal is not None
    session = receive(lobby, LOCAL, principal)
    assert (session.state, session.principal) == (State.AUTHENTICATED, principal)
    assert (lobby.host.sessions.clients, lobby.host.sessions.strangers) == (0, 0)
    (record,) = lobby.trail
    assert (record.outcome, record.who, record.detail) == ("accepted", principal.name, {"mechanism": "unix"})
    lobby.reception.leave(session)
    assert lobby.host.sessions.strangers == 0


@pytest.mark.parametrize("uid", [ALLOWED + 1, 0, None])
def test_other_users_are_no_administrators(lobby: Lobby, uid: int | None) -> None:
    """Nor is one of whom the system does not say who it is; both the log and the trail have it."""
    assert lobby.reception.administrator(uid) is None
    assert lobby.log == [f"refused session=0 principal=- address=unix reason=auth-failed uid={uid}"]
    (record,) = lobby.trail
    assert (record.outcome, record.detail["reason"]) == ("refused", "wrong-user")


def test_of_administrators_the_longest_idle_gives_way(lobby: Lobby) -> None:
    """A script that forgets its connections locks nobody out; who gives way is told, and comes back when it likes."""
    session = receive(lobby, LOCAL, lobby.reception.administrator(ALLOWED))
    lobby.host.ask(session, "PING")
    assert lobby.reception.administrator(ALLOWED) is not None
    lobby.host.turn()
    assert session.output == b"ERROR: CLOSED reason=idle Gave way to a newer connection to the admin socket.\n"
    lobby.reception.leave(session)
    assert "reason=idle" in lobby.log[-1]


def test_administrators_are_bounded_however_slowly_they_go(lobby: Lobby) -> None:
    """Who takes no bytes stays until its deadline; of those there are only a few, and the next has to wait."""
    first = receive(lobby, LOCAL, lobby.reception.administrator(ALLOWED))
    for _ in range(GOING):
        assert lobby.reception.has_room_for_administrator()
        receive(lobby, LOCAL, lobby.reception.administrator(ALLOWED))
    assert not lobby.reception.has_room_for_administrator()
    assert lobby.reception.has_room()
    lobby.reception.leave(first)
    assert lobby.reception.has_room_for_administrator()


@pytest.mark.parametrize("ends", [True, False], ids=["it ends", "it comes in"])
def test_strangers_are_bounded_however_slowly_they_go(make_host: MakeHost, tmp_path: Path, *, ends: bool) -> None:
    """Who gave way counts until its own thread has ended it, unless it comes in before it hears of that."""
    limits = {"max_unauthenticated": GOING, "unauthenticated_per_source": GOING}
    with Lobby(make_host(limits=limits), tmp_path) as lobby:
        first, *_ = [receive(lobby, AWAY) for _ in range(GOING)]
        for _ in range(GOING):
            assert lobby.reception.has_room()
            lobby.reception.enter(AWAY, never)
        assert not lobby.reception.has_room()
        if ends:
            lobby.reception.leave(first)
        else:
            assert lobby.host.ask(first, f"AUTH {lobby.host.token().reveal()}") == "OK\n"
        assert lobby.reception.has_room()


def test_the_end_is_logged(lobby: Lobby) -> None:
    """With its reason, who it was by then, and how much it asked."""
    session = receive(lobby, AWAY)
    lobby.host.ask(session, f"AUTH {lobby.host.token().reveal()}")
    lobby.host.ask(session, "PING")
    session.close(CloseReason.KICKED)
    lobby.reception.leave(session)
    assert lobby.log[-1] == "disconnected session=1 principal=ada address=203.0.113.7:4711 reason=kicked commands=2"
    assert (lobby.host.sessions.clients, lobby.host.sessions.strangers, len(lobby.host.sessions)) == (0, 0, 0)
