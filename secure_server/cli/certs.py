"""`secure-server certs`: make and renew the local CA and the certificates that it signs."""

from __future__ import annotations

import socket
from pathlib import Path

import click

from secure_server.cli.client_certificates import restore, revoke, revoked
from secure_server.i18n import _, shown
from secure_server.pki.ensure import Request
from secure_server.pki.ensure import ensure as ensure_certificates
from secure_server.pki.errors import CertificateError, VerificationFailedError
from secure_server.pki.names import host_text
from secure_server.pki.report import Report

FAILED = 1
"""Exit code: the certificates were made, and failed their proof."""
USAGE = 2
"""Exit code: what was asked for, or what is in the directory, cannot be used."""


@click.group(
    help=_("Make and renew the server's and clients' certificates."),
    options_metavar=_("[OPTIONS]"),
    subcommand_metavar=_("COMMAND [ARGUMENTS]"),
)
def certs() -> None:
    """Make and renew the server's and clients' certificates."""


@certs.command(
    help=_("Make the certificates, or keep what is good and renew what is not.")
    + "\n\n"
    + _(
        "Hosts and clients that are there already stay, also when they are not named again. Keys are never "
        "overwritten. What is there in the end is verified before this reports success."
    ),
    options_metavar=_("[OPTIONS]"),
)
@click.option(
    "--dir",
    "--certs-dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("certs"),
    show_default=True,
    metavar=_("DIRECTORY"),
    help=_("Where the certificates are kept."),
)
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
    request = Request(directory, hosts, clients, socket.gethostname(), new_ca)
    try:
        report = ensure_certificates(request)
    except CertificateError as error:
        click.echo(_("Error: {message}").format(message=shown(error)), err=True)
        raise SystemExit(FAILED if isinstance(error, VerificationFailedError) else USAGE) from None
    _print(report)


certs.add_command(revoke)
certs.add_command(revoked)
certs.add_command(restore)


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
