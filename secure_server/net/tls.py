"""The server's TLS contexts.

A context is never changed once connections use it: a failed `load_cert_chain` leaves a live one broken for every
newcomer. Whoever wants another certificate builds a new context and swaps the reference.
"""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from secure_protocol.sentence import Sentence
from secure_server.config.listening import Tls
from secure_server.identity.identity import Identity, IdentityFiles
from secure_server.identity.pair import read_pair
from secure_server.pki.client_ca import read_client_ca
from secure_server.pki.preflight import CertificateProblem, check_pair, check_served, read_ca

ALPN_OURS = "secure-command/1"
ALPN_HTTP = "http/1.1"
ALPN_REFUSED = ("h2", "http/1.1", "http/1.0", "http/0.9")
"""What a browser offers. Python does not say what a peer offered, only what was selected; so these can be selected,
and a connection whose choice is not served is closed. See ALPACA (2021): one protocol's bytes fed to another's
server."""
KEY_EXCHANGE = "prime256v1"
"""The one group that keys are agreed on in: RFC 8446 has every client know it (section 9.1), and it takes 0.1 ms.
OpenSSL would also take whatever else a client names, up to ffdhe8192, which costs 200 ms of a processor for a
ClientHello that its sender need not even compute (CVE-2002-20001): five a second, and no newcomer gets in. Python can
name one group or all."""


def load_identity(files: IdentityFiles, tls: Tls, now: datetime, *, http: bool = False, quic: bool = False) -> Identity:
    """Read the files, build a new context from them, and try it.

    Args:
        files: where they are.
        tls: the settings.
        now: the time, in UTC.
        http: whether peers that speak HTTP/1.1 are served, and so are to choose it.
        quic: whether it is served over QUIC as well, whose TLS is not OpenSSL's.

    Raises:
        CertificateProblem: it would serve nobody; says why.
    """
    certificate = check_pair(files.certificate, files.key, now=now)
    ca_pem = read_ca(files.ca)
    clients = client_trust(files, tls)
    try:
        context = server_context(files.certificate, files.key, tls.minimum, clients, http=http)
    except OSError as error:
        raise CertificateProblem(
            Sentence(
                "OpenSSL does not take {certificate} with {key}: {why}.",
                certificate=files.certificate,
                key=files.key,
                why=error,
            )
        ) from None
    remark = check_served(context, certificate, ca_pem)
    pair = read_pair(files.certificate, files.key, certificate.der) if quic else None
    return Identity(context, certificate, ca_pem, remark, pair)


class ClientTrust(NamedTuple):
    """Whose certificates clients may show."""

    ca: str
    """The CAs that sign them, PEM."""
    required: bool
    """Whether the handshake fails without one."""


def client_trust(files: IdentityFiles, tls: Tls) -> ClientTrust | None:
    """Read whose certificates clients may show; None where none are asked for.

    Raises:
        CertificateProblem: their CA's file cannot be used.
    """
    if files.client_ca is None:
        return None
    return ClientTrust(read_client_ca(files.client_ca), required=tls.client_certificates == "required")


def server_context(
    certificate: Path, key: Path, minimum: str, clients: ClientTrust | None = None, *, http: bool = False
) -> ssl.SSLContext:
    """Build a context for accepted connections.

    Args:
        certificate: PEM, the chain with the server's own certificate first.
        key: its private key, PEM, without a passphrase.
        minimum: "1.2" or "1.3".
        clients: asked for a certificate, which OpenSSL verifies: chain, dates, and that it is made for clients. None
            asks for none.
        http: see `load_identity`.

    Raises:
        OSError: a file cannot be read, or is not a pair that OpenSSL takes (`ssl.SSLError`).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2 if minimum == "1.2" else ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    # A peer that ends its side without close_notify (ncat) is still sent its replies; OpenSSL 3 would refuse to, and
    # those before it neither refuse nor have the option.
    context.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    context.num_tickets = 0  # Python cannot resume TLS 1.3 sessions usefully, and unread tickets have caused EPIPE
    context.set_ecdh_curve(KEY_EXCHANGE)
    context.set_alpn_protocols([ALPN_OURS, *((ALPN_HTTP,) if http else ()), *ALPN_REFUSED])
    context.load_cert_chain(certificate, key, password=_no_passphrase)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED if clients.required else ssl.CERT_OPTIONAL
        # RFC 5280's rules, and an intermediate CA is enough to trust: Python's own default from 3.13 on.
        context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=clients.ca)
    return context


def _no_passphrase() -> bytes:
    """Answer OpenSSL's question for a passphrase, which would otherwise be asked on the terminal."""
    return b""
