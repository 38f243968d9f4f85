"""The check of the certificate that a server showed over QUIC: the same as over TLS, with the same words for failing.

aioquic's own check trusts another list than this machine's, leaves out RFC 5280's stricter rules, and tells no codes.
OpenSSL does it here as it does in `secure_client.connection.tls`, called by pyOpenSSL, which aioquic brings.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path

import service_identity
import service_identity.cryptography
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from secure_client.core.trust import Trust

_WRONG_PURPOSE, _WRONG_HOST, _WRONG_ADDRESS, _MALFORMED = 26, 62, 64, 1
"""`X509_V_ERR_…` of OpenSSL's x509_vfy.h."""
_FOR_SERVERS = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}


def check(shown: Sequence[x509.Certificate], host: str, context: ssl.SSLContext, trust: Trust) -> None:
    """Check chain, purpose and name.

    Args:
        shown: the server's certificate, and those that vouch for it.
        host: a name in ASCII, or an address.
        context: of TLS, with the CAs of `trust`.
        trust: whom to believe.

    Raises:
        ssl.SSLCertVerificationError: it is not to be believed.
    """
    try:
        own, *others = shown
        _check_chain(own, others, _store(context, trust))
        _check_purpose(own)
        _check_name(own, host)
    except ssl.SSLCertVerificationError:  # which is a ValueError
        raise
    except ValueError as error:  # extensions are parsed when they are looked at; none shown is no list to unpack
        raise _error(_MALFORMED, "malformed certificate") from error


def _store(context: ssl.SSLContext, trust: Trust) -> crypto.X509Store:
    store = crypto.X509Store()
    store.set_flags(crypto.X509StoreFlags.X509_STRICT | crypto.X509StoreFlags.PARTIAL_CHAIN)
    if trust.ca is not None:
        store.load_locations(str(trust.ca))
        return store
    for authority in context.get_ca_certs(binary_form=True):
        store.add_cert(crypto.load_certificate(crypto.FILETYPE_ASN1, authority))
    directory = ssl.get_default_verify_paths().capath  # read as needed, so the context does not list it
    if directory is not None and Path(directory).is_dir():
        store.load_locations(None, directory)
    return store


def _check_chain(own: x509.Certificate, others: Sequence[x509.Certificate], store: crypto.X509Store) -> None:
    chain = [crypto.X509.from_cryptography(each) for each in others]
    try:
        crypto.X509StoreContext(store, crypto.X509.from_cryptography(own), chain).verify_certificate()
    except crypto.X509StoreContextError as error:
        raise _error(error.errors[0], str(error.errors[2])) from None


def _check_purpose(own: x509.Certificate) -> None:
    try:
        purposes = own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not _FOR_SERVERS.intersection(purposes):
        raise _error(_WRONG_PURPOSE, "unsuitable certificate purpose")


def _check_name(own: x509.Certificate, host: str) -> None:
    numeric = _is_address(host)
    try:
        if numeric:
            service_identity.cryptography.verify_certificate_ip_address(own, host)
        else:
            service_identity.cryptography.verify_certificate_hostname(own, host)
    except (service_identity.VerificationError, service_identity.CertificateError):
        raise _error(_WRONG_ADDRESS if numeric else _WRONG_HOST, "name mismatch") from None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _error(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, message)
    error.reason = "CERTIFICATE_VERIFY_FAILED"
    error.verify_code, error.verify_message = code, message
    return error
