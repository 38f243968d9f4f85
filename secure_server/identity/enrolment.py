"""The line to paste at a new client: where the server is, whom to trust, and the token."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from cryptography import x509

from secure_protocol.enrolment import Enrolment
from secure_protocol.sentence import Sentence
from secure_protocol.token import Token
from secure_server.config.endpoint import Endpoint
from secure_server.pki.bundle import pin_of
from secure_server.pki.errors import CertificateError, ensure_command
from secure_server.pki.names import host_text, parse_host
from secure_server.pki.preflight import CertificateFacts


@dataclass(frozen=True, slots=True)
class Line:
    """The line without its token.

    Attributes:
        host: that clients connect to.
        port: likewise.
        pin: SHA-256 of the CA certificate's DER.
        notes: sentences for whoever makes the line.
    """

    host: str
    port: int
    pin: bytes
    notes: tuple[Sentence, ...] = ()

    def url(self, token: Token) -> str:
        """Return the URL, which holds the secret."""
        return Enrolment(self.host, self.port, self.pin, token).reveal()

    def text(self, token: Token) -> str:
        """Return the line to paste into a shell."""
        return shlex.join(("secure-client", "enroll", self.url(token)))


def line_to(
    endpoints: Sequence[Endpoint],
    authorities: list[x509.Certificate],
    facts: CertificateFacts,
    host: str,
    port: int | None = None,
) -> Line:
    """Return the line to a server.

    Args:
        endpoints: where it listens.
        authorities: its CAs.
        facts: the certificate that it serves.
        host: by which clients find it, see `found_by`.
        port: likewise; None for where it listens.

    Raises:
        CertificateError: the system has yet to choose the port.
    """
    number = port or port_at(endpoints, host)
    pin = pin_of(authorities, x509.load_der_x509_certificate(facts.der))
    return Line(host, number, bytes.fromhex(pin), tuple(_notes(host, facts)))


def found_by(endpoints: Sequence[Endpoint], host: str | None) -> str:
    """Return by what clients find a server.

    Args:
        endpoints: where it listens.
        host: that somebody says; None for where it listens.

    Raises:
        CertificateError: that is no name or address.
    """
    return host_text(parse_host(host if host is not None else _own_host(endpoints[0].host)))


def in_use(configured: tuple[Endpoint, ...], bound: Sequence[tuple[str, int]]) -> tuple[Endpoint, ...]:
    """Return where a running server listens, under the name that its configuration has for the address, if any."""
    if len(configured) != len(bound):
        return tuple(Endpoint(host, port) for host, port in bound)
    return tuple(
        Endpoint(host if _is_address(wanted.host) else wanted.host, port)
        for wanted, (host, port) in zip(configured, bound, strict=True)
    )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def port_at(endpoints: Sequence[Endpoint], host: str) -> int:
    """Return the port at that very address where it is listed; a name may stand for any, so the first one's then.

    Raises:
        CertificateError: the system has yet to choose it.
    """
    number = next((endpoint for endpoint in endpoints if endpoint.host == host), endpoints[0]).port
    if not number:
        raise CertificateError(
            Sentence("The configuration lets the system choose the port; give the one in use with --port.")
        )
    return number


def _own_host(listening: str) -> str:
    """Return where clients find a server that listens there."""
    try:
        everywhere = ip_address(listening).is_unspecified
    except ValueError:
        everywhere = False
    return socket.gethostname() if everywhere else listening


def lacking(host: str, facts: CertificateFacts) -> list[Sentence]:
    """Return what to know of a server whose certificate does not hold the name by which it is found."""
    if host in facts.sans:
        return []
    mend = ensure_command(facts.path.parent, hosts=[host])
    return [Sentence("The server's certificate does not hold {host}; add it with {mend}.", host=host, mend=mend)]


def _notes(host: str, facts: CertificateFacts) -> list[Sentence]:
    notes = lacking(host, facts)
    if host in ("localhost", "127.0.0.1", "::1"):
        notes.append(Sentence("The line works on this machine alone; name the server as others reach it with --host."))
    return notes
