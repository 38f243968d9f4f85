"""What is in a certificate directory, and when a run would renew it. Reads, and issues nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from secure_server.pki import profile, rollover
from secure_server.pki.authority import Authority, read_roots
from secure_server.pki.errors import InvalidNameError
from secure_server.pki.leaf import SERVER
from secure_server.pki.names import check_client_name, host_text
from secure_server.pki.store import CA, CROSS, CertificateDirectory, Stored


@dataclass(frozen=True, slots=True)
class Item:
    """One certificate.

    Attributes:
        file: where it is.
        subject: its common name.
        hosts: its subject alternative names.
        until: its last moment, in UTC; None when it cannot be read.
        renewal: from when on `certs ensure` renews it, or ends it where a rollover does; None for never.
        fingerprint: SHA-256, in hex.
        defect: why it cannot be read, as a clause.
    """

    file: str
    subject: str = ""
    hosts: tuple[str, ...] = ()
    until: datetime | None = None
    since: datetime | None = None
    renewal: datetime | None = None
    fingerprint: str = ""
    defect: str | None = None


def inventory(directory: Path) -> list[Item]:
    """List the certificates of a directory: roots, cross certificate, the server's, the clients'.

    Raises:
        OSError: the directory or a file of it cannot be read.
    """
    return list(_items(CertificateDirectory(directory)))


def next_renewal(directory: Path, now: datetime) -> datetime | None:
    """Return the moment from which on `certs ensure` would renew something by its age, in UTC.

    That is at once where a certificate is not valid yet: it was made by a clock that was ahead. None where the server's
    certificate is not the work of the directory's CA: somebody else looks after it.

    Args:
        directory: the certificate directory.
        now: the time, in UTC.

    Raises:
        OSError: the directory or a file of it cannot be read.
    """
    files = CertificateDirectory(directory)
    ca, server = read_roots(files).present.value, files.read_certificate(f"{SERVER}.pem").value
    if ca is None or server is None or not Authority(ca, None).signed(server):
        return None
    items = list(_items(files))
    due = min((item.renewal for item in items if item.renewal is not None), default=None)
    if ca.not_valid_before_utc > now:  # a clock that is far behind, as without a battery: nothing is made by it
        return due
    early = [item.since for item in items if item.file != CA and item.since is not None and item.since > now]
    return min([now, *([] if due is None else [due])]) if early else due


def _items(files: CertificateDirectory) -> Iterator[Item]:
    roots = read_roots(files)
    present = roots.present.value
    if roots.successor is None:
        yield from _item(CA, roots.present, _by_age(present))
    else:
        yield from _item(CA, Stored(roots.successor), None)
        yield from _item(CA, roots.present, rollover.ending(present) if present else None)
        yield from _item(CROSS, files.read_certificate(CROSS), None)
    for file in (f"{SERVER}.pem", *_clients(files)):
        stored = files.read_certificate(file)
        yield from _item(file, stored, _by_age(stored.value))


def _clients(files: CertificateDirectory) -> Iterator[str]:
    for name in files.clients():
        try:
            yield f"client-{check_client_name(name)}.pem"
        except InvalidNameError:
            continue  # somebody else put it here, and no run renews it


def _by_age(certificate: x509.Certificate | None) -> datetime | None:
    if certificate is None:
        return None
    return profile.renewal_moment(certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _item(file: str, stored: Stored[x509.Certificate], renewal: datetime | None) -> Iterator[Item]:
    certificate = stored.value
    if certificate is None:
        if stored.defect is not None:
            yield Item(file, defect=stored.defect)
        return
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    yield Item(
        file,
        subject=str(names[0].value) if names else "",
        hosts=tuple(map(host_text, profile.hosts_of(certificate))),
        until=certificate.not_valid_after_utc,
        since=certificate.not_valid_before_utc,
        renewal=renewal,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
    )
