"""From a client's certificate to the principal that it stands for.

The handshake has verified it: it is signed by `tls.client_ca`, in time, and made for clients. What is asked here is
policy: whom the configuration takes it for, where that one may come from, and whether the name was revoked since.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Protocol, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from secure_protocol.printable import printable
from secure_protocol.sentence import Sentence
from secure_server.auth.errors import TokenRequestError
from secure_server.auth.networks import within
from secure_server.auth.principal import ClientCertificate, Principal, Role
from secure_server.auth.storage import Stamp
from secure_server.auth.tokens import check_allow, check_name
from secure_server.config.settings import Certificate, Limits
from secure_server.limits.token_bucket import TokenBucket

NO_NAME = ""
"""Of a certificate that has not exactly one common name: it stands for nobody."""


def certificate_of(der: bytes) -> ClientCertificate:
    """Read what the handshake verified.

    Raises:
        ValueError: OpenSSL took it, and it is no certificate all the same.
    """
    certificate = x509.load_der_x509_certificate(der)
    names = [attribute.value for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return ClientCertificate(
        name=str(names[0]) if len(names) == 1 else NO_NAME,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        not_before=certificate.not_valid_before_utc.timestamp(),
        not_after=certificate.not_valid_after_utc.timestamp(),
    )


class CertificateState(StrEnum):
    """How a certificate stands at some moment."""

    GOOD = "good"
    REVOKED = "revoked"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    """The configuration has no table of its name any more."""
    WRONG_NETWORK = "wrong-network"


class CertificateRefusedError(Exception):
    """A certificate was verified, and may not be used all the same; the reason is for the log, and for the peer."""

    def __init__(self, reason: CertificateState) -> None:
        super().__init__(f"the certificate was refused: {reason}")
        self.reason = reason


class CertificateSettingError(Exception):
    """A table `[certificates.NAME]` cannot be used; one sentence says which and why."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a name's certificates stand for: a table `[certificates.NAME]`, checked.

    Attributes:
        role: what its holder may act as.
        allow: the only commands it may run, upper-case; None allows all that the role does.
        networks: the only ones it may come from; None anywhere.
        bucket: how fast it may run commands, in all its sessions; None as fast as it can.
    """

    role: Role
    allow: frozenset[str] | None = None
    networks: tuple[IPv4Network | IPv6Network, ...] | None = None
    bucket: TokenBucket | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, name: str, written: Certificate, limits: Limits, now: float) -> Self:
        """Read the table.

        Args:
            name: the table's.
            written: what it holds.
            limits: for the rate of commands.
            now: monotonic seconds.

        Raises:
            CertificateSettingError: the name, the list of commands or a network cannot be one.
        """
        try:
            check_name(name)
            allow = None if written.allow is None else check_allow(written.allow)
            networks = tuple(map(ip_network, written.networks)) or None
        except (TokenRequestError, ValueError) as error:
            raise CertificateSettingError(
                Sentence("[certificates.{name}]: {why}.", name=printable(name, 60), why=error.args[0])
            ) from None
        rate = limits.commands_per_second
        bucket = TokenBucket(rate, limits.commands_burst, now) if rate else None
        return cls(Role.parse(written.role), allow, networks, bucket)

    def admits(self, address: str) -> bool:
        """Whether a peer may come from there: `192.0.2.7:40312`, `[2001:db8::1]:40312`."""
        return self.networks is None or within(self.networks, address)


class BarStorage(Protocol):
    """Keeps which names' certificates are refused. Any thread; every method raises `StorageError` when it fails."""

    def load_barred(self) -> dict[str, float]:
        """From when on certificates must have been made to be taken, in Unix seconds, by name."""
        ...

    def bar(self, name: str, since: float) -> None:
        """Refuse the certificates of a name that were made until then. Durable on return."""
        ...

    def unbar(self, name: str) -> bool:
        """Take that back; whether there was anything to take back."""
        ...

    def change_stamp(self) -> Stamp:
        """The present state; another one after any change, by any process."""
        ...


class CertificateAuthenticator:
    """Answers from tables in memory, without touching the storage.

    Args:
        storage: where revocations are.
        grants: what names stand for.
        clock: Unix seconds; wall clock, because a certificate's times are dates.

    Raises:
        StorageError: the revocations cannot be read.
    """

    def __init__(
        self,
        storage: BarStorage,
        grants: Mapping[str, Grant],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._storage = storage
        self._grants = grants
        self._clock = clock
        self._changing = threading.Lock()
        self._stamp = storage.change_stamp()  # before the table: a change in between is then loaded again
        self._barred = storage.load_barred()

    def take_up(self, grants: Mapping[str, Grant]) -> None:
        """Have names stand for something else from here on. Any thread."""
        self._grants = grants

    def grant(self, name: str) -> Grant | None:
        """Return what a name's certificates stand for; None for nobody. Any thread."""
        return self._grants.get(name)

    def authenticate(self, certificate: ClientCertificate, address: str) -> Principal | None:
        """Tell whom this certificate stands for; None where it is merely asked for besides a token. Any thread.

        Args:
            certificate: what the handshake verified.
            address: where the peer comes from, with its port.

        Raises:
            CertificateRefusedError: it may not be used; says why.
        """
        state = self.state(certificate)
        if state is not CertificateState.GOOD:
            raise CertificateRefusedError(state)
        grant = self._grants.get(certificate.name)
        if grant is None:
            return None
        if not grant.admits(address):
            raise CertificateRefusedError(CertificateState.WRONG_NETWORK)
        return Principal(certificate.name, grant.role, None, grant.allow, certificate, bucket=grant.bucket)

    def state(self, certificate: ClientCertificate) -> CertificateState:
        """How it stands now, as far as this process knows. Any thread."""
        since = self._barred.get(certificate.name)
        if since is not None and certificate.not_before <= since:
            return CertificateState.REVOKED
        return CertificateState.EXPIRED if self.expired(certificate.not_after) else CertificateState.GOOD

    def expired(self, not_after: float) -> bool:
        """Whether a certificate with that last moment, in Unix seconds, is over. Any thread."""
        # Both ends belong to the validity (RFC 5280 section 4.1.2.5), to the second.
        return not_after + 1 <= self._clock()

    @property
    def generation(self) -> int:
        """How far the storage's changes were taken in. Any thread."""
        return self._stamp.generation

    def reload(self) -> bool:
        """Take in what any process changed; whether that was anything. Any thread; touches the storage.

        Raises:
            StorageError: the storage failed; nothing was taken in.
        """
        with self._changing:
            stamp = self._storage.change_stamp()
            if stamp == self._stamp:
                return False
            barred = self._storage.load_barred()  # whole: it holds the few names that were ever revoked
            changed, self._barred, self._stamp = barred != self._barred, barred, stamp
            return changed
