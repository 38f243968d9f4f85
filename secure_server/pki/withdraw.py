"""Setting a client's certificate and key aside, so that they are neither used nor renewed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from secure_protocol.sentence import Sentence
from secure_server.pki.errors import InvalidNameError, UnusableFilesError
from secure_server.pki.leaf import Leaf
from secure_server.pki.names import check_client_name
from secure_server.pki.store import CertificateDirectory


def withdraw_client(directory: Path, name: str, *, now: datetime | None = None) -> Path | None:
    """Move a client's two files into an `old-…` directory.

    Args:
        directory: the certificate directory.
        name: the client's.
        now: the time, in UTC; the system's when None.

    Returns:
        That directory; None where there are no such files.

    Raises:
        UnusableFilesError: they cannot be moved.
    """
    try:
        leaf = Leaf.client(check_client_name(name))
    except InvalidNameError:
        return None  # somebody else's CA makes certificates for such names
    files = CertificateDirectory(directory)
    if not (directory / leaf.file).exists() and not (directory / leaf.key_file).exists():
        return None
    try:
        with files.locked():
            return files.set_aside([leaf.file, leaf.key_file], now or datetime.now(UTC))
    except OSError as error:
        raise UnusableFilesError(
            Sentence(
                "{path} cannot be moved ({why}); delete {file} and {key} yourself, or they are renewed.",
                path=error.filename or directory,
                why=error.strerror or error,
                file=leaf.file,
                key=leaf.key_file,
            )
        ) from error
