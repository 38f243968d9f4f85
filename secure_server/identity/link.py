"""The link to the page that signs a newcomer in: where browsers find the server, and the token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from secure_protocol.sentence import Sentence
from secure_protocol.token import Token
from secure_server.config.endpoint import Endpoint
from secure_server.config.web import Web
from secure_server.identity.enrolment import found_by, lacking, port_at
from secure_server.pki.errors import CertificateError
from secure_server.pki.preflight import CertificateFacts

HTTPS = 443
"""The port that an address needs not name."""


@dataclass(frozen=True, slots=True)
class Link:
    """The link without its token.

    Attributes:
        address: of the page: scheme, host, and a port other than HTTPS' own.
        notes: sentences for whoever makes the link.
    """

    address: str
    notes: tuple[Sentence, ...] = ()

    def text(self, token: Token) -> str:
        """Return the link, which holds the secret behind `#`: browsers send that nowhere."""
        return f"{self.address}/#enroll={token.reveal()}"


def link_to(
    web: Web,
    endpoints: Sequence[Endpoint],
    served: Callable[[], CertificateFacts],
    host: str | None,
    port: int | None,
) -> Link:
    """Return the link to a server's page.

    Args:
        web: says where browsers find it, unless somebody says so now.
        endpoints: where it listens.
        served: returns the certificate that it serves, by whose names browsers know it.
        host: that somebody says; None for where it listens.
        port: likewise.

    Raises:
        CertificateError: the page is off, the host is none, or the system has yet to choose the port.
    """
    if not web.enabled:
        raise CertificateError(
            Sentence(
                "The page is off, so a link would lead nowhere: have `enabled = true` below [web] in the server's "
                "configuration, and start it anew; where it does not run, name the configuration with --config."
            )
        )
    if web.url and host is None and port is None:
        return Link(web.url.rstrip("/"))
    facts = served()
    name = found_by(endpoints, host) if host is not None else _known_as(found_by(endpoints, None), facts)
    number = port or port_at(endpoints, name)
    place = f"[{name}]" if ":" in name else name
    return Link(f"https://{place}" if number == HTTPS else f"https://{place}:{number}", tuple(_notes(name, facts)))


def _known_as(listening: str, facts: CertificateFacts) -> str:
    """Return the name by which browsers find who listens there, and accept its certificate."""
    if _is_loopback(listening):
        return "localhost" if "localhost" in facts.sans else listening
    if listening in facts.sans:
        return listening
    others = (name for name in facts.sans if not (name == "localhost" or _is_loopback(name) or "*" in name))
    return next(others, listening)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _notes(host: str, facts: CertificateFacts) -> list[Sentence]:
    notes = lacking(host, facts)
    if host == "localhost" or _is_loopback(host):
        notes.append(Sentence("The link works on this machine alone; name the server as others reach it with --host."))
    return notes
