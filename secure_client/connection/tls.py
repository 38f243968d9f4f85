"""The check of the server's certificate. It is always on: there is no argument, file or variable that ends it.

The one connection without it asks for a CA certificate to compare with a known fingerprint, and sends nothing else; see
`secure_client.enrolment`.

The context is made by hand, not by `ssl.create_default_context`, for two reasons. That one honours SSLKEYLOGFILE, by
which a variable in the environment would have every session's keys written to a file. And only from Python 3.13 on does
it set VERIFY_X509_STRICT (RFC 5280's rules) and VERIFY_X509_PARTIAL_CHAIN (a trusted intermediate is enough).
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import ssl
from pathlib import Path
from socket import socket
from typing import Self

from secure_client.connection.transport import Transport, Wait
from secure_client.core.endpoint import Endpoint
from secure_client.core.trust import Trust
from secure_client.errors import CertificateError, ClientCertificateError, ClientError, ConnectError, SetupError
from secure_client.i18n import N_, _

NOT_YET_VALID, EXPIRED = 9, 10
UNTRUSTED = frozenset({2, 18, 19, 20, 21})
WRONG_NAME = frozenset({62, 64})
"""`X509_V_ERR_…` of OpenSSL's x509_vfy.h, as `SSLCertVerificationError.verify_code` gives them."""

_BAD_CLIENT_CERTIFICATE = {
    "UNKNOWN_CA": N_("it does not trust whoever signed it; ask its administrator for one that its CA signed"),
    "CERTIFICATE_EXPIRED": N_("it has expired; ask its administrator for a new one"),
    "CERTIFICATE_REVOKED": N_("it was revoked; ask its administrator for a new one"),
    "UNSUPPORTED_CERTIFICATE": N_("it is not made for clients; ask its administrator for one that is"),
    "BAD_CERTIFICATE": N_("it is malformed or not valid yet; ask its administrator for another, and check this clock"),
    "CERTIFICATE_UNKN": N_("it did not say why; ask its administrator for another"),
}
"""What the server's alerts (RFC 8446 section 6.2) mean, by how OpenSSL spells them."""
_WOULD_BLOCK = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
KEY_EXCHANGE = "prime256v1"
"""The group that this server agrees on keys in, as every peer can (RFC 8446 section 9.1): another guess is a round trip
more, a fifth of a login."""
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST")


class TlsSocket(ssl.SSLSocket):
    """Closed where the line was reset before TLS began.

    `wrap_socket` finds that out too, and leaves the socket that it has made open, for the collector to find (CPython
    before 3.13).
    """

    def getpeername(self) -> object:
        """Return the other end's address.

        Raises:
            ConnectionResetError: there is none any more.
            OSError: it cannot be told.
        """
        try:
            return super().getpeername()
        except OSError as error:
            self.close()
            if error.errno == errno.ENOTCONN:
                raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)) from None
            raise


class TlsTransport(Transport):
    """A stream over TLS."""

    kind = "tls"

    def __init__(self, secured: ssl.SSLSocket) -> None:
        super().__init__(secured)
        self._secured = secured

    @classmethod
    def over(cls, plain: socket, context: ssl.SSLContext, host: str, wait: Wait, deadline: float) -> Self:
        """Shake hands over a connected socket, which is closed where that fails.

        Raises:
            OSError: it failed.
            TimeoutError: it was not done by `deadline`.
        """
        context.sslsocket_class = TlsSocket
        secured = context.wrap_socket(
            plain,
            server_hostname=host.encode("ascii"),  # a str would bring the tables of IDNA
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,  # an end without close_notify is a lost connection, not a goodbye
        )
        try:
            while True:
                try:
                    secured.do_handshake()
                except ssl.SSLWantReadError:
                    wait(secured, selectors.EVENT_READ, deadline)
                except ssl.SSLWantWriteError:
                    wait(secured, selectors.EVENT_WRITE, deadline)
                else:
                    return cls(secured)
        except BaseException:
            secured.close()
            raise

    @property
    def certificate(self) -> bytes | None:
        """The server's, in DER."""
        return self._secured.getpeercert(binary_form=True)

    def send(self, data: bytes | bytearray) -> int:
        """As of any transport."""
        try:
            return super().send(data)
        except _WOULD_BLOCK:
            return 0

    def receive(self) -> bytes | None:
        """As of any transport; an end without close_notify is an error."""
        try:
            return super().receive()
        except _WOULD_BLOCK:
            return None

    def finish(self) -> None:
        """Send close_notify; to wait for the peer's is the lingering's part."""
        with contextlib.suppress(ssl.SSLError):
            self._secured.unwrap()


