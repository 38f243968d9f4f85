"""Responses of one connection, written by h11: the heads that all have in common, and when the connection is over."""

from __future__ import annotations

import contextlib
from email.utils import formatdate
from http import HTTPStatus

import h11

from secure_server.web.message import Answer, Header
from secure_server.web.page import protection


class Responses:
    """Writes one after the other. One thread at a time.

    Args:
        http: of the connection, which its owner reads by.

    Attributes:
        out: what is to be sent.
        last: nothing is answered behind what is written.
        finished: one is whole, since its owner last said that it is not.
    """

    __slots__ = ("_bare", "_host", "_http", "finished", "last", "out")

    def __init__(self, http: h11.Connection) -> None:
        self._http = http
        self._bare = False  # the present request is HEAD
        self._host = ""
        self.out = bytearray()
        self.last = self.finished = False

    @property
    def over(self) -> bool:
        """Whether the connection ends behind what is written: we want it so, or the peer, or it is HTTP/1.0."""
        return self.last or self._http.our_state is h11.MUST_CLOSE

    def to(self, method: str, host: str = "") -> None:
        """Answer such a request from here on; by which name we were called is told once that was looked at."""
        self._bare = method == "HEAD"
        self._host = host

    def go_on(self) -> None:
        """Have the peer send the body that it holds back (RFC 9110 section 10.1.1)."""
        self.out += self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b""

    def whole(self, answer: Answer) -> None:
        """Write an answer that is there."""
        self.last = self.last or answer.last
        length = None if answer.status is HTTPStatus.NOT_MODIFIED else len(answer.body)  # which is not what it has
        self.begin(answer.status, answer.kind, answer.headers, length)
        if length is not None:
            self.put(answer.body)
        self.finish()

    def begin(self, status: HTTPStatus, kind: str, headers: tuple[Header, ...], length: int | None) -> None:
        """See `Sink`; behind a body that is not read, it is the last answer."""
        with contextlib.suppress(h11.RemoteProtocolError):  # what is answered already stays as it is; it is the last
            self.look()
        self.last = self.last or self._http.their_state is h11.ERROR
        lines: list[Header] = [("Date", formatdate(usegmt=True)), *protection(self._host), *headers]
        if status is not HTTPStatus.NOT_MODIFIED:
            lines.append(("Content-Type", kind))
        if length is not None:
            lines.append(("Content-Length", str(length)))
        if self.last:
            lines.append(("Connection", "close"))
        response = h11.Response(status_code=status, reason=status.phrase.encode(), headers=lines, http_version=b"1.1")
        self.out += self._http.send(response) or b""

    def put(self, data: bytes) -> None:
        """See `Sink`."""
        if not self._bare:
            self.out += self._http.send(h11.Data(data=data)) or b""

    def finish(self) -> None:
        """See `Sink`."""
        self.out += self._http.send(h11.EndOfMessage()) or b""
        self.finished = True

    def look(self) -> None:
        """See whether the request has a body that nobody reads; then the connection ends behind the answer.

        Raises:
            h11.RemoteProtocolError: what follows the head is no HTTP.
        """
        if self._http.their_state is h11.SEND_BODY:
            self.last = self.last or not isinstance(self._http.next_event(), h11.EndOfMessage)
        elif self._http.their_state is h11.ERROR:
            self.last = True
