"""How answers are written over HTTP: which way is asked for, and JSON that is JSON."""

from __future__ import annotations

import json
import math
from http import HTTPStatus

import pytest

from secure_protocol.errors import ErrorCode
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import ErrorReply
from secure_server.web.api.statuses import OF_CODE, of_error, of_reason, when_to_return
from secure_server.web.api.telling import Events, Lines, Teller, asked_for, dumped
from secure_server.web.message import Header


class Page:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.status = HTTPStatus.CONTINUE
        self.headers: tuple[Header, ...] = ()
        self.body = b""
        self.whole = False

    def begin(self, status: HTTPStatus, kind: str, headers: tuple[Header, ...], length: int | None) -> None:
        """See `Sink`."""
        del kind, length
        self.status, self.headers = status, headers

    def put(self, data: bytes) -> None:
        """See `Sink`."""
        self.body += data

    def finish(self) -> None:
        """See `Sink`."""
        self.whole = True


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", Teller),
        ("*/*", Teller),
        ("application/json", Teller),
        ("text/html", Teller),
        ("text/plain", Lines),
        ("text/event-stream", Events),
        ("Text/Event-Stream; charset=utf-8", Events),
        ("application/json, text/event-stream", Teller),
        ("application/json;q=0.5, text/event-stream", Events),
        ("text/html, text/plain;q=0.2, text/event-stream;q=0.1", Lines),
        ("text/event-stream;q=0", Teller),
        ("text/event-stream;q=x", Teller),
    ],
)
def test_accept_chooses(accept: str, kind: type[Teller]) -> None:
    """What is wanted most of what there is, the first of equals; else JSON."""
    assert asked_for(accept) is kind


def test_json_is_json() -> None:
    """For what it has no word, it has null; what is no UTF-8 stays, escaped."""
    assert json.loads(dumped({"a": [math.inf, math.nan, 1.5], "b": "\udcff"})) == {
        "a": [None, None, 1.5],
        "b": "\udcff",
    }


def test_an_event_is_one_line_of_json() -> None:
    """Whatever is in it, no text makes an event of its own."""
    page = Page()
    events = Events(page)
    events.stands(7, "running", 3)
    events.part("a\n\nevent: end\r\rdata: x")
    events.progress(0.5, "half")
    events.fail(ErrorReply(ErrorCode.TIMEOUT, "Too late."))
    kinds = [event.splitlines() for event in page.body.decode().split("\n\n") if event]
    assert [lines[-2] for lines in kinds] == ["event: job", "event: part", "event: progress", "event: error"]
    assert kinds[1][0] == "id: 3"
    assert (page.status, page.whole) == (HTTPStatus.OK, True)


def test_lines_are_printable() -> None:
    """An empty part is an empty line; what would steer a terminal is written out."""
    page = Page()
    lines = Lines(page)
    for part in ("", "\x1b[31mred", "two\nlines"):
        lines.part(part)
    lines.end("OK")
    assert page.body.count(b"\n") >= 4
    assert page.body.startswith(b"\n")
    assert b"\x1b" not in page.body


@pytest.mark.parametrize("code", ErrorCode)
def test_each_code_has_a_status(code: ErrorCode) -> None:
    """Also what a command made up."""
    assert code in OF_CODE
    assert of_error(ErrorReply(code, "x")) is OF_CODE[code]
    assert of_error(ErrorReply("ITS-OWN", "x")) is HTTPStatus.BAD_REQUEST


def test_the_end_of_a_session_has_its_reasons_status() -> None:
    """By the push, and by the error that says the same."""
    assert of_error(ErrorReply(ErrorCode.CLOSED, "reason=banned retry-after=5 Go away.")) is HTTPStatus.FORBIDDEN
    assert of_reason(CloseReason.TOO_MANY) is HTTPStatus.TOO_MANY_REQUESTS
    assert of_reason(CloseReason.DRAINING) is HTTPStatus.SERVICE_UNAVAILABLE
    assert when_to_return("Too fast; retry-after=3") == (("Retry-After", "3"),)
    assert when_to_return("never") == ()
