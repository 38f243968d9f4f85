"""Who started a job, with what that allows now."""

from __future__ import annotations

from secure_server.auth.admin_networks import AdminNetworks
from secure_server.auth.authenticator import TokenAuthenticator
from secure_server.auth.certificates import CertificateAuthenticator, CertificateRefusedError, CertificateState
from secure_server.auth.principal import Principal, Role
from secure_server.auth.token_record import TokenState
from secure_server.jobs.job import Job


def present(
    job: Job, tokens: TokenAuthenticator, certificates: CertificateAuthenticator, admin_networks: AdminNetworks
) -> Principal | None:
    """Return the principal by whatever it proved itself; None where that is good for nothing any more."""
    own = _own(job, tokens, certificates)
    return None if own is None else admin_networks.seen(own, job.address)


def _own(job: Job, tokens: TokenAuthenticator, certificates: CertificateAuthenticator) -> Principal | None:
    if job.token_id is not None:
        return tokens.present(job.principal, job.token_id, job.address)
    if job.certificate is not None:
        try:
            return certificates.authenticate(job.certificate, job.address)
        except CertificateRefusedError:
            return None
    return Principal(job.principal, Role.ADMIN, None, None)  # the admin socket: whoever reaches that owns the server


def is_revoked(job: Job, tokens: TokenAuthenticator, certificates: CertificateAuthenticator) -> bool:
    """Whether the very token or certificate that a job was started with is revoked; its end by time is none."""
    if job.token_id is not None:
        # One that is gone was cleared away after its end, or with its whole database: who sees that, tells of it.
        return tokens.state(job.token_id) is TokenState.REVOKED
    return job.certificate is not None and certificates.state(job.certificate) is CertificateState.REVOKED
