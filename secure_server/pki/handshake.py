"""TLS handshakes for the sake of their verdict, in memory and over a loopback connection.

The clients here are as strict as any: OpenSSL's strict mode, which Python switches on by itself only since 3.13, and no
falling back to the common name. The contexts are bare, so that SSLKEYLOGFILE never has a say.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - ssl looks for it in a handshake, when its file may be out of reach: see `as_owner`
import socket
import ssl
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

LOOPBACK_TIMEOUT = 5.0
"""Seconds for each step over loopback, where milliseconds are the rule."""
_ROUNDS = 10
"""Turns for both sides in memory; TLS 1.3 needs two."""
_GREETING = b"."
"""One byte from the server: with TLS 1.3 a client learns only then that its certificate was accepted."""


def server_context(certificate: Path, key: Path, *, client_ca: x509.Certificate | None = None) -> ssl.SSLContext:
    """Return a TLS 1.3 server's context that asks for a client certificate when `client_ca` is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate, key)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        _trust(context, client_ca)
    return context


def client_context(ca: x509.Certificate, *, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """Return a strict client's context that trusts `ca` alone, and presents `certificate` when it is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.hostname_checks_common_name = False
    _trust(context, ca)
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context


def _trust(context: ssl.SSLContext, ca: x509.Certificate) -> None:
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=ca.public_bytes(Encoding.PEM).decode("ascii"))


def in_memory(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> None:
    """Shake hands without a socket.

    Raises:
        ssl.SSLCertVerificationError: the side that looked at a certificate refused it.
        ssl.SSLError: the handshake failed otherwise.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(_ROUNDS):
        waiting = False
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                waiting = True
        if not waiting:
            return
    raise ssl.SSLError("the handshake did not come to an end")


def served_by(server: ssl.SSLContext, client: ssl.SSLContext, host: str | None) -> bytes:
    """Return the certificate that a server's context shows a client, DER; how the server likes the client is no matter.

    Raises:
        ssl.SSLCertVerificationError: the client refuses it.
        ssl.SSLError: the handshake failed otherwise.
    """
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_hostname=host)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(_ROUNDS):
        try:
            asking.do_handshake()
            return asking.getpeercert(binary_form=True) or b""
        except ssl.SSLWantReadError:
            with suppress(ssl.SSLWantReadError):
                answering.do_handshake()
    raise ssl.SSLError("the handshake did not come to an end")


def loopback(server: ssl.SSLContext, client: ssl.SSLContext, host: str) -> None:
    """Shake hands over a TCP connection to 127.0.0.1 and carry one byte.

    Raises:
        ssl.SSLCertVerificationError: the side that looked at a certificate refused it.
        OSError: the handshake or the connection failed otherwise (`ssl.SSLError` is one).
    """
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        listener.settimeout(LOOPBACK_TIMEOUT)
        served = pool.submit(_serve_one, listener, server)
        failure = _connect(listener.getsockname(), client, host)
    failures = [error for error in (failure, _failure(served)) if error is not None]
    refusals = [error for error in failures if isinstance(error, ssl.SSLCertVerificationError)]
    for error in refusals or failures:
        raise error


def _connect(address: tuple[str, int], client: ssl.SSLContext, host: str) -> OSError | None:
    try:
        with (
            socket.create_connection(address, timeout=LOOPBACK_TIMEOUT) as raw,
            client.wrap_socket(raw, server_hostname=host) as tls,
        ):
            if tls.recv(1) != _GREETING:
                return ssl.SSLError("the server closed without a word")
    except OSError as error:
        return error
    return None


def _serve_one(listener: socket.socket, server: ssl.SSLContext) -> None:
    connection, _ = listener.accept()
    connection.settimeout(LOOPBACK_TIMEOUT)
    with connection, server.wrap_socket(connection, server_side=True) as tls:
        tls.sendall(_GREETING)


def _failure(served: Future[None]) -> OSError | None:
    error = served.exception()
    if error is not None and not isinstance(error, OSError):
        raise error
    return error
