"""A server with jobs to steer, and what its peers read: for the tests of jobs over real TLS."""

from __future__ import annotations

from typing import Any

from secure_protocol.replies import Push
from tests.conftest import ServerFactory
from tests.integration import job_commands
from tests.integration.job_commands import Steer
from tests.integration.peers import RespPeer
from tests.integration.running import Running, eventually


def start_jobs(server: ServerFactory, **settings: object) -> Running:
    """A server with the commands."""
    Steer.forget()
    started = server(**settings)
    started.server.registry.load([job_commands])
    return started


def go(count: int = 1) -> None:
    """Let handlers go on."""
    Steer.go.release(count)


def pushed(peer: RespPeer) -> tuple[list[Push], object]:
    """What comes until a reply, and that."""
    pushes = []
    while isinstance(reply := peer.reply(), Push):
        pushes.append(reply)
    return pushes, reply


def news(peer: RespPeer) -> Push:
    """The next push that is of the job itself."""
    while True:
        push = peer.reply()
        assert isinstance(push, Push), push
        if push.kind not in ("progress", "message"):
            return push


def told(pushes: list[Push]) -> list[tuple[object, ...]]:
    """Pushes as tuples, but for those that tell how far it is."""
    return [(push.kind, *push.items) for push in pushes if push.kind not in ("progress", "message")]


def numbers(pushes: list[Push]) -> list[object]:
    """Of which jobs was told how they stand; one that is over in no time stands as `done` when that is looked at."""
    return [push.items[0] for push in pushes if push.kind == "job"]


def state(peer: RespPeer, number: int) -> str:
    """How a job stands."""
    found: Any = peer.ask("JOB", "SHOW", str(number))
    return str(found["state"]) if isinstance(found, dict) else str(found)


def ends(peer: RespPeer, number: int, how: str) -> None:
    """Wait until it has ended like that."""
    eventually(lambda: state(peer, number) == how)


def mapping(reply: object) -> dict[str, Any]:
    """RESP2 has a map as pairs, and redis-py gives bytes."""
    if isinstance(reply, dict):
        return reply
    assert isinstance(reply, list), reply
    keys = (key.decode() if isinstance(key, bytes) else key for key in reply[::2])
    return dict(zip(keys, reply[1::2], strict=True))


def rows(table: object) -> list[Any]:
    """The rows of a table as RESP3 has it."""
    assert isinstance(table, list), table
    return table
