"""The page's files, read once: what a browser is given, and the headers that all answers have."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import NamedTuple

from secure_server.web.message import Answer, Header, Question, told

KINDS = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "webmanifest": "application/manifest+json",
}
"""Media types by the files' endings. What has another ending is not served."""
INDEX = "index.html"


class _File(NamedTuple):
    body: bytes
    packed: bytes
    kind: str
    tag: str


class Page:
    """The files of the page.

    All are in memory, a few hundred kilobytes: no request reads the disk, and no path leads anywhere else.
    """

    def __init__(self) -> None:
        found = dict(_read(files("secure_server.web") / "static", ""))
        if INDEX in found:
            found[""] = found[INDEX]
        self._files = {f"/{name}": file for name, file in found.items()}

    def __call__(self, question: Question) -> Answer | None:
        """Return a file; None where there is none of that name."""
        file = self._files.get(question.path)
        if file is None:
            return None
        if question.method not in ("GET", "HEAD"):
            return told(HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", "GET, HEAD"),), last=True)
        packed = "gzip" in (question.header("accept-encoding") or "")
        tag = ("ETag", file.tag)
        if file.tag in (question.header("if-none-match") or "").split(", "):
            return Answer(HTTPStatus.NOT_MODIFIED, kind=file.kind, headers=(tag,))
        vary = ("Vary", "Accept-Encoding")
        if packed:  # nothing in them is secret, so what is sent may be as long as it compresses to
            return Answer(HTTPStatus.OK, file.packed, file.kind, (tag, vary, ("Content-Encoding", "gzip")))
        return Answer(HTTPStatus.OK, file.body, file.kind, (tag, vary))


def _read(directory: Traversable, before: str) -> Iterator[tuple[str, _File]]:
    for entry in directory.iterdir():
        name = before + entry.name
        if entry.is_dir():
            yield from _read(entry, f"{name}/")
        elif (kind := KINDS.get(entry.name.rpartition(".")[2])) is not None:
            body = entry.read_bytes()
            tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            yield name, _File(body, gzip.compress(body, mtime=0), kind, tag)


def protection(host: str) -> tuple[Header, ...]:
    """Return the headers of every answer: nothing from elsewhere, nothing inline, in nobody's frame.

    Args:
        host: as browsers call us, or nothing: older ones do not take `'self'` for our WebSocket (Safari before 15.4).
    """
    ours = f" wss://{host}" if host else ""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; manifest-src 'self'; "
        f"connect-src 'self'{ours}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return ("Content-Security-Policy", policy), *_ALWAYS


_ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-cache"),
)
