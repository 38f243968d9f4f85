"""`secure-server certs`: make, renew and show the local CA and what it signs, and change over to a new root."""

from __future__ import annotations

import json
import socket
import sys
from datetime import datetime
from pathlib import Path

import click

from secure_client.answers.tables import fitted
from secure_server.cli import options
from secure_server.cli.client_certificates import restore, revoke, revoked
from secure_server.cli.trust import trust
from secure_server.files.owner import as_owner
from secure_server.i18n import N_, _, shown
from secure_server.pki.ensure import Request
from secure_server.pki.ensure import ensure as ensure_certificates
from secure_server.pki.errors import CertificateError, VerificationFailedError, ensure_command
from secure_server.pki.inventory import Item, inventory
from secure_server.pki.names import host_text
from secure_server.pki.report import Report
from secure_server.pki.rollover import Step

FAILED = 1
"""Exit code: the certificates were made, and failed their proof."""
USAGE = 2
"""Exit code: what was asked for, or what is in the directory, cannot be used."""
_HEADINGS = (N_("file"), N_("subject"), N_("names"), N_("expires"), N_("renewal"), N_("SHA-256"))


@click.group(
    help=_("Make, renew and show the server's and clients' certificates."),
    options_metavar=_("[OPTIONS]"),
    subcommand_metavar=_("COMMAND [ARGUMENTS]"),
)
def certs() -> None:
    """Make, renew and show the certificates; the texts of help are in the decorators."""


@certs.command(
    help=_("Make the certificates, or keep what is good and renew what is not.")
    + "\n\n"
    + _(
        "Hosts and clients that are there already stay, also when they are not named again. Keys are never "
        "overwritten. What is there in the end is verified before this reports success."
    ),
    options_metavar=_("[OPTIONS]"),
)
@options.config
@options.certs_dir
@click.option(
    "--host",
    "hosts",
    metavar=_("NAME_OR_IP"),
    multiple=True,
    help=_("A name or address that clients connect to, besides localhost and this machine's name. May be repeated."),
)
@click.option(
    "--client",
    "clients",
    metavar=_("NAME"),
    multiple=True,
    help=_("A client that gets a certificate of its own. May be repeated."),
)
@click.option(
    "--new-ca", is_flag=True, help=_("Move all files into an old-… directory and begin with a new CA and new keys.")
)
def ensure(directory: Path, hosts: tuple[str, ...], clients: tuple[str, ...], *, new_ca: bool) -> None:
    """Make, keep or renew the certificates; the texts of help are in the decorators, where they are translated."""
    _run(Request(directory, hosts, clients, socket.gethostname(), new_ca))


@certs.command(
    help=_("Change over to a new root, while clients with the old one and clients with the new one connect.")
    + "\n\n"
    + _(
        "From then on ca.pem holds both roots: give it to the clients, then finish. A running server takes up either "
        "step by itself."
    ),
    options_metavar=_("[OPTIONS]"),
)
@options.config
@options.certs_dir
@click.option("--finish", is_flag=True, help=_("End it: only the new root is good, and it signs from now on."))
def rollover(directory: Path, *, finish: bool) -> None:
    """Begin or finish a rollover."""
    if not directory.is_dir():
        sentence = _("There are no certificates in {directory}; make them with {command}.")
        click.echo(
            _("Error: {message}").format(
                message=sentence.format(directory=directory, command=ensure_command(directory))
            ),
            err=True,
        )
        raise SystemExit(USAGE)
    _run(Request(directory, rollover=Step.FINISH if finish else Step.BEGIN))


@certs.command(
    help=_("Show the certificates: whom they name, when they expire, and from when on `certs ensure` renews them."),
    options_metavar=_("[OPTIONS]"),
)
@options.as_json
@options.config
@options.certs_dir
def show(directory: Path, *, as_json: bool) -> None:
    """List what is in the directory."""
    try:
        with as_owner(directory):
            items = inventory(directory)
    except OSError as error:
        sentence = _("{path} cannot be read ({why}); run this as its owner.")
        message = sentence.format(path=error.filename or directory, why=error.strerror or error)
        click.echo(_("Error: {message}").format(message=message), err=True)
        raise SystemExit(USAGE) from None
    if as_json:
        click.echo(json.dumps([_as_json(item) for item in items], indent=2))
    elif items:
        _print_table(items)
    else:
        sentence = _("There are no certificates in {directory}; make them with {command}.")
        click.echo(sentence.format(directory=directory, command=ensure_command(directory)), err=True)


def _run(request: Request) -> None:
    try:
        with as_owner(request.directory):
            report = ensure_certificates(request)
    except CertificateError as error:
        click.echo(_("Error: {message}").format(message=shown(error)), err=True)
        raise SystemExit(FAILED if isinstance(error, VerificationFailedError) else USAGE) from None
    _print(report)


certs.add_command(revoke)
certs.add_command(revoked)
certs.add_command(restore)
certs.add_command(trust)


def _print(report: Report) -> None:
    """Write one line a file to stdout, aligned; what else a person should know goes to stderr."""
    width = max(len(entry.file) for entry in report.entries)
    for entry in report.entries:
        click.echo(f"{entry.file:<{width}}  {shown(entry.outcome)}")
    hosts = ", ".join(map(host_text, report.hosts))
    verified, names = _("verified"), _("for {hosts}").format(hosts=hosts)
    click.echo(f"{verified:<{width}}  {names}")
    for note in report.notes:
        click.echo(shown(note), err=True)


def _as_json(item: Item) -> dict[str, str | list[str] | None]:
    return {
        "file": item.file,
        "subject": item.subject or None,
        "names": list(item.hosts),
        "expires": item.until.isoformat() if item.until else None,
        "renewal": item.renewal.isoformat() if item.renewal else None,
        "sha256": item.fingerprint or None,
        "defect": item.defect,
    }


def _print_table(items: list[Item]) -> None:
    rows = []
    for item in items:
        subject = item.subject or (shown(item.defect) if item.defect else "-")
        days = (_day(item.until), _day(item.renewal))
        rows.append((item.file, subject, ", ".join(item.hosts) or "-", *days, item.fingerprint or "-"))
    click.echo(fitted([_(heading) for heading in _HEADINGS], rows, sys.stdout))


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "-"
