"""The certificate directory: atomic writes, file modes, and one run at a time.

Keys are 0600 in a 0700 directory, and a key is never overwritten: what must give way moves into an `old-…` directory.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from secure_protocol.sentence import Sentence
from secure_server.files.making import make_private_directory
from secure_server.files.opening import sync_directory
from secure_server.files.replacing import replace_file
from secure_server.pki.errors import UnusableFilesError
from secure_server.pki.lock import exclusive_lock
from secure_server.pki.profile import is_p256

T = TypeVar("T")

CA = "ca.pem"
"""What clients trust: the CA, and during a rollover the next root before it."""
CA_KEY = "ca-key.pem"
NEXT_KEY = "ca-next-key.pem"
"""During a rollover: the next root's key."""
CROSS = "ca-cross.pem"
"""During a rollover: the next root's word for the present CA; goes with whatever that one signed."""

MAX_PEM_BYTES = 64 * 1024
"""A certificate or key is about 1 KiB; what is larger is something else."""
CERTIFICATE_MODE = 0o644
KEY_MODE = 0o600
DIRECTORY_MODE = 0o700

_POSIX = os.name == "posix"
_OURS = re.compile(
    r"(ca|ca-next|ca-cross|server|client-.+)(-key)?\.pem|README\.md|\.gitignore|\.lock|old-.+|\..+\.tmp|__pycache__"
)


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """What a file holds.

    Attributes:
        value: the certificate or key; None when absent or unusable.
        rest: the certificates that follow it in the file.
        defect: why the file that is there cannot be used, as the end of a sentence.
        tightened: the mode that the file had, when it was open to others and has been tightened.
    """

    value: T | None = field(default=None, repr=False)
    rest: tuple[T, ...] = field(default=(), repr=False)
    defect: str | None = None
    tightened: int | None = None


class CertificateDirectory:
    """The files of one local CA and what it signed.

    Args:
        path: the directory; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> int | None:
        """Make the directory, or tighten an existing one to 0700; return the mode that it had when it was changed.

        Raises:
            UnusableFilesError: other files live there, whose readers a 0700 directory would lock out.
        """
        make_private_directory(self.path)
        mode = stat.S_IMODE(self.path.stat().st_mode)
        if not _POSIX or not mode & 0o077:
            return None
        if foreign := sorted(entry.name for entry in self.path.iterdir() if not _OURS.fullmatch(entry.name)):
            raise UnusableFilesError(
                Sentence(
                    "{path} is open to other users and also holds {file}; keys need a directory of their own, "
                    "such as `--dir {better}`.",
                    path=self.path,
                    file=foreign[0],
                    better=self.path / "certs",
                )
            )
        self.path.chmod(DIRECTORY_MODE)
        return mode

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out of this directory, and clear what one that was killed left half-written."""
        with exclusive_lock(self.path / ".lock"):
            for leftover in self.path.glob(".*.pem.*.tmp"):
                leftover.unlink()
            yield

    def clients(self) -> tuple[str, ...]:
        """Return the names of the clients whose certificate and key are both here."""
        names = (path.name.removeprefix("client-").removesuffix(".pem") for path in self.path.glob("client-*.pem"))
        return tuple(sorted(name for name in names if (self.path / f"client-{name}-key.pem").exists()))

    def read_certificate(self, name: str) -> Stored[x509.Certificate]:
        """Read a certificate, and those that follow it in the file."""
        data = self._read(name)
        if data is None:
            return Stored()
        try:
            certificate, *rest = x509.load_pem_x509_certificates(data)
            # These are parsed on first use: a certificate that fails here cannot be judged further.
            for each in (certificate, *rest):
                _ = each.extensions, each.public_key(), each.subject
        except (ValueError, UnsupportedAlgorithm):
            return Stored(defect=Sentence("it is not a readable PEM certificate"))
        return Stored(certificate, tuple(rest))

    def read_key(self, name: str) -> Stored[ec.EllipticCurvePrivateKey]:
        """Read a private key, and tighten its mode when others may read it."""
        data = self._read(name)
        if data is None:
            return Stored()
        try:
            key = load_pem_private_key(data, password=None)
        except TypeError:
            return Stored(defect=Sentence("the key is encrypted"))
        except (ValueError, UnsupportedAlgorithm):
            return Stored(defect=Sentence("the key is not a readable PEM private key"))
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not is_p256(key):
            return Stored(defect=Sentence("the key is not ECDSA P-256"))
        path = self.path / name
        status = path.stat()
        if hasattr(os, "geteuid") and status.st_uid not in {os.geteuid(), self.path.stat().st_uid}:
            return Stored(defect=Sentence("the key belongs to another user (uid {uid})", uid=status.st_uid))
        mode = stat.S_IMODE(status.st_mode)
        if not _POSIX or not mode & 0o077:
            return Stored(key)
        path.chmod(KEY_MODE)
        return Stored(key, tightened=mode)

    def write_certificate(self, name: str, *certificates: x509.Certificate) -> None:
        """Put a certificate, and those that go with it, in the place of whatever has this name."""
        self._write(name, b"".join(each.public_bytes(Encoding.PEM) for each in certificates), CERTIFICATE_MODE)

    def write_key(self, name: str, key: ec.EllipticCurvePrivateKey) -> None:
        """Write a new key.

        Raises:
            FileExistsError: there is one; it must be set aside first.
        """
        if (self.path / name).exists():
            raise FileExistsError(17, "a key is never overwritten", str(self.path / name))
        self._write(name, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), KEY_MODE)

    def rename_key(self, name: str, new_name: str) -> None:
        """Give a key another name.

        Raises:
            FileExistsError: that one is taken; it must be set aside first.
        """
        if (self.path / new_name).exists():
            raise FileExistsError(17, "a key is never overwritten", str(self.path / new_name))
        (self.path / name).rename(self.path / new_name)
        sync_directory(self.path)

    def set_aside(self, names: Iterable[str], now: datetime) -> Path | None:
        """Move those of the files that exist into a new `old-…` directory and return it."""
        present = [name for name in names if (self.path / name).exists()]
        if not present:
            return None
        aside = self.path / f"old-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        aside.mkdir(mode=DIRECTORY_MODE)
        for name in present:
            (self.path / name).rename(aside / name)
        return aside

    def _read(self, name: str) -> bytes | None:
        path = self.path / name
        try:
            with path.open("rb") as file:
                return file.read(MAX_PEM_BYTES)
        except FileNotFoundError:
            return None

    def _write(self, name: str, data: bytes, mode: int) -> None:
        """Put a file in the place of whatever has this name."""

        def prepare(descriptor: int) -> None:
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, mode)
            self._give_to_owner(descriptor)

        replace_file(self.path / name, data, prepare)

    def _give_to_owner(self, descriptor: int) -> None:
        """Let files that root makes in somebody's directory be theirs: under sudo they could not read them."""
        if sys.platform != "win32" and hasattr(os, "geteuid") and os.geteuid() == 0:
            owner = self.path.stat()
            if owner.st_uid != 0:
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
