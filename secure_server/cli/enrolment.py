"""What `token create` prints for a newcomer: `--enroll`, a line for secure-client; `--web`, a link to the page."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from secure_protocol.token import Token
from secure_server.admin.live import listening, running_web
from secure_server.cli import options
from secure_server.config.file import load
from secure_server.config.reading import ConfigError
from secure_server.config.settings import Config
from secure_server.files.owner import DirectoryError, as_owner
from secure_server.i18n import _, shown
from secure_server.identity.enrolment import Line, found_by, in_use, line_to
from secure_server.identity.link import Link, link_to
from secure_server.pki.bundle import read_authorities
from secure_server.pki.errors import CertificateError
from secure_server.pki.preflight import CertificateFacts, check_pair

Invitation = Line | Link
"""How a newcomer comes in, but for the token."""


def prepare(host: str | None, port: int | None, certs_dir: Path | None, data_dir: Path, *, web: bool) -> Invitation:
    """Look up all that is printed but the token, before that is made.

    Args:
        host: that the command line says; None for where the server listens.
        port: likewise.
        certs_dir: likewise.
        data_dir: of the server, which is asked if it runs.
        web: a link to the page instead of a line.

    Raises:
        click.ClickException: something is missing; says what to do.
    """
    config = options.chosen_config()
    try:
        settings = load(config, {"certs_dir": str(options.certs_directory(certs_dir))})
        directory = Path(settings.certs_dir)
        endpoints = settings.listen.endpoints
        if host is None or port is None:
            endpoints = in_use(endpoints if config is not None else (), listening(data_dir)) or endpoints
        if web:
            page = running_web(data_dir) or settings.web
            return link_to(page, endpoints, partial(_served, settings, directory), host, port)
        name = found_by(endpoints, host)
        with as_owner(directory):
            authorities = read_authorities(directory)
        return line_to(endpoints, authorities, _served(settings, directory), name, port)
    except (ConfigError, CertificateError, DirectoryError) as error:
        raise click.UsageError(shown(error)) from None


def tell(invitation: Invitation, token: Token, within: float | None) -> None:
    """Say on stderr what to know of what was printed.

    Args:
        invitation: all but the token.
        token: the secret part.
        within: seconds for which it is good, once; None for a token that is in a line itself.
    """
    for note in invitation.notes:
        click.echo(shown(note), err=True)
    if within is None:
        sentence = _("The line holds the token itself, for whoever reads it. Add --once for a line that is good once.")
        click.echo(sentence, err=True)
    elif isinstance(invitation, Link):
        sentence = _("Good once, until {until}: the page exchanges it for a token that whoever opens it keeps.")
        click.echo(sentence.format(until=_until(within)), err=True)
    else:
        sentence = _("Good once, until {until}: it is exchanged for a token that never leaves the client.")
        click.echo(sentence.format(until=_until(within)), err=True)
    sentence = _("Shown once. To end it: secure-server token revoke {id}")
    click.echo(sentence.format(id=token.id), err=True)


def _until(within: float) -> str:
    return datetime.fromtimestamp(time.time() + within).astimezone().isoformat(" ", timespec="minutes")


def _served(settings: Config, directory: Path) -> CertificateFacts:
    certificate = Path(settings.tls.certificate) if settings.tls.certificate else directory / "server.pem"
    key = Path(settings.tls.key) if settings.tls.key else certificate.with_name("server-key.pem")
    with as_owner(certificate.parent):
        return check_pair(certificate, key, now=datetime.now(UTC))
