"""Whether the server is alive, and whether clients may be sent to it: `/healthz` and `/readyz`.

For those on this machine, and for the networks that the settings name; for others there is no such address.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from ipaddress import ip_network

from secure_server.auth.networks import within
from secure_server.web.forwarded import is_near
from secure_server.web.message import Answer, Question, told

ALIVE, READY = "/healthz", "/readyz"
JSON_KIND = "application/json"


class Health:
    """Answers those.

    Args:
        networks: from where, besides this machine.
        hindrances: returns why clients should not come now, a sentence under a word each. It does not wait.
    """

    def __init__(self, networks: Iterable[str], hindrances: Callable[[], Mapping[str, str]]) -> None:
        self._networks = tuple(map(ip_network, networks))
        self._hindrances = hindrances

    def __call__(self, question: Question) -> Answer | None:
        """See `Row`."""
        if question.path not in (ALIVE, READY) or not self._may_ask(question.peer.address):
            return None
        if question.method not in ("GET", "HEAD"):
            return told(HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", "GET, HEAD"),), last=True)
        why = self._hindrances() if question.path == READY else {}
        status = HTTPStatus.SERVICE_UNAVAILABLE if why else HTTPStatus.OK
        if JSON_KIND in (question.header("accept") or ""):
            body = json.dumps({"ok": not why, "reasons": dict(why)}) + "\n"
            return Answer(status, body.encode(), JSON_KIND)
        lines = [f"{word}: {sentence}" for word, sentence in why.items()]
        return told(status, "\n".join(lines) or "ok")

    def _may_ask(self, address: str) -> bool:
        return is_near(address) or within(self._networks, address)
