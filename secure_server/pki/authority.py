"""The local CA of a directory: kept, made, or renewed with its own key; never replaced unasked."""

from __future__ import annotations

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
from secure_server.pki.store import CertificateDirectory, Stored

CA = "ca.pem"
CA_KEY = "ca-key.pem"


@dataclass(frozen=True, slots=True)
class Authority:
    """A good CA certificate, with its key when there is a good one.

    Attributes:
        certificate: the CA.
        key: None when it cannot sign; what it signed before stays good.
        keyless: why there is no key, as a clause: `ca-key.pem is missing`.
    """

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | None = field(repr=False)
    keyless: str = ""

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
    ca, key = files.read_certificate(CA), files.read_key(CA_KEY)
    defect = _defect(ca, now)
    if keyless := _keyless(ca, key):
        return _keep_without_key(files, ca, defect, keyless, report)
    if ca.value is not None and key.value is not None and not (defect or profile.renewal_due(ca.value, now)):
        report.entries.append(Entry(CA, Verdict.KEPT, until=ca.value.not_valid_after_utc))
        report.entries.append(Entry(CA_KEY, Verdict.KEPT, tightened=key.tightened))
        return Authority(ca.value, key.value)
    return _issue(files, ca, key, constraints, report, now)


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
    ca: Stored[x509.Certificate],
    defect: str | None,
    keyless: str,
    report: Report,
) -> Authority:
    if ca.value is None or defect:
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
    report.entries.append(Entry(CA, Verdict.KEPT, until=ca.value.not_valid_after_utc))
    report.entries.append(Entry(CA_KEY, Verdict.UNUSABLE, keyless))
    report.notes.append(Sentence("Nothing can be renewed or added while {keyless}.", keyless=keyless))
    return Authority(ca.value, None, keyless)


def _issue(
    files: CertificateDirectory,
    ca: Stored[x509.Certificate],
    stored_key: Stored[ec.EllipticCurvePrivateKey],
    constraints: NameConstraints,
    report: Report,
    now: datetime,
) -> Authority:
    key = stored_key.value
    key_verdict = Verdict.KEPT
    if key is None:
        key, key_verdict = profile.generate_key(), Verdict.MADE
        files.write_key(CA_KEY, key)
    subject = ca.value.subject if ca.value else profile.ca_subject(key)
    certificate = profile.issue_ca(key, constraints, subject=subject, now=now)
    files.write_certificate(CA, certificate)
    reason = _defect(ca, now) or (profile.renewal_due(ca.value, now) if ca.value else None)
    verdict = Verdict.RENEWED if reason else Verdict.MADE
    report.entries.append(Entry(CA, verdict, reason, until=certificate.not_valid_after_utc))
    report.entries.append(Entry(CA_KEY, key_verdict, tightened=stored_key.tightened))
    if reason:
        report.notes.append(
            Sentence("{ca} has a new date and the same key: give it to the clients before their copy expires.", ca=CA)
        )
    return Authority(certificate, key)
