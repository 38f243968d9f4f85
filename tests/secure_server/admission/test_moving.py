"""A session whose peer has another address is judged by that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from secure_protocol.reasons import CloseReason
from secure_server.admission.moving import Moving
from secure_server.auth.admin_networks import AdminNetworks
from secure_server.auth.principal import Role
from secure_server.limits.bans import Kind, Target
from secure_server.session.session import NOTHING, Session
from tests.secure_server.host import Host, taken

THERE = "198.51.100.9:4001"


class World:
    """A host, and who is told of moves.

    Attributes:
        host: the server without its sockets.
        moves: who moved, by name and address, and from where.
    """

    def __init__(self, host: Host) -> None:
        self.host = host
        self.moves: list[tuple[str, str, str]] = []
        self.moving = Moving(
            host.authenticator.good_from,
            host.banning,
            lambda who, before: self.moves.append((who.principal, who.address, before)),
        )

    def move(self, session: Session, address: str = THERE) -> str:
        """Have a session's peer go there; return what it is told of it."""
        peer = replace(session.peer, address=address, netblock=address.partition(":")[0])
        self.moving.moved(session, peer)
        return taken(session).decode()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Nobody has come yet."""
    with Host(tmp_path) as host:
        yield World(host)


def test_it_goes_on_where_it_is(world: World) -> None:
    """Lists, records and penalties go by that; its place does not."""
    session = world.host.user()
    assert world.move(session) == ""
    assert (session.peer.address, session.peer.netblock) == (THERE, "198.51.100.9")
    assert world.moves == [("ada", THERE, "127.0.0.1:40000")]
    assert [(moment.what, moment.detail) for moment in session.moments][-1] == ("moved", THERE)
    assert world.host.ask(session, "PING") == "PONG\n"


def test_what_was_cleared_is_forgotten(world: World) -> None:
    """Else its commands would be recorded as from where it was."""
    session = world.host.program()
    for _ in range(2):
        world.host.call(session, "PING")
    assert session.cleared
    world.move(session)
    assert session.cleared is NOTHING


def test_a_stranger_may_move(world: World) -> None:
    """Nothing is known of it that would not be so elsewhere."""
    session = world.host.session()
    assert world.move(session) == ""
    assert world.moves == [("", THERE, "127.0.0.1:40000")]
    assert not session.closing


@pytest.mark.parametrize(("address", "closed"), [(THERE, True), ("127.0.0.9:1", False)])
def test_a_token_is_good_in_its_networks_alone(world: World, address: str, *, closed: bool) -> None:
    """And whose it is learns why it is over; a client does not come back by itself."""
    host = world.host
    token = host.tokens.create("near", Role.USER, networks=["127.0.0.0/8"])
    host.authenticator.reload()
    session = host.session()
    host.call(session, "HELLO", "3", "AUTH", "near", token.reveal())
    told = world.move(session, address)
    assert session.closing is closed
    assert ("Your token is not good where you have moved to." in told) is closed
    assert session.close_reason is (CloseReason.AUTH_FAILED if closed else None)
    assert len(world.moves) == 1


def test_the_banned_are_out_there_too(world: World) -> None:
    """As if they had come from there."""
    session = world.host.program()
    world.host.banning.bans.add([Target(Kind.ADDRESS, "198.51.100.9")], until=None, by="root", reason="enough")
    assert "You are banned: enough" in world.move(session)
    assert session.close_reason is CloseReason.BANNED


def test_an_admin_elsewhere_is_an_operator(world: World) -> None:
    """And is told that it may run other commands, then and when it is back."""
    session = world.host.program(role=Role.ADMIN)
    session._admin_networks = AdminNetworks(["127.0.0.0/8"])
    assert "commands-changed" in world.move(session)
    assert session.role.label == "operator"
    assert "commands-changed" in world.move(session, "127.0.0.1:7")
    assert session.role.label == "admin"
    assert world.move(session, "127.0.0.1:8") == ""
