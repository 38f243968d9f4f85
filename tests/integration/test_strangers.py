"""What asks for nothing is no way to keep the server busy for nothing: it counts like requests."""

from __future__ import annotations

import re
import threading

import pytest

from secure_server.session.standing import STRANGER_REQUESTS
from tests.conftest import ServerFactory
from tests.integration.bystander import bystander
from tests.integration.running import Running, eventually

STRANGERS = 2
REPLACED = 3
"""How many connections each of them has, one after the other."""
FLOODS = {
    "lines": b"\n" * 2 * STRANGER_REQUESTS,
    "long lines": (b" " * 1000 + b"\n") * 5,
    "arrays": b"*0\r\n" * 2 * STRANGER_REQUESTS,
    "line ends and arrays": b"*-1\r\n\r\n\n*0\r\n" * STRANGER_REQUESTS,
}


def flood(running: Running, blanks: bytes) -> bytes:
    """Send that as a stranger, as fast as it goes, and return what the server says until its end."""
    with running.text(None) as peer:
        peer.send(blanks)
        return b"".join(iter(peer.receive, b""))


@pytest.mark.parametrize("kind", FLOODS)
def test_strangers_who_ask_for_nothing_are_ended(server: ServerFactory, kind: str) -> None:
    """Each after 64 of them or four kilobytes, is told so once, and is on record; another client's pings go on."""
    running, told = server(), list[bytes]()

    def go_on() -> None:
        for _ in range(REPLACED):
            told.append(flood(running, FLOODS[kind]))

    with bystander(running):
        threads = [threading.Thread(target=go_on) for _ in range(STRANGERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(told) == STRANGERS * REPLACED
    for said in told:
        assert said.count(b"\n") == said.count(b"NOAUTH Authentication required") == 1
    ended = re.compile(r" disconnected .* reason=auth-failed commands=1\n")
    eventually(lambda: len(ended.findall(running.log())) == STRANGERS * REPLACED)


def test_a_client_who_asks_for_nothing_is_left_alone(server: ServerFactory) -> None:
    """However often, in both codecs: it gets its turns, others theirs, and what it asks at last is answered."""
    running = server()
    with bystander(running), running.text() as person, running.resp() as program:
        for _ in range(20):
            person.send(b"\n" * 16384)
            program.send(b"*0\r\n\r\n\n*-1\r\n" * 1024)
        assert person.ask("PING") == "PONG"
        assert program.ask("PING") == "PONG"
