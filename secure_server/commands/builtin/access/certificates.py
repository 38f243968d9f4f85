"""CERT: which certificate newcomers are served, which others are still in use, and taking up a changed one."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from secure_protocol.errors import CommandError
from secure_protocol.replies import ReplyKind, Status, Table
from secure_protocol.sentence import said
from secure_server.auth.principal import Role
from secure_server.commands.builtin.services import services
from secure_server.commands.command import command
from secure_server.commands.context import Context
from secure_server.i18n import N_
from secure_server.pki.preflight import CertificateFacts

GROUP = N_("Certificates")

COLUMNS = ("state", "fingerprint", "names", "not_before", "expires", "renewal", "served", "sessions", "note")


@command(
    "CERT SHOW",
    summary=N_("The certificate that newcomers are served, those before it, and how many sessions use each."),
    role=Role.ADMIN,
    idempotent=True,
    reply=ReplyKind.TABLE,
    columns=COLUMNS,
)
def cert_show(context: Context) -> Table:
    """List them as a table, the present one first."""
    certificates = services(context).certificates
    present, renewal = certificates.certificate, certificates.renewal
    served = [session.peer.served for session in services(context).sessions]
    live = Counter(facts.fingerprint for facts in served if facts is not None)
    since = {entry.certificate.fingerprint: entry.since for entry in certificates.history}
    known: dict[str, CertificateFacts] = {present.fingerprint: present}
    for facts in (*(entry.certificate for entry in certificates.history), *served):
        if facts is not None:
            known.setdefault(facts.fingerprint, facts)
    rows: list[tuple[object, ...]] = [
        (
            "present" if facts is present else "former",
            fingerprint,
            ", ".join(facts.sans),
            _moment(facts.not_before),
            _moment(facts.not_after),
            _moment(renewal) if facts is present else None,
            _moment(since.get(fingerprint)),
            live[fingerprint],
            _note(context) if facts is present else None,
        )
        for fingerprint, facts in known.items()
    ]
    return Table(COLUMNS, rows)


def _note(context: Context) -> str | None:
    """What is wrong with the present one: it was not reloaded, not renewed, is near its end; None for nothing."""
    certificates, notes = services(context).certificates, []
    if failure := certificates.failure:
        kept, why = context.translate("Not reloaded at {moment}: {why}"), said(failure.why, context.translate)
        notes.append(kept.format(moment=_moment(failure.when), why=why))
    sentences = filter(None, (certificates.renewal_failure, certificates.ending))
    notes += [said(sentence, context.translate) for sentence in sentences]
    return " ".join(notes) or None


@command(
    "CERT RELOAD",
    summary=N_("Take up a changed certificate for new connections; connections that are there go on."),
    role=Role.ADMIN,
)
def cert_reload(context: Context) -> Status:
    """Say from which certificate to which, or why the old one is kept."""
    reload = services(context).certificates.reload("CERT RELOAD")
    why = said(reload.why, context.translate)
    if reload.new is None:
        raise CommandError(N_("The certificate is kept as it is: {why}"), why=why)
    old, new = reload.old.fingerprint, reload.new.fingerprint
    if reload.outcome == "unchanged":
        answer = context.translate("Read again, and the same certificate as before: SHA-256 {new}.").format(new=new)
    else:
        answer = context.translate("New connections get the new certificate: SHA-256 {old} → {new}.").format(
            old=old, new=new
        )
    if why:
        answer += " " + context.translate("Note: {why}.").format(why=why)
    return Status(answer)


def _moment(moment: datetime | None) -> str | None:
    """A date and time in the server's zone, to the second."""
    return None if moment is None else moment.astimezone().isoformat(timespec="seconds")
