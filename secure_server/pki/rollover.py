"""From one root to the next, without a moment in which a client that holds only one of them is refused.

During the overlap the present CA goes on signing, and the next root vouches for it with a certificate of the present
CA's name and key (`ca-cross.pem`), which goes with everything that is served. So clients with the old root verify as
ever; those with the new one go leaf, cross certificate, new root. The other way about, the old root vouching for the
new key, would need nothing of the old key later, but a chain through a self-issued certificate below a root of path
length 0: RFC 5280 section 4.2.1.9 does not count it, and OpenSSL accepts it; pyca's verifier and Go's count it and
refuse. Each step leaves the directory in a state that works, and an interrupted one is completed by the next run.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum

from cryptography import x509

from secure_protocol.sentence import Sentence
from secure_server.pki import profile
from secure_server.pki.authority import Authority, read_roots
from secure_server.pki.errors import UnusableFilesError, ensure_command, rollover_command
from secure_server.pki.names import NameConstraints
from secure_server.pki.report import Entry, Report, Verdict
from secure_server.pki.store import CA, CA_KEY, CROSS, NEXT_KEY, CertificateDirectory

FINISH_BEFORE = timedelta(days=1)
"""A rollover that nobody ends finishes this long before the old root does: what it signs would end with it."""


class Step(Enum):
    """What is asked of a rollover."""

    BEGIN = "begin"
    FINISH = "finish"


Changes = dict[str, tuple[Verdict, str | None]]
"""What a step made of files, and why."""


def take_step(files: CertificateDirectory, step: Step | None, report: Report, now: datetime) -> Changes:
    """Begin or finish a rollover; finish one whose old root ends, or that was interrupted while it finished.

    Args:
        files: the directory, locked.
        step: what is asked for; None for what is due by itself.
        report: takes the notes.
        now: the time, in UTC.

    Returns:
        The files that it made or replaced.

    Raises:
        UnusableFilesError: there is nothing to begin from or to finish, or a key for it is missing.
    """
    roots = read_roots(files)
    present = roots.present.value
    if roots.successor is None:
        if step is Step.BEGIN:
            return _begin(files, present, report, now)
        if step is Step.FINISH:
            raise UnusableFilesError(
                Sentence(
                    "No rollover is under way in {directory}; begin one with {command}.",
                    directory=files.path,
                    command=rollover_command(files.path),
                )
            )
        return {}
    if step is Step.BEGIN and present is not None:
        raise UnusableFilesError(
            Sentence(
                "A rollover is under way in {directory} already; when all clients have the new {ca}, end it with "
                "{command}.",
                directory=files.path,
                ca=CA,
                command=rollover_command(files.path, finish=True),
            )
        )
    if step is Step.FINISH or present is None or now >= ending(present):
        return _finish(files, roots.successor, report, now)
    return {}


def ending(present: x509.Certificate) -> datetime:
    """Return when a rollover from this root finishes by itself."""
    return present.not_valid_after_utc - FINISH_BEFORE


def _begin(files: CertificateDirectory, present: x509.Certificate | None, report: Report, now: datetime) -> Changes:
    constraints = NameConstraints.of(present) if present else None
    if present is None or constraints is None or now >= ending(present):
        raise UnusableFilesError(
            Sentence(
                "{path} is no CA to begin a rollover from; bring the directory into order with {command}.",
                path=files.path / CA,
                command=ensure_command(files.path),
            )
        )
    key = files.read_key(NEXT_KEY).value  # of a run that was interrupted
    if key is None:
        files.set_aside([NEXT_KEY], now)
        key = profile.generate_key()
        files.write_key(NEXT_KEY, key)
    # The same constraints: a name that the old root may not sign for would shut out whoever holds only that.
    successor = profile.issue_ca(key, constraints, subject=profile.ca_subject(key), now=now, path_length=1)
    files.write_certificate(CROSS, profile.cross_sign(present, successor, key, now=now))
    files.write_certificate(CA, successor, present)
    report.notes.append(
        Sentence(
            "{ca} now holds the new root and the old one, and clients with either connect: give it to the clients, "
            "then end the rollover with {command}. It ends by itself on {day}, a day before the old root.",
            ca=CA,
            command=rollover_command(files.path, finish=True),
            day=f"{ending(present):%Y-%m-%d}",
        )
    )
    return {
        CA: (Verdict.RENEWED, Sentence("the new root is in it, too")),
        CROSS: (Verdict.MADE, None),
        NEXT_KEY: (Verdict.MADE, None),
    }


def _finish(files: CertificateDirectory, successor: x509.Certificate, report: Report, now: datetime) -> Changes:
    key, present_key = files.read_key(NEXT_KEY).value, files.read_key(CA_KEY).value
    if key is None and (present_key is None or present_key.public_key() != successor.public_key()):
        raise UnusableFilesError(
            Sentence(
                "The rollover in {directory} cannot be finished without {file}, the new root's key; put it back.",
                directory=files.path,
                file=NEXT_KEY,
            )
        )
    files.write_certificate(CA, successor)
    if key is not None:
        aside = files.set_aside([CA_KEY, CROSS], now)
        files.rename_key(NEXT_KEY, CA_KEY)
        if present_key is not None:
            report.notes.append(
                Sentence(
                    "The old root's key is in {directory}; nothing needs it any more, so destroy it.", directory=aside
                )
            )
    else:
        files.set_aside([CROSS], now)
    report.notes.append(Sentence("The rollover is finished: clients need the root that is in {ca} now.", ca=CA))
    because = Sentence("the rollover is finished")
    return {CA: (Verdict.RENEWED, because), CA_KEY: (Verdict.RENEWED, because)}


def ensure_cross(files: CertificateDirectory, authority: Authority, report: Report, now: datetime) -> Authority:
    """Keep the successor's certificate for the CA, or make it anew; return the authority with it as its chain.

    Args:
        files: the directory, locked.
        authority: the CA.
        report: takes a line for each of the two files.
        now: the time, in UTC.

    Raises:
        UnusableFilesError: it must be made, and the successor's key is not there.
    """
    if authority.successor is None:
        return authority
    stored, key = files.read_certificate(CROSS), files.read_key(NEXT_KEY)
    certificate = stored.value
    reason = stored.defect or _cross_reason(certificate, authority, now)
    verdict = Verdict.KEPT
    if certificate is None or reason is not None:
        if key.value is None:
            raise UnusableFilesError(
                Sentence(
                    "{path} must be issued because {reason}, but {file} is missing; put the new root's key back.",
                    path=files.path / CROSS,
                    reason=reason,
                    file=NEXT_KEY,
                )
            )
        certificate = profile.cross_sign(authority.certificate, authority.successor, key.value, now=now)
        files.write_certificate(CROSS, certificate)
        verdict = Verdict.RENEWED
    report.entries.append(Entry(CROSS, verdict, reason, until=certificate.not_valid_after_utc))
    if key.value is not None:
        report.entries.append(Entry(NEXT_KEY, Verdict.KEPT, tightened=key.tightened))
    return replace(authority, chain=(certificate,))


def _cross_reason(cross: x509.Certificate | None, authority: Authority, now: datetime) -> str | None:
    if cross is None:
        return Sentence("it is missing")
    present, successor = authority.certificate, authority.successor
    if successor is None or not Authority(successor, None).signed(cross):
        return Sentence("it is not signed by the new root")
    if (cross.subject, cross.public_key()) != (present.subject, present.public_key()):
        return Sentence("it does not vouch for this CA")
    if NameConstraints.of(cross) != NameConstraints.of(present):
        return Sentence("its {extension} is not as it should be", extension="NameConstraints")
    within = cross.not_valid_before_utc <= now <= cross.not_valid_after_utc
    return None if within else profile.renewal_due(cross, now)
