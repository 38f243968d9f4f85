"""What Redis' clients set on a connection: replies they do not want, databases that they know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from secure_protocol.resp_requests import encode_request
from secure_server.commands.context import Context
from secure_server.session.session import Session
from tests.secure_server.host import PATIENCE, Host, taken


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """The server without its sockets."""
    with Host(tmp_path) as running:
        yield running


def pipeline(host: Host, session: Session, *lines: str) -> bytes:
    """Send several requests at once, and take what comes until all are answered."""
    answer = host.send(session, b"".join(encode_request(line.encode().split()) for line in lines))
    while session.busy:
        host.turn()
        answer += taken(session)
    return answer


def echoed(word: str) -> bytes:
    """The reply to ECHO."""
    return b"$%d\r\n%b\r\n" % (len(word), word.encode())


def test_reply_off_silences_everything_until_on(host: Host) -> None:
    """Also errors, and what workers and generators answer; ON is the first to be heard again."""
    host.command("SLOW", lambda _context: "slow")
    host.command("STREAM", lambda _context: iter(["a", "b"]))
    ada = host.program()
    assert pipeline(host, ada, "CLIENT REPLY OFF", "PING", "NOSUCH", "SLOW", "STREAM", "PING") == b""
    assert pipeline(host, ada, "PING", "CLIENT REPLY SKIP", "PING", "PING") == b""
    assert pipeline(host, ada, "CLIENT REPLY ON", "ECHO a") == b"+OK\r\n" + echoed("a")


@pytest.mark.parametrize("skipped", ["ECHO skipped", "NOSUCH", "SLOW", "STREAM", "CANCEL", "PING too many words"])
def test_reply_skip_leaves_out_exactly_the_next(host: Host, skipped: str) -> None:
    """Whatever it is; in one pipeline and over several."""
    host.command("SLOW", lambda _context: "slow")
    host.command("STREAM", lambda _context: iter(["a", "b"]))
    ada = host.program()
    script = ["ECHO a", "CLIENT REPLY SKIP", skipped, "ECHO b"]
    assert pipeline(host, ada, *script, *script) == (echoed("a") + echoed("b")) * 2
    assert [pipeline(host, ada, line) for line in script] == [echoed("a"), b"", b"", echoed("b")]


def test_skip_twice_is_skip_once_more(host: Host) -> None:
    """The second SKIP is the request that the first one skips; it takes effect, as in Redis."""
    assert pipeline(host, host.program(), "CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "PING", "ECHO b") == echoed("b")


def test_an_urgent_reply_keeps_its_place_among_the_unwanted(host: Host) -> None:
    """CANCEL acts at once, and is skipped in its turn, neither earlier nor later."""

    def slow(context: Context) -> str:
        context.cancelled.wait(PATIENCE)
        return "slow"

    host.command("SLOW", slow)
    ada = host.program()
    assert host.send(ada, encode_request([b"CLIENT", b"REPLY", b"OFF"]) + encode_request([b"SLOW"])) == b""
    assert pipeline(host, ada, "CANCEL", "CLIENT REPLY ON", "ECHO b") == b"+OK\r\n" + echoed("b")
    assert host.send(ada, encode_request([b"SLOW"])) == b""
    skipped = pipeline(host, ada, "CLIENT REPLY SKIP", "CANCEL", "ECHO b")
    assert skipped.startswith(b"-CANCELLED ")
    assert skipped.endswith(b"\r\n" + echoed("b"))
    assert skipped.count(b"\r\n") == 3


def test_reset_and_a_farewell_are_heard(host: Host) -> None:
    """RESET makes replies come again."""
    ada = host.program()
    assert pipeline(host, ada, "CLIENT REPLY OFF", "RESET") == b"+RESET\r\n"


def test_reply_takes_three_words(host: Host) -> None:
    """Another is an error that is heard."""
    assert b"is not one of ON, OFF, SKIP" in pipeline(host, host.program(), "CLIENT REPLY MAYBE")


def test_what_has_no_meaning_here_is_accepted(host: Host) -> None:
    """Redis' clients set these when they connect; another database than the first does not exist."""
    ada = host.program()
    assert pipeline(host, ada, "CLIENT NO-EVICT on", "CLIENT NO-TOUCH off", "SELECT 0") == b"+OK\r\n" * 3
    assert pipeline(host, ada, "SELECT 1") == b"-ERR DB index is out of range\r\n"
