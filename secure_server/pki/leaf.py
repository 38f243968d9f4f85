"""One certificate that the CA signs, the server's or a client's: kept, or renewed with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from secure_protocol.sentence import Sentence
from secure_server.pki import profile
from secure_server.pki.authority import Authority
from secure_server.pki.errors import UnusableFilesError, ensure_command
from secure_server.pki.names import Host, client_host, host_text
from secure_server.pki.profile import Purpose
from secure_server.pki.report import Entry, Report, Verdict
from secure_server.pki.store import CROSS, CertificateDirectory, Stored
from secure_server.pki.verify import Pair, pyca_refusal

SERVER = "server"
"""Stem of the server's files."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A certificate as it is wanted.

    Attributes:
        stem: what its two files are called after.
        common_name: for people to read.
        hosts: names and addresses that must be in it.
        purpose: server or client.
    """

    stem: str
    common_name: str
    hosts: tuple[Host, ...]
    purpose: Purpose

    @classmethod
    def server(cls, hosts: tuple[Host, ...]) -> Leaf:
        """Describe the server's certificate."""
        return cls(SERVER, f"{profile.ORGANIZATION} server", hosts, Purpose.SERVER)

    @classmethod
    def client(cls, name: str) -> Leaf:
        """Describe the certificate of the client with this name; every CA here may sign it."""
        return cls(f"client-{name}", name, (client_host(name),), Purpose.CLIENT)

    @property
    def file(self) -> str:
        """The certificate's file."""
        return f"{self.stem}.pem"

    @property
    def key_file(self) -> str:
        """The key's file."""
        return f"{self.stem}-key.pem"


def ensure_leaf(files: CertificateDirectory, leaf: Leaf, authority: Authority, report: Report, now: datetime) -> Pair:
    """Keep the certificate when it is good, else issue it anew; its key is kept as long as it is good.

    Args:
        files: the directory, locked.
        leaf: what is wanted.
        authority: who signs.
        report: takes a line for each of the two files.
        now: the time, in UTC.

    Raises:
        UnusableFilesError: it must be issued, and the CA's key is not there to sign it.
    """
    stored, key = files.read_certificate(leaf.file), files.read_key(leaf.key_file)
    reason = _renewal_reason(leaf, stored, key, authority, now)
    certificate, key_entry = stored.value, Entry(leaf.key_file, Verdict.KEPT, tightened=key.tightened)
    verdict, because = (Verdict.RENEWED, reason) if stored.value or stored.defect else (Verdict.MADE, None)
    if certificate is None or reason is not None:
        if authority.key is None:
            raise UnusableFilesError(
                Sentence(
                    "{path} must be issued because {reason}, but {keyless}; "
                    "put the CA's key back, or make a new CA with {command}.",
                    path=files.path / leaf.file,
                    reason=reason,
                    keyless=authority.keyless,
                    command=ensure_command(files.path, new_ca=True),
                )
            )
        if _foreign(stored, authority):
            files.set_aside([leaf.file], now)  # somebody else's certificate, which we could not issue again
        private = key.value
        if private is None:
            private, key_entry = _new_key(files, leaf, key, now)
        certificate = profile.issue_leaf(
            private.public_key(),
            leaf.common_name,
            leaf.hosts,
            leaf.purpose,
            ca=authority.certificate,
            ca_key=authority.key,
            now=now,
        )
        files.write_certificate(leaf.file, certificate, *authority.chain)
    elif stored.rest != authority.chain:
        files.write_certificate(leaf.file, certificate, *authority.chain)
        verdict, because = Verdict.RENEWED, _chain_reason(authority)
    else:
        verdict = Verdict.KEPT
    report.entries.append(Entry(leaf.file, verdict, because, until=certificate.not_valid_after_utc))
    report.entries.append(key_entry)
    return Pair(certificate, files.path / leaf.file, files.path / leaf.key_file, authority.chain)


def _foreign(stored: Stored[x509.Certificate], authority: Authority) -> bool:
    """Whether it is somebody else's: neither of this CA's name, nor of the one that this CA vouched for."""
    if stored.value is None or stored.value.issuer == authority.certificate.subject:
        return False
    return not any(authority.signed(between) for between in stored.rest)


def _chain_reason(authority: Authority) -> Sentence:
    if authority.chain:
        return Sentence("{file} goes with it during the rollover", file=CROSS)
    return Sentence("nothing more goes with it")


def _new_key(
    files: CertificateDirectory, leaf: Leaf, old: Stored[ec.EllipticCurvePrivateKey], now: datetime
) -> tuple[ec.EllipticCurvePrivateKey, Entry]:
    aside = files.set_aside([leaf.key_file], now)
    key = profile.generate_key()
    files.write_key(leaf.key_file, key)
    if aside is None:
        return key, Entry(leaf.key_file, Verdict.MADE)
    return key, Entry(
        leaf.key_file,
        Verdict.RENEWED,
        Sentence("{why}; the old one is in {directory}/", why=old.defect, directory=aside.name),
    )


def _renewal_reason(
    leaf: Leaf,
    stored: Stored[x509.Certificate],
    key: Stored[ec.EllipticCurvePrivateKey],
    authority: Authority,
    now: datetime,
) -> str | None:
    """Say why the certificate must be issued anew; None when it is good."""
    certificate = stored.value
    if certificate is None:
        return stored.defect or Sentence("it is missing")
    if key.value is None:
        return key.defect or Sentence("its key is missing")
    if certificate.public_key() != key.value.public_key():
        return Sentence("it does not belong to its key")
    if not authority.signed(certificate):
        return Sentence("it is not signed by this CA")
    return (
        profile.renewal_due(certificate, now)
        or profile.leaf_departure(certificate, leaf.purpose)
        or _name_reason(leaf, certificate)
        or _strict_reason(leaf, certificate, authority, now)
    )


def _name_reason(leaf: Leaf, certificate: x509.Certificate) -> str | None:
    if certificate.subject != profile.subject_name(leaf.common_name):
        return Sentence("it is not made out to {name}", name=leaf.common_name)
    present = profile.hosts_of(certificate)
    if missing := [host_text(host) for host in leaf.hosts if host not in present]:
        names = ", ".join(missing)
        if len(missing) == 1:
            return Sentence("{hosts} is not in it", hosts=names)
        return Sentence("{hosts} are not in it", hosts=names)
    if surplus := [host_text(host) for host in present if host not in leaf.hosts]:
        names = ", ".join(surplus)
        if len(surplus) == 1:
            return Sentence("{hosts} is in it and must not be", hosts=names)
        return Sentence("{hosts} are in it and must not be", hosts=names)
    return None


def _strict_reason(leaf: Leaf, certificate: x509.Certificate, authority: Authority, now: datetime) -> str | None:
    hosts = leaf.hosts if leaf.purpose is Purpose.SERVER else (None,)
    for host in hosts:
        if refusal := pyca_refusal(certificate, authority.certificate, host, now):
            return Sentence("a strict verifier refuses it: {why}", why=refusal)
    return None
