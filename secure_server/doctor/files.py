"""Checks that need nothing but files, so that they are made with the server up or down."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from secure_protocol.sentence import Sentence
from secure_server.audit.record import parse
from secure_server.audit.tail import TAIL_BYTES, is_broken_off, trail_files
from secure_server.config.quantities import Size
from secure_server.config.settings import Config
from secure_server.doctor.finding import Check, Finding, Severity, named
from secure_server.files.owner import Acting, DirectoryError
from secure_server.files.owner import check as check_owner
from secure_server.identity.exposed import exposed_keys
from secure_server.identity.identity import IdentityFiles
from secure_server.identity.served import ALARM, ALARM_PART
from secure_server.limits.descriptors import INHERITED, wanted
from secure_server.pki.errors import CertificateProblem, ensure_command, rollover_command
from secure_server.pki.preflight import check_pair, read_ca

CA_ALARM = timedelta(days=90)
"""Before the CA's end: every client has to have the next one by then, and that takes people."""
FULL = Size(64 * 1024 * 1024)
"""Free room below which something is about to fail: the trail, the token database and a log between two rotations."""
INODES = 1000
"""Files that may still be made: a job with its output takes a handful."""
AHEAD = timedelta(minutes=1)
"""By which records may be younger than the clock says: clocks are corrected by seconds."""
ADMIN_WORKERS, LINGERING = 2, 0
"""Of what is counted against the limit on open files, what a server has beside its settings."""


@dataclass(frozen=True, slots=True)
class Place:
    """A server's files.

    Attributes:
        config: the configuration that it runs by, or would.
        now: the time, in UTC.
        acting: becomes a directory's owner, where that is needed.
    """

    config: Config
    now: datetime
    acting: Acting

    @property
    def data(self) -> Path:
        """The data directory."""
        return Path(self.config.data_dir)


def certificate(place: Place) -> Iterator[Finding]:
    """Whether newcomers can be served, and for how long."""
    files = IdentityFiles.of(place.config)
    mend = ensure_command(files.certificate.parent)
    try:
        with place.acting(files.certificate.parent):
            facts = check_pair(files.certificate, files.key, now=place.now)
    except CertificateProblem as problem:
        remedy = Sentence("Do that; a running server takes the new one up by itself, or with CERT RELOAD.")
        yield Finding(Severity.ERROR, "certificate", problem.args[0], remedy)
        return
    left = facts.not_after - place.now
    if left < min(ALARM, (facts.not_after - facts.not_before) / ALARM_PART):
        yield Finding(
            Severity.WARNING,
            "certificate",
            Sentence("The certificate {path} ends on {day}.", path=facts.path, day=f"{facts.not_after:%Y-%m-%d}"),
            Sentence("Renew it with {mend}, or with what made it, and see why that was not done by itself.", mend=mend),
        )
    hosts = [endpoint.host for endpoint in place.config.listen.endpoints]
    missing = [host for host in dict.fromkeys(hosts) if host not in (*facts.sans, "0.0.0.0", "::", "")]  # noqa: S104 - compared
    if missing and not any(name.startswith("*") for name in facts.sans):
        yield Finding(
            Severity.WARNING,
            "certificate",
            Sentence("The certificate is not for {hosts}, where the server listens.", hosts=named(missing)),
            Sentence("Add that with {mend}, or have clients use another name.",
                     mend=ensure_command(files.certificate.parent, hosts=missing)),
        )  # fmt: skip


def authorities(place: Place) -> Iterator[Finding]:
    """Whether the CAs that clients trust last."""
    files = IdentityFiles.of(place.config)
    if files.ca is None:
        return
    with place.acting(files.ca.parent):
        pem = read_ca(files.ca)
    try:
        roots = x509.load_pem_x509_certificates(pem) if pem else []
    except ValueError:
        yield Finding(
            Severity.ERROR,
            "certificate",
            Sentence("{path} holds no readable certificates.", path=files.ca),
            Sentence("Put a copy back that clients have, or run {mend}.", mend=ensure_command(files.ca.parent)),
        )
        return
    if not roots:
        return
    end = max(root.not_valid_after_utc for root in roots)
    if end - place.now < CA_ALARM:
        yield Finding(
            Severity.ERROR if end < place.now else Severity.WARNING,
            "certificate",
            Sentence("The CA in {path} ends on {day}.", path=files.ca, day=f"{end:%Y-%m-%d}"),
            Sentence("Begin a rollover, which clients follow: {mend}.", mend=rollover_command(files.ca.parent)),
        )


def keys(place: Place) -> Iterator[Finding]:
    """Whether others may read private keys."""
    for path in exposed_keys(place.config):
        yield Finding(
            Severity.WARNING,
            "permissions",
            Sentence("Others may read the private key {path}.", path=path),
            Sentence("Run: chmod 600 {path}", path=path),
        )


