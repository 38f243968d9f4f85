"""Whom the client believes, and how it shows itself: files, which `secure_client.connection.tls` reads."""

from pathlib import Path
from typing import NamedTuple

from secure_client.i18n import _


class Trust(NamedTuple):
    """Whom the client believes, and how it shows itself.

    Attributes:
        ca: PEM file of the CAs that may vouch for the server; None for the operating system's.
        certificate: PEM file of the client's own certificate, where the server asks for one.
        key: PEM file of its key; None when it is in `certificate` too.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def source(self) -> str:
        """The CAs in words, for messages."""
        return str(self.ca) if self.ca is not None else _("this system's trust store")


SYSTEM_TRUST = Trust()
