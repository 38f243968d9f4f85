"""The line that `token create --enroll` prints: where the server is, whom to trust, and the token."""

from __future__ import annotations

import shlex
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import click
from cryptography import x509

from secure_protocol.enrolment import Enrolment
from secure_protocol.sentence import Sentence
from secure_protocol.token import Token
from secure_server.admin.live import listening
from secure_server.cli import options
from secure_server.config.endpoint import Endpoint
from secure_server.config.file import load
from secure_server.config.reading import ConfigError
from secure_server.config.settings import Config
from secure_server.files.owner import DirectoryError, as_owner
from secure_server.i18n import _, shown
from secure_server.pki.bundle import pin_of, read_authorities
from secure_server.pki.errors import CertificateError, ensure_command
from secure_server.pki.names import host_text, parse_host
from secure_server.pki.preflight import CertificateFacts, check_pair


@dataclass(frozen=True, slots=True)
class Line:
    """The line without its token.

    Attributes:
        host: that clients connect to.
        port: likewise.
        pin: SHA-256 of the CA certificate's DER.
        notes: sentences for whoever makes the line.
    """

    host: str
    port: int
    pin: bytes
    notes: tuple[str, ...] = ()

    def url(self, token: Token) -> str:
        """Return the URL, which holds the secret."""
        return Enrolment(self.host, self.port, self.pin, token).reveal()

    def command(self, token: Token) -> str:
        """Return the line to paste into a shell."""
        return shlex.join(("secure-client", "enroll", self.url(token)))


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
            endpoints = _in_use(endpoints if config is not None else (), listening(data_dir)) or endpoints
        name = host_text(parse_host(host if host is not None else _own_host(endpoints[0].host)))
        with as_owner(directory):
            authorities = read_authorities(directory)
        facts = _served(settings, directory)
        pin = pin_of(authorities, x509.load_der_x509_certificate(facts.der))
    except (ConfigError, CertificateError, DirectoryError) as error:
        raise click.UsageError(shown(error)) from None
    number = port or _port(endpoints, name)
    if not number:
        raise click.UsageError(_("The configuration lets the system choose the port; give the one in use with --port."))
    return Line(name, number, bytes.fromhex(pin), tuple(_notes(name, directory, facts)))


def _in_use(configured: tuple[Endpoint, ...], bound: list[tuple[str, int]]) -> tuple[Endpoint, ...]:
    """Return where the running server listens, under the name that its configuration has for the address, if any."""
    if len(configured) != len(bound):
        return tuple(Endpoint(host, port) for host, port in bound)
    return tuple(
        Endpoint(host if _is_address(wanted.host) else wanted.host, port)
        for wanted, (host, port) in zip(configured, bound, strict=True)
    )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


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
        click.echo(note, err=True)
    if within is None:
        sentence = _("The line holds the token itself, for whoever reads it. Add --once for a line that is good once.")
        click.echo(sentence, err=True)
    else:
        until = datetime.fromtimestamp(time.time() + within).astimezone().isoformat(" ", timespec="minutes")
        sentence = _("Good once, until {until}: it is exchanged for a token that never leaves the client.")
        click.echo(sentence.format(until=until), err=True)
    sentence = _("Shown once. To end it: secure-server token revoke {id}")
    click.echo(sentence.format(id=token.id), err=True)


def _port(endpoints: tuple[Endpoint, ...], host: str) -> int:
    """Return the port at that very address where it is listed; a name may stand for any, so the first one's then."""
    return next((endpoint for endpoint in endpoints if endpoint.host == host), endpoints[0]).port


def _own_host(listening: str) -> str:
    """Return where clients find a server that listens there."""
    try:
        everywhere = ip_address(listening).is_unspecified
    except ValueError:
        everywhere = False
    return socket.gethostname() if everywhere else listening


def _served(settings: Config, directory: Path) -> CertificateFacts:
    certificate = Path(settings.tls.certificate) if settings.tls.certificate else directory / "server.pem"
    key = Path(settings.tls.key) if settings.tls.key else certificate.with_name("server-key.pem")
    with as_owner(certificate.parent):
        return check_pair(certificate, key, now=datetime.now(UTC))


def _notes(host: str, directory: Path, facts: CertificateFacts) -> list[str]:
    notes = []
    if host not in facts.sans:
        mend = ensure_command(directory, hosts=[host])
        sentence = Sentence("The server's certificate does not hold {host}; add it with {mend}.", host=host, mend=mend)
        notes.append(shown(sentence))
    if host in ("localhost", "127.0.0.1", "::1"):
        notes.append(_("The line works on this machine alone; name the server as others reach it with --host."))
    return notes
