"""The local CA of a directory: kept, made, or renewed with its own key; never replaced unasked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from secure_protocol.sentence import Sentence
from secure_server.pki import profile
from secure_server.pki.errors import UnusableFilesError, ensure_command
from secure_server.pki.names import NameConstraints
from secure_server.pki.report import Entry, Report, Verdict
from secure_server.pki.store import CA, CA_KEY, CROSS, NEXT_KEY, CertificateDirectory, Stored


@dataclass(frozen=True, slots=True)
class Authority:
    """A good CA certificate, with its key when there is a good one.

    Attributes:
        certificate: the CA.
        key: None when it cannot sign; what it signed before stays good.
        keyless: why there is no key, as a clause: `ca-key.pem is missing`.
        successor: during a rollover, the root that will take its place.
        chain: what goes with what this CA signed, so that whoever trusts the successor alone accepts it.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | None = field(repr=False)
    keyless: str = ""
    successor: x509.Certificate | None = None
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def roots(self) -> tuple[x509.Certificate, ...]:
        """What ca.pem holds: during a rollover the successor, too, and first."""
        return _bundle(self.successor, self.certificate)

    def signed(self, certificate: x509.Certificate) -> bool:
        """Say whether this CA signed the certificate, and is named in it as the signer."""
        try:
            certificate.verify_directly_issued_by(self.certificate)
            named = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        except (InvalidSignature, ValueError, TypeError):
            return False
        except x509.ExtensionNotFound:
            return True  # a defect of its own, with a sentence of its own
        own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return named.key_identifier == own.digest


@dataclass(frozen=True, slots=True)
class Roots:
    """What is in ca.pem.

    Attributes:
        present: the CA that signs.
        successor: during a rollover, the one that will.
    """

    present: Stored[x509.Certificate]
    successor: x509.Certificate | None = None


def read_roots(files: CertificateDirectory) -> Roots:
    """Read ca.pem. The successor is the root that signed ca-cross.pem, or whose key is ca-next-key.pem."""
    ca = files.read_certificate(CA)
    if ca.value is None:
        return Roots(ca)
    cross, key = files.read_certificate(CROSS).value, files.read_key(NEXT_KEY).value
    roots = (ca.value, *ca.rest)
    for root in roots:
        vouches = cross is not None and Authority(root, None).signed(cross)
        if vouches or (key is not None and root.public_key() == key.public_key()):
            return Roots(Stored(next((other for other in roots if other != root), None)), root)
    return Roots(ca)


def _bundle(successor: x509.Certificate | None, present: x509.Certificate) -> tuple[x509.Certificate, ...]:
    return (present,) if successor is None else (successor, present)


def ensure_authority(
    files: CertificateDirectory, constraints: NameConstraints, report: Report, now: datetime
) -> Authority:
    """Make the CA, keep it, or renew its certificate with the same key and name.

    Args:
        files: the directory, locked.
        constraints: what the CA may sign, for a certificate that has to be made.
        report: takes a line for each of the two files.
        now: the time, in UTC.

    Raises:
        UnusableFilesError: the CA is no good and its key is not there to renew it.
    """
    roots, key = read_roots(files), files.read_key(CA_KEY)
    ca = roots.present
    defect = _defect(ca, now)
    if keyless := _keyless(ca, key):
        return _keep_without_key(files, roots, defect, keyless, report)
    if ca.value is not None and key.value is not None and not (defect or _due(roots, now)):
        _report_kept(report, roots, Entry(CA_KEY, Verdict.KEPT, tightened=key.tightened))
        return Authority(ca.value, key.value, successor=roots.successor)
    return _issue(files, roots, key, constraints, report, now)


def _due(roots: Roots, now: datetime) -> str | None:
    """Say why the CA is to be renewed; one that has a successor ends instead."""
    return None if roots.present.value is None or roots.successor else profile.renewal_due(roots.present.value, now)


def _report_kept(report: Report, roots: Roots, key: Entry) -> None:
    until: Iterable[datetime] = [root.not_valid_after_utc for root in (roots.present.value, roots.successor) if root]
    report.entries.append(Entry(CA, Verdict.KEPT, until=min(until)))
    report.entries.append(key)


def _defect(ca: Stored[x509.Certificate], now: datetime) -> str | None:
    """Say why a CA is no good even to those who trust it; one whose time is only almost up still is."""
    if ca.value is None:
        return ca.defect
    if departure := profile.ca_departure(ca.value):
        return departure
    if not Authority(ca.value, None).signed(ca.value):
        return Sentence("it is not signed by its own key")
    within = ca.value.not_valid_before_utc <= now <= ca.value.not_valid_after_utc
    return None if within else profile.renewal_due(ca.value, now)


def _keyless(ca: Stored[x509.Certificate], key: Stored[ec.EllipticCurvePrivateKey]) -> str:
    if key.defect:
        return Sentence("{file} cannot be used: {why}", file=CA_KEY, why=key.defect)
    if key.value is None:
        return Sentence("{file} is missing", file=CA_KEY) if ca.value or ca.defect else ""
    if ca.value is not None and ca.value.public_key() != key.value.public_key():
        return Sentence("{file} is not the key of {ca}", file=CA_KEY, ca=CA)
    return ""


def _keep_without_key(
    files: CertificateDirectory,
    roots: Roots,
    defect: str | None,
    keyless: str,
    report: Report,
) -> Authority:
    certificate = roots.present.value
    if certificate is None or defect:
        raise UnusableFilesError(
            Sentence(
                "{path} cannot be used because {defect}, and {keyless}; "
                "put the right files back, or make a new CA with {command}.",
                path=files.path / CA,
                defect=defect or Sentence("it is missing"),
                keyless=keyless,
                command=ensure_command(files.path, new_ca=True),
            )
        )
    _report_kept(report, roots, Entry(CA_KEY, Verdict.UNUSABLE, keyless))
    report.notes.append(Sentence("Nothing can be renewed or added while {keyless}.", keyless=keyless))
    return Authority(certificate, None, keyless, roots.successor)


def _issue(
    files: CertificateDirectory,
    roots: Roots,
    stored_key: Stored[ec.EllipticCurvePrivateKey],
    constraints: NameConstraints,
    report: Report,
    now: datetime,
) -> Authority:
    ca, key = roots.present, stored_key.value
    key_verdict = Verdict.KEPT
    if key is None:
        key, key_verdict = profile.generate_key(), Verdict.MADE
        files.write_key(CA_KEY, key)
    subject = ca.value.subject if ca.value else profile.ca_subject(key)
    length = profile.path_length(ca.value) if ca.value else 0
    certificate = profile.issue_ca(key, constraints, subject=subject, now=now, path_length=length)
    files.write_certificate(CA, *_bundle(roots.successor, certificate))
    reason = _defect(ca, now) or _due(roots, now)
    verdict = Verdict.RENEWED if reason else Verdict.MADE
    report.entries.append(Entry(CA, verdict, reason, until=certificate.not_valid_after_utc))
    report.entries.append(Entry(CA_KEY, key_verdict, tightened=stored_key.tightened))
    if reason:
        report.notes.append(
            Sentence("{ca} has a new date and the same key: give it to the clients before their copy expires.", ca=CA)
        )
    return Authority(certificate, key, successor=roots.successor)
