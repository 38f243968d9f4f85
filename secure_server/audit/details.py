"""What the trail says of tokens and certificates: their public sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from secure_server.audit.record import Value, utc
from secure_server.auth.principal import TokenUse
from secure_server.auth.rate import format_rate
from secure_server.auth.token_record import TokenRecord

if TYPE_CHECKING:
    from secure_server.pki.preflight import CertificateFacts  # whose libraries `secure-server token` does not need


def token_detail(record: TokenRecord) -> dict[str, Value]:
    """Return what identifies a token and what it allows."""
    detail: dict[str, Value] = {"token": record.id, "name": record.name, "role": record.role.label}
    if record.expires is not None:
        detail["expires"] = utc(record.expires)
    if record.allow is not None:
        detail["allow"] = ",".join(sorted(record.allow))
    if record.networks is not None:
        detail["networks"] = ",".join(map(str, record.networks))
    if record.max_sessions is not None:
        detail["max_sessions"] = record.max_sessions
    if record.rate is not None:
        detail["rate"] = format_rate(record.rate)
    if record.use is not TokenUse.LASTING:
        detail["use"] = record.use.value
    if record.replaces is not None:
        detail["replaces"] = record.replaces
    return detail


def certificate_detail(facts: CertificateFacts, old: CertificateFacts | None = None) -> dict[str, Value]:
    """Return what identifies a certificate, and the one before it."""
    detail: dict[str, Value] = {"fingerprint": facts.fingerprint, "until": utc(facts.not_after.timestamp())}
    if old is not None:
        detail |= {"old": old.fingerprint, "old_until": utc(old.not_after.timestamp())}
    return detail
