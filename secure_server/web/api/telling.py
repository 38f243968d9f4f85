"""How a command's answer is written over HTTP: as JSON when it is whole, as lines or as server-sent events as it comes.

Each takes what the session tells: parts, progress, how the job stands, the reply, an error. Who asks for nothing that
there is gets JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from secure_protocol import text_replies
from secure_protocol.replies import ErrorReply
from secure_server.web.api.statuses import of_error, when_to_return
from secure_server.web.message import Header

JSON_KIND = "application/json"
LINES_KIND = "text/plain; charset=utf-8"
EVENTS_KIND = "text/event-stream"
MOST_COLLECTED = 8 * 1024 * 1024
"""Bytes of JSON that one answer may have; what is longer is for those who take it as it comes."""

Begin = Callable[[HTTPStatus, str, tuple[Header, ...], int | None], None]
"""Sends a head: status, media type, further headers, and the length of the body, None where it is not known."""


class Sink(Protocol):
    """What is written to."""

    def begin(self, status: HTTPStatus, kind: str, headers: tuple[Header, ...], length: int | None) -> None:
        """Send the head."""

    def put(self, data: bytes) -> None:
        """Send some of the body."""

    def finish(self) -> None:
        """The body ends here."""


def dumped(value: object) -> bytes:
    """Return a value as JSON."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str, allow_nan=False)
    except ValueError:  # JSON has no word for what is no number, or has no end
        text = json.dumps(_numbered(value), ensure_ascii=False, separators=(",", ":"), default=str)
    return text.encode("utf-8", "backslashreplace")  # what is no UTF-8 as lone surrogates, escaped as JSON has it


