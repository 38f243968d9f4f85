"""The line that `token create --enroll` prints: where the server is, whom to trust, and the token."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import click

from secure_protocol.token import Token
from secure_server.admin.live import listening
from secure_server.cli import options
from secure_server.config.file import load
from secure_server.config.reading import ConfigError
from secure_server.config.settings import Config
from secure_server.files.owner import DirectoryError, as_owner
from secure_server.i18n import _, shown
from secure_server.identity.enrolment import Line, found_by, in_use, line_to
from secure_server.pki.bundle import read_authorities
from secure_server.pki.errors import CertificateError
from secure_server.pki.preflight import CertificateFacts, check_pair


def prepare(host: str | None, port: int | None, certs_dir: Path | None, data_dir: Path) -> Line:
    """Look up all that the line needs but the token, before that is made.

    Args:
        host: that the command line says; None for where the server listens.
        port: likewise.
        certs_dir: likewise.
        data_dir: of the server, which is asked if it runs.

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
        name = found_by(endpoints, host)
        with as_owner(directory):
            authorities = read_authorities(directory)
        return line_to(endpoints, authorities, _served(settings, directory), name, port)
    except (ConfigError, CertificateError, DirectoryError) as error:
        raise click.UsageError(shown(error)) from None


def show(line: Line, token: Token, *, quiet: bool, within: float | None) -> None:
    """Print the line to stdout, and what to know of it to stderr.

    Args:
        line: all but the token.
        token: the secret part.
        quiet: print the line alone.
        within: seconds for which it is good, once; None for a token that is in the line itself.
    """
    click.echo(line.command(token))
    if quiet:
        return
    for note in line.notes:
        click.echo(shown(note), err=True)
    if within is None:
        sentence = _("The line holds the token itself, for whoever reads it. Add --once for a line that is good once.")
        click.echo(sentence, err=True)
    else:
        until = datetime.fromtimestamp(time.time() + within).astimezone().isoformat(" ", timespec="minutes")
        sentence = _("Good once, until {until}: it is exchanged for a token that never leaves the client.")
        click.echo(sentence.format(until=until), err=True)
    sentence = _("Shown once. To end it: secure-server token revoke {id}")
    click.echo(sentence.format(id=token.id), err=True)


def _served(settings: Config, directory: Path) -> CertificateFacts:
    certificate = Path(settings.tls.certificate) if settings.tls.certificate else directory / "server.pem"
    key = Path(settings.tls.key) if settings.tls.key else certificate.with_name("server-key.pem")
    with as_owner(certificate.parent):
        return check_pair(certificate, key, now=datetime.now(UTC))
