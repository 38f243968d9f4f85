"""The system's store, by which curl, wget and most other programs go: of Debian's family, and of Fedora's."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

from secure_protocol.sentence import Sentence
from secure_server.pki.store import MAX_PEM_BYTES
from secure_server.trust.anchor import Anchor
from secure_server.trust.store import TrustError, run

READABLE = 0o644
"""Mode of a certificate there: all programs of all users read it."""


class SystemStore:
    """A directory for certificates of one's own, and the program that takes them up.

    Args:
        directory: for the certificates.
        ending: of their files' names.
        update: the program, with its arguments.
        fresh: further arguments by which it drops what is gone.
    """

    def __init__(self, directory: Path, ending: str, update: Sequence[str], fresh: Sequence[str] = ()) -> None:
        self._directory = directory
        self._ending = ending
        self._update = update
        self._fresh = fresh

    @property
    def installed(self) -> bool:
        """Whether this system has it."""
        return self._directory.is_dir() and shutil.which(self._update[0]) is not None

    @property
    def place(self) -> str:
        """See `Store`."""
        return f"{self._directory} ({self._update[0]})"

    def holds(self, anchor: Anchor) -> bool:
        """See `Store`."""
        path = self._path(anchor)
        try:
            with path.open("rb") as file:
                return x509.load_pem_x509_certificate(file.read(MAX_PEM_BYTES)) == anchor.certificate
        except (FileNotFoundError, ValueError):
            return False
        except OSError as error:
            raise TrustError(_why(path, error)) from None

    def knows(self, anchor: Anchor) -> bool:
        """See `Store`."""
        return self._path(anchor).exists()

    def add(self, anchor: Anchor) -> None:
        """See `Store`."""
        path = self._path(anchor)
        draft = path.with_suffix(".new")  # of an ending that no update takes up
        try:
            draft.write_bytes(anchor.pem)
            draft.chmod(READABLE)
            draft.replace(path)
        except OSError as error:
            raise TrustError(_why(path, error)) from None
        try:
            run(self._update)
        except TrustError:
            path.unlink(missing_ok=True)  # what was not taken up is not to look as if it were
            raise

    def remove(self, anchor: Anchor) -> None:
        """See `Store`."""
        path = self._path(anchor)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise TrustError(_why(path, error)) from None
        run([*self._update, *self._fresh])

    def _path(self, anchor: Anchor) -> Path:
        return self._directory / f"{anchor.name}{self._ending}"


def _why(path: Path, error: OSError) -> Sentence:
    if isinstance(error, PermissionError):
        return Sentence("{path} is the system's: run this with sudo.", path=path)
    return Sentence("{path} cannot be read or written ({why}).", path=path, why=error.strerror or error)


DEBIAN = SystemStore(Path("/usr/local/share/ca-certificates"), ".crt", ("update-ca-certificates",), ("--fresh",))
FEDORA = SystemStore(Path("/etc/pki/ca-trust/source/anchors"), ".pem", ("update-ca-trust",))


def system_store() -> SystemStore | None:
    """Return this system's store; None where it has none that is known here."""
    return next((store for store in (FEDORA, DEBIAN) if store.installed), None)