def _numbered(value: object) -> object:
    if isinstance(value, dict):
        return {name: _numbered(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_numbered(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def answer(sink: Sink, status: HTTPStatus, value: object, headers: tuple[Header, ...] = ()) -> None:
    """Send a whole answer as JSON."""
    body = dumped(value) + b"\n"
    sink.begin(status, JSON_KIND, headers, len(body))
    sink.put(body)
    sink.finish()


def refuse(sink: Sink, status: HTTPStatus, code: str, text: str, headers: tuple[Header, ...] = ()) -> None:
    """Send an error as JSON, with its code and its sentence."""
    answer(sink, status, {"error": {"code": code, "message": text}}, headers)


class Teller:
    """Collects the parts of an answer, and sends it as JSON when it is whole.

    Args:
        sink: is written to.
        bare: the reply is all of the answer.

    Attributes:
        begun: the head was sent.
    """

    def __init__(self, sink: Sink, *, bare: bool = False) -> None:
        self.sink = sink
        self.begun = False
        self._bare = bare
        self._parts: list[object] = []
        self._size = 0

    def part(self, value: object) -> bool:
        """Take a part; whether there is room for more."""
        self._size += len(dumped(value))
        if self._size > MOST_COLLECTED:
            return False
        self._parts.append(value)
        return True

    def progress(self, fraction: object, text: object) -> None:
        """Take a progress."""

    def stands(self, number: object, state: object, first: object) -> None:
        """The answer is a job's, whose next part has that number."""

    def beat(self) -> None:
        """Nothing was told for a while: say something that means nothing, where that can be said."""

    def end(self, reply: object) -> None:
        """Take the reply."""
        self.begun = True
        whole = {"parts": self._parts, "reply": reply} if self._parts else {"reply": reply}
        answer(self.sink, HTTPStatus.OK, reply if self._bare else whole)

    def fail(self, error: ErrorReply, status: HTTPStatus | None = None) -> None:
        """Take that there is none."""
        self.begun = True
        found = of_error(error) if status is None else status
        value: dict[str, object] = {"error": {"code": error.code, "message": error.text}}
        if self._parts:
            value["parts"] = self._parts
        answer(self.sink, found, value, when_to_return(error.text))


class Lines(Teller):
    """Sends lines as people read them, as they come."""

    def part(self, value: object) -> bool:
        """See `Teller`."""
        self._put(value)
        return True

    def end(self, reply: object) -> None:
        """See `Teller`."""
        if reply is not None and not (self.begun and reply == "OK"):
            self._put(reply)
        self._begin()
        self.sink.finish()

    def fail(self, error: ErrorReply, status: HTTPStatus | None = None) -> None:
        """See `Teller`; behind a part the status is told already, and the last line says it."""
        if not self.begun:
            self.begun = True
            body = f"{error.code} {error.text}\n".encode("utf-8", "surrogateescape")
            found = of_error(error) if status is None else status
            self.sink.begin(found, LINES_KIND, when_to_return(error.text), len(body))
            self.sink.put(body)
        else:
            self.sink.put(f"ERROR: {error.code} {error.text}\n".encode("utf-8", "surrogateescape"))
        self.sink.finish()

    def _begin(self) -> None:
        if not self.begun:
            self.begun = True
            self.sink.begin(HTTPStatus.OK, LINES_KIND, (), None)

    def _put(self, value: object) -> None:
        self._begin()
        lines = [""] if value == "" else text_replies.lines(value)  # a line without anything in it is still a line
        text = "".join(f"{line}\n" for line in lines)
        self.sink.put(text.encode("utf-8", "surrogateescape"))


class Events(Teller):
    """Sends server-sent events (HTML, section 9.2): `part`, `progress`, `job`, and at last `end` or `error`."""

    _next = 0

    def part(self, value: object) -> bool:
        """See `Teller`."""
        self._put("part", value, self._next)
        self._next += 1
        return True

    def progress(self, fraction: object, text: object) -> None:
        """See `Teller`."""
        self._put("progress", {"fraction": fraction, "text": text})

    def stands(self, number: object, state: object, first: object) -> None:
        """See `Teller`."""
        self._next = first if isinstance(first, int) else self._next
        self._put("job", {"job": number, "state": state, "next": first})

    def beat(self) -> None:
        """See `Teller`: a comment, so that no proxy takes the stream for a dead one (HTML, section 9.2.7)."""
        self._begin()
        self.sink.put(b":\n\n")

    def end(self, reply: object) -> None:
        """See `Teller`."""
        self._put("end", {"reply": reply})
        self.sink.finish()

    def fail(self, error: ErrorReply, status: HTTPStatus | None = None) -> None:
        """See `Teller`; before the first event by the status, as anywhere."""
        if not self.begun:
            super().fail(error, status)
            return
        self._put("error", {"code": error.code, "message": error.text})
        self.sink.finish()

    def _begin(self) -> None:
        if not self.begun:
            self.begun = True
            self.sink.begin(HTTPStatus.OK, EVENTS_KIND, (), None)

    def _put(self, kind: str, value: object, number: int | None = None) -> None:
        self._begin()
        which = b"" if number is None else b"id: %d\n" % number
        self.sink.put(which + b"event: %s\ndata: %s\n\n" % (kind.encode(), dumped(value)))


class Leaving(Teller):
    """Answers with a job's number, as soon as there is one."""

    def stands(self, number: object, state: object, first: object) -> None:
        """See `Teller`."""
        del first
        self.begun = True
        address = f"/v1/jobs/{number}"
        answer(
            self.sink, HTTPStatus.ACCEPTED, {"job": number, "state": state, "href": address}, (("Location", address),)
        )


class AsItIs(Teller):
    """Sends a reply that is a text of its own kind.

    Args:
        sink: is written to.
        kind: the media type.
    """

    def __init__(self, sink: Sink, *, kind: str) -> None:
        super().__init__(sink)
        self._kind = kind

    def end(self, reply: object) -> None:
        """See `Teller`."""
        self.begun = True
        body = str(reply).encode("utf-8", "surrogateescape")
        self.sink.begin(HTTPStatus.OK, self._kind, (), len(body))
        self.sink.put(body)
        self.sink.finish()


TELLERS: dict[str, type[Teller]] = {JSON_KIND: Teller, "text/plain": Lines, EVENTS_KIND: Events}


def asked_for(accept: str) -> type[Teller]:
    """Return what writes as a client asked by `Accept` (RFC 9110, section 12.5.1).

    JSON unless it asked for something else of ours: who wants what we have not reads an error best as JSON, too.
    """
    best, most = Teller, 0.0
    for wanted in accept.lower().split(","):
        kind, *parameters = (word.strip() for word in wanted.split(";"))
        teller = TELLERS.get(kind)
        weight = _weight(parameters)
        if teller is not None and weight > most:
            best, most = teller, weight
    return best


def _weight(parameters: list[str]) -> float:
    """Return how much a kind is wanted: `q` of its parameters, 1 without."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