def permissions(place: Place) -> Iterator[Finding]:
    """Whether others may change, or read, what the server keeps."""
    try:
        check_owner(place.data)
    except DirectoryError as error:
        yield Finding(
            Severity.ERROR, "permissions", error.args[0], Sentence("Do that before the server is started again.")
        )
        return
    if sys.platform == "win32" or not place.data.is_dir():
        return
    open_to = [path for path in (place.data, *sorted(place.data.iterdir())) if _open_to_others(path)]
    for path in open_to[:1]:
        yield Finding(
            Severity.WARNING,
            "permissions",
            Sentence("Others may read or use {paths}.", paths=named([str(each) for each in open_to])),
            Sentence("Run: chmod -R go= {path}", path=path if len(open_to) == 1 else place.data),
        )


def _open_to_others(path: Path) -> bool:
    kept = path.is_dir() or path.suffix in (".db", ".sock", ".jsonl", ".txt") or ".db-" in path.name
    return kept and not path.is_symlink() and bool(path.stat().st_mode & 0o077)


def disk(place: Place) -> Iterator[Finding]:
    """Whether what the server writes has room, by its own bounds."""
    at = next(path for path in (place.data, *place.data.absolute().parents) if path.is_dir())
    free, log = shutil.disk_usage(at).free, place.config.log
    may_take = log.max_size * (log.keep + 1) + place.config.jobs.disk - _taken(place.data)
    room = Sentence("Make room, or move the data directory; see docs/operations.md.")
    if free < FULL:
        yield Finding(
            Severity.ERROR,
            "disk",
            Sentence("Only {free} are free where {path} is.", free=_about(free), path=at),
            room,
        )
    elif free < may_take:
        yield Finding(
            Severity.WARNING,
            "disk",
            Sentence(
                "{free} are free where {path} is, and the log and the output of jobs may take {more} more.",
                free=_about(free), path=at, more=_about(may_take),
            ),
            Sentence("Make room, or lower jobs.disk, log.max_size or log.keep."),
        )  # fmt: skip
    if sys.platform != "win32":
        found = os.statvfs(at)
        if found.f_files and found.f_favail < INODES:
            yield Finding(
                Severity.ERROR,
                "disk",
                Sentence("Only {count} more files can be made where {path} is.", count=found.f_favail, path=at),
                room,
            )


def _taken(data: Path) -> int:
    """What the log and the output of jobs take already."""
    files = [*data.glob("server_log.txt*"), *data.glob("jobs/*/*")]
    return sum(path.stat().st_size for path in files if path.is_file())


def _about(size: int) -> str:
    """A size as people say it, rounded down."""
    size = max(0, size)
    unit = next((unit for unit in (1024**3, 1024**2, 1024) if size >= unit), 1)
    return str(Size(size // unit * unit))


def clock(place: Place) -> Iterator[Finding]:
    """Whether the clock is behind what was recorded."""
    moment = _last_record(place.data)
    if moment is not None and moment > place.now + AHEAD:
        yield Finding(
            Severity.ERROR,
            "clock",
            Sentence(
                "The clock says {now} UTC, and the last record of the audit trail is of {moment}.",
                now=f"{place.now:%Y-%m-%d %H:%M}", moment=f"{moment:%Y-%m-%d %H:%M}",
            ),
            Sentence("Set the clock (timedatectl, chronyc), for tokens and certificates are judged by it."),
        )  # fmt: skip


def _last_record(data: Path) -> datetime | None:
    """When the last record was made; None where none can be read."""
    for path in reversed(trail_files(data)):
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            for line in reversed(file.read().splitlines()):
                try:
                    return datetime.fromisoformat(parse(line).time).astimezone(UTC)
                except ValueError:
                    continue
    return None


def trail(place: Place) -> Iterator[Finding]:
    """Whether the trail was broken."""
    broken = [path.name for path in trail_files(place.data) if is_broken_off(path)]
    if broken:
        yield Finding(
            Severity.WARNING,
            "trail",
            Sentence("The audit trail was found broken: {files}.", files=named(broken)),
            Sentence("secure-server audit verify says what was changed or removed; keep the files as they are."),
        )


def descriptors(place: Place) -> Iterator[Finding]:
    """Whether as many files may be open as the limits ask for."""
    limit = _most_open()
    least = wanted(place.config, INHERITED, LINGERING, ADMIN_WORKERS).descriptors
    if limit is not None and limit < least:
        yield Finding(
            Severity.WARNING,
            "descriptors",
            Sentence("{limit} files may be open, and the limits ask for {least}.", limit=limit, least=least),
            Sentence("Raise it (`ulimit -n`, or LimitNOFILE= in a systemd unit), or lower limits.max_clients."),
        )


def _most_open() -> int | None:
    """The hard limit of this process; None where there is none."""
    if sys.platform == "win32":
        return None
    try:
        import resource  # noqa: PLC0415 - most systems have it
    except ImportError:
        return None
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return None if hard == resource.RLIM_INFINITY else hard


FILES: Sequence[Check[Place]] = (certificate, authorities, keys, permissions, disk, clock, trail, descriptors)
