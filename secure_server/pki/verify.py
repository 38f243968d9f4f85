"""Proof that certificates work, and that what must not work does not.

Each pair goes through three verifiers: OpenSSL in strict mode, pyca's, and a handshake over a real connection. Each
must accept every name in the certificate, and refuse a wrong host, a foreign CA (one that bears the same name), and a
client's certificate that poses as a server's. A verifier that accepts everything would prove nothing.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from secure_protocol.sentence import Sentence
from secure_server.pki import handshake, profile
from secure_server.pki.errors import VerificationFailedError
from secure_server.pki.names import Host, NameConstraints, host_text

WRONG_HOSTS: tuple[Host, ...] = (
    x509.DNSName("wrong-host.invalid"),
    x509.IPAddress(ipaddress.IPv4Address("192.0.2.1")),
)
"""Names nobody has (RFC 2606 section 2, RFC 5737)."""

Handshake = Callable[[ssl.SSLContext, ssl.SSLContext, str], None]
Refusal = str | None
"""Why a verifier refused; None when it accepted."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and the files that hold it and its key.

    Attributes:
        chain: what follows it in its file.
    """

    certificate: x509.Certificate
    path: Path
    key_path: Path
    chain: tuple[x509.Certificate, ...] = ()


ServerVerifier = Callable[[Pair, x509.Certificate, Host], Refusal]
ClientVerifier = Callable[[Pair, x509.Certificate, Pair, x509.Certificate], Refusal]


def verify_server(server: Pair, ca: x509.Certificate, *, now: datetime) -> None:
    """Prove a server's pair: each of its names is accepted; a wrong host and a foreign CA are not.

    Args:
        server: the pair; its files are loaded.
        ca: the CA that clients trust.
        now: the time, in UTC; OpenSSL goes by the system's clock.

    Raises:
        VerificationFailedError: a verifier came to the wrong verdict.
    """
    foreign = foreign_ca(ca, now)
    hosts = profile.hosts_of(server.certificate)
    for name, verifier in server_verifiers(now):
        for host in hosts:
            _must_accept(name, server, Sentence("for {host}", host=host_text(host)), verifier(server, ca, host))
        for host in WRONG_HOSTS:
            if host not in hosts:
                _must_refuse(name, server, Sentence("for {host}", host=host_text(host)), verifier(server, ca, host))
        _must_refuse(name, server, Sentence("under a foreign CA"), verifier(server, foreign, hosts[0]))


def verify_client(client: Pair, ca: x509.Certificate, server: Pair, *, now: datetime) -> None:
    """Prove a client's pair: the server accepts it, but not under a foreign CA; and it cannot pose as a server.

    Args:
        client: the pair; its files are loaded.
        ca: the CA that both sides trust.
        server: a proven server's pair.
        now: the time, in UTC; OpenSSL goes by the system's clock.

    Raises:
        VerificationFailedError: a verifier came to the wrong verdict.
    """
    foreign = foreign_ca(ca, now)
    for name, verifier in client_verifiers(now):
        _must_accept(name, client, Sentence("as a client's"), verifier(client, ca, server, ca))
        _must_refuse(name, client, Sentence("under a foreign CA"), verifier(client, foreign, server, ca))
    for name, posing in server_verifiers(now):
        own_name = profile.hosts_of(client.certificate)[0]
        _must_refuse(name, client, Sentence("as a server's"), posing(client, ca, own_name))


def foreign_ca(ca: x509.Certificate, now: datetime) -> x509.Certificate:
    """Make a CA that bears the same name as `ca` and has another key."""
    constraints = NameConstraints.of(ca) or NameConstraints.for_hosts(())
    return profile.issue_ca(profile.generate_key(), constraints, subject=ca.subject, now=now)


def pyca_refusal(
    certificate: x509.Certificate,
    ca: x509.Certificate,
    host: Host | None,
    now: datetime,
    chain: Iterable[x509.Certificate] = (),
) -> Refusal:
    """Ask pyca's verifier about a server's certificate for `host`, or about a client's when there is no host.

    Args:
        certificate: the leaf.
        ca: the one root that is trusted.
        host: the name it must be good for.
        now: the time, in UTC.
        chain: what is presented with it.
    """
    builder = PolicyBuilder().store(Store([ca])).time(now)
    between = list(chain)
    try:
        if host is None:
            builder.build_client_verifier().verify(certificate, between)
        else:
            builder.build_server_verifier(host).verify(certificate, between)
    except VerificationError as error:
        return str(error)
    return None


def server_verifiers(now: datetime) -> Iterable[tuple[str, ServerVerifier]]:
    """Return the three verifiers of a server's certificate, each with its name."""

    def shakes(hands: Handshake) -> ServerVerifier:
        def verifier(server: Pair, ca: x509.Certificate, host: Host) -> Refusal:
            context = handshake.server_context(server.path, server.key_path)
            return _refusal(hands, context, handshake.client_context(ca), host)

        return verifier

    def pyca(server: Pair, ca: x509.Certificate, host: Host) -> Refusal:
        return pyca_refusal(server.certificate, ca, host, now, server.chain)

    return (
        ("OpenSSL (strict)", shakes(handshake.in_memory)),
        (Sentence("pyca's verifier"), pyca),
        (Sentence("A TLS handshake"), shakes(handshake.loopback)),
    )


def client_verifiers(now: datetime) -> Iterable[tuple[str, ClientVerifier]]:
    """Return the three verifiers of a client's certificate, each with its name."""

    def shakes(hands: Handshake) -> ClientVerifier:
        def verifier(client: Pair, client_ca: x509.Certificate, server: Pair, ca: x509.Certificate) -> Refusal:
            accepting = handshake.server_context(server.path, server.key_path, client_ca=client_ca)
            presenting = handshake.client_context(ca, certificate=client.path, key=client.key_path)
            return _refusal(hands, accepting, presenting, profile.hosts_of(server.certificate)[0])

        return verifier

    def pyca(client: Pair, client_ca: x509.Certificate, _server: Pair, _ca: x509.Certificate) -> Refusal:
        return pyca_refusal(client.certificate, client_ca, None, now, client.chain)

    return (
        ("OpenSSL (strict)", shakes(handshake.in_memory)),
        (Sentence("pyca's verifier"), pyca),
        (Sentence("A TLS handshake"), shakes(handshake.loopback)),
    )


def _refusal(hands: Handshake, server: ssl.SSLContext, client: ssl.SSLContext, host: Host) -> Refusal:
    """Shake hands; a refused certificate is a verdict, any other failure is none."""
    try:
        hands(server, client, host_text(host))
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except OSError as error:
        raise VerificationFailedError(
            Sentence("The TLS handshake that tries the certificates failed: {why}.", why=error)
        ) from error
    return None


def _must_accept(verifier: str, pair: Pair, case: str, refusal: Refusal) -> None:
    if refusal is not None:
        raise VerificationFailedError(
            Sentence(
                "{verifier} refuses {path} {case}: {why}.",
                verifier=verifier,
                path=pair.path,
                case=case,
                why=refusal.rstrip("."),
            )
        )


def _must_refuse(verifier: str, pair: Pair, case: str, refusal: Refusal) -> None:
    if refusal is None:
        raise VerificationFailedError(
            Sentence(
                "{verifier} accepts {path} {case}, which it must not.", verifier=verifier, path=pair.path, case=case
            )
        )
