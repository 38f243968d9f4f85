"""The abuses of Redis' own suite (tests/unit/protocol.tcl) and some more, by strangers and by clients with a token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import ServerFactory
from tests.integration.bystander import bystander
from tests.integration.peers import Peer
from tests.integration.running import Running

MULTIBULK = b"-ERR Protocol error: invalid multibulk length\r\n"
BULK = b"-ERR Protocol error: invalid bulk length\r\n"
NO_BULK = b"-ERR Protocol error: expected '$', got "
TOO_BIG = b"-ERR Protocol error: too big count string\r\n"

FATAL = {
    "negative count": (b"*-10\r\n", MULTIBULK),
    "huge count": (b"*20000000\r\n", MULTIBULK),
    "count beyond 64 bits": (b"*18446744073709551617\r\n", MULTIBULK),
    "count that is no number": (b"*blabla\r\n", MULTIBULK),
    "count with a sign": (b"*+1\r\n$4\r\nPING\r\n", MULTIBULK),
    "count with blanks": (b"* 1\r\n$4\r\nPING\r\n", MULTIBULK),
    "count in other digits": ("*\u0661\r\n$4\r\nPING\r\n".encode(), MULTIBULK),
    "negative length": (b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$-10\r\n", BULK),
    "null argument": (b"*1\r\n$-1\r\n", BULK),
    "length that is no number": (b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$blabla\r\n", BULK),
    "huge length": (b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$2000000000\r\n", BULK),
    "length missing": (b"*2\r\n$4\r\nECHO\r\n$\r\n", BULK),
    "no bulk string": (b"*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", NO_BULK),
    "integer for a string": (b"*2\r\n$4\r\nECHO\r\n:1\r\n", NO_BULK),
    "nested": (b"*1\r\n*1\r\n$4\r\nPING\r\n", NO_BULK),
    "nested deep": (b"*1\r\n" * 10_000, NO_BULK),
    "inline behind an array": (b"*0\r\nPING\r\n", b"-ERR Protocol error: "),
    "no carriage return in the count": (b"*1\n$4\nPING\n" * 9, b"-ERR Protocol error: "),
    "no carriage return in the length": (b"*1\r\n$4\nPING\n" * 9, b"-ERR Protocol error: "),
    "no line end behind an argument": (b"*1\r\n$4\r\nPINGXX*1\r\n", b"-ERR Protocol error: "),
    "endless header": (b"*" + b"0" * 5000, TOO_BIG),
    "endless bulk header": (b"*1\r\n$" + b"0" * 5000, TOO_BIG),
    "zeros for ever in an array": (b"*" + b"\x00" * 5000, TOO_BIG),
    "zeros for ever in a length": (b"*3\r\n$3\r\nSET\r\n$" + b"\x00" * 5000, TOO_BIG),
}
"""What ends a RESP connection, and how the answer begins."""

LINES = {
    "unbalanced double quotes": (b'ECHO "\\n', b"ERROR: "),
    "unbalanced single quotes": (b"ECHO 'x", b"ERROR: Unbalanced quotes in the line.\n"),
    "quotes inside a word": (b'ECHO "a"b', b"ERROR: Unbalanced quotes in the line.\n"),
    "nothing but a quote": (b'"', b"ERROR: Unbalanced quotes in the line.\n"),
    "a lonely carriage return": (b"PING\rPING", b"ERROR: The line holds a control character"),
    "a RESP length": (b"$4", b"ERROR: "),
    "zeros": (b"\x00" * 64, b"ERROR: The line holds a control character (byte 1).\n"),
    "only words": (b"x " * 2000, b"ERROR: "),
    "an empty name": (b'""', b"ERROR: "),
}
"""What costs a text connection only the line."""


@pytest.fixture
def running(server: ServerFactory) -> Iterator[Running]:
    """A server with a client that pings throughout and must notice nothing."""
    started = server()
    with bystander(started):
        yield started


def told(peer: Peer) -> bytes:
    """Return all that the server says until its orderly end."""
    data = b""
    while part := peer.receive():
        data += part
    return data


@pytest.mark.parametrize("who", ["stranger", "client"])
def test_no_abuse_of_resp_goes_further_than_its_connection(running: Running, who: str) -> None:
    """One error that says what was wrong, an orderly end, nothing run; all on one server whose other client pings."""
    for name, (sent, answer) in FATAL.items():
        with running.resp("" if who == "client" else None) as peer:
            peer.send(sent)
            said = told(peer)
        assert said.startswith(answer), f"{name}: {said!r}"
        assert said.count(b"\r\n") == 1, f"{name}: {said!r}"
    assert "name=PING outcome=ok" in running.log()  # the bystander's, and so the log would show others
    assert "name=SET" not in running.log()


def test_no_abuse_of_text_goes_further_than_its_line(running: Running) -> None:
    """One error for each, and the next line is answered as if nothing had been."""
    with running.text() as peer:
        for name, (sent, answer) in LINES.items():
            peer.send(sent + b"\n")
            said = peer.line().encode() + b"\n"
            assert said.startswith(answer), f"{name}: {said!r}"
            assert peer.ask("PING") == "PONG", name
        peer.send(b"\n\r\n  \n\t\n")  # lines of nothing are no requests
        assert peer.ask("PING") == "PONG"


def test_a_line_that_is_too_long_ends_its_connection_alone(running: Running) -> None:
    """It is not held until its end comes."""
    with running.text() as peer:
        peer.send(b"ECHO " + b"x" * 70_000)
        assert told(peer).startswith(b"ERROR: The line is longer than ")


def test_what_came_before_the_abuse_is_answered(running: Running) -> None:
    """Requests before it in the same packet are good, those behind it are not run."""
    with running.resp() as peer:
        peer.send(b"*1\r\n$4\r\nPING\r\n*0\r\n*1\r\n$6\r\nWHOAMI\r\n*1\r\n$x\r\n*1\r\n$4\r\nPING\r\n")
        assert told(peer) == b"+PONG\r\n$11\r\nuser (user)\r\n" + BULK
