"""Whose requests are taken: those made to this server by its own page, or by the pages that the settings name.

A browser sends what it has for this server, such as a client certificate, along with whatever any page asks of it. So
before a byte of WebSocket the page is looked at, and the name by which we were called (DNS rebinding).
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from secure_protocol.printable import printable
from secure_server.web.message import Question

MOST_SHOWN = 200
"""Characters of what a stranger sent that are told to the log."""


class Sameness:
    """Judges Host and Origin.

    Args:
        origins: `https://name[:port]` of further pages; their names are further names of this server, too.
    """

    def __init__(self, origins: Iterable[str]) -> None:
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self._names = frozenset(urlsplit(origin).netloc for origin in self._origins)

    def refused_host(self, question: Question) -> str | None:
        """Return what the log is told where the request was made to somebody else; None where it was made to us.

        Ours are the names in the certificate that the connection was served, and those of the settings' pages.
        """
        host = question.host
        name = _name(host)
        served = question.peer.served
        names = () if served is None else served.sans
        if host and (
            host in self._names or name == _name(question.peer.local) or any(_covers(known, name) for known in names)
        ):
            return None
        return f"the Host {_shown(question.header('host') or '')} is not in the certificate; web.origins would allow it"

    def refused_origin(self, question: Question) -> str | None:
        """Return what the log is told where another's page asks; None where ours does, or no page at all."""
        origin = question.header("origin")
        if origin is None:
            return None
        said = origin.lower()
        if said == f"https://{question.host}" or said in self._origins:
            return None
        return f"the Origin {_shown(origin)} is not ours; web.origins would allow it"


def _name(host: str) -> str:
    """Return a Host without its port."""
    if host.startswith("["):
        return host.partition("]")[0][1:]
    return host.rpartition(":")[0] if ":" in host else host


def _covers(known: str, name: str) -> bool:
    """Whether a name of a certificate stands for another (RFC 9525): itself, or one label in place of `*`."""
    known = known.lower().removeprefix("ip:")
    return known == name or (known.startswith("*.") and name.partition(".")[2] == known[2:] and "." in known[2:])


def _shown(said: str) -> str:
    return repr(printable(said[:MOST_SHOWN]))
