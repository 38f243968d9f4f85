"""CERT REVOKE, CERT RESTORE, CERT REVOKED: which client certificates are refused. Commands of the role admin."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable

from secure_protocol.errors import CommandError
from secure_protocol.printable import printable
from secure_protocol.replies import ReplyKind, Status, Table
from secure_server.auth.errors import TokenNotFoundError, TokenRequestError
from secure_server.auth.principal import Role
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.i18n import N_
from secure_server.moments import moment
from secure_server.pki.errors import CertificateError

GROUP = N_("Certificates")

_log = logging.getLogger("secure_server.commands")

COLUMNS = ("name", "made_until", "sessions")
_NAME = N_("the certificate's common name")
_NONE_SUCH = N_("A common name is 1 to 64 characters in one line.")


def _connected(context: Context, _typed: str) -> Iterable[str]:
    return sorted(_shown(context))


def _revoked(context: Context, _typed: str) -> Iterable[str]:
    return services(context).revoked_certificates.list()


@command(
    "CERT REVOKED",
    summary=N_("The names whose client certificates are refused, as far as they were made until then."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.TABLE,
    columns=COLUMNS,
    empty=N_("No client certificates are revoked."),
)
def cert_revoked(context: Context) -> Table:
    """List them as a table, with the sessions that newer certificates of the name have."""
    live = _shown(context)
    revoked = services(context).revoked_certificates.list()
    rows: list[tuple[object, ...]] = [(printable(name), moment(since), live[name]) for name, since in revoked.items()]
    return Table(COLUMNS, rows, context.translate(context.command.empty))


@command(
    "CERT REVOKE",
    summary=N_("Refuse a name's client certificates that were made until now, and end their sessions."),
    role=Role.ADMIN,
    confirm=N_("Refuse the client certificates of {name} on {server}, and end their sessions?"),
    arguments={"name": _NAME},
    complete={"name": _connected},
    example="ana",
)
def cert_revoke(context: Context, name: str) -> Status:
    """Revoke; their sessions end within a second, as after `secure-server certs revoke`."""
    live = _shown(context)[name]  # before their end
    try:
        since, _ = services(context).revoked_certificates.revoke(name)
    except TokenRequestError:
        raise CommandError(_NONE_SUCH) from None
    except CertificateError as error:  # revoked, but its files stay; a peer is not told of paths
        _log.error("the files of %s were not set aside: %s", printable(name), error)
        raise CommandError(
            N_("{name} is revoked, but its files could not be moved away; see the server's log."), name=printable(name)
        ) from None
    sentence = context.translate("Revoked: certificates of {name} made until {moment}; sessions: {count}.")
    return Status(sentence.format(name=printable(name), moment=moment(since), count=live))


@command(
    "CERT RESTORE",
    summary=N_("Take a name's revocation back: its client certificates are good again."),
    role=Role.ADMIN,
    arguments={"name": _NAME},
    complete={"name": _revoked},
    example="ana",
)
def cert_restore(context: Context, name: str) -> Status:
    """Take it back."""
    try:
        services(context).revoked_certificates.restore(name)
    except TokenRequestError:
        raise CommandError(_NONE_SUCH) from None
    except TokenNotFoundError:
        raise CommandError(
            N_("No certificates of {name} are revoked; CERT REVOKED lists those that are."), name=printable(name, 64)
        ) from None
    return Status(context.translate("Restored: certificates of {name}.").format(name=printable(name)))


def _shown(context: Context) -> Counter[str]:
    """How many live sessions showed a certificate, by name."""
    certificates = [session.peer.certificate for session in services(context).sessions if not session.closing]
    return Counter(certificate.name for certificate in certificates if certificate is not None and certificate.name)
