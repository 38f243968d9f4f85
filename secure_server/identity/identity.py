"""What a newcomer is served, and the files that it is made from."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from secure_server.config.settings import Config
from secure_server.identity.pair import KeyPair
from secure_server.pki.preflight import CertificateFacts
from secure_server.pki.store import CA


class Identity(NamedTuple):
    """What a newcomer is served: all of it changes together, so that each connection knows what it was shown.

    Attributes:
        context: serves it.
        certificate: the leaf.
        ca_pem: the CAs by which clients verify it, PEM; empty where they are not ours to give.
        remark: what an administrator should know of it, as a clause; empty for nothing.
        pair: certificate and key, where a transport needs them whose TLS is not OpenSSL's.
    """

    context: ssl.SSLContext
    certificate: CertificateFacts
    ca_pem: bytes = b""
    remark: str = ""
    pair: KeyPair | None = None


@dataclass(frozen=True, slots=True)
class IdentityFiles:
    """Where it comes from.

    Attributes:
        certificate: the chain, the server's own first.
        key: its private key.
        ca: our CAs; None where the certificate was named, so that another's CA signs it.
        client_ca: the CAs that sign clients' certificates; None where none are asked for.
    """

    certificate: Path
    key: Path
    ca: Path | None
    client_ca: Path | None

    @classmethod
    def of(cls, config: Config) -> IdentityFiles:
        """Read them from the configuration."""
        certs, tls = Path(config.certs_dir), config.tls
        certificate = Path(tls.certificate) if tls.certificate else certs / "server.pem"
        named = bool(tls.certificate or tls.key)
        client_ca = Path(tls.client_ca) if tls.client_ca else certs / CA
        return cls(
            certificate,
            Path(tls.key) if tls.key else certificate.with_name("server-key.pem"),
            None if named else certs / CA,
            None if tls.client_certificates == "off" else client_ca,
        )

    def state(self) -> tuple[object, ...]:
        """Return what differs once any of the files has changed; looks at no content."""
        return tuple(_state(path) for path in (self.certificate, self.key, self.ca, self.client_ca))


def _state(path: Path | None) -> object:
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_size, found.st_ino
