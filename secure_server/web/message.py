"""What is asked and answered over HTTP, apart from how it is read and written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus

import h11

from secure_server.session.peer import Peer

Header = tuple[str, str]

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?", re.ASCII)
"""RFC 3986's `host [":" port]` as we are called: what is put into a policy, and compared, holds nothing else."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request without its body.

    Attributes:
        peer: who asks, as the transport knows it.
        method: `GET`, upper case.
        path: decoded no further than it came; begins with `/`, and has no query.
        query: what stands behind `?`, as it came.
        headers: names in lower case, in the order they came.
        forwarded: by a proxy, or so it says; then the peer is who stands behind it, as far as that is known.
    """

    peer: Peer
    method: str
    path: str
    query: str
    headers: tuple[Header, ...] = field(repr=False)
    forwarded: bool = False

    @classmethod
    def of(cls, peer: Peer, event: h11.Request) -> Question | None:
        """Read the head of a request; None where its target is no path."""
        target = event.target.decode("ascii")
        if not target.startswith("/"):
            return None
        path, _, query = target.partition("?")
        headers = tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in event.headers)
        return cls(peer, event.method.decode("ascii"), path, query, headers)

    @property
    def host(self) -> str:
        """By what name, and port, we were called, in lower case; empty where that is none."""
        said = (self.header("host") or "").lower()
        return said if _HOST.fullmatch(said) else ""

    def header(self, name: str) -> str | None:
        """Return the value of a header by its name in lower case; of several, all in one, as RFC 9110 has it."""
        values = [value for known, value in self.headers if known == name]
        return ", ".join(values) if values else None


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response.

    Attributes:
        status: of it.
        body: bytes.
        kind: their media type.
        headers: beside those that all have.
        last: the connection ends behind it.
    """

    status: HTTPStatus
    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"
    headers: tuple[Header, ...] = ()
    last: bool = False


def told(status: HTTPStatus, sentence: str = "", *, last: bool = False, headers: tuple[Header, ...] = ()) -> Answer:
    """Return an answer for people: a sentence, or else the status' own words."""
    return Answer(status, f"{sentence or status.phrase}\n".encode(), headers=headers, last=last)


def unclear(event: h11.Request) -> Answer | None:
    """Return why a request is not looked at: another HTTP, or one that a proxy may see end elsewhere (RFC 9112)."""
    if not event.http_version.startswith(b"1."):
        return told(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, last=True)
    names = {name for name, _ in event.headers}
    if b"transfer-encoding" in names and (b"content-length" in names or event.http_version == b"1.0"):
        return told(HTTPStatus.BAD_REQUEST, "It is not clear where the request ends.", last=True)
    return None
