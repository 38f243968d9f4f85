"""Certificate databases of NSS, which Chromium and Firefox have: by `certutil`, the program that comes with NSS."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

from secure_protocol.sentence import Sentence
from secure_server.trust.anchor import Anchor
from secure_server.trust.store import TrustError, run

PROGRAM = "certutil"
DATABASE = "cert9.db"
"""The file that makes a directory a database."""
MOST_PROFILES = 100
"""Of each kind of browser; a person has one or two."""
ROUNDS = 10
"""Certificates of one nickname that are taken out: one of each time that the CA was renewed."""

_CHROMIUM = (".pki/nssdb", ".local/share/pki/nssdb", "snap/chromium/current/.pki/nssdb")
"""Chromium, Chrome and what is made of them; newer ones go by the second where there is no first."""
_FIREFOX = (
    ".mozilla/firefox",
    ".config/mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
    "Library/Application Support/Firefox/Profiles",
)
_ROW = re.compile(r"^(?P<nickname>\S.*?)\s+(?P<tls>\w*),\w*,\w*\s*$", re.MULTILINE)
_TRUSTED_CA = "C"
"""Among the letters of a certificate's trust for TLS: it vouches for servers."""


def installed() -> bool:
    """Whether NSS' `certutil` is there; Windows has another program of that name."""
    return sys.platform != "win32" and shutil.which(PROGRAM) is not None


def databases(home: Path) -> list[NssDatabase]:
    """Return the databases of a person's browsers.

    That of Chromium is among them where there is none yet, since it finds one that was made beforehand.

    Args:
        home: the person's.
    """
    chromium = [home / path for path in _CHROMIUM if (home / path / DATABASE).exists()]
    if not chromium and sys.platform == "linux":
        chromium = [home / _CHROMIUM[0]]
    return [
        *(NssDatabase(path, "Chromium", home) for path in chromium),
        *(NssDatabase(path, "Firefox", home) for path in _profiles(home)),
    ]


def _profiles(home: Path) -> Iterator[Path]:
    for place in _FIREFOX:
        found = sorted((home / place).glob(f"*/{DATABASE}"))
        yield from (path.parent for path in found[:MOST_PROFILES])


class NssDatabase:
    """One database.

    Args:
        directory: it is in.
        browser: whose it is.
        home: of the person, for a shorter name.
    """

    def __init__(self, directory: Path, browser: str, home: Path) -> None:
        self._directory = directory
        self._browser = browser
        self._home = home

    @property
    def place(self) -> str:
        """See `Store`."""
        return f"~/{self._directory.relative_to(self._home)} ({self._browser})"

    def holds(self, anchor: Anchor) -> bool:
        """See `Store`."""
        return any(anchor.certificate in known for known in self._known(anchor).values())

    def knows(self, anchor: Anchor) -> bool:
        """See `Store`."""
        return bool(self._known(anchor))

    def add(self, anchor: Anchor) -> None:
        """See `Store`."""
        if not self._exists:
            try:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise TrustError(
                    Sentence("{path} cannot be made ({why}).", path=self._directory, why=error.strerror or error)
                ) from None
            self._run("-N", "--empty-password")
        try:
            self._run("-A", "-n", anchor.name, "-t", f"{_TRUSTED_CA},,", "-a", given=anchor.pem)
        except TrustError:
            self._forget(anchor.name)  # it takes a certificate in before it asks for the password that trusting takes
            raise

    def remove(self, anchor: Anchor) -> None:
        """See `Store`."""
        for _ in range(ROUNDS):
            known = self._known(anchor)
            if not known:
                return
            for nickname in known:
                self._run("-D", "-n", nickname)

    def _known(self, anchor: Anchor) -> dict[str, list[x509.Certificate]]:
        """Return what is trusted and of that CA, by nickname: somebody may have put it in under another."""
        if not self._exists:
            return {}
        rows = _ROW.finditer(self._run("-L"))
        trusted = [row["nickname"] for row in rows if _TRUSTED_CA in row["tls"]]
        found = {nickname: self._certificates(nickname) for nickname in trusted}
        return {nickname: mine for nickname, them in found.items() if (mine := [*filter(anchor.same_ca, them)])}

    def _certificates(self, nickname: str) -> list[x509.Certificate]:
        try:
            return x509.load_pem_x509_certificates(self._run("-L", "-n", nickname, "-a").encode())
        except ValueError:
            return []  # of a kind that is none of ours

    def _forget(self, nickname: str) -> None:
        try:
            self._run("-D", "-n", nickname)
        except TrustError:
            return  # it was not there, and what went wrong before is what counts

    @property
    def _exists(self) -> bool:
        return (self._directory / DATABASE).exists()

    def _run(self, *arguments: str, given: bytes = b"") -> str:
        return run([PROGRAM, *arguments, "-d", f"sql:{self._directory}"], given)
