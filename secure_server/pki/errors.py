"""What can go wrong with certificates, as sentences for a person."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path


class CertificateError(Exception):
    """One sentence that says what is wrong, and what to do."""


class InvalidNameError(CertificateError):
    """A host or client name that no certificate can be made for."""


class UnusableFilesError(CertificateError):
    """The certificate directory holds something that cannot be used, or that this user may not use."""


class VerificationFailedError(CertificateError):
    """A certificate was accepted that must be refused, or refused that must be accepted."""


class CertificateProblem(CertificateError):  # noqa: N818 - the word that the server's composition root was promised
    """The server cannot serve with these files."""


def rollover_command(directory: Path, *, finish: bool = False) -> str:
    """Return the command that begins or finishes a rollover in `directory`, quoted for a shell.

    Args:
        directory: the certificate directory.
        finish: the one that finishes it.
    """
    argv = ["secure-server", "certs", "rollover", "--dir", str(directory)]
    if finish:
        argv.append("--finish")
    return f"`{shlex.join(argv)}`"


def ensure_command(directory: Path, *, hosts: Iterable[str] = (), new_ca: bool = False) -> str:
    """Return the command that mends `directory`, quoted for a shell and ready to paste.

    Args:
        directory: the certificate directory.
        hosts: host names and addresses to add.
        new_ca: whether the command makes a new CA.
    """
    argv = ["secure-server", "certs", "ensure", "--dir", str(directory)]
    for host in hosts:
        argv += ["--host", host]
    if new_ca:
        argv.append("--new-ca")
    return f"`{shlex.join(argv)}`"