def make_context(trust: Trust) -> ssl.SSLContext:
    """Return a context that verifies chain and host name, TLS 1.3 only.

    Raises:
        SetupError: a file of `trust` is missing or cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.hostname_checks_common_name = False
    context.set_ecdh_curve(KEY_EXCHANGE)
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    if trust.ca is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _load_ca(context, trust.ca)
    if trust.certificate is not None:
        _load_certificate(context, trust.certificate, trust.key)
    return context


def _load_ca(context: ssl.SSLContext, ca: Path) -> None:
    try:
        context.load_verify_locations(cafile=ca)
    except FileNotFoundError:
        sentence = _("There is no CA file {path}: copy ca.pem from the server and give it with --ca.")
        raise SetupError(sentence.format(path=ca)) from None
    except ssl.SSLError:
        sentence = _("{path} holds no certificate in PEM form: copy ca.pem from the server and give it with --ca.")
        raise SetupError(sentence.format(path=ca)) from None
    except OSError as error:
        sentence = _("Cannot read the CA file {path}: {why}.")
        raise SetupError(sentence.format(path=ca, why=error.strerror)) from None


def _load_certificate(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    files = f"{certificate}" if key is None else f"{certificate}, {key}"
    try:
        # An encrypted key would make OpenSSL ask on the terminal; an empty password makes it an error instead.
        context.load_cert_chain(certificate, key, password="")
    except FileNotFoundError:
        sentence = _("The client certificate is not there: looked for {files}.")
        raise SetupError(sentence.format(files=files)) from None
    except ssl.SSLError:
        sentence = _(
            "{files} do not hold a certificate and its unencrypted key in PEM form, or they do not belong together."
        )
        raise SetupError(sentence.format(files=files)) from None
    except OSError as error:
        sentence = _("Cannot read the client certificate {files}: {why}.")
        raise SetupError(sentence.format(files=files, why=error.strerror)) from None


def explain(error: OSError, endpoint: Endpoint, trust: Trust) -> ClientError | None:
    """Say what a failed handshake, or the first read after it, means and what to do; None of any other error."""
    if not isinstance(error, ssl.SSLError):
        return None
    if isinstance(error, ssl.SSLCertVerificationError):
        return CertificateError(_explain_verification(error, endpoint, trust))
    reason = error.reason or ""
    if "CERTIFICATE_REQUIRED" in reason:
        sentence = _("{endpoint} requires a client certificate: give one with --cert and --key.")
        return ClientCertificateError(sentence.format(endpoint=endpoint))
    if trust.certificate is not None:
        meaning = next((means for word, means in _BAD_CLIENT_CERTIFICATE.items() if word in reason), None)
        if meaning is not None:
            sentence = _("{endpoint} does not accept the client certificate {path}: {why}.")
            return ClientCertificateError(sentence.format(endpoint=endpoint, path=trust.certificate, why=_(meaning)))
    if any(word in reason for word in _NOT_TLS):
        sentence = _("What answers at {endpoint} does not speak TLS: check the address and port.")
        return ConnectError(sentence.format(endpoint=endpoint))
    if "PROTOCOL_VERSION" in reason or "UNSUPPORTED_PROTOCOL" in reason:
        sentence = _("{endpoint} does not speak TLS 1.3, which this client requires: update the server.")
        return ConnectError(sentence.format(endpoint=endpoint))
    sentence = _("The TLS handshake with {endpoint} failed: {why}.")
    return ConnectError(sentence.format(endpoint=endpoint, why=_words(reason) or _("the peer broke it off")))


def _explain_verification(error: ssl.SSLCertVerificationError, endpoint: Endpoint, trust: Trust) -> str:
    if error.verify_code in WRONG_NAME:
        sentence = _(
            "The certificate of {endpoint} is not made out to `{host}`: connect by a name that it holds, or add this "
            "one on the server with `secure-server certs ensure --host {host}`."
        )
    elif error.verify_code in UNTRUSTED:
        sentence = _(
            "The certificate of {endpoint} is not vouched for by {source}: copy ca.pem from the server (certs/ca.pem "
            "there) and give it with --ca."
        )
    elif error.verify_code == EXPIRED:
        sentence = _(
            "The certificate of {endpoint} has expired: renew it on the server with `secure-server certs ensure`, and "
            "check this clock."
        )
    elif error.verify_code == NOT_YET_VALID:
        sentence = _(
            "The certificate of {endpoint} is not valid yet: check the clocks of this machine and of the server."
        )
    else:
        sentence = _(
            "The certificate of {endpoint} was not accepted ({why}; CAs from {source}): "
            "renew it on the server with `secure-server certs ensure`."
        )
    return sentence.format(endpoint=endpoint, host=endpoint.host, source=trust.source, why=error.verify_message)


def _words(reason: str) -> str:
    return reason.lower().replace("_", " ")
