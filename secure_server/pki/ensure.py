"""Bring a certificate directory into good order: keep what is good, renew what is not, and prove the result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from secure_protocol.sentence import Sentence
from secure_server.pki import profile, rollover
from secure_server.pki.authority import ensure_authority
from secure_server.pki.errors import InvalidNameError, UnusableFilesError, ensure_command
from secure_server.pki.leaf import SERVER, Leaf, ensure_leaf
from secure_server.pki.names import (
    LOOPBACK_HOSTS,
    Host,
    NameConstraints,
    check_client_name,
    host_text,
    parse_host,
)
from secure_server.pki.report import Entry, Report, Verdict
from secure_server.pki.store import CA, CA_KEY, CROSS, NEXT_KEY, CertificateDirectory
from secure_server.pki.verify import verify_client, verify_server


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted.

    Attributes:
        directory: the certificate directory.
        hosts: names and addresses for the server's certificate, besides loopback and those it has already.
        clients: names of clients to make certificates for, besides those in the directory already.
        machine: this machine's host name, which is left out when it cannot be in a certificate.
        new_ca: set the whole directory aside and begin anew.
        rollover: begin or finish a rollover to a new root.
    """

    directory: Path
    hosts: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    machine: str | None = None
    new_ca: bool = False
    rollover: rollover.Step | None = None


def ensure(request: Request, *, now: datetime | None = None) -> Report:
    """Make, keep or renew the CA, the server's certificate and the clients', then verify all of them.

    The server's certificate never loses a name: it has loopback, the machine's host name, what it had before, and what
    is asked for now.

    Args:
        request: what is wanted.
        now: the time, in UTC; the system's when None.

    Raises:
        InvalidNameError: a host or client name is none, or the CA may not sign it.
        UnusableFilesError: a file or the directory cannot be used.
        VerificationFailedError: what is there now failed its proof.
    """
    now = now or datetime.now(UTC)
    asked = [parse_host(text) for text in request.hosts]
    clients = [check_client_name(name) for name in request.clients]
    files = CertificateDirectory(request.directory)
    report = Report(request.directory)
    try:
        if (tightened := files.prepare()) is not None:
            report.entries.append(Entry(f"{request.directory}/", Verdict.KEPT, tightened=tightened))
        with files.locked():
            clients = list(dict.fromkeys([*_issuable(files.clients()), *clients]))
            _ensure_all(request, files, report, asked, clients, now)
    except OSError as error:
        where = error.filename or request.directory
        raise UnusableFilesError(
            Sentence(
                "{path} cannot be used ({why}); run this as its owner, or name another directory with `--dir`.",
                path=where,
                why=error.strerror or error,
            )
        ) from error
    return report


def _issuable(names: Iterable[str]) -> Iterable[str]:
    """Drop the names of files that somebody else put here."""
    for name in names:
        try:
            yield check_client_name(name)
        except InvalidNameError:
            continue


def _ensure_all(
    request: Request,
    files: CertificateDirectory,
    report: Report,
    asked: Sequence[Host],
    clients: Sequence[str],
    now: datetime,
) -> None:
    machine = _possible_hosts([request.machine] if request.machine else [], report)
    server = files.read_certificate(f"{SERVER}.pem").value
    existing = _possible_hosts(map(host_text, profile.hosts_of(server)) if server else [], report)
    hosts = list(dict.fromkeys([*LOOPBACK_HOSTS, *machine, *existing, *asked]))
    ca = files.read_certificate(CA).value
    constraints = (NameConstraints.of(ca) if ca and not request.new_ca else None) or NameConstraints.for_hosts(hosts)
    hosts = _permitted_hosts(hosts, constraints, optional=set(machine) - set(asked), report=report)
    leafs = [Leaf.server(tuple(hosts)), *map(Leaf.client, clients)]
    if request.new_ca:
        _set_all_aside(files, leafs, report, now)

    changes = rollover.take_step(files, request.rollover, report, now)
    authority = rollover.ensure_cross(files, ensure_authority(files, constraints, report, now), report, now)
    proven, *pairs = [ensure_leaf(files, leaf, authority, report, now) for leaf in leafs]
    report.amend(changes)
    for root in authority.roots:
        verify_server(proven, root, now=now)
        for pair in pairs:
            verify_client(pair, root, proven, now=now)
    report.hosts = profile.hosts_of(proven.certificate)


def _possible_hosts(texts: Iterable[str], report: Report) -> list[Host]:
    """Read names that nobody typed now: one that no certificate of ours can have is noted and left out."""
    hosts = []
    for text in texts:
        try:
            hosts.append(parse_host(text))
        except InvalidNameError as error:
            report.notes.append(Sentence("Left out of {file}: {why}", file=f"{SERVER}.pem", why=error))
    return hosts


def _permitted_hosts(
    hosts: Sequence[Host], constraints: NameConstraints, *, optional: set[Host], report: Report
) -> list[Host]:
    """Refuse hosts that the CA may not sign; those nobody asked for, as a machine's new name, are left out."""
    refused = [host for host in hosts if not constraints.permit(host)]
    if wanted := [host_text(host) for host in refused if host not in optional]:
        command = ensure_command(report.directory, hosts=wanted, new_ca=True)
        raise InvalidNameError(
            Sentence(
                "The CA in {directory} may not sign for {hosts}; make a new CA with {command}, "
                "then give its {ca} to the clients.",
                directory=report.directory,
                hosts=", ".join(wanted),
                command=command,
                ca=CA,
            )
        )
    for host in refused:
        command = ensure_command(report.directory, hosts=[host_text(host)], new_ca=True)
        report.notes.append(
            Sentence(
                "Left out of {file}: this machine's name {host}, which the CA may not sign for; "
                "{command} makes one that may.",
                file=f"{SERVER}.pem",
                host=host_text(host),
                command=command,
            )
        )
    return [host for host in hosts if host not in refused]


def _set_all_aside(files: CertificateDirectory, leafs: Iterable[Leaf], report: Report, now: datetime) -> None:
    names = [CA, CA_KEY, NEXT_KEY, CROSS]
    for leaf in leafs:
        names += [leaf.file, leaf.key_file]
    if aside := files.set_aside(names, now):
        report.notes.append(
            Sentence("The old files are in {directory}; give the new {ca} to the clients.", directory=aside, ca=CA)
        )
